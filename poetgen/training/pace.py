"""How far a run is, by steps or by the clock, and the learning rate that follows from it."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

from poetgen.config import TrainConfig
from poetgen.training.counters import Counters
from poetgen.training.course import Course
from poetgen.training.schedule import learning_rate_at

# Before the first validation its time is a guess: it runs forwards only, and costs about
# this share of a training step per token.
_EVALUATION_COST = 0.4
# A report is due after so many steps; but on a slow machine these may take minutes, and
# nobody should wait that long for a sign.
REPORT_STEPS = 10
_REPORT_SECONDS = 3.0


class Reading(NamedTuple):
    """What the clock shows, and when the steps must end, in seconds since the run began."""

    now: float
    limit: float


class Pace:
    """The clock of a run; it goes on where an interrupted run stopped.

    It is a clock that nobody can set: neither daylight saving nor a wrong date moves it. It
    is read once before some steps, and until the next reading nothing else is looked at: of
    several processes, all take the reading of the first one, and so they agree on the rate
    and on the end.
    """

    def __init__(self, config: TrainConfig, num_validation_tokens: int) -> None:
        """Plan a run; the clock stands still until it is started."""
        self._config = config
        self._num_validation_tokens = num_validation_tokens
        self._began = time.monotonic()
        self.now = 0.0
        self._limit = math.inf
        self._step = 0
        self._step_seconds = math.inf
        self.validation_seconds: float | None = None

    def start(self, counters: Counters) -> None:
        """Let the clock go on from where the run stands."""
        self._began = time.monotonic() - counters.elapsed_seconds
        self.now, self._step = counters.elapsed_seconds, counters.step

    def read(self, counters: Counters) -> Reading:
        """Look at the clock, and at how long the last validation will take."""
        limit = math.inf
        if self._config.max_minutes is not None:
            limit = 60 * self._config.max_minutes - self._expect_validation(counters)
        return Reading(self.elapsed_seconds(), limit)

    def tick(self, step: int, reading: Reading) -> None:
        """Take ``reading`` as the time before ``step``."""
        if step > self._step:
            self._step_seconds = (reading.now - self.now) / (step - self._step)
        self.now, self._limit = reading
        self._step = step

    def next_report(self, step: int) -> int:
        """Give the step after which to report."""
        in_time = max(1, int(_REPORT_SECONDS / max(self._step_seconds, 1e-9)))
        return min(step + in_time, step + REPORT_STEPS - step % REPORT_STEPS)

    def is_due(self, since: float, seconds: float) -> bool:
        """Return whether so many seconds had gone by since then when the clock was read."""
        return self.now - since >= seconds

    def elapsed_seconds(self) -> float:
        """Give the seconds since the run began, its interruptions left out."""
        return time.monotonic() - self._began

    def fraction_done(self, course: Course) -> float:
        """Tell how much of the run is behind: by steps or by the clock, whichever is further."""
        by_steps = course.counters.step / max(1, course.total_steps)
        return max(by_steps, self.now / max(1e-9, self._limit))

    def learning_rate(self, course: Course) -> float:
        """Give the rate for the next step."""
        config = self._config
        peak = config.learning_rate * course.counters.rate_factor
        return learning_rate_at(self.fraction_done(course), peak, config.warmup, config.schedule)

    def _expect_validation(self, counters: Counters) -> float:
        if self.validation_seconds is not None:
            return self.validation_seconds
        if counters.num_tokens == 0:
            return 0.0
        per_token = counters.train_seconds / counters.num_tokens
        return _EVALUATION_COST * per_token * self._num_validation_tokens
