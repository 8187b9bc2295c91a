"""A poem as a picture: columns on paper, with a title, a seal and an imprint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from poetgen.characters import hanzi_only
from poetgen.verse.columns import BLANK, columns

PAPER, INK, FAINT, RULE, RED = "#f8f2e4", "#26211e", "#8b7f70", "#e2c3ae", "#a92b22"
# Regular script (楷体) first, then the serif faces (宋体); by the names that browsers know.
FAMILIES = (
    *("LXGW WenKai", "Kaiti SC", "STKaiti", "KaiTi", "BiauKai", "DFKai-SB", "AR PL UKai CN"),
    *("Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC", "Songti SC", "SimSun"),
    *("Noto Serif CJK TC", "Noto Serif TC", "PMingLiU"),
)
_IMPRINT_FAMILIES = ("Georgia", "DejaVu Serif", "Noto Serif")

# Everything is measured in units of the picture; a character of the poem has this size.
_SIZE = 48.0
_PITCH, _COLUMN = 1.16 * _SIZE, 1.75 * _SIZE
# From the edge of the paper to the frame, and from there to the characters.
_MARGIN, _PADDING = 1.6 * _SIZE, 0.9 * _SIZE
_TITLE_SIZE, _SEAL, _IMPRINT_SIZE = 0.62 * _SIZE, 1.0 * _SIZE, 0.25 * _SIZE
_MIN_ROWS = 5
# A picture of more would be too wide to look at, and for a computer's memory.
MAX_COLUMNS = 60
# A font's baseline is this share of its size below the top of a Chinese character.
BASELINE = 0.88


class Glyph(NamedTuple):
    """A character whose square has its top centre at ``x``, ``y``."""

    char: str
    x: float
    y: float
    size: float
    colour: str


class Box(NamedTuple):
    """A rectangle with round corners, filled or with a line of the width ``line``."""

    x: float
    y: float
    width: float
    height: float
    radius: float
    colour: str
    line: float | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """Where everything of a picture stands, in units, from the top left corner."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    # Texts, from the top down, each with one glyph for each character: the title, the columns
    # of the poem, the seal.
    texts: tuple[tuple[Glyph, ...], ...]
    # A line of small letters, which begins at its place.
    imprint: str
    imprint_at: tuple[float, float]
    imprint_size: float


def layout_card(text: str, *, title: str = "", seal: str = "詩", imprint: str = "") -> Card:
    """Return the picture of a poem in columns from right to left.

    Args:
        text: the poem; its punctuation is left out.
        title: stands in a smaller column before the poem.
        seal: one to four characters for the red seal, from the top right down.
        imprint: a small line at the foot.
    """
    # Across the paper, from the right: the title, the columns, and one for the seal.
    found = [*([title] if title else []), *columns(text), ""]
    rows = max([*map(len, found), _MIN_ROWS])
    wide, high = len(found) * _COLUMN, _PITCH * (rows - 1) + _SIZE + 2 * _PADDING
    frame = Box(_MARGIN, _MARGIN, wide, high, 0, RULE, 1.5)
    outer = Box(_MARGIN - 7, _MARGIN - 7, wide + 14, high + 14, 0, RULE, 3.5)
    rules = (
        Box(_MARGIN + place * _COLUMN - 0.5, _MARGIN, 1, high, 0, RULE)
        for place in range(1, len(found))
    )
    texts = []
    for place, column in enumerate(found):
        is_title = bool(title) and place == 0
        size, colour = (_TITLE_SIZE, FAINT) if is_title else (_SIZE, INK)
        x = _MARGIN + wide - (place + 0.5) * _COLUMN
        if column:
            texts.append(_column(column, x, _MARGIN + _PADDING, size, colour))
    stamp, signs = _seal(seal, _MARGIN + _COLUMN / 2, _MARGIN + high - _PADDING)
    width, height = wide + 2 * _MARGIN, high + 2 * _MARGIN
    return Card(
        *(width, height),
        boxes=(Box(0, 0, width, height, 0, PAPER), outer, frame, *rules, *stamp),
        texts=(*texts, signs),
        imprint=imprint,
        imprint_at=(_MARGIN, height - 0.65 * _SIZE),
        imprint_size=_IMPRINT_SIZE,
    )


def seal_of(name: str) -> str:
    """Return what the seal of a model says: up to four Chinese characters of its name, or 詩."""
    return hanzi_only(name)[:4] or "詩"


def _column(text: str, x: float, y: float, size: float, colour: str) -> tuple[Glyph, ...]:
    pitch = size * _PITCH / _SIZE
    return tuple(Glyph(char, x, y + place * pitch, size, colour) for place, char in enumerate(text))


def _seal(signs: str, x: float, foot: float) -> tuple[tuple[Box, Box], tuple[Glyph, ...]]:
    """Return a seal centred on ``x`` that stands on ``foot``: white signs on red, with a line."""
    across, down = (2 if len(signs) > 2 else 1), (1 if len(signs) == 1 else 2)
    size = (0.72 if len(signs) == 1 else 0.5) * _SEAL
    edge = 0.17 * _SEAL
    wide, high = across * size + 2 * edge, down * size + 2 * edge
    red = Box(x - wide / 2, foot - high, wide, high, 4, RED)
    line = Box(red.x + 3, red.y + 3, wide - 6, high - 6, 2, PAPER, 1.2)
    first = x + (across - 1) * size / 2
    glyphs = (
        Glyph(sign, first - place // 2 * size, red.y + edge + place % 2 * size, size, PAPER)
        for place, sign in enumerate(signs)
    )
    return (red, line), tuple(glyphs)


def svg(card: Card) -> str:
    """Return the card as SVG, whose text the reader's own fonts draw."""
    size = f'width="{card.width:g}" height="{card.height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {card.width:g} {card.height:g}" xml:lang="zh">',
        *map(_box_svg, card.boxes),
        f'<g text-anchor="middle" font-family={_families(FAMILIES)}>',
        *(line for glyphs in card.texts for line in _text_svg(glyphs)),
        "</g>",
    ]
    if card.imprint:
        x, y = card.imprint_at
        lines.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{card.imprint_size:g}" '
            f'fill="{FAINT}" font-family={_families(_IMPRINT_FAMILIES)}>'
            f"{escape(card.imprint)}</text>"
        )
    return "\n".join([*lines, "</svg>", ""])


def _families(names: Sequence[str]) -> str:
    return quoteattr(", ".join([*(f"'{name}'" for name in names), "serif"]))


def _box_svg(box: Box) -> str:
    place = f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'
    line = f'fill="none" stroke="{box.colour}" stroke-width="{box.line}"'
    paint = f'fill="{box.colour}"' if box.line is None else line
    return f'<rect {place} rx="{box.radius:g}" {paint}/>'


def _text_svg(glyphs: Sequence[Glyph]) -> Iterator[str]:
    """Yield one text element, whose characters have a place each."""
    first = glyphs[0]
    spans = (
        f'<tspan x="{x:g}" y="{y + BASELINE * size:g}">{escape(char)}</tspan>'
        for char, x, y, size, _ in glyphs
        if char != BLANK
    )
    yield f'<text font-size="{first.size:g}" fill="{first.colour}">{"".join(spans)}</text>'
