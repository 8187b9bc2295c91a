"""The checkpoint: everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.errors import ModelError
from poetgen.files import write_whole

FORMAT_VERSION = 1
SUFFIX = ".checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Arrays by name (weights, optimizer, random states) and plain values beside them."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    from safetensors.numpy import save

    values = {**checkpoint.values, "format_version": FORMAT_VERSION}
    values["checksum"] = _checksum(values, checkpoint.arrays)
    arrays = {name: np.ascontiguousarray(a) for name, a in checkpoint.arrays.items()}
    data = save(arrays, {"poetgen-checkpoint": json.dumps(values, sort_keys=True)})
    write_whole(path, lambda temporary: temporary.write_bytes(data))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelError: it is missing, damaged, or of another format version.
    """
    from safetensors import SafetensorError, safe_open

    advice = "Start anew with --force, or under another --name."
    if not path.is_file():
        raise ModelError(f"There is no checkpoint {path} to resume from.", advice)
    try:
        with safe_open(path, framework="numpy") as file:
            values = json.loads((file.metadata() or {})["poetgen-checkpoint"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if values["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format version {values['format_version']}")
        if values.pop("checksum") != _checksum(values, arrays):
            raise ValueError("its checksum does not match its content")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The checkpoint {path} is damaged: {error}.", advice) from error
    return Checkpoint(arrays, values)


def _checksum(values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]))
    return digest.hexdigest()
