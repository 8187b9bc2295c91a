"""The number of threads follows what other programs leave free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.cores import SET_BY_USER
from poetgen.training import threads
from poetgen.training.threads import Reading, Threads, at_first, fitting_number, read_cpu_times


@pytest.mark.parametrize(
    ("others", "fitting"), [(0.0, 2), (0.3, 2), (0.6, 1), (1.0, 1), (1.9, 1), (40.0, 1)]
)
def test_one_thread_for_each_core_that_is_free(others, fitting):
    # Whatever we had ourselves.
    for own in (0.0, 1.0, 2.0):
        later = Reading(10.0, 5 + 10 * (own + others), 3 + 10 * own)
        assert fitting_number(Reading(0.0, 5, 3), later, cores=2, most=2) == fitting


@given(
    st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 64), st.integers(1, 64)
)
def test_the_number_is_never_below_one_nor_above_the_most(seconds, everyone, own, cores, most):
    found = fitting_number(Reading(0, 0, 0), Reading(seconds, everyone, own), cores, most)
    assert 1 <= found <= most


class Machine:
    """A machine of two cores whose load is told second by second."""

    def __init__(self, monkeypatch):
        self.reading = Reading(0.0, 0.0, 0.0)
        self.set_numbers = []
        for name in SET_BY_USER:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(threads.time, "monotonic", lambda: self.reading.now)

    def threads(self, wanted=None, most=2):
        return Threads(wanted, most, self.set_numbers.append, lambda: self.reading, cores=2)

    def pass_seconds(self, seconds, others):
        now, everyone, own = self.reading
        self.reading = Reading(now + seconds, everyone + seconds * (others + 1), own + seconds)


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_a_busy_program_takes_a_thread_and_gives_it_back_when_it_has_been_calm(machine):
    found = machine.threads()
    numbers = []
    for others in (0, 1, 1, 0, 1, 0, 0, 0, 0):
        machine.pass_seconds(1.5, others)
        found.follow()
        numbers.append(found.number)
    assert numbers == [2, 1, 1, 1, 1, 1, 1, 2, 2]
    # Set once for each change, and at the beginning.
    assert machine.set_numbers == [2, 1, 2]


def test_the_load_is_read_at_most_once_a_second(machine):
    found = machine.threads()
    machine.pass_seconds(0.9, others=1)
    found.follow()
    assert found.number == 2
    machine.pass_seconds(0.2, others=1)
    found.follow()
    assert found.number == 1


@pytest.mark.parametrize("name", SET_BY_USER)
def test_what_the_user_has_set_stays(machine, monkeypatch, name):
    numbers = [machine.threads(wanted=2)]
    monkeypatch.setenv(name, "2")
    numbers.append(machine.threads())
    machine.pass_seconds(5, others=1)
    for found in numbers:
        found.follow()
        assert found.number == 2


def test_a_wish_is_a_wish_on_one_core_too(machine):
    assert machine.threads(wanted=3, most=1).number == 3
    assert machine.set_numbers == [3]


def test_where_the_system_tells_nothing_the_number_stays():
    found = Threads(None, 2, lambda number: None, lambda: None, cores=2)
    found.follow()
    assert found.number == 2


def test_the_system_tells_of_more_time_the_later_it_is():
    earlier = read_cpu_times()
    if earlier is None:
        pytest.skip("this system has no /proc/stat")
    sum(range(200_000))
    later = read_cpu_times()
    assert later.now >= earlier.now
    assert later.own_seconds > earlier.own_seconds
    assert later.all_seconds >= earlier.all_seconds


def test_a_training_that_followed_the_load_leaves_the_next_one_all_threads(machine):
    library = {"threads": 2}

    def get():
        return library["threads"]

    def begin():
        return Threads(
            None, at_first(get), lambda n: library.update(threads=n), lambda: machine.reading, 2
        )

    first = begin()
    machine.pass_seconds(2, others=1)
    first.follow()
    assert library["threads"] == 1
    assert begin().number == library["threads"] == 2
