"""Poems in another dress: with pinyin, in traditional characters, in columns, as pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from poetgen.characters import hanzi_only
from poetgen.cli.options import ensure_new, ensure_picture
from poetgen.config import ShowConfig
from poetgen.corpus.script import in_both_scripts
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import SettingError
from poetgen.files import write_whole
from poetgen.generation.poem import Poem
from poetgen.generation.settings import exclude
from poetgen.terminal import visible
from poetgen.verse.card import MAX_COLUMNS, layout_card, seal_of, svg
from poetgen.verse.columns import columns, vertical
from poetgen.verse.picture import Fonts, find_fonts, png
from poetgen.verse.pinyin import readings, with_pinyin
from poetgen.verse.score_line import score_line

# The longest title that stands beside a poem of five rows.
_TITLE_CHARS = 7


@dataclass(frozen=True, slots=True)
class ShownPoem:
    """A poem, the lines that are printed of it, and what else JSON has."""

    poem: Poem
    lines: list[str]
    heading: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_cut(self) -> bool:
        """Whether the poem reached its largest length before its end."""
        return self.poem.is_cut

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return self.poem.as_dict() | self.extra


def check_showing(
    show: ShowConfig, card: Path | None, num_poems: int, *, stream: bool, as_json: bool, force: bool
) -> None:
    """Ensure, before any work, that poems can be shown so.

    Raises:
        SettingError: two flags contradict each other, a picture has another ending, or what
            draws it is not installed.
        ExistsError: a picture is already there.
    """
    if stream:
        # Each needs the whole poem: a character is read, or written, as its word demands.
        raise exclude("--stream", _flags(show, card)[0])
    if show.vertical and (show.pinyin or as_json):
        raise exclude("--vertical", "--pinyin" if show.pinyin else "--json")
    if card is not None:
        ensure_picture(card)
        cards = Cards(card, num_poems)
        for number in range(num_poems):
            ensure_new(cards.file(number), force)
        if card.suffix == ".png":
            find_fonts()


def ensure_chinese(show: ShowConfig, card: Path | None, vocabulary: Vocabulary) -> None:
    """Ensure that a model writes Chinese.

    Raises:
        SettingError: it does not.
    """
    if not vocabulary.is_chinese:
        raise SettingError(
            f"{_flags(show, card)[0]} is for Chinese poems, and this model writes others.",
            "Leave it out, or name another --model.",
        )


def _flags(show: ShowConfig, card: Path | None) -> list[str]:
    wanted = {
        "--score": show.score,
        "--pinyin": show.pinyin,
        "--traditional": show.traditional,
        "--vertical": show.vertical,
        "--card": card is not None,
    }
    return [flag for flag, is_wanted in wanted.items() if is_wanted]


def iter_shown(poems: Iterable[Poem], show: ShowConfig) -> Iterator[ShownPoem]:
    """Yield each poem as it is to be shown."""
    width = shutil.get_terminal_size().columns
    for poem in poems:
        shown = _dressed(poem, show, width)
        if show.score and poem.score is not None:
            gap = [""] if show.vertical else []
            shown = replace(shown, lines=[*shown.lines, *gap, score_line(poem.score)])
        yield shown


def _dressed(poem: Poem, show: ShowConfig, width: int) -> ShownPoem:
    if show.pinyin or show.traditional:
        simplified, traditional = in_both_scripts(poem.text)
    shown = poem
    if show.traditional:
        about = (poem.title, poem.author, poem.tune)
        title, author, tune = (in_both_scripts(text)[1] for text in about)
        shown = replace(poem, text=traditional, title=title, author=author, tune=tune)
    if show.vertical:
        heading = [shown.full_title, shown.author and f"仿{shown.author}"]
        first = [visible(part) for part in heading if part]
        return ShownPoem(shown, vertical([*first, *columns(visible(shown.text))], width))
    if show.pinyin:
        syllables = readings(simplified, traditional)
        rows = with_pinyin([visible(line) for line in shown.lines], syllables, width)
        return ShownPoem(
            shown, rows, shown.heading, {"pinyin": list(_by_line(shown.lines, syllables))}
        )
    return ShownPoem(shown, shown.lines, shown.heading)


def _by_line(lines: Iterable[str], syllables: list[str]) -> Iterator[str]:
    first = 0
    for line in lines:
        last = first + len(hanzi_only(line))
        yield " ".join(syllables[first:last])
        first = last


@dataclass(frozen=True, slots=True)
class Cards:
    """The pictures of some poems: a file for each, and what stands beside the poem.

    Beside a poem without a title stands the first column of its start, the
    ``num_start_chars`` first characters.
    """

    path: Path
    num_poems: int
    num_start_chars: int = 0
    model_name: str = ""
    seed: int | None = None

    def file(self, number: int) -> Path:
        """Return the file of poem ``number``; names sort as the poems were written."""
        if self.num_poems == 1:
            return self.path
        digits = len(str(self.num_poems))
        return self.path.with_name(f"{self.path.stem}-{number + 1:0{digits}}{self.path.suffix}")

    def draw(self, number: int, poem: Poem, fonts: Fonts | None) -> str:
        """Draw a poem, and return the characters that no font has; an SVG needs no fonts.

        Raises:
            SettingError: the poem is too long.
        """
        text = visible(poem.text)
        if len(columns(text)) > MAX_COLUMNS:
            raise SettingError(
                f"The poem fills {len(columns(text))} columns; a card has at most {MAX_COLUMNS}.",
                "Lower --max-chars.",
            )
        start = columns(text[: self.num_start_chars])
        seed = [] if self.seed is None else [str(self.seed)]
        card = layout_card(
            text,
            title=visible(poem.full_title) or (start[0][:_TITLE_CHARS] if start else ""),
            seal=seal_of(self.model_name),
            imprint=visible(" · ".join(["poetgen", self.model_name, *seed])),
        )
        data, lacking = (svg(card).encode(), "") if fonts is None else png(card, fonts)
        write_whole(self.file(number), lambda temporary: temporary.write_bytes(data))
        return lacking


def with_cards(
    poems: Iterable[ShownPoem], cards: Cards, note: Callable[[str], None]
) -> Iterator[ShownPoem]:
    """Yield the poems, and draw each one when it has been printed."""
    fonts = find_fonts() if cards.path.suffix == ".png" else None
    lacking: set[str] = set()
    number = 0
    for number, shown in enumerate(poems, start=1):
        yield shown
        lacking |= {*cards.draw(number - 1, shown.poem, fonts)}
    if number:
        last = f" to {cards.file(number - 1)}" if number > 1 else ""
        note(f"Wrote {cards.file(0)}{last}.")
    if lacking:
        note(f"No font was found for {''.join(sorted(lacking))}; the picture shows boxes there.")
