"""The checkpoint: everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poetgen.sealed import Arrays, Kind, load_sealed, save_sealed

SUFFIX = ".checkpoint"
_KIND = Kind(key="poetgen-checkpoint", version=1, noun="checkpoint")
_ADVICE = "Start anew with --force, or under another --name."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Arrays by name (weights, optimizer, random states) and plain values beside them."""

    arrays: Arrays
    values: dict[str, Any]


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    save_sealed(path, _KIND, checkpoint.arrays, checkpoint.values)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelError: it is missing, damaged, or of another format version.
    """
    return Checkpoint(*load_sealed(path, _KIND, _ADVICE))
