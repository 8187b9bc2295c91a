"""Train several architectures on the same data, with the same seed, budget and size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from poetgen.config import ARCHS, Arch, RaceConfig, SampleConfig, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import InputError
from poetgen.generation.poems import load_poet
from poetgen.networks.model import num_parameters
from poetgen.training.checkpoint import delete_checkpoints
from poetgen.training.events import Event
from poetgen.training.run_files import RunFiles
from poetgen.training.trainer import Trainer

_SAMPLING = SampleConfig(temperature=0.8, max_chars=100)


@dataclass(frozen=True, slots=True)
class Result:
    """How one contender did.

    ``train_seconds`` were spent in steps, and ``tokens_per_second`` is of them;
    ``total_seconds`` are all, with validation, samples and files.
    """

    name: str
    arch: Arch
    num_parameters: int
    train_seconds: float
    total_seconds: float
    tokens_per_second: float
    num_steps: int
    device: str
    val_loss: float
    perplexity_per_token: float
    perplexity_per_hanzi: float | None
    poem: str
    model: str

    def as_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return asdict(self)


def parse_contenders(names: Sequence[str]) -> list[Arch]:
    """Read the names of architectures.

    Raises:
        InputError: a name is unknown or given twice, or there is none.
    """
    found: list[Arch] = []
    for name in names:
        arch = next((arch for arch in ARCHS if arch == name.lower()), None)
        if arch is None:
            raise InputError(
                f"There is no architecture {name}.", f"Choose among: {', '.join(ARCHS)}."
            )
        if arch in found:
            raise InputError(f"{arch} is named twice.", "Name each contender once.")
        found.append(arch)
    return found


def train_config(arch: Arch, config: RaceConfig, corpus: Corpus) -> TrainConfig:
    """Give a contender's training settings: the same for all but for the cell."""
    passes = math.ceil(config.budget / max(1, corpus.splits["train"].num_targets))
    return TrainConfig(
        arch=arch,
        epochs=passes,
        max_tokens=config.budget,
        max_minutes=config.max_minutes,
        hidden_size=config.hidden_size,
        embedding_dim=config.embedding_dim,
        num_layers=config.num_layers,
        dropout=config.dropout,
        learning_rate=config.learning_rate,
        batch_tokens=config.batch_tokens,
        device=config.device,
        seed=config.seed,
    )


def run_contender(
    arch: Arch,
    corpus: Corpus,
    config: RaceConfig,
    start: str,
    folder: Path,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event | Result]:
    """Train one contender into ``folder``, yielding its events and, last, its result.

    An interrupted contender has no result, for it did not have the others' budget.
    """
    files = RunFiles(folder, arch)
    trainer = Trainer(corpus, train_config(arch, config, corpus), files)
    with files.held():
        yield from trainer.run(should_stop)
        # A race is not resumed.
        delete_checkpoints(files)
    finished, best = trainer.finished, trainer.best
    if finished is None or best is None or finished.reason == "interrupted":
        return
    poet = load_poet(files.model)
    (poem,) = poet.write(poet.prompt(start), _SAMPLING, config.seed, 1)
    yield Result(
        name=arch,
        arch=arch,
        num_parameters=num_parameters(trainer.model_config),
        train_seconds=finished.train_seconds,
        total_seconds=finished.elapsed_seconds,
        tokens_per_second=finished.tokens_per_second,
        num_steps=finished.step,
        device=trainer.engine.device,
        val_loss=best.loss_per_token,
        perplexity_per_token=best.perplexity_per_token,
        perplexity_per_hanzi=best.perplexity_per_hanzi,
        poem=poem,
        model=files.model.name,
    )
