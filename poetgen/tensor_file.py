"""A sealed file: arrays and plain values in one ``.safetensors``, with a checksum over all.

The container itself would load a flipped bit as a slightly different number. Nothing in
such a file is ever executed. A stranger's file costs little before it is refused: its
header is bounded, and what its arrays would take is looked at before they are read.
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

from poetgen.errors import DamagedError, ModelError
from poetgen.files import write_whole
from poetgen.shortage import shortage_in

Arrays = dict[str, NDArray[Any]]
# The type (as safetensors names it: "F16") and the shape of each array.
Layout = dict[str, tuple[str, tuple[int, ...]]]

# Room for a vocabulary of half a million words; reading so much takes less than a second.
_MAX_HEADER_BYTES = 8 * 2**20
_MAX_ARRAYS = 10_000


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of sealed file: its key in the header, its version, its name for messages."""

    key: str
    version: int
    noun: str


def all_finite(arrays: Arrays) -> bool:
    """Return whether every number of the arrays is one."""
    return all(bool(np.isfinite(array).all()) for array in arrays.values())


def save_tensor_file(
    path: Path,
    kind: FileKind,
    arrays: Arrays,
    values: Mapping[str, Any],
    before: Callable[[], None] = lambda: None,
) -> None:
    """Write arrays and JSON values whole or not at all; equal content gives equal bytes.

    ``before`` is called when all is on the disk and only its name is still missing.

    Raises:
        ModelError: the values take more room than ``load_tensor_file`` reads.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    sealed = {**values, "format_version": kind.version}
    sealed["checksum"] = _checksum(sealed, arrays)
    data = save(arrays, {kind.key: json.dumps(sealed, ensure_ascii=False, sort_keys=True)})
    if int.from_bytes(data[:8], "little") > _MAX_HEADER_BYTES:
        raise ModelError(
            f"{path} would have a header of more than {_MAX_HEADER_BYTES:,} bytes.",
            "Make the vocabulary smaller: poetgen prepare with a larger --min-count.",
        )
    write_whole(path, lambda temporary: temporary.write_bytes(data), before)


def load_tensor_file(
    path: Path,
    kind: FileKind,
    advice: str,
    check: Callable[[Mapping[str, Any], Layout], None] = lambda values, layout: None,
) -> tuple[Arrays, dict[str, Any]]:
    """Read what ``save_tensor_file`` wrote.

    ``check`` gets the values and the layout of the arrays before these are read, and raises
    if they do not fit.

    Raises:
        DamagedError: the file is missing, truncated or altered.
        ModelError: it is of another kind or a newer version, or may not be read.
        ShortageError: the machine cannot open or hold it.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise DamagedError(f"There is no {kind.noun} {path}.", advice)
    try:
        _check_header(path)
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if kind.key not in metadata:
                raise ModelError(f"{path} is no {kind.noun} of poetgen.", advice)
            values = json.loads(metadata[kind.key])
            version, checksum = values.pop("format_version"), values.pop("checksum")
            _check_version(path, kind, version)
            names = file.keys()
            if len(names) > _MAX_ARRAYS:
                raise ValueError(f"it has {len(names):,} arrays")
            slices = {name: file.get_slice(name) for name in names}
            check(values, {n: (s.get_dtype(), tuple(s.get_shape())) for n, s in slices.items()})
            arrays = {name: file.get_tensor(name) for name in names}
        is_whole = checksum == _checksum({**values, "format_version": version}, arrays)
    except (
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        AttributeError,  # of numpy, which has no numbers of such a kind
    ) as error:
        why = f"no {error} in it" if isinstance(error, KeyError) else error
        told: ModelError = DamagedError(f"{path} is not a whole {kind.noun}: {why}.", advice)
        raise shortage_in(error) or told from error
    except OSError as error:
        told = ModelError(f"{path} cannot be read: {error.strerror or error}.", advice)
        raise shortage_in(error) or told from error
    if not is_whole:
        raise DamagedError(f"{path} is damaged: its checksum does not match its content.", advice)
    return arrays, values


def _check_version(path: Path, kind: FileKind, version: object) -> None:
    """Refuse a file of another version before anything else in it is looked at.

    Raises:
        ModelError: a newer poetgen wrote it.
        ValueError: there is no such version.
    """
    if type(version) is not int or version < 1:
        raise ValueError(f"there is no format version {version!r}")
    if version != kind.version:
        raise ModelError(
            f"{path} has format version {version}; this poetgen reads {kind.version}.",
            "Use the poetgen that wrote it, or a newer one: pip install --upgrade poetgen.",
        )


def _check_header(path: Path) -> None:
    """Look at the length of the header, with which a ``.safetensors`` begins.

    Raises:
        ValueError: there is no header, or a larger one than poetgen writes.
    """
    with path.open("rb") as file:
        num_bytes = int.from_bytes(file.read(8), "little")
    if num_bytes > path.stat().st_size:
        raise ValueError("it has no header")
    if num_bytes > _MAX_HEADER_BYTES:
        raise ValueError(f"its header has {num_bytes:,} bytes, more than poetgen writes")


def _checksum(values: Mapping[str, Any], arrays: Arrays) -> str:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
