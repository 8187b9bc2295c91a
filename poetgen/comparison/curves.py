"""Learning curves as numbers: a mean with a band for each contender.

The terminal, SVG and PNG draw these and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.comparison.labels import labels_of
from poetgen.comparison.results import Contender, Point, Verdict, mean_of
from poetgen.comparison.rows import finished

Against = Literal["tokens", "seconds"]


@dataclass(frozen=True, slots=True)
class Line:
    """Perplexity ``y`` at ``x``; ``low`` and ``high`` are those of the seeds."""

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True)
class Curve:
    """What is drawn of a contender.

    ``place`` is its place among all contenders, and decides the colour. ``mean`` is over the runs
    with figures, as far as all of them go; ``rests`` are what single ones have beyond, and
    ``lost`` the runs without figures. A contender without training has a ``level`` alone.
    """

    name: str
    place: int
    mean: Line | None = None
    rests: Sequence[Line] = ()
    lost: Sequence[Line] = ()
    level: float | None = None

    @property
    def lines(self) -> list[Line]:
        """All lines of the curve, the mean first."""
        return [*([] if self.mean is None else [self.mean]), *self.rests, *self.lost]

    @property
    def end(self) -> tuple[float | None, float]:
        """Where the name stands: the end of the first line (x, y), or a level, without x."""
        if self.level is not None:
            return None, self.level
        return self.lines[0].x[-1], self.lines[0].y[-1]


def curves_of(verdict: Verdict, against: Against) -> list[Curve]:
    """Return a curve for each contender that has one, in the order of the contenders.

    Contenders without training have a level, if they were measured on the text of the curves.
    """
    found = []
    labels = labels_of(verdict.contenders)
    for place, contender in enumerate(verdict.contenders):
        label = labels[contender.name]
        if contender.kind == "trained":
            curve = _curve_of(replace(contender, name=label), place, against)
            found += [curve] if curve.lines else []
        elif verdict.on_validation and contender.figures:
            level = mean_of(contender.figures, "perplexity_per_token")
            found.append(Curve(label, place, level=level))
    return found if any(curve.lines for curve in found) else []


def _curve_of(contender: Contender, place: int, against: Against) -> Curve:
    whole = [points for run in finished(contender) if (points := _finite(run.curve))]
    lost = [
        _alone(points, against)
        for run in contender.runs
        if run.figures is None and (points := _finite(run.curve))
    ]
    if not whole:
        return Curve(contender.name, place, lost=lost)
    # Runs of a contender are validated at about the same tokens, but never at the same seconds.
    first = max(points[0].tokens for points in whole)
    last = min(points[-1].tokens for points in whole)
    grid = sorted({point.tokens for points in whole for point in points})
    common = [tokens for tokens in grid if first <= tokens <= last]
    if not common:
        return Curve(contender.name, place, rests=[_alone(p, against) for p in whole], lost=lost)
    losses = [_at(common, points, [math.log(p.perplexity) for p in points]) for points in whole]
    seconds = [_at(common, points, [p.seconds for p in points]) for points in whole]
    heights = np.exp(losses)
    mean = Line(
        [*map(float, common)] if against == "tokens" else np.mean(seconds, axis=0).tolist(),
        *(values.tolist() for values in (heights.mean(0), heights.min(0), heights.max(0))),
    )
    beyond = [[point for point in points if point.tokens >= last] for points in whole]
    rests = [_alone(points, against) for points in beyond if len(points) > 1]
    return Curve(contender.name, place, mean, rests, lost)


def _finite(curve: Sequence[Point]) -> list[Point]:
    return [point for point in curve if math.isfinite(point.perplexity)]


def _alone(points: Sequence[Point], against: Against) -> Line:
    y = [point.perplexity for point in points]
    return Line([float(getattr(point, against)) for point in points], y, y, y)


def _at(tokens: Sequence[int], points: Sequence[Point], values: Sequence[float]) -> FloatArray:
    """Return the values of a run between its points, which have ``values``."""
    return np.interp(tokens, [point.tokens for point in points], values)
