"""What a comparison found, as plain data: runs, contenders, their figures on one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from poetgen.config import ModelConfig

Kind = Literal["trained", "saved", "ngram"]
# How a run ended; only one that is done, or out of time, has figures.
Status = Literal["done", "time", "patience", "interrupted", "diverged", "failed"]
# What was made equal for the contenders that are trained.
Equal = Literal["parameters", "tokens", "time", "flops"]
# Settings that a race decides, for all contenders alike.
SET_BY_RACE = frozenset({"arch", "epochs", "max_tokens", "max_minutes", "seed", "init"})


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a model predicts a text.

    Args:
        loss_per_token: nats; every token of every poem once, its end included.
        perplexity_per_token: its exponential.
        perplexity_per_hanzi: of Chinese characters alone, None where there are none.
        bits_per_char: bits a character of the text, line breaks and marks included, ends not.
        unknown_share: share, 0 to 1, of the tokens that the model does not know. Each is charged
            as the model's probability of the unknown token, times a uniform choice among the
            ``num_unknown`` different characters of the text that it does not know.
        num_unknown: how many these are.
        num_tokens: of the text, ends included.
        num_chars: of the text.
    """

    loss_per_token: float
    perplexity_per_token: float
    perplexity_per_hanzi: float | None
    bits_per_char: float
    unknown_share: float
    num_unknown: int
    num_tokens: int
    num_chars: int


@dataclass(frozen=True, slots=True)
class Point:
    """A validation in a training: after so many tokens and seconds, this perplexity per token."""

    tokens: int
    seconds: float
    perplexity: float


@dataclass(frozen=True, slots=True)
class Run:
    """One training of a contender, with what it really had.

    ``epochs`` are the passes over the training split, None if unknown (older races).
    ``train_seconds`` were spent in steps, ``total_seconds`` include validation, samples and
    files. ``training_perplexity`` is per token over the last epoch, from the losses before
    its steps, with dropout; None for a run of less than an epoch. ``reason`` says
    why it has no figures. ``model`` is a file in the folder of the race.
    """

    seed: int
    status: Status
    reason: str = ""
    tokens: int = 0
    steps: int = 0
    epochs: float | None = None
    train_seconds: float = 0.0
    total_seconds: float = 0.0
    device: str = ""
    precision: str = ""
    threads: int = 0
    curve: Sequence[Point] = ()
    training_perplexity: float | None = None
    figures: Figures | None = None
    model: str = ""

    @property
    def has_learned(self) -> bool:
        """Whether the run came to its end and took at least one step."""
        return self.status in ("done", "time", "patience") and self.steps > 0


@dataclass(frozen=True, slots=True)
class Contender:
    """A contender: what it is, its runs (a saved model and an n-gram have one), its verdict.

    ``settings`` are those in which it differs from the defaults of ``train``, ``shape`` is that of
    a network. Times are seconds of one poem: ``cold_seconds`` of a new process, ``warm_seconds``
    of one that is loaded. ``panel`` are the figures of ``verse.panel`` over poems without rules,
    ``poems`` are from the same starts and seeds for all contenders.
    """

    name: str
    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)
    shape: ModelConfig | None = None
    num_parameters: int = 0
    num_bytes: int = 0
    tokens_per_second: float | None = None
    cold_seconds: float | None = None
    warm_seconds: float | None = None
    runs: Sequence[Run] = ()
    panel: Mapping[str, float | None] | None = None
    poems: Sequence[str] = ()

    @property
    def figures(self) -> list[Figures]:
        """The figures of all runs that have them."""
        return [run.figures for run in self.runs if run.figures is not None]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two contenders whose losses differ, or do not, by a test that ``test`` names.

    ``p_value`` is corrected for the number of pairs that were tested. ``is_of_models`` says that
    the test is about these two models on such texts, and not about others that are trained alike.
    """

    better: str
    worse: str
    is_clear: bool
    p_value: float | None
    test: str
    is_of_models: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A whole comparison; contenders in the order in which they were named.

    ``on`` is the text on which all were measured, ``on_validation`` whether that is the text of
    the runs' curves. ``command`` repeats it. ``notes`` are sentences about what is uncertain of
    that text.
    """

    corpus: str
    fingerprint: str
    on: str
    equal: Equal | None
    budget: str
    seeds: Sequence[int]
    contenders: Sequence[Contender]
    differences: Sequence[Difference]
    starts: Sequence[str]
    command: str
    folder: Path
    on_validation: bool = False
    notes: Sequence[str] = ()

    @property
    def all_runs(self) -> list[Run]:
        """The runs of all contenders."""
        return [run for contender in self.contenders for run in contender.runs]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; means over the runs stand beside each contender's name."""
        values = asdict(self)
        values["folder"] = str(self.folder)
        for shown, contender in zip(values["contenders"], self.contenders, strict=True):
            for name in ("perplexity_per_token", "perplexity_per_hanzi", "bits_per_char"):
                shown[name] = mean_of(contender.figures, name)
        return values


# The name that the library has had for it.
Comparison = Verdict


def mean_of(figures: Sequence[Figures], name: str) -> float | None:
    """Return the mean of one figure, or None where none has it."""
    known = [value for one in figures if (value := getattr(one, name)) is not None]
    return sum(known) / len(known) if known else None
