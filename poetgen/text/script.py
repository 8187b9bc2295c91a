"""Simplified and traditional characters, by OpenCC."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC


# Between texts: an end of a paragraph, over which no phrase of a dictionary reaches.
_SEPARATOR = "\n\x1e\n"


@functools.cache
def _converter(name: str) -> OpenCC:
    # OpenCC reads its dictionaries on construction; imported late because most commands
    # never convert anything.
    from opencc import OpenCC

    return OpenCC(name)


def to_simplified(text: str) -> str:
    """Convert traditional characters to simplified ones, phrase by phrase (繁→简)."""
    return str(_converter("t2s").convert(text))


def to_traditional(text: str) -> str:
    """Convert simplified characters to traditional ones, phrase by phrase (简→繁)."""
    return str(_converter("s2t").convert(text))


def convert_all(texts: Sequence[str], script: str) -> list[str]:
    """Convert texts to ``script``: ``simplified``, ``traditional``, or ``keep`` as they are.

    One call converts them all, since each call has a price of its own. Texts of alphabets
    are left alone.
    """
    if script == "keep":
        return list(texts)
    convert = to_simplified if script == "simplified" else to_traditional
    converted = convert(_SEPARATOR.join(texts)).split(_SEPARATOR)
    if len(converted) != len(texts):
        # A text holds the separator itself.
        return [convert(text) for text in texts]
    return converted
