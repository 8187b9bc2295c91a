"""Going on with a run: a checkpoint has to be of this corpus, this model, this engine."""

from __future__ import annotations

from dataclasses import asdict

from poetgen.config import ModelConfig, TrainConfig
from poetgen.errors import ModelError, SettingError
from poetgen.text.corpus import Corpus
from poetgen.training.checkpoint import Checkpoint


def settings_of(checkpoint: Checkpoint) -> TrainConfig:
    """Give the settings of the run that wrote a checkpoint.

    Raises:
        ModelError: another version of poetgen wrote it.
    """
    try:
        # The first runs had one engine, and did not say so.
        return TrainConfig(**{"engine": "torch", **checkpoint.values["training"]})
    except (TypeError, KeyError, SettingError) as error:
        raise ModelError(
            f"The checkpoint was written by another version of poetgen: {error}.",
            "Start anew with --force, or under another --name.",
        ) from error


def check_matches(
    checkpoint: Checkpoint,
    corpus: Corpus,
    model_config: ModelConfig,
    config: TrainConfig,
    num_processes: int,
) -> None:
    """See to it that a run with these settings can go on from a checkpoint.

    Raises:
        ModelError: it belongs to another corpus, to another model or to another engine.
    """
    values = checkpoint.values
    if values["corpus"] != corpus.fingerprint:
        name = values.get("corpus_name", corpus.name)
        problem = (
            f"The corpus {name} has changed since the run began: its fingerprint was "
            f"{values['corpus']} and is {corpus.fingerprint}."
            if name == corpus.name
            else f"The run was begun on the corpus {name} ({values['corpus']}), "
            f"not on {corpus.name} ({corpus.fingerprint})."
        )
        raise ModelError(
            problem, "Give the corpus that it was begun with, or train anew with --force."
        )
    if values.get("processes", 1) != num_processes:
        raise ModelError(
            f"The run was begun by {values.get('processes', 1)} processes, not {num_processes}.",
            f"Go on with torchrun --nproc-per-node {values.get('processes', 1)}.",
        )
    try:
        # Settings that came later have their defaults.
        same = ModelConfig(**values["model"]) == model_config
    except (TypeError, SettingError):
        same = False
    stored = values["training"]
    same = same and all(
        stored.get(name, default) == getattr(config, name)
        for name, default in (("engine", "torch"), ("optimizer", "adamw"))
    )
    if not same:
        raise ModelError(
            f"The checkpoint is for another model, engine or optimizer: {values['model']}, "
            f"{stored.get('engine', 'torch')}, {stored.get('optimizer', 'adamw')}; "
            f"not {asdict(model_config)}, {config.engine}, {config.optimizer}.",
            "Give the same settings as before, or train anew with --force.",
        )
