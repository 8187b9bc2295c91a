"""The commonest pairs of characters in verse, such as 不知, 何处 and 万里.

The table is made from the training poems of the Tang by ``tools/make_common_pairs.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence, Set
from itertools import pairwise
from pathlib import Path

TABLE = Path(__file__).parent / "tables" / "common_pairs.txt"


@functools.cache
def common_pairs() -> Set[str]:
    """Return the pairs of the table."""
    return frozenset(row.split()[0] for row in TABLE.read_text("utf-8").splitlines())


def count_common(lines: Sequence[str]) -> int:
    """Count the neighbours inside lines (句) that are common pairs."""
    pairs = common_pairs()
    return sum(a + b in pairs for line in lines for a, b in pairwise(line))
