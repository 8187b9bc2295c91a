"""The moving average of the weights."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.training.averaging import share_at
from poetgen.training.engine import make_engine
from tests import runs
from tests.tiny import tiny_batch

AVERAGED = dataclasses.replace(runs.TINY, dropout=0.0, average_steps=20)


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_share_is_a_share_and_the_last_steps_count_as_long_as_is_asked(average_steps, num_steps):
    share = share_at(num_steps, average_steps)
    assert 0 <= share <= 1
    # After many steps what is forgotten in average_steps steps is 1 − 1/e.
    late = 10**9
    kept = math.prod(1 - share_at(late + step, average_steps) for step in range(average_steps))
    if average_steps < 2_000 and average_steps % min(10, max(1, average_steps // 10)) == 0:
        assert kept == pytest.approx(math.exp(-1), rel=1e-6)


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_what_is_saved_is_the_average_of_the_weights_and_what_learns_are_the_weights(engine):
    rng = np.random.default_rng(0)
    batches = [tiny_batch([6, 3, 8], 17, rng) for _ in range(12)]
    settings = dataclasses.replace(AVERAGED, engine=engine)
    averaged = make_engine(settings, settings.shape(17))
    plain = make_engine(dataclasses.replace(settings, average_steps=None), settings.shape(17))
    expected = plain.weights()
    for number, batch in enumerate(batches, start=1):
        averaged.forget(), plain.forget()
        losses = [float(machine.train_step(batch, 0.01)) for machine in (averaged, plain)]
        assert losses[0] == losses[1]
        share = share_at(number, 20)
        for name, weights in plain.weights().items():
            expected[name] += share * (weights - expected[name])
    for name, weights in averaged.weights().items():
        np.testing.assert_allclose(weights, expected[name], rtol=1e-4, atol=1e-6)
    assert not np.allclose(expected["output_bias"], plain.weights()["output_bias"])
    # Measured is the average, too.
    inputs, targets = batches[0].read()
    np.testing.assert_allclose(
        averaged.losses(inputs, targets, 0),
        averaged.network().losses(inputs, targets, 0),
        rtol=1e-3,
    )


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_an_average_begins_with_the_weights_that_a_run_begins_with(engine):
    settings = dataclasses.replace(AVERAGED, engine=engine)
    machine = make_engine(settings, settings.shape(17))
    given_ones = {name: w + 1 for name, w in machine.weights().items()}
    machine.start_from(given_ones)
    for name, weights in machine.weights().items():
        np.testing.assert_array_equal(weights, given_ones[name])
