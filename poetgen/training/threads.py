"""The number of threads that compute: one for each core that other programs leave free.

Threads that share a matrix product spin at its end until all are done, because the next one
starts microseconds later. If another program uses one of the cores, most of the time is
spent spinning: on two cores, training beside one busy process falls to a tenth and less,
where a single thread still reaches half the speed.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from poetgen.cores import num_cores, threads_are_set

_STAT = Path("/proc/stat")
_INTERVAL_SECONDS = 1.0
# More threads only after so many readings in a row: a program that pauses comes back.
_CALM_READINGS = 3


class Reading(NamedTuple):
    """A time, and the CPU time used until then by all programs and by this one."""

    now: float
    all_seconds: float
    own_seconds: float


class Threads:
    """The number of threads, which follows the load of the machine."""

    def __init__(
        self,
        wanted: int | None,
        most: int,
        set_number: Callable[[int], object],
        read: Callable[[], Reading | None] | None = None,
        cores: int | None = None,
    ) -> None:
        """Use ``wanted`` threads; if that is None, start with ``most`` and follow the load.

        ``set_number`` sets the number. It stays at ``most`` if the user has set one in the
        environment, or if the system does not report its load.
        """
        self.number = wanted or most
        self._most, self._set_number = most, set_number
        self._read = read or read_cpu_times
        self._cores = cores or num_cores()
        follows = wanted is None and most > 1 and not threads_are_set()
        self._last = self._read() if follows else None
        self._calm = 0
        set_number(self.number)

    def follow(self) -> None:
        """Set the number of threads that fits the load, read at most once a second."""
        last = self._last
        if last is None or time.monotonic() - last.now < _INTERVAL_SECONDS:
            return
        reading = self._read()
        if reading is None:
            return
        self._last = reading
        fitting = fitting_number(last, reading, self._cores, self._most)
        self._calm = self._calm + 1 if fitting > self.number else 0
        if fitting < self.number or self._calm >= _CALM_READINGS:
            self._calm = 0
            self.number = fitting
            self._set_number(fitting)


@functools.cache
def at_first(get: Callable[[], int]) -> int:
    """Return what ``get`` returned at its first call in this process.

    For a library's own default number of threads: after a training that followed the load,
    the library has the number that was set last.
    """
    return get()


def fitting_number(earlier: Reading, later: Reading, cores: int, most: int) -> int:
    """Return the number of cores that others left free between two readings, 1 to ``most``."""
    seconds = max(later.now - earlier.now, 1e-9)
    own = later.own_seconds - earlier.own_seconds
    others = max(0.0, (later.all_seconds - earlier.all_seconds - own) / seconds)
    return max(1, min(most, cores - round(others)))


def read_cpu_times() -> Reading | None:
    """Return the CPU times of the cores that this process may use; None except on Linux.

    Processes with lower priority (nice) count like all others: Linux balances whole sessions
    against each other, and the priority of a process matters only within its session.
    """
    if not hasattr(os, "sched_getaffinity") or not _STAT.is_file():
        return None
    cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    ticks = 0
    for line in _STAT.read_text().splitlines():
        name, *numbers = line.split()
        if name in cores:
            # man 5 proc_stat: user, nice, system, idle, iowait, irq, softirq, steal, …
            user, nice, system, _, _, irq, softirq, steal = map(int, numbers[:8])
            ticks += user + nice + system + irq + softirq + steal
    return Reading(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time())
