"""The checkpoint: everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poetgen.errors import ModelError
from poetgen.sealed import Arrays, Kind, load_sealed, save_sealed
from poetgen.training.run_files import RunFiles

_KIND = Kind(key="poetgen-checkpoint", version=1, noun="checkpoint")
_ADVICE = "Start anew with --force, or under another --name."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Arrays by name (weights, optimizer, random states) and plain values beside them."""

    arrays: Arrays
    values: dict[str, Any]


def save_checkpoint(checkpoint: Checkpoint, files: RunFiles) -> None:
    """Write a checkpoint whole or not at all; the one before it becomes the previous.

    At every moment at least one of the two is there and whole, once one was.
    """

    def step_back() -> None:
        if files.checkpoint.exists():
            os.replace(files.checkpoint, files.previous)

    save_sealed(files.checkpoint, _KIND, checkpoint.arrays, checkpoint.values, step_back)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelError: it is missing, damaged, or of another format version.
    """
    return Checkpoint(*load_sealed(path, _KIND, _ADVICE))


def load_latest(files: RunFiles) -> tuple[Checkpoint, str | None]:
    """Read the latest checkpoint, or the previous one if that is damaged or gone.

    The previous one then becomes the latest: the next save must not push it out for the
    damaged one. Only under the lock.

    Returns:
        The checkpoint, and, where it is the previous one, a sentence that says why.

    Raises:
        ModelError: neither can be used; the message is about the latest.
    """
    try:
        return load_checkpoint(files.checkpoint), None
    except ModelError as error:
        try:
            checkpoint = load_checkpoint(files.previous)
        except ModelError:
            raise error from None
        os.replace(files.previous, files.checkpoint)
        return checkpoint, f"{error.problem} The previous checkpoint is used instead."


def delete_checkpoints(files: RunFiles) -> None:
    """Delete both; a run that is finished needs none."""
    # The older one first: a crash in between must not leave it as if it were the latest.
    files.previous.unlink(missing_ok=True)
    files.checkpoint.unlink(missing_ok=True)
