"""Where a run is: what it has counted, its place in the data, its time and learning rate."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from poetgen.config import Schedule, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import SettingError
from poetgen.training.batches import Batch, Epoch, pick_batching

# The classic character RNN's: each step moves the smoothed loss by a thousandth.
_SMOOTHING = 0.999
_SETBACK_FACTOR = 0.5
# Until the first validation its duration is estimated: it only runs forwards, and costs about
# this share of a training step per token.
_EVALUATION_COST = 0.4
# A report is due after this many steps, but a user of a slow machine should not wait for minutes.
REPORT_STEPS = 10
_REPORT_SECONDS = 3.0
# The learning rate ends at this share of its peak; zero would waste the last steps.
_FLOOR = 0.01


@dataclass(slots=True)
class Counters:
    """What a run counts; part of its checkpoint.

    Raises:
        ValueError: a count that no run can have.
    """

    step: int = 0
    epoch: int = 0
    next_batch: int = 0
    num_tokens: int = 0
    num_padded: int = 0
    elapsed_seconds: float = 0.0
    train_seconds: float = 0.0
    best_loss: float = math.inf
    smooth_loss: float | None = None
    # The sum and the number of the losses since the last record of the metrics.
    window_loss: float = 0.0
    window_steps: int = 0
    # The step of the last validation, and how many there were since the best one.
    validated_step: int = -1
    num_worse: int = 0
    # How often the loss was NaN or infinite, and the factor of the learning rate since then.
    num_setbacks: int = 0
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        """Check the counts, which may come from a file."""
        for name, value in asdict(self).items():
            least = -1 if name == "validated_step" else 0
            if value is not None and not (least <= value < math.inf or name == "best_loss"):
                raise ValueError(f"{name} cannot be {value}")
        if self.validated_step > self.step:
            raise ValueError(f"step {self.validated_step} cannot be validated at {self.step}")

    def add(self, losses: Sequence[float]) -> None:
        """Add the losses of some steps to those since the last record."""
        # One by one: a resumed run must add them up in the same order.
        for loss in losses:
            self.window_loss += loss
        self.window_steps += len(losses)

    def take_mean(self) -> float:
        """Return the mean of the losses since the last record, and start a new one."""
        mean = self.window_loss / self.window_steps
        self.window_loss, self.window_steps = 0.0, 0
        return mean

    def set_back(self, failed: Counters) -> None:
        """Take over from ``failed``, which went back to these counts, what must be kept."""
        self.num_setbacks = failed.num_setbacks + 1
        self.rate_factor = failed.rate_factor * _SETBACK_FACTOR
        self.train_seconds = failed.train_seconds

    def smooth(self, losses: Iterable[float], vocab_size: int, seq_len: int) -> None:
        """Update the smoothed loss with some windows of ``seq_len`` tokens.

        It is a sum over a window, in nats, and starts as that of a uniform distribution over
        ``vocab_size`` tokens; ``losses`` are means per token. Source: Karpathy 2015,
        min-char-rnn.
        """
        if self.smooth_loss is None:
            self.smooth_loss = math.log(vocab_size) * seq_len
        for loss in losses:
            self.smooth_loss = _SMOOTHING * self.smooth_loss + (1 - _SMOOTHING) * loss * seq_len


class DataOrder:
    """The order of the data, a function of seed and epoch alone, and the place in it."""

    def __init__(self, corpus: Corpus, config: TrainConfig) -> None:
        """Start before the first batch.

        Raises:
            SettingError: the corpus is too small for one batch.
        """
        self._config = config
        self._batching = pick_batching(corpus, config)
        self.counters = Counters()
        self.batches = self._epoch(0)
        if not len(self.batches):
            raise SettingError(
                f"The training text is shorter than one batch of {config.batch_size} windows "
                f"of {config.seq_len} steps.",
                "Lower --batch-size or --seq-len.",
            )
        # Of the first epoch: what is planned by these must not depend on where a run resumed.
        self.steps_per_epoch = len(self.batches)
        self.total_steps = self.planned_steps = self._count_steps()

    def go_to(self, counters: Counters, total_steps: int) -> None:
        """Move to the place that ``counters`` describe.

        Raises:
            ValueError: no run on this corpus passes that place.
        """
        if counters.epoch > self._config.epochs:
            raise ValueError(f"there is no epoch {counters.epoch}")
        self.counters = counters
        self.batches = self._epoch(counters.epoch)
        self.total_steps = self._count_steps()
        is_inside = counters.next_batch < len(self.batches) and counters.step <= total_steps
        if not is_inside or self.total_steps != total_steps:
            raise ValueError(
                f"step {counters.step} of {total_steps} is not batch {counters.next_batch} of "
                f"epoch {counters.epoch}"
            )

    def steps_between(self, num_per_epoch: int, num_least: int) -> int:
        """Return after how many steps to do what is done so often in an epoch.

        And in a run with a limit of tokens at least ``num_least`` times.
        """
        steps = self.steps_per_epoch // num_per_epoch
        if self._config.max_tokens is not None:
            steps = min(steps, self.planned_steps // num_least)
        return max(1, steps)

    @property
    def is_one_strip(self) -> bool:
        """Whether one strip of text is read in sequence, as the classic character RNN does."""
        return self._batching.carries_state and self._config.batch_size == 1

    @property
    def carried(self) -> Batch | None:
        """The batch that was read last, if the next one continues it."""
        number = self.counters.next_batch - 1
        return self.batches[number] if self._batching.carries_state and number >= 0 else None

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.counters.epoch + self.counters.next_batch / len(self.batches)

    def next_batch(self) -> Batch:
        """Return the batch to read next."""
        return self.batches[self.counters.next_batch]

    def advance(self, batch: Batch) -> bool:
        """Count ``batch`` as read; return whether the next one continues it."""
        counters = self.counters
        counters.num_tokens += batch.num_targets
        counters.num_padded += batch.num_padded
        counters.step += 1
        counters.next_batch += 1
        if counters.next_batch < len(self.batches):
            return self._batching.carries_state
        counters.epoch += 1
        counters.next_batch = 0
        self.batches = self._epoch(counters.epoch)
        # Epochs may be cut into slightly different numbers of batches.
        self.total_steps = self._count_steps()
        return False

    def _epoch(self, number: int) -> Epoch:
        return self._batching.epoch(np.random.default_rng([self._config.seed, number]))

    def _count_steps(self) -> int:
        counters = self.counters
        before = counters.step - counters.next_batch
        steps = before + (self._config.epochs - counters.epoch) * len(self.batches)
        if self._config.max_tokens is None:
            return steps
        per_step = self.batches.num_targets / len(self.batches)
        return min(steps, math.ceil(self._config.max_tokens / per_step))


class Reading(NamedTuple):
    """The time, and when the steps must end, in seconds since the run began."""

    now: float
    limit: float


class Timer:
    """The elapsed time of a run, which continues where an interrupted run stopped.

    It uses ``time.monotonic()``: changes of the wall clock do not affect it. It is read
    before some steps, and everything until the next reading depends on that one: several
    processes all take the reading of the first, so they agree on the rate and on the end.
    """

    def __init__(self, config: TrainConfig, num_validation_tokens: int) -> None:
        """Plan a run; time does not count until ``start``."""
        self._config = config
        self._num_validation_tokens = num_validation_tokens
        self._began = time.monotonic()
        self.now = 0.0
        self._limit = math.inf
        self._step = 0
        self._step_seconds = math.inf
        self._validation_seconds: float | None = None

    def start(self, counters: Counters) -> None:
        """Continue from the elapsed time of the run."""
        self._began = time.monotonic() - counters.elapsed_seconds
        self.now, self._step = counters.elapsed_seconds, counters.step

    def record_validation(self, seconds: float) -> None:
        """Remember how long a validation took, to leave time for the last one."""
        self._validation_seconds = seconds

    def read(self, counters: Counters) -> Reading:
        """Return the elapsed time, and the limit that leaves time for a validation."""
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
        """Return the step after which to report."""
        in_time = max(1, int(_REPORT_SECONDS / max(self._step_seconds, 1e-9)))
        return min(step + in_time, step + REPORT_STEPS - step % REPORT_STEPS)

    def is_due(self, since: float, seconds: float) -> bool:
        """Return whether ``seconds`` had passed after ``since`` at the last reading."""
        return self.now - since >= seconds

    def elapsed_seconds(self) -> float:
        """Return the seconds since the run began, without its interruptions."""
        return time.monotonic() - self._began

    def fraction_done(self, order: DataOrder) -> float:
        """Return how much of the run is done, by steps or by time, whichever is more."""
        by_steps = order.counters.step / max(1, order.total_steps)
        return max(by_steps, self.now / max(1e-9, self._limit))

    def learning_rate(self, order: DataOrder) -> float:
        """Return the rate for the next step."""
        config = self._config
        peak = config.peak_rate * order.counters.rate_factor
        return learning_rate_at(self.fraction_done(order), peak, config.warmup, config.schedule)

    def _expect_validation(self, counters: Counters) -> float:
        if self._validation_seconds is not None:
            return self._validation_seconds
        if counters.num_tokens == 0:
            return 0.0
        per_token = counters.train_seconds / counters.num_tokens
        return _EVALUATION_COST * per_token * self._num_validation_tokens


def learning_rate_at(
    progress: float, peak: float, warmup: float, schedule: Schedule = "cosine"
) -> float:
    """Return the rate at ``progress`` (0…1 of the run).

    A linear rise, then half a cosine down to nearly nothing, or (constant) the peak.
    Source of the cosine: Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts.
    """
    if progress < warmup:
        return peak * max(progress / warmup, _FLOOR)
    if schedule == "constant":
        return peak
    share = (progress - warmup) / (1 - warmup) if warmup < 1 else 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return peak * (_FLOOR + (1 - _FLOOR) * cosine)
