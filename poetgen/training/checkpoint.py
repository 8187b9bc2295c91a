"""The checkpoint: everything a run needs to go on as if it had never stopped.

Whatever it comes to hold that an older poetgen would not understand needs a new version.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from poetgen.config import ModelConfig, TrainConfig
from poetgen.errors import DamagedError, ModelError, SettingError
from poetgen.plain import names_of, read_plain
from poetgen.tensor_file import Arrays, Kind, all_finite, load_sealed, save_sealed
from poetgen.training.counters import Counters
from poetgen.training.engine import model_config_of
from poetgen.training.metrics import Metrics
from poetgen.training.processes import ALONE, Processes
from poetgen.training.run_files import RunFiles

_KIND = Kind(key="poetgen-checkpoint", version=1, noun="checkpoint")
ANEW = "Start anew with --force, or under another --name."

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands, in plain values; ``run`` is the name that it gave itself.

    What has a default here came later, and older checkpoints do not have it.
    """

    corpus: str
    model: ModelConfig
    training: TrainConfig
    counters: Counters
    total_steps: int
    best: Metrics | None
    corpus_name: str | None = None
    processes: int = 1
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Arrays by name (weights, optimizer, random states), and where the run stands."""

    arrays: Arrays
    state: RunState


def save_checkpoint(checkpoint: Checkpoint, files: RunFiles) -> None:
    """Write a checkpoint whole or not at all; the one before it becomes the previous.

    At every moment at least one of the two is there and whole, once one was.
    """

    def step_back() -> None:
        if files.checkpoint.exists():
            os.replace(files.checkpoint, files.previous)

    values = asdict(checkpoint.state)
    save_sealed(files.checkpoint, _KIND, checkpoint.arrays, values, step_back)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        DamagedError: it is missing, or not as it was written.
        ModelError: another version of poetgen wrote it.
    """
    arrays, values = load_sealed(path, _KIND, ANEW)
    _refuse_unknown_names(path, values)
    if isinstance(values.get("training"), dict):
        # The first runs had one engine, and did not say so.
        values["training"] = {"engine": "torch", **values["training"]}
    try:
        state = read_plain(RunState, values)
        _check_numbers(arrays, state)
    except (ValueError, SettingError) as error:
        raise damaged(path, error) from error
    return Checkpoint(arrays, state)


def damaged(path: Path, why: object) -> DamagedError:
    """Return the error for a checkpoint that no run can go on from."""
    return DamagedError(f"{path} is damaged: {why}.", ANEW)


def _refuse_unknown_names(path: Path, values: dict[str, Any]) -> None:
    training = values.get("training")
    unknown = values.keys() - names_of(RunState)
    if isinstance(training, dict):
        unknown |= training.keys() - names_of(TrainConfig)
    if unknown:
        raise ModelError(
            f"{path} was written by another version of poetgen: this one does not know "
            f"{min(unknown)!r:.50}.",
            "Use the poetgen that wrote it, or a newer one: pip install --upgrade poetgen.",
        )


def _check_numbers(arrays: Arrays, state: RunState) -> None:
    """See to it that the numbers do not contradict each other.

    Raises:
        ValueError: they do.
    """
    if not all_finite(arrays):
        raise ValueError("one of its numbers is NaN or infinite")
    if model_config_of(state.training, state.model.vocab_size) != state.model:
        raise ValueError("its settings are not those of its model")
    best_loss = math.inf if state.best is None else state.best.loss_per_token
    if state.counters.best_loss != best_loss:
        raise ValueError(f"best_loss cannot be {state.counters.best_loss}")
    if state.processes < 1:
        raise ValueError(f"processes cannot be {state.processes}")


def load_latest(files: RunFiles) -> tuple[Checkpoint, str | None]:
    """Read the latest checkpoint, or the previous one; see ``use_latest``."""
    return use_latest(files, lambda checkpoint: checkpoint)


def use_latest(
    files: RunFiles, use: Callable[[Checkpoint], Value], processes: Processes = ALONE
) -> tuple[Value, str | None]:
    """Use the latest checkpoint, or the previous one if that is damaged or gone.

    The previous one then becomes the latest: the next save must not push it out for the
    damaged one. Only under the lock. A checkpoint that is whole, but of another run or of a
    newer poetgen, is refused: it is not for us to replace it.

    Returns:
        What ``use`` made of it, and, where it is the previous one, a sentence that says why.

    Raises:
        ModelError: it is refused, or neither can be used; the message is about the latest.
    """
    # What cannot be loaded is not sent, so that the others wait for the previous one.
    try:
        return use(processes.from_first(lambda: load_checkpoint(files.checkpoint))), None
    except DamagedError as error:
        try:
            value = use(processes.from_first(lambda: load_checkpoint(files.previous)))
        except ModelError:
            raise error from None
        if processes.is_first:
            os.replace(files.previous, files.checkpoint)
        return value, f"{error.problem} The previous checkpoint is used instead."


def delete_checkpoints(files: RunFiles) -> None:
    """Delete both; a run that is finished needs none."""
    # The older one first: a crash in between must not leave it as if it were the latest.
    files.previous.unlink(missing_ok=True)
    files.checkpoint.unlink(missing_ok=True)
