"""The forms of regulated verse, as outer shapes: how many lines (句) of how many characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from poetgen.characters import HAN
from poetgen.errors import SettingError

# Form: number of lines, characters in each.
FORMS: dict[str, tuple[int, int]] = {
    "五绝": (4, 5),
    "七绝": (4, 7),
    "五律": (8, 5),
    "七律": (8, 7),
}
# What a user calls a poem without rules.
FREE = "free"
_FREE_NAMES = (FREE, "自由", "自由诗")
# What is said of a poem in another form: by the length of its lines.
MIXED = "杂言"
_KINDS = {3: "三言", 4: "四言", 5: "五言", 6: "六言", 7: "七言"}
_BY_SHAPE = {shape: name for name, shape in FORMS.items()}
_LINE = re.compile(f"[{HAN}]+")


def is_free(name: str | None) -> bool:
    """Return whether a user asks for a poem without rules by this name of a form."""
    return name is not None and name.strip().casefold() in _FREE_NAMES


def lines_of(text: str) -> list[str]:
    """Return the lines (句) of a poem, without punctuation."""
    return _LINE.findall(text)


def line_lengths(text: str) -> list[int]:
    """Return the number of characters in each line of a poem."""
    return [len(line) for line in lines_of(text)]


def form_of(text: str) -> str | None:
    """Return the form of a poem, or None if it has none of the four.

    绝句 have four lines and 律诗 eight, all of five (五) or all of seven (七) characters.
    """
    return form_of_lengths(line_lengths(text))


def form_of_lengths(lengths: Sequence[int]) -> str | None:
    """Return the form of a poem whose lines have these lengths, or None."""
    if len(set(lengths)) != 1:
        return None
    return _BY_SHAPE.get((len(lengths), lengths[0]))


def kind_of_lines(length: int) -> str:
    """Return what verse with lines of this length is called: 五言, or 杂言 if it has no name."""
    return _KINDS.get(length, MIXED)


def parse_forms(names: str) -> frozenset[str]:
    """Return the forms in a list of names with commas between them.

    Raises:
        SettingError: a name is not one of the four.
    """
    wanted = frozenset(name.strip() for name in names.replace("，", ",").split(","))
    unknown = wanted - FORMS.keys()
    if unknown:
        raise SettingError(
            f"There is no form {'、'.join(sorted(unknown)) or '(empty)'}.",
            f"Choose among: {', '.join(FORMS)}.",
        )
    return wanted
