"""How far a run is: by its steps or by the clock, and for several processes the same."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.training.progress import Counters, DataOrder, Reading, Timer
from tests.runs import TINY
from tests.tiny import tiny_corpus

SECONDS = st.floats(0.001, 1000)
LIMITED = dataclasses.replace(TINY, max_minutes=2.0)
CORPUS = tiny_corpus()


@given(SECONDS, SECONDS, st.lists(SECONDS, min_size=1, max_size=4).map(sorted), SECONDS)
def test_processes_that_took_one_reading_agree_whatever_they_measured(mine, yours, times, limit):
    order = DataOrder(CORPUS, LIMITED)
    timers = [Timer(LIMITED, 100), Timer(LIMITED, 100)]
    for step, now in enumerate(times):
        for timer, seconds in zip(timers, (mine, yours), strict=True):
            timer.record_validation(seconds)
            timer.tick(step, Reading(now, limit))
    one, other = (
        (timer.fraction_done(order), timer.learning_rate(order), timer.next_report(len(times)))
        for timer in timers
    )
    assert one == other
    assert one[0] == pytest.approx(now / limit)


@given(SECONDS.filter(lambda seconds: seconds < 100))
def test_the_last_validation_must_end_in_time_too(seconds):
    timer = Timer(LIMITED, 100)
    order = DataOrder(CORPUS, LIMITED)
    # Nothing is known yet.
    assert timer.read(order.counters).limit == 120
    # From what training costs so far, something is guessed.
    order.counters.train_seconds, order.counters.num_tokens = 5.0, 100
    assert 115 < timer.read(order.counters).limit < 120
    timer.record_validation(seconds)
    assert timer.read(order.counters).limit == pytest.approx(120 - seconds)


def test_a_run_that_goes_on_does_not_take_its_past_for_its_speed():
    timer, counters = Timer(TINY, 100), Counters(step=5000, elapsed_seconds=900.0)
    timer.start(counters)
    timer.tick(5000, Reading(900.001, 1e9))
    # How long a step takes is not known yet: one, and then a look at the clock.
    assert timer.next_report(5000) == 5001
    timer.tick(5001, Reading(900.101, 1e9))
    assert timer.next_report(5001) == 5010


def test_without_a_limit_the_steps_alone_count():
    timer, order = Timer(TINY, 100), DataOrder(CORPUS, TINY)
    order.counters.step = order.total_steps // 4
    timer.tick(order.counters.step, timer.read(order.counters))
    assert timer.fraction_done(order) == order.counters.step / order.total_steps
