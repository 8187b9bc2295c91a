"""How much is read at most, so that no input, however it is packed, fills the memory."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from poetgen.errors import SourceError

# Of one input, and of one whole tar archive, after unpacking.
MAX_BYTES = 512 * 2**20
# Of a text that is read line by line, and of one poem; whole books are shorter.
MAX_LINE_CHARS = 2**24
# Lines of such a text, and poems of one input or corpus. Small ones take most memory: packed
# to kilobytes, unpacked to megabytes, they are gigabytes of strings.
MAX_POEMS = 2**21
# Of one JSON text, by its commas, colons and opening brackets.
MAX_JSON_VALUES = 2**24
# In one archive.
MAX_MEMBERS = 100_000

GZIP_MAGIC = b"\x1f\x8b"

_CHUNK_BYTES = 2**20
# What the unpackers of Python let through over broken data, each in its own way.
UNPACKING_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_all(stream: _Readable, name: str) -> bytes:
    """Read ``stream`` to its end.

    Raises:
        SourceError: it has more than ``MAX_BYTES``; hardly anything beyond them is read.
        OSError: it cannot be read.
    """
    content = io.BytesIO()
    while chunk := stream.read(_CHUNK_BYTES):
        content.write(chunk)
        if content.tell() > MAX_BYTES:
            raise too_large(name)
    return content.getvalue()


def unzipped(data: bytes, name: str) -> bytes:
    """Unpack ``data`` if it is packed with gzip, and else give it as it is.

    Raises:
        SourceError: it is damaged, or larger than ``MAX_BYTES`` when unpacked.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    with damage_named(name), gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        return read_all(stream, name)


@contextmanager
def damage_named(name: str) -> Iterator[None]:
    """Turn whatever is raised over a broken archive into one clear error.

    Raises:
        SourceError: the archive is broken.
    """
    try:
        yield
    except UNPACKING_ERRORS as error:
        raise SourceError(
            f"{name} is damaged: {str(error) or type(error).__name__}.",
            "Fetch it or pack it again.",
        ) from error


def ensure_few(num_poems: int, name: str, what: str = "poems") -> None:
    """See to it that there are not too many poems, or lines of poems.

    Raises:
        SourceError: there are more than ``MAX_POEMS``.
    """
    if num_poems > MAX_POEMS:
        raise SourceError(
            f"{name} holds more than {MAX_POEMS:,} {what}.", "Give a part of it, or split it."
        )


def too_large(name: str) -> SourceError:
    """Say that there is more than is read."""
    return SourceError(
        f"{name} holds more than {MAX_BYTES:,} bytes.", "Split it into several files."
    )
