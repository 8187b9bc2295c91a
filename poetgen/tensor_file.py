"""Tensor files: arrays and JSON values in one ``.safetensors`` file, under one checksum.

safetensors itself would load a flipped bit as a slightly different number. Nothing in a file
is ever executed, and a malicious one is refused cheaply: the header is bounded, and the layout
of the arrays is checked before they are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.errors import DamagedError, ModelError
from poetgen.files import write_whole
from poetgen.places import MAX_HEADER_BYTES, MODEL_KEY
from poetgen.shortage import shortage_in

Arrays = dict[str, NDArray[Any]]
# The type (as safetensors names it: "F16") and the shape of each array.
Layout = dict[str, tuple[str, tuple[int, ...]]]
Check = Callable[[Mapping[str, Any], Layout], None]

_MAX_ARRAYS = 10_000


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of tensor file: its key in the header, its format version, its name in messages."""

    key: str
    version: int
    noun: str


# Here, because a corpus may take its vocabulary from one.
MODEL_FILE = FileKind(key=MODEL_KEY, version=1, noun="model file")


def all_finite(arrays: Arrays) -> bool:
    """Return whether the arrays contain neither NaN nor infinity."""
    return all(bool(np.isfinite(array).all()) for array in arrays.values())


def save_tensor_file(
    path: Path,
    kind: FileKind,
    arrays: Arrays,
    values: Mapping[str, Any],
    before: Callable[[], None] = lambda: None,
) -> None:
    """Write arrays and JSON values, whole or not at all; equal content gives equal bytes.

    ``before`` is called when the data are on the disk, just before the file gets its name.

    Raises:
        ModelError: the values need a larger header than ``load_tensor_file`` reads.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    header = {**values, "format_version": kind.version}
    header["checksum"] = _checksum(header, arrays)
    data = save(arrays, {kind.key: json.dumps(header, ensure_ascii=False, sort_keys=True)})
    if int.from_bytes(data[:8], "little") > MAX_HEADER_BYTES:
        raise ModelError(
            f"{path} would have a header of more than {MAX_HEADER_BYTES:,} bytes.",
            "Make the vocabulary smaller: poetgen prepare with a larger --min-count.",
        )
    write_whole(path, lambda temporary: temporary.write_bytes(data), before)


def load_tensor_file(
    path: Path, kind: FileKind, advice: str, check: Check = lambda values, layout: None
) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the values that ``save_tensor_file`` wrote.

    ``check`` gets the values and the layout of the arrays before the arrays are read, and
    raises ``ValueError`` or ``KeyError`` if they do not fit.

    Raises:
        DamagedError: the file is missing, truncated or altered.
        ModelError: it is of another kind or version, or cannot be read.
        ShortageError: the machine has too little memory or too few open files for it.
    """
    with _opened(path, kind, advice, check) as (file, values, checksum):
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        is_whole = checksum == _checksum({**values, "format_version": kind.version}, arrays)
    if not is_whole:
        raise DamagedError(f"{path} is damaged: its checksum does not match its content.", advice)
    return arrays, values


def load_tensor_header(
    path: Path, kind: FileKind, advice: str, check: Check = lambda values, layout: None
) -> dict[str, Any]:
    """Return the values of a tensor file alone; its arrays are not read, nor its checksum checked.

    Raises:
        ModelError, ShortageError: as ``load_tensor_file``.
    """
    with _opened(path, kind, advice, check) as (_, values, _):
        return values


@contextmanager
def _opened(
    path: Path, kind: FileKind, advice: str, check: Check
) -> Iterator[tuple[Any, dict[str, Any], object]]:
    """Open a file; yield it with its values, which are checked, and its checksum."""
    from safetensors import SafetensorError, safe_open

    # AttributeError: numpy lacks a number format, such as FP8, that the header names.
    malformed = (SafetensorError, ValueError, KeyError, TypeError, RecursionError, AttributeError)
    if not path.is_file():
        raise DamagedError(f"There is no {kind.noun} {path}.", advice)
    try:
        _check_header_size(path)
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if kind.key not in metadata:
                raise ModelError(f"{path} is not a {kind.noun} of poetgen.", advice)
            values = json.loads(metadata[kind.key])
            version, checksum = values.pop("format_version"), values.pop("checksum")
            _check_version(path, kind, version)
            names = file.keys()
            if len(names) > _MAX_ARRAYS:
                raise ValueError(f"it has {len(names):,} arrays")
            slices = {name: file.get_slice(name) for name in names}
            check(values, {n: (s.get_dtype(), tuple(s.get_shape())) for n, s in slices.items()})
            yield file, values, checksum
    except malformed as error:
        # A parser may repeat the whole header.
        why = f"{error} is missing" if isinstance(error, KeyError) else f"{error!s:.120}"
        raise shortage_in(error) or DamagedError(
            f"{path} is not a whole {kind.noun}: {why}.", advice
        ) from error
    except OSError as error:
        raise shortage_in(error) or ModelError(
            f"{path} cannot be read: {error.strerror or error}.", advice
        ) from error


def _check_header_size(path: Path) -> None:
    # A .safetensors file begins with the length of its header, in 8 bytes.
    with path.open("rb") as file:
        num_bytes = int.from_bytes(file.read(8), "little")
    if num_bytes > path.stat().st_size:
        raise ValueError("it has no header")
    if num_bytes > MAX_HEADER_BYTES:
        raise ValueError(f"its header has {num_bytes:,} bytes, more than poetgen writes")


def _check_version(path: Path, kind: FileKind, version: object) -> None:
    if type(version) is not int or version < 1:
        raise ValueError(f"its format version is {version!r}")
    if version != kind.version:
        raise ModelError(
            f"{path} has format version {version}; this poetgen reads {kind.version}.",
            "Use the poetgen that wrote it, or a newer one: pip install --upgrade poetgen.",
        )


def _checksum(values: Mapping[str, Any], arrays: Arrays) -> str:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
