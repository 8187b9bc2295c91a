"""Learning curves as numbers, and the axes on which they stand."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.comparison.axes import Axis, axes_of, spread, thinned
from poetgen.comparison.curves import curves_of
from poetgen.comparison.results import Contender, Point, Run
from tests.comparison.verdicts import chinese, english, figures

PLACES = st.lists(st.floats(-50, 150), min_size=1, max_size=9)


def run(seed, points, *, has_figures=True):
    return Run(
        seed, "done" if has_figures else "diverged",
        curve=[Point(*point) for point in points], figures=figures(90.0) if has_figures else None,
    )  # fmt: skip


def curve(tmp_path, against, *runs):
    contender = Contender("gru", "trained", runs=runs)
    (found,) = curves_of(replace(chinese(tmp_path), contenders=[contender]), against)
    return found


def test_the_curve_is_the_mean_of_the_seeds_and_the_band_goes_from_lowest_to_highest(tmp_path):
    runs = run(1, [(100, 2, 80), (200, 4, 60)]), run(2, [(100, 4, 90), (200, 6, 50)])
    found = curve(tmp_path, "tokens", *runs)
    assert found.mean.x == [100, 200]
    assert found.mean.y == pytest.approx([85, 55])
    assert found.mean.low == pytest.approx([80, 50])
    assert found.mean.high == pytest.approx([90, 60])
    assert not found.rests
    assert curve(tmp_path, "seconds", *runs).mean.x == pytest.approx([3, 5])


def test_between_its_validations_a_run_is_read_from_the_line_of_its_loss(tmp_path):
    runs = run(1, [(100, 1, 100), (300, 3, 25)]), run(2, [(100, 1, 50), (200, 2, 50), (300, 3, 50)])
    assert curve(tmp_path, "tokens", *runs).mean.high[1] == pytest.approx(50)
    assert curve(tmp_path, "tokens", *runs).mean.y[1] == pytest.approx((50 + 50) / 2)


def test_what_one_seed_has_beyond_the_others_is_its_own(tmp_path):
    found = curve(
        tmp_path, "tokens", run(1, [(100, 1, 80), (200, 2, 60)]),
        run(2, [(100, 1, 80), (200, 2, 60), (300, 3, 40)]),
    )  # fmt: skip
    assert found.mean.x == [100, 200]
    (rest,) = found.rests
    assert (rest.x, rest.y) == ([200, 300], [60, 40])
    apart = curve(tmp_path, "tokens", run(1, [(100, 1, 80)]), run(2, [(300, 3, 40)]))
    assert apart.mean is None
    assert [line.x for line in apart.rests] == [[100], [300]]


def test_a_run_without_figures_is_not_in_the_mean_and_infinity_is_not_drawn(tmp_path):
    found = curve(
        tmp_path, "tokens", run(1, [(100, 1, 80), (200, 2, 60)]),
        run(2, [(100, 1, 99), (200, 2, math.inf)], has_figures=False),
    )  # fmt: skip
    assert found.mean.y == pytest.approx([80, 60])
    (lost,) = found.lost
    assert (lost.x, lost.y) == ([100], [99])


def test_levels_stand_only_beside_curves_of_the_same_text(tmp_path):
    verdict = chinese(tmp_path)
    found = {curve.name: curve for curve in curves_of(verdict, "tokens")}
    assert "rnn" not in found
    assert found["ngram:5"].level == pytest.approx(183.5)
    assert [found[name].place for name in ("gru", "ngram:5")] == [0, 4]
    elsewhere = curves_of(replace(verdict, on_validation=False), "tokens")
    assert [curve.place for curve in elsewhere] == [0, 1]
    assert not curves_of(replace(verdict, contenders=verdict.contenders[2:]), "tokens")


@pytest.mark.parametrize("against", ["tokens", "seconds"])
@pytest.mark.parametrize("make", [chinese, english])
def test_axes_hold_every_value_and_have_ticks_inside(tmp_path, make, against):
    curves = curves_of(make(tmp_path), against)
    across, up = axes_of(curves, against)
    for line in (line for curve in curves for line in curve.lines):
        assert all(across.low <= x <= across.high for x in line.x)
        assert all(up.low < y < up.high for y in (*line.low, *line.high))
    assert up.is_log
    for axis in (across, up):
        values = [value for value, _ in axis.ticks()]
        assert 3 <= len(values) <= 8
        assert all(a < b for a, b in pairwise(values))
        assert len({label for _, label in axis.ticks()}) == len(values)
        assert all(-1e-9 <= axis.place(value) <= 1 + 1e-9 for value in values)


@given(st.floats(1, 1e4), st.floats(1.03, 1e6), st.booleans())
def test_every_axis_has_a_few_ticks(low, ratio, is_log):
    axis = Axis("x", low, low * ratio, is_log)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 9
    assert all(low * (1 - 1e-9) <= value <= low * ratio * (1 + 1e-9) for value, _ in ticks)


def test_equal_ratios_are_equally_long_on_a_logarithmic_axis():
    axis = Axis("x", 10, 1000, True)
    assert axis.place(100) == pytest.approx(0.5)
    assert (axis.place(1), axis.place(10**6)) == (0, 1)
    assert Axis("x", 0, 40, False).place(10) == pytest.approx(0.25)


def test_a_line_of_many_points_is_thinned_without_losing_its_ends_and_peaks():
    rng = np.random.default_rng(3)
    # Dense on the right, as on a logarithmic axis.
    x = np.log(np.arange(1, 4001)) / math.log(4000) * 500
    y = 300 * np.exp(-x / 90) + rng.normal(0, 2, 4000)
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    found = thinned(points, 300)
    assert len(found) <= 300
    assert set(found) <= set(points)
    assert found == sorted(found)
    assert (found[0], found[-1]) == (points[0], points[-1])
    # Beside every point, a few pixels away at most, there is one as high and one as low.
    kept_x, kept_y = np.array(found).T
    is_near = np.abs(x[:, None] - kept_x) <= 500 / 75
    assert (np.where(is_near, kept_y, -np.inf).max(1) >= y).all()
    assert (np.where(is_near, kept_y, np.inf).min(1) <= y).all()


@pytest.mark.parametrize("most", [4, 5, 11, 12, 13])
def test_a_line_is_thinned_to_very_few_points(most):
    points = [(float(x), float(x % 7)) for x in range(300)]
    found = thinned(points, most)
    assert 2 <= len(found) <= most
    assert (found[0], found[-1]) == (points[0], points[-1])


def test_a_line_of_few_points_stays_as_it_is():
    points = [(float(x), float(x % 7)) for x in range(300)]
    assert thinned(points, 300) == points
    assert thinned([(1.0, float(y)) for y in range(900)], 300) == [(1.0, 0.0), (1.0, 899.0)]


@given(PLACES, st.floats(1, 30))
def test_names_keep_their_order_their_distance_and_inside(wanted, gap):
    found = spread(wanted, gap, 0, 100)
    gap = min(gap, 100 / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    assert all(found[b] - found[a] >= gap - 1e-6 for a, b in pairwise(order))
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in found)


def test_names_with_room_stand_where_they_want_and_others_share_the_way():
    assert spread([10, 40], 8, 0, 100) == [10, 40]
    assert spread([50, 50], 8, 0, 100) == [46, 54]
