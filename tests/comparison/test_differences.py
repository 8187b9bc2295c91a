"""A difference is called clear only by a test: over seeds, or over texts."""

import itertools
import math

import numpy as np
import pytest

from poetgen.comparison.differences import (
    LEAST_TEXTS,
    differences_between,
    holm,
    paired,
    student_p,
    welch,
)
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


# Many pairs.


def test_the_smallest_p_is_multiplied_by_the_number_of_pairs_the_next_by_one_less():
    # p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") of R.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9, 0.7]) == [1, 1, 1]
    assert (holm([0.03]), holm([])) == ([0.03], [])


def test_of_many_pairs_without_a_difference_hardly_any_is_called_clear():
    rng = np.random.default_rng(3)
    races = rng.normal(0, 1, (300, 5, 4)).tolist()
    pairs = [[*itertools.combinations(race, 2)] for race in races]
    uncorrected = np.mean([any(welch(*pair) < 0.05 for pair in race) for race in pairs])
    found = [
        differences_between([contender(str(place), *bits) for place, bits in enumerate(race)])
        for race in races
    ]
    assert np.mean([any(one.is_clear for one in race) for race in found]) < 0.08 < uncorrected


# Two models, text by text.


def single(name, bits, num_chars=100):
    """A model of one run, which has these bits in all."""
    figures = Figures(1.0, math.e, None, sum(bits) / num_chars, 0.0, 0, num_chars, num_chars)
    return Contender(name, "saved", runs=[Run(0, "done", figures=figures)])


def between(one, other, num_chars=(100, 100)):
    bits = {"a": np.array(one), "b": np.array(other)}
    contenders = [single(name, bits[name], n) for name, n in zip("ab", num_chars, strict=True)]
    (only,) = differences_between(contenders, bits)
    return only


def test_a_paired_test_is_that_of_the_differences():
    one, other = [3.0, 1.0, 4.0, 1.5, 9.2], [2.0, 1.5, 2.5, 1.0, 6.1]
    # As slowly as it is written: the mean difference over its standard error.
    differences = [a - b for a, b in zip(one, other, strict=True)]
    mean = sum(differences) / 5
    variance = sum((difference - mean) ** 2 for difference in differences) / 4
    expected = by_rule(mean / math.sqrt(variance / 5), 4)
    assert paired(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)
    assert paired(np.array(other), np.array(one)) == paired(np.array(one), np.array(other))


def test_pairs_that_differ_alike_differ_and_equal_ones_do_not():
    one = np.array([1.0, 2.0, 3.0])
    assert paired(one, one) == 1
    assert paired(one, one + 0.5) == 0


def test_a_paired_test_agrees_with_drawn_signs():
    # If the models were the same, each difference could as well have the other sign.
    rng = np.random.default_rng(2)
    one = rng.gamma(3, 40, 60)
    other = one + rng.normal(3, 12, 60)
    signs = rng.choice([-1, 1], (20_000, 60))
    drawn = np.abs(signs @ (one - other))
    share = np.mean(drawn >= abs((one - other).sum()))
    assert 0.01 < share < 0.5
    assert paired(one, other) == pytest.approx(share, abs=0.02)


def test_the_spread_of_texts_that_both_share_hides_no_difference():
    rng = np.random.default_rng(1)
    one = rng.gamma(3, 40, 60)
    found = between(one + rng.normal(2, 3, 60), one)
    assert (found.better, found.worse, found.is_clear, found.is_of_models) == (*"ba", True, True)
    assert "60 texts" in found.test
    assert welch([*one], [*(one + 2)]) > 0.5
    assert not between(one + rng.normal(0.1, 9, 60), one).is_clear


def test_models_are_tested_on_the_same_texts_and_on_enough_of_them():
    rng = np.random.default_rng(1)
    one, other = rng.gamma(3, 40, LEAST_TEXTS), rng.gamma(3, 40, LEAST_TEXTS)
    assert between(one, other).p_value is not None
    for untested in (
        between(one[1:], other[1:]),
        between(one, other[1:]),
        between(one, other, num_chars=(100, 99)),
    ):
        assert (untested.is_clear, untested.p_value) == (False, None)
    # A contender of several runs is more than one of its models.
    bits = {"a": one, "b": other}
    (only,) = differences_between([contender("a", 5.0, 5.1), single("b", other)], bits)
    assert only.p_value is None
    (only,) = differences_between([single("a", one), single("b", other)])
    assert only.p_value is None
