"""Archives: zip and tar, recognised by their first bytes, read in memory, never extracted."""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from poetgen import limits
from poetgen.characters import printable
from poetgen.errors import SourceError

Open = Callable[[], IO[bytes]]

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
# What .xls, .doc and files with a password begin with.
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OFFICE_PARTS = (
    ("xl/workbook.xml", "xlsx"),
    ("word/document.xml", "docx"),
    ("ppt/presentation.xml", "pptx"),
)
_TAR_BLOCK_BYTES = 512
_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive; ``refusal`` says why it must not be read, if so."""

    name: str
    info: Any
    refusal: str | None


class Archive:
    """The files of one archive, which is open only from the first to the last of them."""

    def __init__(self, name: str, open: Open, kind: type[_Zip] | type[_Tar]) -> None:
        """Remember how to open the archive ``name``."""
        self.name = name
        self._open = open
        self._kind = kind
        self._opened: _Zip | _Tar | None = None

    def members(self) -> list[Member]:
        """List the files in the archive.

        Raises:
            SourceError: it is damaged, or has too many members.
        """
        with (
            limits.damage_reported(self.name),
            closing(self._kind(self._open(), self.name)) as opened,
        ):
            found = list(islice(opened.members(), limits.MAX_MEMBERS + 1))
        if len(found) > limits.MAX_MEMBERS:
            raise SourceError(
                f"{self.name} has more than {limits.MAX_MEMBERS:,} members.",
                "Split it into several archives.",
            )
        return found

    def read(self, member: Member, *, last: bool) -> bytes:
        """Unpack one file; after the ``last`` one the archive is closed.

        Raises:
            SourceError: the file is refused, damaged or too large.
        """
        name = f"{self.name}/{printable(member.name)}"
        try:
            if member.refusal is not None:
                raise SourceError(f"{name} {member.refusal}.", "Pack the archive again without it.")
            with limits.damage_reported(name):
                self._opened = self._opened or self._kind(self._open(), self.name)
                return limits.unzipped(self._opened.read(member.info, name), name)
        except SourceError:
            last = True
            raise
        finally:
            if last and self._opened is not None:
                self._opened.close()
                self._opened = None


def as_archive(name: str, open: Open) -> Archive | None:
    """Return the archive in a file, if its first bytes say that it is one.

    A file packed with gzip is an archive only if it holds a tar. An ``.npz``, a workbook and
    the like are none: to their users they are single files.

    Raises:
        OSError: it cannot be opened.
    """
    with open() as stream:
        head = stream.read(_TAR_BLOCK_BYTES)
        if head.startswith(ZIP_MAGIC):
            stream.seek(0)
            return None if packed_kind(stream) else Archive(name, open, _Zip)
        if head.startswith(limits.GZIP_MAGIC):
            stream.seek(0)
            head = _unzipped_head(stream)
    return Archive(name, open, _Tar) if _begins_tar(head) else None


def packed_kind(stream: IO[bytes]) -> str | None:
    """Return what a zip archive is to its users if that is one file: npz, xlsx, docx, ods.

    An EPUB is an archive of web pages.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
    except limits.UNPACKING_ERRORS:
        return None  # reading it will say why
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if "[Content_Types].xml" in names:
        return next((kind for path, kind in _OFFICE_PARTS if path in names), None)
    return "ods" if "mimetype" in names and "content.xml" in names else None


def _unzipped_head(stream: IO[bytes]) -> bytes:
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            return unpacked.read(_TAR_BLOCK_BYTES)
    except limits.UNPACKING_ERRORS:
        return b""  # reading it will say why


def _begins_tar(head: bytes) -> bool:
    # By the checksum, for the oldest kind has no magic number.
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


class _Zip:
    def __init__(self, stream: IO[bytes], name: str) -> None:
        with ExitStack() as stack:
            stack.enter_context(stream)
            self._zip = stack.enter_context(zipfile.ZipFile(stream))
            # From here on they stay open.
            self.close = stack.pop_all().close

    def members(self) -> Iterator[Member]:
        for info in self._zip.infolist():
            if not info.is_dir():
                yield Member(info.filename, info, _refusal_in_zip(info))

    def read(self, info: zipfile.ZipInfo, name: str) -> bytes:
        if info.file_size > limits.MAX_BYTES:
            raise limits.too_large(name)
        with self._zip.open(info) as stream:
            return limits.read_all(stream, name)


class _Tar:
    def __init__(self, stream: IO[bytes], name: str) -> None:
        # In memory, because a packed tar allows no random access.
        with stream:
            self._data = limits.unzipped(limits.read_all(stream, name), name)

    def members(self) -> Iterator[Member]:
        with tarfile.open(fileobj=io.BytesIO(self._data), mode="r:") as archive:
            for info in archive:
                if info.isfile() and not info.issparse():
                    yield Member(info.name, info, _refusal_of_name(info.name))
                elif not info.isdir():
                    yield Member(info.name, info, "is a link or a device")

    def read(self, info: tarfile.TarInfo, name: str) -> bytes:
        content = self._data[info.offset_data : info.offset_data + info.size]
        if len(content) != info.size:
            raise EOFError("it is cut off")
        return content

    def close(self) -> None:
        self._data = b""


def _refusal_in_zip(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & 1:
        return "is encrypted"
    # The other two methods are rare, and hard to keep within bounds.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is not packed with deflate, the usual method"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    return _refusal_of_name(info.filename)


def _refusal_of_name(name: str) -> str | None:
    # Nothing is written under these names, but whoever packs such a name means harm.
    return "has a path that leads out of the archive" if _OUTSIDE.match(name) else None
