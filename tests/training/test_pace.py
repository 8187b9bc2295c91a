"""How far a run is: by its steps or by the clock, and for several processes the same."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.training.counters import Counters
from poetgen.training.course import Course
from poetgen.training.pace import Pace, Reading
from tests.runs import TINY
from tests.tiny import tiny_corpus

SECONDS = st.floats(0.001, 1000)
LIMITED = dataclasses.replace(TINY, max_minutes=2.0)
CORPUS = tiny_corpus()


@given(SECONDS, SECONDS, st.lists(SECONDS, min_size=1, max_size=4).map(sorted), SECONDS)
def test_processes_that_took_one_reading_agree_whatever_they_measured(mine, yours, times, limit):
    course = Course(CORPUS, LIMITED)
    paces = [Pace(LIMITED, 100), Pace(LIMITED, 100)]
    for step, now in enumerate(times):
        for pace, seconds in zip(paces, (mine, yours), strict=True):
            pace.validation_seconds = seconds
            pace.tick(step, Reading(now, limit))
    one, other = (
        (pace.fraction_done(course), pace.learning_rate(course), pace.next_report(len(times)))
        for pace in paces
    )
    assert one == other
    assert one[0] == pytest.approx(now / limit)


@given(SECONDS.filter(lambda seconds: seconds < 100))
def test_the_last_validation_must_end_in_time_too(seconds):
    pace = Pace(LIMITED, 100)
    course = Course(CORPUS, LIMITED)
    # Nothing is known yet.
    assert pace.read(course.counters).limit == 120
    # From what training costs so far, something is guessed.
    course.counters.train_seconds, course.counters.num_tokens = 5.0, 100
    assert 115 < pace.read(course.counters).limit < 120
    pace.validation_seconds = seconds
    assert pace.read(course.counters).limit == pytest.approx(120 - seconds)


def test_a_run_that_goes_on_does_not_take_its_past_for_its_speed():
    pace, counters = Pace(TINY, 100), Counters(step=5000, elapsed_seconds=900.0)
    pace.start(counters)
    pace.tick(5000, Reading(900.001, 1e9))
    # How long a step takes is not known yet: one, and then a look at the clock.
    assert pace.next_report(5000) == 5001
    pace.tick(5001, Reading(900.101, 1e9))
    assert pace.next_report(5001) == 5010


def test_without_a_limit_the_steps_alone_count():
    pace, course = Pace(TINY, 100), Course(CORPUS, TINY)
    course.counters.step = course.total_steps // 4
    pace.tick(course.counters.step, pace.read(course.counters))
    assert pace.fraction_done(course) == course.counters.step / course.total_steps
