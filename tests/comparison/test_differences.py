"""A difference is called clear only by a test that knows the spread."""

import math

import numpy as np
import pytest

from poetgen.comparison.differences import differences_between, spread_of, student_p, welch
from poetgen.comparison.results import Contender, Figures, Run


def contender(name, *bits):
    figures = [Figures(1.0, math.e, None, value, 0.0, 0, 10, 10) for value in bits]
    runs = [Run(seed, "done", figures=one) for seed, one in enumerate(figures)]
    return Contender(name, "trained", runs=[*runs, Run(99, "failed", "why")])


def by_rule(t, freedom):
    """Integrate the density of Student's t from |t| to infinity, both sides."""
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    log_scale -= 0.5 * math.log(freedom * math.pi)
    # u = x / (1 + x) maps the positive numbers to 0…1.
    u = np.linspace(0, 1, 400_001)[:-1]
    x = u / (1 - u)
    density = np.exp(log_scale - (freedom + 1) / 2 * np.log1p(x * x / freedom)) / (1 - u) ** 2
    return 2 * float(np.trapezoid(np.where(x >= abs(t), density, 0), u))


@pytest.mark.parametrize("t", [0.01, 0.3, 1.0, 2.5, 12.0, 300.0])
def test_p_values_are_those_of_student_where_they_have_a_formula(t):
    assert student_p(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t), rel=1e-9)
    assert student_p(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-9)
    assert student_p(-t, 3.7) == student_p(t, 3.7)


@pytest.mark.parametrize("freedom", [2.3, 4.0, 17.5])
def test_p_values_are_the_area_beyond_t(freedom):
    assert student_p(0, freedom) == 1
    for t in (0.5, 1.7, 3.1):
        assert student_p(t, freedom) == pytest.approx(by_rule(t, freedom), abs=1e-4)


def test_welch_allows_different_spreads_and_sizes():
    # By hand: means 2 and 7, variances 1 and 10, of 3 and 5 values.
    one, other = [1.0, 2.0, 3.0], [3.0, 5.0, 7.0, 9.0, 11.0]
    shares = 1 / 3, 10 / 5
    freedom = sum(shares) ** 2 / (shares[0] ** 2 / 2 + shares[1] ** 2 / 4)
    expected = student_p(5 / math.sqrt(sum(shares)), freedom)
    assert welch(one, other) == welch(other, one) == pytest.approx(expected)


def test_samples_without_spread_differ_or_do_not():
    assert welch([2.0, 2.0, 2.0], [2.0, 2.0, 2.0]) == 1
    assert welch([2.0, 2.0, 2.0], [3.0, 3.0, 3.0]) == 0


def test_under_the_null_hypothesis_few_differences_are_called_clear():
    rng = np.random.default_rng(1)
    samples = rng.normal(0, [[[1.0], [3.0]]], (2000, 2, 4))
    share = np.mean([welch(*pair) < 0.05 for pair in samples.tolist()])
    assert 0.02 < share < 0.08


def test_a_clear_difference_says_who_is_better_and_by_which_test():
    found = differences_between(
        [contender("a", 5.2, 5.3, 5.1), contender("b", 4.0, 4.1, 4.2), contender("c")]
    )
    (only,) = found
    assert (only.better, only.worse, only.is_clear) == ("b", "a", True)
    assert only.p_value < 0.05
    assert "Welch" in only.test


def test_a_difference_within_the_spread_is_not_clear():
    (only,) = differences_between([contender("a", 5.0, 6.0, 4.0), contender("b", 5.1, 6.1, 4.2)])
    assert (only.better, only.worse, only.is_clear) == ("a", "b", False)
    assert only.p_value > 0.5


@pytest.mark.parametrize("bits", [(4.0,), (4.0, 4.1)])
def test_with_fewer_than_three_seeds_nothing_is_tested(bits):
    (only,) = differences_between([contender("a", *bits), contender("b", 5.0, 5.1, 5.2)])
    assert (only.better, only.is_clear, only.p_value) == ("a", False, None)
    assert "not tested" in only.test


def test_every_two_contenders_are_compared_once():
    contenders = [contender(name, number, number) for number, name in enumerate("abcd", start=1)]
    pairs = {(one.better, one.worse) for one in differences_between(contenders)}
    assert pairs == {(one, other) for one in "abcd" for other in "abcd" if one < other}


def test_a_spread_is_that_of_the_runs():
    figures = contender("a", 1.0, 2.0, 4.0).figures
    assert spread_of(figures, "bits_per_char") == pytest.approx(np.std([1, 2, 4], ddof=1))
    assert spread_of(figures[:1], "bits_per_char") is None
    assert spread_of(figures, "perplexity_per_hanzi") is None
