"""What a training run tells while it runs; the console decides what to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from poetgen.config import TokenKind
from poetgen.training.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Started:
    """The run begins, or goes on after an interruption; ``remark`` is what the user should know."""

    device: str
    precision: str
    num_parameters: int
    steps_per_epoch: int
    total_steps: int
    resumed_at_step: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Some steps later: means since the last such event.

    ``smooth_loss`` is the classic character RNN's: of a window, smoothed over all steps; it
    is there when one strip of text is read in sequence.
    """

    step: int
    total_steps: int
    epoch: float
    loss: float
    learning_rate: float
    tokens_per_second: float
    num_threads: int
    elapsed_seconds: float
    fraction_done: float
    smooth_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Validated:
    """Held-out poems were measured; ``is_best`` says that this model was kept."""

    step: int
    metrics: Metrics
    is_best: bool


@dataclass(frozen=True, slots=True)
class SetBack:
    """The loss was no number: the run is back at an earlier step, with a smaller rate."""

    failed_step: int
    step: int
    rate_factor: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """Poems from fixed starts, and what the model would put in each place of a real line.

    ``guess`` has one token of the ``kind`` for each token of ``line``: the likeliest, given
    the real ones before it.
    """

    step: int
    poems: Sequence[str]
    line: Sequence[str]
    guess: Sequence[str]
    kind: TokenKind = "char"


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over: ``reason`` is ``done``, ``time``, ``patience`` or ``interrupted``.

    ``train_seconds`` were spent in steps, and ``tokens_per_second`` is of them;
    ``elapsed_seconds`` are all, with validation, samples and files.
    """

    reason: str
    step: int
    elapsed_seconds: float
    train_seconds: float
    tokens_per_second: float
    padding_share: float
    best: Metrics | None
    model_path: Path
    smooth_loss: float | None = None


Event = Started | Progress | Validated | SetBack | Sampled | Finished
