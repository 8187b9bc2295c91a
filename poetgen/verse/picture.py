"""A card as PNG, drawn by Pillow with the Chinese fonts of the machine."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from poetgen.errors import SettingError
from poetgen.verse.card import BASELINE, FAINT, PAPER, Card
from poetgen.verse.columns import BLANK

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# Font files by the systems that bring them, and the face in a collection; regular script (楷体)
# first, then serif (宋体), then sans serif.
FONT_FILES: tuple[tuple[str, int], ...] = (
    *(("LXGWWenKai-Regular.ttf", 0), ("Kaiti.ttc", 0), ("STKaiti.ttf", 0), ("simkai.ttf", 0)),
    *(("kaiu.ttf", 0), ("ukai.ttc", 0), ("NotoSerifCJK-Regular.ttc", 2)),
    *(("NotoSerifSC-Regular.otf", 0), ("SourceHanSerifSC-Regular.otf", 0), ("Songti.ttc", 6)),
    *(("simsun.ttc", 0), ("uming.ttc", 0), ("NotoSansCJK-Regular.ttc", 2), ("PingFang.ttc", 0)),
    *(("msyh.ttc", 0), ("wqy-zenhei.ttc", 0), ("wqy-microhei.ttc", 0)),
    *(("DroidSansFallbackFull.ttf", 0), ("DroidSansFallback.ttf", 0)),
)
# Pixels to a unit of the card: a character of the poem has 96.
SCALE = 2
# Drawn larger and made smaller, edges are smooth.
_OVERSIZE = 2
# No font has this noncharacter; it shows how a font draws what it lacks.
_LACKING = "\uffff"
_TRIAL_SIZE = 32


class Fonts:
    """The fonts that draw Chinese characters, the most beautiful first."""

    def __init__(self, faces: Sequence[tuple[str, int]]) -> None:
        """Take faces: the path of a file, and which of its fonts."""
        self._faces = faces
        self._sized: dict[tuple[str, int, int], FreeTypeFont] = {}
        self._of: dict[str, tuple[str, int] | None] = {}

    def has(self, char: str) -> bool:
        """Return whether a font has ``char``."""
        return self._face_of(char) is not None

    def font(self, char: str, size: int) -> FreeTypeFont:
        """Return the first font that has ``char``, else the first of all, ``size`` pixels high."""
        return self._font(self._face_of(char) or self._faces[0], size)

    def _face_of(self, char: str) -> tuple[str, int] | None:
        if char not in self._of:
            fonts = ((face, self._font(face, _TRIAL_SIZE)) for face in self._faces)
            has = (face for face, font in fonts if _drawn(font, char) != _drawn(font, _LACKING))
            self._of[char] = next(has, None)
        return self._of[char]

    def _font(self, face: tuple[str, int], size: int) -> FreeTypeFont:
        from PIL import ImageFont

        key = (*face, size)
        if key not in self._sized:
            path, number = face
            layout = ImageFont.Layout.BASIC
            self._sized[key] = ImageFont.truetype(path, size, number, layout_engine=layout)
        return self._sized[key]


def _drawn(font: FreeTypeFont, char: str) -> bytes:
    return bytes(font.getmask(char))


def find_fonts() -> Fonts:
    """Return the Chinese fonts of this machine.

    Raises:
        SettingError: there is none, or Pillow is not installed.
    """
    if find_spec("PIL") is None:
        raise SettingError(
            "A .png card needs Pillow, which is not installed.",
            "Install it: pip install 'poetgen[card]'. Or give a name that ends with .svg.",
        )
    from PIL import ImageFont

    faces = []
    for name, number in FONT_FILES:
        try:
            found = ImageFont.truetype(_in_package(name), _TRIAL_SIZE, number)
        except OSError:  # Pillow has searched the font folders of the system and of the user
            continue
        faces.append((str(found.path), number))
    if not faces:
        raise SettingError(
            "A .png card needs a Chinese font, and none was found.",
            "Install one: apt install fonts-lxgw-wenkai, or pip install pylopdf-fonts-zh-cn. Or "
            "give a name that ends with .svg.",
        )
    return Fonts(faces)


def _in_package(name: str) -> str:
    """Return the path of a font that pylopdf-fonts-zh-cn has brought, else its name."""
    package = find_spec("pylopdf_fonts_zh_cn")
    for folder in (package and package.submodule_search_locations) or ():
        if (Path(folder) / name).is_file():
            return str(Path(folder) / name)
    return name


def png(card: Card, fonts: Fonts) -> tuple[bytes, str]:
    """Return the card as PNG, ``SCALE`` pixels to a unit, and the characters that no font has."""
    from PIL import Image, ImageDraw

    size = round(card.width * SCALE), round(card.height * SCALE)
    zoom = SCALE * _OVERSIZE
    image = Image.new("RGB", (size[0] * _OVERSIZE, size[1] * _OVERSIZE), PAPER)
    draw = ImageDraw.Draw(image)
    for box in card.boxes:
        edges = (box.x, box.y, box.x + box.width, box.y + box.height)
        fill = box.colour if box.line is None else None
        line = round((box.line or 0) * zoom)
        corners = [edge * zoom for edge in edges]
        draw.rounded_rectangle(corners, box.radius * zoom, fill, box.colour, line)
    glyphs = [glyph for text in card.texts for glyph in text if glyph.char != BLANK]
    for char, x, y, height, colour in glyphs:
        place = x * zoom, (y + BASELINE * height) * zoom
        font = fonts.font(char, round(height * zoom))
        draw.text(place, char, colour, font, anchor="ms")
    x, y = card.imprint_at
    font = fonts.font("a", round(card.imprint_size * zoom))
    draw.text((x * zoom, y * zoom), card.imprint, FAINT, font, anchor="ls")
    target = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(target, "PNG", optimize=True)
    lacking = {glyph.char for glyph in glyphs if not fonts.has(glyph.char)}
    return target.getvalue(), "".join(sorted(lacking))
