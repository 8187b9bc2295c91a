"""What a run counts; part of its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

# The classic character RNN's: each step moves the smoothed loss by a thousandth.
_SMOOTHING = 0.999
_SETBACK_FACTOR = 0.5


@dataclass(slots=True)
class Counters:
    """What a run counts.

    Raises:
        ValueError: no run can have counted so.
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
    # Losses since the last record of the metrics, and how many they are.
    window_loss: float = 0.0
    window_steps: int = 0
    # The step of the last validation, and how many there were since the best one.
    validated_step: int = -1
    num_worse: int = 0
    # How often the loss was no number, and what the rate is multiplied with since then.
    num_setbacks: int = 0
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        """Check the counts, for they may come from a file."""
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
        """Return the mean of the losses since the last record, and begin the next."""
        mean = self.window_loss / self.window_steps
        self.window_loss, self.window_steps = 0.0, 0
        return mean

    def set_back(self, failed: Counters) -> None:
        """Keep what must not be forgotten when ``failed`` has gone back to these counts."""
        self.num_setbacks = failed.num_setbacks + 1
        self.rate_factor = failed.rate_factor * _SETBACK_FACTOR
        # Time does not go back.
        self.train_seconds = failed.train_seconds

    def smooth(self, losses: Iterable[float], vocab_size: int, seq_len: int) -> None:
        """Carry the smoothed loss on by some windows of ``seq_len`` tokens.

        It is a sum over a window, in nats, and begins as that of a model that finds all
        ``vocab_size`` tokens equally likely; ``losses`` are means of a token. Source:
        Karpathy 2015, min-char-rnn.
        """
        if self.smooth_loss is None:
            self.smooth_loss = math.log(vocab_size) * seq_len
        for loss in losses:
            self.smooth_loss = _SMOOTHING * self.smooth_loss + (1 - _SMOOTHING) * loss * seq_len
