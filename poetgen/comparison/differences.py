"""Whether two contenders differ by more than their repetitions do: Welch's t-test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from poetgen.comparison.results import Contender, Difference, Figures

# With fewer runs of each, a spread is hardly known.
LEAST_RUNS = 3
_LEVEL = 0.05
_TEST = f"Welch's t-test of bits per character, clear below {_LEVEL}"
_NOT_TESTED = f"not tested: that takes at least {LEAST_RUNS} seeds of each"
# Of the continued fraction, which has converged to double precision long before.
_MOST_TERMS = 10_000


def differences_between(contenders: Sequence[Contender]) -> list[Difference]:
    """Return the difference of each two contenders that have figures.

    Bits per character are compared, which contenders of every vocabulary have in common.
    """
    known = [contender for contender in contenders if contender.figures]
    return [_difference(one, other) for one, other in itertools.combinations(known, 2)]


def _difference(one: Contender, other: Contender) -> Difference:
    losses = {each.name: [f.bits_per_char for f in each.figures] for each in (one, other)}
    better, worse = sorted(losses, key=lambda name: sum(losses[name]) / len(losses[name]))
    if min(map(len, losses.values())) < LEAST_RUNS:
        return Difference(better, worse, is_clear=False, p_value=None, test=_NOT_TESTED)
    p_value = welch(losses[better], losses[worse])
    return Difference(better, worse, p_value < _LEVEL, p_value, _TEST)


def spread_of(figures: Sequence[Figures], name: str) -> float | None:
    """Return the standard deviation of one figure over the runs, or None of fewer than two."""
    values = [value for one in figures if (value := getattr(one, name)) is not None]
    return math.sqrt(_variance(values)) if len(values) > 1 else None


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the two-sided p-value, 0 to 1, that two samples have the same mean.

    Their variances may differ. Each has at least two values. Source: Welch 1947, "The
    generalization of 'Student's' problem when several different population variances are
    involved", Biometrika 34.
    """
    shares = [_variance(values) / len(values) for values in (one, other)]
    distance = sum(one) / len(one) - sum(other) / len(other)
    if sum(shares) == 0:
        return 1.0 if distance == 0 else 0.0
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, (one, other), strict=True)
    )
    return student_p(distance / math.sqrt(sum(shares)), freedom)


def student_p(t: float, freedom: float) -> float:
    """Return the two-sided p-value of Student's t with so many degrees of freedom."""
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b).

    A continued fraction, evaluated from its front. Source: Press et al., "Numerical Recipes",
    3rd ed., 6.4.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly
        return 1 - _incomplete_beta(b, a, 1 - x)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, _MOST_TERMS):
        before = value
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= c * d
        if abs(value - before) <= 1e-15 * abs(value):
            break
    return front * value
