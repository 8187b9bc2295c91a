"""How a poem stands on the page."""

from __future__ import annotations

import re

from poetgen.characters import END_MARKS, mostly_han

# Between an end mark and what is not one.
_BREAK = re.compile(f"(?<=[{END_MARKS}])(?=[^{END_MARKS}])")


def couplets(text: str) -> list[str]:
    """Return the lines of a text: of Chinese verse its couplets (联), which end with 。？！ or ；.

    Other text keeps the lines it has.
    """
    return _BREAK.split(text) if _is_verse(text) else text.split("\n")


def with_breaks(before: str, piece: str) -> str:
    """Return ``piece``, which continues the text ``before``, with the line breaks of couplets.

    So a poem can be laid out while it grows.
    """
    joint = before[-1:] + piece
    if not _BREAK.search(joint) or not _is_verse(before + piece):
        return piece
    return _BREAK.sub("\n", joint)[len(before[-1:]) :]


def _is_verse(text: str) -> bool:
    return "\n" not in text and mostly_han(text)
