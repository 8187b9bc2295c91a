"""The seasons that a poem names: a poem of two seasons at once contradicts itself."""

from __future__ import annotations

from collections.abc import Sequence

SEASONS = "春夏秋冬"
# Springs and autumns are years, and the annals of a state.
_YEARS = "春秋"


def seasons_of(lines: Sequence[str]) -> frozenset[str]:
    """Return the seasons that lines (句) name."""
    chars = "".join(line.replace(_YEARS, "") for line in lines)
    return frozenset(chars) & frozenset(SEASONS)
