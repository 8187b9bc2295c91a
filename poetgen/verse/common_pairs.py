"""The commonest pairs of characters in verse, such as 不知, 何处 and 万里, and doublings (悠悠).

The tables are made from the training poems of the Tang by ``tools/make_common_pairs.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence, Set
from itertools import pairwise
from pathlib import Path

from poetgen.verse.rhymes import TABLES

TABLE, DOUBLINGS = TABLES / "common_pairs.txt", TABLES / "doublings.txt"


@functools.cache
def common_pairs() -> Set[str]:
    """Return the commonest pairs."""
    return _pairs_of(TABLE)


@functools.cache
def doublings() -> Set[str]:
    """Return the commonest doublings (叠字): 85 of 100 in poems of the Tang are one of these."""
    return _pairs_of(DOUBLINGS)


def _pairs_of(table: Path) -> Set[str]:
    return frozenset(row.split()[0] for row in table.read_text("utf-8").splitlines())


def count_common(lines: Sequence[str]) -> int:
    """Count the neighbours inside lines (句) that are common pairs."""
    pairs = common_pairs()
    return sum(a + b in pairs for line in lines for a, b in pairwise(line))


def count_stutters(lines: Sequence[str]) -> int:
    """Count the neighbours inside lines (句) that are the same, and no usual doubling: 雁雁."""
    usual = doublings()
    return sum(
        a == b and (a + b not in usual or before == a)
        for line in lines
        for before, a, b in zip(f" {line}", line, line[1:], strict=False)
    )
