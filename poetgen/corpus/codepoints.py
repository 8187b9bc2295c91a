"""Texts as arrays of code points, the quick way to count characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NUM_CODEPOINTS = 0x110000


def codepoints(text: str) -> NDArray[np.uint32]:
    """Give the code point of each character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def count_codepoints(texts: Sequence[str]) -> NDArray[np.int64]:
    """Count every code point over all texts, shape (0x110000,)."""
    # In parts, so that there is never a second copy of everything.
    total = np.zeros(NUM_CODEPOINTS, np.int64)
    for begin in range(0, len(texts), 20_000):
        part = codepoints("".join(texts[begin : begin + 20_000]))
        counts = np.bincount(part)
        total[: len(counts)] += counts
    return total
