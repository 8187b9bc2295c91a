"""Pairs of characters that models write more often than poets do, such as 泪满 and 一别.

What is likely line after line is written again and again: 泪满 stands in one of ten drafts, and in
one of five hundred poems. The table says by how much more often, and is made by
``tools/make_overused_pairs.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

from poetgen.verse.rhymes import TABLES

TABLE = TABLES / "overused_pairs.txt"


@functools.cache
def overused_pairs() -> dict[str, float]:
    """Return for each such pair the natural logarithm of how many times too often it is written."""
    rows = (row.split() for row in TABLE.read_text("utf-8").splitlines())
    return {pair: float(excess) for pair, excess in rows}


def overuse(lines: Sequence[str]) -> float:
    """Return the sum over the neighbours inside lines (句) that are overused, in nats."""
    excess = overused_pairs().get
    return sum(excess(a + b, 0.0) for line in lines for a, b in pairwise(line))
