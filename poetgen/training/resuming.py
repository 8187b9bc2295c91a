"""Going on with a run: its files have to belong together, and to what is asked for."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import NamedTuple

from poetgen.config import ModelConfig, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import DamagedError, ModelError
from poetgen.networks.model import Model
from poetgen.networks.model_file import load_model
from poetgen.plain import read_plain
from poetgen.training.checkpoint import RunState
from poetgen.training.metrics import Metrics
from poetgen.training.metrics_log import look_through
from poetgen.training.run_files import RunFiles


def check_matches(
    state: RunState,
    corpus: Corpus,
    model_config: ModelConfig,
    config: TrainConfig,
    num_processes: int,
) -> None:
    """See to it that a run with these settings can go on from a checkpoint.

    Raises:
        ModelError: it belongs to another corpus, to another model or to another engine.
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
            f"Go on with torchrun --nproc-per-node {state.processes}.",
        )
    stored = state.training
    if (state.model, stored.engine, stored.optimizer) != (
        model_config,
        config.engine,
        config.optimizer,
    ):
        raise ModelError(
            f"The checkpoint is for another model, engine or optimizer: {asdict(state.model)}, "
            f"{stored.engine}, {stored.optimizer}; "
            f"not {asdict(model_config)}, {config.engine}, {config.optimizer}.",
            "Give the same settings as before, or train anew with --force.",
        )


class Found(NamedTuple):
    """What was found beside a checkpoint: the best model, if it is one, and what to tell."""

    has_best: bool
    remarks: list[str]


def check_files(state: RunState, files: RunFiles) -> Found:
    """Look at the best model and at the metrics beside a checkpoint.

    What is lost of them is told. What is of another run is not replaced.

    Raises:
        ModelError: they are not of the same run as the checkpoint.
    """
    remarks = []
    if files.metrics.exists():
        runs, num_damaged = look_through(files.metrics)
        # Records of a poetgen whose runs had no names may be anybody's.
        if runs - {state.run, None}:
            raise _foreign(f"{files.metrics} is of another run than {files.checkpoint}.")
        if num_damaged:
            remarks.append(f"Damaged lines of {files.metrics}, left out: {num_damaged}.")
    elif state.counters.step > 0:
        remarks.append(f"{files.metrics} is gone; it begins anew.")
    lost = _what_is_lost(state, files)
    if lost is not None:
        remarks.append(f"{lost} The next validation writes a new one.")
    return Found(lost is None, remarks)


def _what_is_lost(state: RunState, files: RunFiles) -> str | None:
    """Return a sentence about the best model if it has to be written again, else None.

    Raises:
        ModelError: there is a model, but not the one that the checkpoint knows.
    """
    if not files.model.exists():
        return None if state.best is None else f"{files.model} is gone."
    try:
        model = load_model(files.model)
    except DamagedError as error:
        return error.problem
    except ModelError as error:
        raise _foreign(error.problem) from error
    if not _is_best(model, state):
        raise _foreign(f"{files.model} is not the best model of the run of {files.checkpoint}.")
    return None


def _is_best(model: Model, state: RunState) -> bool:
    """Return whether a model is of the same run as a checkpoint, and as good as that knows.

    It may be better: the run may have been killed when it had saved the model alone.
    """
    measured = model.metrics.get("validation")
    try:
        loss = math.inf if measured is None else read_plain(Metrics, measured).loss_per_token
    except ValueError:
        return False
    return (
        model.training.get("run") == state.run
        and model.corpus.get("fingerprint") == state.corpus
        and model.config == state.model
        and loss <= state.counters.best_loss
    )


def _foreign(problem: str) -> ModelError:
    return ModelError(
        problem,
        "Put back the file that belongs here, or move the other one away and resume again.",
    )
