"""Whether two contenders differ by more than chance: over repetitions, or over texts.

Contenders that were trained several times differ if their runs do (Welch's t-test). Two models of
which there is one each, such as saved ones, differ if their losses on the same texts do (a paired
t-test). The first is about architectures and settings, the second about these two models.
Every p is corrected for the number of pairs that are tested.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from poetgen.arrays import FloatArray
from poetgen.comparison.results import Contender, Difference

# With fewer runs of each, a spread is hardly known.
LEAST_RUNS = 3
# From so many on, the mean difference of texts is about normal, however they are distributed.
LEAST_TEXTS = 30
LEVEL = 0.05
# Of the continued fraction, which has converged to double precision long before.
_MOST_TERMS = 10_000


def differences_between(
    contenders: Sequence[Contender], bits: Mapping[str, FloatArray] = {}
) -> list[Difference]:
    """Return the difference of each two contenders that have figures.

    Bits per character are compared, which contenders of every vocabulary have in common. ``bits``
    are those of each text, (number of texts,), by contender; they count for those of a single run.
    """
    known = [contender for contender in contenders if contender.figures]
    found = [_difference(one, other, bits) for one, other in itertools.combinations(known, 2)]
    p_values = iter(holm([one.p_value for one in found if one.p_value is not None]))
    return [one if one.p_value is None else _with_p(one, next(p_values)) for one in found]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, each at most 1, in their order.

    If those below a level are called clear, the chance that any is called so wrongly is at most
    that level. Source: Holm 1979, "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 6.
    """
    corrected, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = least
    return corrected


def _with_p(difference: Difference, p_value: float) -> Difference:
    return replace(difference, p_value=p_value, is_clear=p_value < LEVEL)


def _difference(one: Contender, other: Contender, bits: Mapping[str, FloatArray]) -> Difference:
    """Return a difference with the p-value of its own test; whether it is clear is found later."""
    losses = {each.name: [f.bits_per_char for f in each.figures] for each in (one, other)}
    better, worse = sorted(losses, key=lambda name: sum(losses[name]) / len(losses[name]))
    if min(map(len, losses.values())) >= LEAST_RUNS:
        p_value = welch(losses[better], losses[worse])
        return Difference(better, worse, False, p_value, "Welch's t-test over the seeds")
    if _can_be_paired(one, other, bits):
        p_value = paired(bits[better], bits[worse])
        test = f"paired t-test over {len(bits[better]):,} texts"
        return Difference(better, worse, False, p_value, test, is_of_models=True)
    return Difference(better, worse, is_clear=False, p_value=None, test="not tested")


def _can_be_paired(one: Contender, other: Contender, bits: Mapping[str, FloatArray]) -> bool:
    if max(len(one.runs), len(other.runs)) > 1 or not bits.keys() >= {one.name, other.name}:
        return False
    # In another script two poems may be the same, and letters alone are fewer characters.
    sizes = {(len(bits[each.name]), each.figures[0].num_chars) for each in (one, other)}
    return len(sizes) == 1 and len(bits[one.name]) >= LEAST_TEXTS


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


def paired(one: FloatArray, other: FloatArray) -> float:
    """Return the two-sided p-value, 0 to 1, that the differences of pairs have the mean 0.

    Both are (number of pairs,), of at least two. Source: Student 1908, "The probable error of a
    mean", Biometrika 6; for the losses of language models Dror et al. 2018, "The hitchhiker's
    guide to testing statistical significance in natural language processing", ACL.
    """
    differences = one - other
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation == 0:
        return 1.0 if mean == 0 else 0.0
    return student_p(mean / deviation * math.sqrt(len(differences)), len(differences) - 1)


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
