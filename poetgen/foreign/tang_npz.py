"""The file ``tang.npz`` of many courses: rows of numbers, and the words they stand for.

It has ``data``, 57,580 poems of 125 numbers each, padded on the left, and ``ix2word``, a
dictionary (Chen Yun, 深度学习框架 PyTorch：入门与实践, chapter 9). The dictionary is a pickle, so
it is read as data only; numpy's own loader would execute whatever is in it.
"""

from __future__ import annotations

import ast
import io
import re
import zipfile
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from poetgen import limits
from poetgen.characters import printable, without_surrogates
from poetgen.errors import SourceError
from poetgen.foreign.restricted_pickle import DataPickleError, loads

if TYPE_CHECKING:
    import numpy as np

_PADDING, _START, _END = "</s>", "<START>", "<EOP>"
# Five times as many as in the courses' file.
_MAX_NUMBERS = 2**25
_MAGIC = b"\x93NUMPY"
_NUMBERS = re.compile(r"[<>|=][iu][1248]")
_OBJECTS = re.compile(r"\|O[48]?")
# As many as numpy reads; reading a literal takes a hundred times its size.
_MAX_HEADER_BYTES = 10_000


def read_tang_npz(data: bytes, name: str) -> list[str]:
    """Read the poems of a ``tang.npz``, which are cut off after 125 characters.

    Raises:
        SourceError: it is damaged, has other arrays, or its pickle holds more than data.
    """
    with limits.damage_reported(name), zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = tuple(member.removesuffix(".npy") for member in archive.namelist())
        if not {"data", "ix2word"} <= set(names):
            found = printable(", ".join(names)[:200]) or "none"
            raise SourceError(
                f"{name} has no arrays data and ix2word; it has {found}.",
                "Give the tang.npz of the PyTorch courses, or poems as text.",
            )
        numbers = _read_numbers(_member(archive, "data", name))
        words = _read_words(_member(archive, "ix2word", name), name)
        if numbers.size > _MAX_NUMBERS or max(map(len, words.values()), default=0) > len(_START):
            raise ValueError("data or its words are too long")
    end = next((number for number, word in words.items() if word == _END), None)
    spelled = {number: "" if word in (_PADDING, _START) else word for number, word in words.items()}
    poems = []
    for place, array in enumerate(numbers):
        row = array.tolist()
        row = row[: row.index(end)] if end in row else row
        try:
            poems.append("".join([spelled[number] for number in row]))
        except KeyError as error:
            raise SourceError(
                f"Row {place} of {name} has the number {error}, which stands for no word.",
                "Download the file again.",
            ) from error
    return poems


def _member(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    with archive.open(f"{member}.npy") as stream:
        return limits.read_all(stream, name)


def _read_numbers(content: bytes) -> np.ndarray[Any, Any]:
    import numpy as np

    kind, shape, order, content = _split_npy(content)
    if not _NUMBERS.fullmatch(kind) or len(shape) != 2:
        raise ValueError(f"data is an array of {kind} in {len(shape)} dimensions")
    dtype = np.dtype(kind)
    if len(content) != prod(shape) * dtype.itemsize:
        raise ValueError("the header of data and its length disagree")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _read_words(content: bytes, name: str) -> dict[int, str]:
    kind, _shape, _order, content = _split_npy(content)
    if not _OBJECTS.fullmatch(kind):
        raise ValueError(f"ix2word is an array of {kind}")
    try:
        words = loads(content)
    except DataPickleError as error:
        raise SourceError(
            f"The dictionary in {name} holds more than words: {error}.",
            "Do not open this file with anything else; download it from where it was published.",
        ) from error
    # numpy keeps a dictionary as the only element of an array without axes.
    words = words.item() if getattr(words, "shape", None) == () else words
    if not isinstance(words, dict):
        raise ValueError("ix2word is not a dictionary")
    if None in words:
        raise ValueError("ix2word has a word without a number")
    return {int(number): without_surrogates(str(word)) for number, word in words.items()}


def _split_npy(content: bytes) -> tuple[str, tuple[int, ...], Literal["C", "F"], bytes]:
    """Split an ``.npy`` file into the dtype, shape and order of its header, and the rest (NEP 1).

    numpy's own reader raises anything over a damaged header.
    """
    size_bytes = {1: 2, 2: 4, 3: 4}.get(content[6], 0) if content.startswith(_MAGIC) else 0
    start = 8 + size_bytes
    end = start + int.from_bytes(content[8:start], "little")
    if end - start > _MAX_HEADER_BYTES:
        raise ValueError("an array has a header that is too long")
    try:
        # Python 2 wrote 125L for 125.
        header = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", content[start:end].decode("latin-1")))
        kind, shape, is_fortran = (header[key] for key in ("descr", "shape", "fortran_order"))
        is_shape = isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)
    except (SyntaxError, TypeError, MemoryError) as error:
        raise ValueError("an array has a damaged header") from error
    if not isinstance(kind, str) or not is_shape:
        raise ValueError("an array has no shape or no dtype")
    return kind, shape, "F" if is_fortran else "C", content[end:]
