"""Texts as arrays of code points, for look-ups of all characters at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUM_CODEPOINTS = 0x110000


def codepoints(text: str) -> NDArray[np.uint32]:
    """Return the code point of each character, shape (len(text),)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def as_text(points: NDArray[np.uint32]) -> str:
    """Return the text of code points."""
    return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
