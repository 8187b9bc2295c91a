"""What a training run reports while it runs; the command line decides what to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from poetgen.config import ModelConfig, TokenKind, TrainConfig
from poetgen.networks.model import Metrics

Reason = Literal["done", "time", "patience", "interrupted"]


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that the user should read, such as what was lost of a resumed run."""

    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """The run begins or resumes; ``remark`` is what the user should know of the device."""

    name: str
    device: str
    precision: str
    num_parameters: int
    steps_per_epoch: int
    total_steps: int
    resumed_at_step: int
    remark: str = ""
    num_threads: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Some steps later: means since the last such event.

    ``num_tokens`` and ``train_seconds`` are sums over all steps of the run so far.
    ``smooth_loss`` is that of the classic character RNN: the loss of a window, smoothed over
    all steps; it is set when one strip of text is read in sequence.
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
    num_tokens: int = 0
    train_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Validated:
    """Held-out poems were measured; ``is_best`` says that this model was saved.

    ``num_tokens`` were trained on until then.
    ``given`` are the metrics of the same poems after their titles and authors; it is set for a
    best model that learns with fields.
    """

    step: int
    metrics: Metrics
    is_best: bool
    given: Metrics | None = None
    num_tokens: int = 0


@dataclass(frozen=True, slots=True)
class SetBack:
    """The loss was NaN or infinite: the run is back at an earlier step, with a smaller rate."""

    failed_step: int
    step: int
    rate_factor: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """Poems from fixed starts, and the model's first choice in each place of a real line.

    ``guess`` has one token of the ``kind`` for each token of ``line``: the likeliest, given
    the real ones before it.
    """

    step: int
    poems: Sequence[str]
    line: Sequence[str]
    guess: Sequence[str]
    kind: TokenKind = "char"


@dataclass(frozen=True, slots=True)
class Trained:
    """The last event and the result of a run, whose best model is in the file ``model``.

    ``settings`` are the effective ones. ``train_seconds`` were spent in steps, and
    ``tokens_per_second`` refers to them; ``elapsed_seconds`` include validation, samples and
    files. ``best`` is None if the run was interrupted before its first validation; ``best_step``
    is the step of that model, None if this process has not measured it.
    """

    name: str
    model: Path
    reason: Reason
    settings: TrainConfig
    shape: ModelConfig
    device: str
    step: int
    elapsed_seconds: float
    train_seconds: float
    tokens_per_second: float
    padding_share: float
    best: Metrics | None
    smooth_loss: float | None = None
    num_tokens: int = 0
    best_step: int | None = None


Event = Note | Started | Progress | Validated | SetBack | Sampled | Trained
OnEvent = Callable[[Event], object]
