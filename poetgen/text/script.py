"""Simplified and traditional characters, by OpenCC."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC


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


def convert(text: str, script: str) -> str:
    """Convert to ``script``: ``simplified``, ``traditional``, or ``keep`` for no change."""
    if script == "keep":
        return text
    return to_simplified(text) if script == "simplified" else to_traditional(text)
