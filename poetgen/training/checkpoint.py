"""The checkpoint: everything a run needs to continue as if it had never stopped.

Whatever a checkpoint comes to hold that an older poetgen would not understand needs a new
format version.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from poetgen.config import ModelConfig, TokenKind, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.vocabulary import FIELDS, Vocabulary
from poetgen.errors import DamagedError, ModelError, SettingError
from poetgen.networks.model import Metrics, Model
from poetgen.networks.model_file import load_model
from poetgen.plain import names_of, read_plain
from poetgen.tensor_file import Arrays, FileKind, all_finite, load_tensor_file, save_tensor_file
from poetgen.training.logs import scan_metrics
from poetgen.training.processes import ALONE, Processes
from poetgen.training.progress import Counters
from poetgen.training.run_files import RunFiles

KIND = FileKind(key="poetgen-checkpoint", version=1, noun="checkpoint")
_ANEW = "Start anew with --force, or under another --name."

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run is, in plain values; ``run`` is the identifier that it chose.

    Fields with a default were added later; older checkpoints do not have them.
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
    # The vocabulary, if it is not that of the corpus: a run with --init has the model's, too.
    tokens: list[str] | None = None
    token_fields: bool = False

    def vocabulary(self, kind: TokenKind) -> Vocabulary | None:
        """Return the vocabulary of the run, whose tokens are of this kind; None if the corpus's.

        Raises:
            ValueError: its tokens are not those of a vocabulary.
        """
        if self.tokens is None:
            return None
        return Vocabulary(self.tokens, kind, FIELDS if self.token_fields else ())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Arrays by name (weights, optimizer, random states), and where the run is."""

    arrays: Arrays
    state: RunState


def save_checkpoint(checkpoint: Checkpoint, files: RunFiles) -> None:
    """Write a checkpoint whole or not at all; the one before it becomes the previous.

    At every moment at least one of the two exists and is whole, once one was.
    """

    def keep_previous() -> None:
        if files.checkpoint.exists():
            os.replace(files.checkpoint, files.previous)

    values = asdict(checkpoint.state)
    save_tensor_file(files.checkpoint, KIND, checkpoint.arrays, values, keep_previous)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        DamagedError: it is missing, or not as it was written.
        ModelError: another version of poetgen wrote it.
    """
    arrays, values = load_tensor_file(path, KIND, _ANEW)
    training = values.get("training")
    if isinstance(training, dict):
        # The first runs had one engine, and untied weights another name.
        training.setdefault("engine", "torch")
        training.setdefault("fields", False)
        if type(training.get("own_output")) is bool:
            training["tied"] = not training.pop("own_output")
    _refuse_unknown_names(path, values)
    try:
        state = read_plain(RunState, values)
        _check_numbers(arrays, state)
    except (ValueError, SettingError) as error:
        raise damaged(path, error) from error
    return Checkpoint(arrays, state)


def damaged(path: Path, why: object) -> DamagedError:
    """Return the error for a checkpoint that no run can continue from."""
    return DamagedError(f"{path} is damaged: {why}.", _ANEW)


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
    """Check that the numbers do not contradict each other.

    Raises:
        ValueError: they do.
    """
    if not all_finite(arrays):
        raise ValueError("one of its numbers is NaN or infinite")
    if state.training.shape(state.model.vocab_size) != state.model:
        raise ValueError("its settings are not those of its model")
    best_loss = math.inf if state.best is None else state.best.loss_per_token
    if state.counters.best_loss != best_loss:
        raise ValueError(f"best_loss cannot be {state.counters.best_loss}")
    vocabulary = state.vocabulary("char")
    if vocabulary is not None and len(vocabulary) != state.model.vocab_size:
        raise ValueError("its vocabulary does not fit its model")
    if state.processes < 1:
        raise ValueError(f"processes cannot be {state.processes}")


def use_latest(
    files: RunFiles, use: Callable[[Checkpoint], Value], processes: Processes = ALONE
) -> tuple[Value, str | None]:
    """Use the latest checkpoint, or the previous one if the latest is damaged or missing.

    The previous one then becomes the latest: the next save must not replace it by the
    damaged one. Call it under the lock only. A checkpoint that is whole, but of another run
    or of a newer poetgen, is refused, and nothing is replaced.

    Returns:
        What ``use`` returned, and, if it got the previous one, a sentence that says why.

    Raises:
        ModelError: it is refused, or neither can be used; the message is about the latest.
    """
    # A checkpoint that cannot be loaded is not sent, so the others wait for the previous one.
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
    """Delete both; a finished run needs none."""
    # The older one first: a crash in between must not leave it as if it were the latest.
    files.previous.unlink(missing_ok=True)
    files.checkpoint.unlink(missing_ok=True)


# A resumed run: do the checkpoint, the corpus, the settings and the other files belong together?


def check_matches(
    state: RunState, corpus: Corpus, model: ModelConfig, config: TrainConfig, num_processes: int
) -> None:
    """Check that a run with these settings can continue from a checkpoint.

    Raises:
        ModelError: it belongs to another corpus, model, engine or number of processes.
    """
    if state.corpus != corpus.fingerprint:
        name = state.corpus_name or corpus.name
        problem = (
            f"The corpus {name} has changed since the run began: its fingerprint was "
            f"{state.corpus} and is {corpus.fingerprint}."
            if name == corpus.name
            else f"The run was begun on the corpus {name} ({state.corpus}), "
            f"not on {corpus.name} ({corpus.fingerprint})."
        )
        raise ModelError(
            problem, "Give the corpus that it was begun with, or train anew with --force."
        )
    if state.processes != num_processes:
        raise ModelError(
            f"The run was begun by {state.processes} processes, not {num_processes}.",
            f"Continue it with torchrun --nproc-per-node {state.processes}.",
        )
    stored = state.training
    if (state.model, stored.engine, stored.optimizer) != (model, config.engine, config.optimizer):
        raise ModelError(
            f"The checkpoint is for another model, engine or optimizer: {asdict(state.model)}, "
            f"{stored.engine}, {stored.optimizer}; "
            f"not {asdict(model)}, {config.engine}, {config.optimizer}.",
            "Give the same settings as before, or train anew with --force.",
        )


class FoundFiles(NamedTuple):
    """Whether the best model of the run is there, and what was lost, in sentences."""

    has_best: bool
    remarks: list[str]


def check_files(state: RunState, files: RunFiles) -> FoundFiles:
    """Check the best model and the metrics beside a checkpoint.

    Raises:
        ModelError: they belong to another run, which is not replaced.
    """
    remarks = []
    if files.metrics.exists():
        runs, num_damaged = scan_metrics(files.metrics)
        # Records of an old poetgen, whose runs had no identifiers, may be of any run.
        if runs - {state.run, None}:
            raise _of_another_run(f"{files.metrics} is of another run than {files.checkpoint}.")
        if num_damaged:
            remarks.append(f"Damaged lines of {files.metrics}, left out: {num_damaged}.")
    elif state.counters.step > 0:
        remarks.append(f"{files.metrics} is missing; a new one begins.")
    lost = _what_is_lost(state, files)
    if lost is not None:
        remarks.append(f"{lost} The next validation writes a new one.")
    return FoundFiles(lost is None, remarks)


def _what_is_lost(state: RunState, files: RunFiles) -> str | None:
    """Return a sentence about the best model if it has to be written again, else None.

    Raises:
        ModelError: there is a model, but not the one of the checkpoint.
    """
    if not files.model.exists():
        return None if state.best is None else f"{files.model} is missing."
    try:
        model = load_model(files.model)
    except DamagedError as error:
        return error.problem
    except ModelError as error:
        raise _of_another_run(error.problem) from error
    if not _is_best(model, state):
        raise _of_another_run(
            f"{files.model} is not the best model of the run of {files.checkpoint}."
        )
    return None


def _is_best(model: Model, state: RunState) -> bool:
    """Return whether a model is of the same run as a checkpoint, and at least as good.

    It may be better: the run may have been killed after saving the model alone.
    """
    loss = math.inf if model.validation is None else model.validation.loss_per_token
    return (
        model.training.get("run") == state.run
        and model.corpus is not None
        and model.corpus.fingerprint == state.corpus
        and model.config == state.model
        and loss <= state.counters.best_loss
    )


def _of_another_run(problem: str) -> ModelError:
    return ModelError(
        problem,
        "Put back the file that belongs here, or move the other one away and resume again.",
    )
