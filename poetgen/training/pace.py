"""How far a run is, by steps or by the clock, and the learning rate that follows from it."""

from __future__ import annotations

import time

from poetgen.config import TrainConfig
from poetgen.training.counters import Counters
from poetgen.training.course import Course
from poetgen.training.schedule import learning_rate_at

# Before the first validation its time is a guess: it runs forwards only, and costs about
# this share of a training step per token.
_EVALUATION_COST = 0.4


class Pace:
    """The clock of a run; it goes on where an interrupted run stopped.

    It is a clock that nobody can set: neither daylight saving nor a wrong date moves it.
    """

    def __init__(self, config: TrainConfig, num_validation_tokens: int) -> None:
        """Plan a run; the clock stands still until it is started."""
        self._config = config
        self._num_validation_tokens = num_validation_tokens
        self._began = time.monotonic()
        self.validation_seconds: float | None = None

    def start(self, elapsed_seconds: float) -> None:
        """Let the clock go on from ``elapsed_seconds``."""
        self._began = time.monotonic() - elapsed_seconds

    def elapsed_seconds(self) -> float:
        """Give the seconds since the run began, its interruptions left out."""
        return time.monotonic() - self._began

    def fraction_done(self, course: Course) -> float:
        """Tell how much of the run is behind: by steps or by the clock, whichever is further."""
        by_steps = course.counters.step / max(1, course.total_steps)
        if self._config.max_minutes is None:
            return by_steps
        # The last validation must end in time too.
        seconds = 60 * self._config.max_minutes - self._expect_validation(course.counters)
        return max(by_steps, self.elapsed_seconds() / max(1e-9, seconds))

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
