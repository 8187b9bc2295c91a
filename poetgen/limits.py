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

from poetgen.characters import unix_newlines
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
# What Python's unpackers raise over damaged data, each in its own way.
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
        SourceError: it has more than ``MAX_BYTES``; reading stops there.
        OSError: it cannot be read.
    """
    content = io.BytesIO()
    while chunk := stream.read(_CHUNK_BYTES):
        content.write(chunk)
        if content.tell() > MAX_BYTES:
            raise too_large(name)
    return content.getvalue()


def unzipped(data: bytes, name: str) -> bytes:
    """Return ``data``, unpacked if it is packed with gzip.

    Raises:
        SourceError: it is damaged, or larger than ``MAX_BYTES`` when unpacked.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    with damage_reported(name), gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        return read_all(stream, name)


@contextmanager
def damage_reported(name: str) -> Iterator[None]:
    """Raise whatever an unpacker raises over the damaged archive ``name`` as one clear error.

    Raises:
        SourceError: the archive is damaged.
    """
    try:
        yield
    except UNPACKING_ERRORS as error:
        raise SourceError(
            f"{name} is damaged: {str(error) or type(error).__name__}.",
            "Download it or pack it again.",
        ) from error


def split_lines(text: str, name: str) -> list[str]:
    r"""Split ``text`` at \n, \r\n and \r, and at no other character.

    Raises:
        SourceError: there are more than ``MAX_POEMS`` lines, or one has more than
            ``MAX_LINE_CHARS`` characters.
    """
    ensure_few(count_lines(text), name, "lines")
    lines = unix_newlines(text).split("\n")
    if len(text) > MAX_LINE_CHARS:
        for number, line in enumerate(lines, start=1):
            if len(line) > MAX_LINE_CHARS:
                raise SourceError(
                    f"Line {number} of {name} has {len(line):,} characters.",
                    f"Break it into lines of at most {MAX_LINE_CHARS:,} characters.",
                )
    return lines


def count_lines(text: str) -> int:
    """Return the number of lines, blank ones included, without splitting ``text``."""
    newlines = text.count("\n")
    if "\r" in text:
        newlines += text.count("\r") - text.count("\r\n")
    return newlines + (not text.endswith(("\n", "\r")))


def ensure_few(num_poems: int, name: str, what: str = "poems") -> None:
    """Ensure that there are not too many poems, or lines of poems.

    Raises:
        SourceError: there are more than ``MAX_POEMS``.
    """
    if num_poems > MAX_POEMS:
        raise SourceError(
            f"{name} holds more than {MAX_POEMS:,} {what}.", "Give a part of it, or split it."
        )


def ensure_unpacks_within(data: bytes, name: str) -> None:
    """Ensure that the files of a zip archive together have at most ``MAX_BYTES``.

    Raises:
        SourceError: they have more.
        zipfile.BadZipFile: the archive is broken.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
            raise too_large(name)


def too_large(name: str) -> SourceError:
    """Return the error about an input of more than ``MAX_BYTES``."""
    return SourceError(
        f"{name} holds more than {MAX_BYTES:,} bytes.", "Split it into several files."
    )
