"""A sealed file: arrays and plain values in one ``.safetensors``, with a checksum over all.

The container itself would load a flipped bit as a slightly different number. Nothing in
such a file is ever executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.errors import ModelError
from poetgen.files import write_whole

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of sealed file: its key in the header, its version, its name for messages."""

    key: str
    version: int
    noun: str


def all_finite(arrays: Arrays) -> bool:
    """Tell whether every number of the arrays is one."""
    return all(bool(np.isfinite(array).all()) for array in arrays.values())


def save_sealed(
    path: Path,
    kind: Kind,
    arrays: Arrays,
    values: Mapping[str, Any],
    before: Callable[[], None] = lambda: None,
) -> None:
    """Write arrays and JSON values whole or not at all; equal content gives equal bytes.

    ``before`` is called when all is on the disk and only its name is still missing.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    sealed = {**values, "format_version": kind.version}
    sealed["checksum"] = _checksum(sealed, arrays)
    data = save(arrays, {kind.key: json.dumps(sealed, ensure_ascii=False, sort_keys=True)})
    write_whole(path, lambda temporary: temporary.write_bytes(data), before)


def load_sealed(path: Path, kind: Kind, advice: str) -> tuple[Arrays, dict[str, Any]]:
    """Read what ``save_sealed`` wrote.

    Raises:
        ModelError: the file is missing, truncated, altered, or of another kind or version.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"There is no {kind.noun} {path}.", advice)
    try:
        with safe_open(path, framework="numpy") as file:
            values = json.loads((file.metadata() or {})[kind.key])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        version, checksum = values["format_version"], values.pop("checksum")
    except (
        SafetensorError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        AttributeError,  # of numpy, which has no numbers of such a kind
    ) as error:
        why = f"no {error} in it" if isinstance(error, KeyError) else error
        raise ModelError(f"{path} is not a whole {kind.noun}: {why}.", advice) from error
    if version != kind.version:
        raise ModelError(
            f"{path} has format version {version!r}; this poetgen reads {kind.version}.", advice
        )
    if checksum != _checksum(values, arrays):
        raise ModelError(f"{path} is damaged: its checksum does not match its content.", advice)
    del values["format_version"]
    return arrays, values


def _checksum(values: Mapping[str, Any], arrays: Arrays) -> str:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
