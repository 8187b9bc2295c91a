"""The axes of a chart: from where to where, linear or logarithmic, and with which ticks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from poetgen.comparison.curves import Against, Curve

# A place in a chart, (x, y).
Point = tuple[float, float]

# From this ratio on, a linear axis would hide what happens in its lower part.
_LOG_RATIO = 20.0
_UNITS_OF_TIME = ((7200.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
# Ticks at these multiples of a power of ten: the first set that gives enough of them.
_MULTIPLES = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
_MIN_TICKS, _MAX_TICKS = 4, 7


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from ``low`` to ``high``, in the unit that ``title`` names, of so much each."""

    title: str
    low: float
    high: float
    is_log: bool
    unit: float = 1.0

    def place(self, value: float) -> float:
        """Return where a value stands: 0 at the low end, 1 at the high one."""
        value = min(max(value, self.low), self.high)
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the values of the ticks with their labels."""
        low, high = self.low / self.unit, self.high / self.unit
        values = (_log_ticks(low, high) if self.is_log else None) or _linear_ticks(low, high)
        return [(value * self.unit, _label(value)) for value in values]


def axes_of(curves: Sequence[Curve], against: Against) -> tuple[Axis, Axis]:
    """Return the axis of tokens or seconds, and that of perplexity, for curves with a line."""
    lines = [line for curve in curves for line in curve.lines]
    reached = [x for line in lines for x in line.x]
    least, most = min(reached), max(reached) or 1.0
    is_log = least > 0 and most / least >= _LOG_RATIO
    title, unit = "training tokens", 1.0
    if against == "seconds":
        unit, name = next((unit, name) for first, unit, name in _UNITS_OF_TIME if most >= first)
        title = f"{name}, validation and samples included"
    across = Axis(title, least if is_log else 0.0, most, is_log, unit)
    heights = [value for line in lines for value in (*line.low, *line.high)]
    heights += [curve.level for curve in curves if curve.level is not None]
    # Loss is the logarithm of perplexity, so equal steps of loss are equally high.
    room = max((max(heights) / min(heights)) ** 0.05, 1.01)
    return across, Axis("perplexity per token", min(heights) / room, max(heights) * room, True)


def _log_ticks(low: float, high: float) -> list[float] | None:
    """Return ticks for a logarithmic axis, or None if it is too short for those it has."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for multiples in _MULTIPLES:
        found = [m * 10.0**power for power in powers for m in multiples]
        inside = [value for value in found if low <= value <= high]
        if len(inside) >= _MIN_TICKS:
            return inside if len(inside) <= _MAX_TICKS else inside[:: len(inside) // _MAX_TICKS + 1]
    return None


def _linear_ticks(low: float, high: float) -> list[float]:
    wide = (high - low) / _MAX_TICKS
    power = 10.0 ** math.floor(math.log10(wide))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if m * power >= wide)
    first = math.ceil(low / step - 1e-9)
    return [step * number for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _label(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def thinned(points: Sequence[Point], most: int = 300) -> list[Point]:
    """Return at most ``most``, 4 or more, points (x, y), x ascending, that look like all.

    Of each of many columns they are the first, the last, the lowest and the highest. Source:
    Jugel et al. 2014, "M4: a visualization-oriented time series data aggregation", VLDB 7.
    """
    found, num_columns = list(points), 2 * most
    while len(found) > most:
        # In the end there are no more than a quarter of ``most``.
        num_columns -= max(1, most // 12)
        found = [point for column in _columns(points, num_columns) for point in _outline(column)]
    return found


def _columns(points: Sequence[Point], count: int) -> Iterator[list[Point]]:
    first, wide = points[0][0], points[-1][0] - points[0][0] or 1.0
    columns = groupby(points, lambda point: min(int((point[0] - first) / wide * count), count - 1))
    return (list(column) for _, column in columns)


def _outline(points: Sequence[Point]) -> list[Point]:
    heights = [y for _, y in points]
    kept = {0, heights.index(min(heights)), heights.index(max(heights)), len(points) - 1}
    return [points[place] for place in sorted(kept)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places from ``low`` to ``high`` near the wanted ones, each two at least ``gap`` apart.

    Their order stays, and the sum of the squared distances is the least that there is. If they do
    not all fit, they are as far apart as they can be.
    """
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    # Without the gaps they only have to be in order: blocks of equal places, pooled where they
    # are not (isotonic regression).
    blocks: list[list[float]] = []
    for rank, place in enumerate(order):
        blocks.append([wanted[place] - rank * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    pooled = [fmean(block) for block in blocks for _ in block]
    most = high - gap * (len(wanted) - 1)
    found = [0.0] * len(wanted)
    for rank, place in enumerate(order):
        found[place] = min(max(pooled[rank], low), most) + rank * gap
    return found
