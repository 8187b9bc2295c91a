"""How a poem stands on the page."""

from __future__ import annotations

import re

from poetgen.characters import END_MARKS, mostly_han

_SENTENCE = re.compile(rf"[^{END_MARKS}]*[{END_MARKS}]+|[^{END_MARKS}]+$")


def couplets(text: str) -> list[str]:
    """Break Chinese verse into couplets (联): a new line after each 。？！ or ；.

    Other text keeps the lines it has.
    """
    if "\n" in text or not mostly_han(text):
        return text.split("\n")
    return _SENTENCE.findall(text)
