"""Going on with a run: a checkpoint has to be of this corpus, this model, this engine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from poetgen.config import ModelConfig, TrainConfig
from poetgen.errors import ModelError, SettingError
from poetgen.training.checkpoint import Checkpoint, load_checkpoint


def load_resumable(path: Path) -> TrainConfig:
    """Read the settings of an interrupted run from its checkpoint.

    Raises:
        ModelError: there is no usable checkpoint.
    """
    try:
        return TrainConfig(**load_checkpoint(path).values["training"])
    except (TypeError, KeyError) as error:
        raise ModelError(
            f"The checkpoint {path} was written by another version of poetgen: {error}.",
            "Start anew with --force, or under another --name.",
        ) from error


def load_matching(
    path: Path, fingerprint: str, model_config: ModelConfig, config: TrainConfig
) -> Checkpoint:
    """Read a checkpoint that a run with these settings can go on from.

    Raises:
        ModelError: there is no usable checkpoint, or it belongs to another corpus, to
            another model or to another engine.
    """
    checkpoint = load_checkpoint(path)
    values = checkpoint.values
    if values["corpus"] != fingerprint:
        raise ModelError(
            f"The corpus has changed since {path} was written: "
            f"it was {values['corpus']} and is {fingerprint}.",
            "Restore the corpus, or train anew with --force.",
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
            f"{path} is for another model, engine or optimizer: {values['model']}, "
            f"{stored.get('engine', 'torch')}, {stored.get('optimizer', 'adamw')}; "
            f"not {asdict(model_config)}, {config.engine}, {config.optimizer}.",
            "Give the same settings as before, or train anew with --force.",
        )
    return checkpoint
