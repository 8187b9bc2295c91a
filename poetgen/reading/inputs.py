"""From what the user names to single inputs: files, folders, archives, standard input."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from poetgen import limits
from poetgen.characters import printable
from poetgen.errors import SourceError
from poetgen.reading.archives import Open, as_archive
from poetgen.reading.documents import Input

STANDARD_INPUT = Path("-")
# In a folder or an archive; a file that is named itself may be called anything.
SUFFIXES = (
    ".json",
    ".jsonl",
    ".txt",
    ".csv",
    ".tsv",
    ".md",
    ".markdown",
    ".html",
    ".htm",
    ".xhtml",
    ".docx",
    ".epub",
    ".xlsx",
    ".npz",
    ".gz",
    ".tgz",
    ".tar",
    ".zip",
)

# Files about a collection, in nearly every folder of one.
_ABOUT = re.compile(r"(?:readme|licen[sc]e|changelog|contributing)\b", re.IGNORECASE)
_ADVICE = "Give a file with poems, a folder or an archive of such files, or - for standard input."
_NONE_FOUND = f"holds no {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file."


def find_inputs(sources: Sequence[Path]) -> list[Input]:
    """List the inputs that ``sources`` hold, each source in turn.

    A folder or an archive holds all files in it, at any depth, whose suffix is one of
    ``SUFFIXES``. An archive that cannot be opened is one input; reading it raises the error.

    Raises:
        SourceError: a source does not exist, a folder holds no such file, or standard input
            is given twice or is too long.
    """
    if list(sources).count(STANDARD_INPUT) > 1:
        raise SourceError("Standard input is given twice.", "Give - only once.")
    return [found for source in sources for found in _inputs_of(source)]


def find_files(source: Path) -> list[Path]:
    """List the files of a source: the file itself, or those with poems below a folder.

    The order is by the numbers in the names, so ``poet.tang.2000`` comes before ``.10000``
    and the same folder gives the same order on every machine.

    Raises:
        SourceError: the source does not exist, or the folder holds no such file.
    """
    with _readable(source.as_posix()):
        if not source.exists():
            raise SourceError(f"There is no file or folder {source}.", _ADVICE)
        if not source.is_dir():
            return [source]
        found = [path for path in source.rglob("*") if path.is_file()]
    wanted = [path for path in found if _may_hold_poems(path.relative_to(source).as_posix())]
    if not wanted:
        raise SourceError(f"The folder {source} {_NONE_FOUND}", _ADVICE)
    return sorted(wanted, key=lambda path: _natural(path.as_posix()))


def _inputs_of(source: Path) -> Iterator[Input]:
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise SourceError("There is no standard input here.", _ADVICE)
        yield from _expanded("standard input", _kept(sys.stdin.buffer, "standard input"))
        return
    for path in find_files(source):
        name = printable(path.as_posix())
        yield from _expanded(name, _opener(path, name), found=path != source)


def _expanded(name: str, open: Open, *, found: bool = False) -> Iterator[Input]:
    """Yield the one input of a file, or the members of an archive."""
    try:
        archive = as_archive(name, open)
        members = [one for one in archive.members() if _may_hold_poems(one.name)] if archive else []
        if archive and not members:
            raise SourceError(f"The archive {name} {_NONE_FOUND}", _ADVICE)
    except OSError:
        archive = None  # reading it will fail in the same way, and say why
    except SourceError as error:
        yield Input(name, partial(_refuse, error), found)
        return
    if archive is None:
        yield Input(name, partial(_read, name, open), found)
        return
    members.sort(key=lambda member: _natural(member.name))
    for member in members:
        read = partial(archive.read, member, last=member is members[-1])
        yield Input(f"{name}/{printable(member.name)}", read, found=True)


def _may_hold_poems(name: str) -> bool:
    parts = name.split("/")
    # macOS puts files of its own into archives, by names that promise text.
    is_of_macos = "__MACOSX" in parts or parts[-1].startswith("._")
    is_about = _ABOUT.match(parts[-1]) is not None
    return parts[-1].lower().endswith(SUFFIXES) and not (is_of_macos or is_about)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort by the numbers in a name, however long they are."""
    parts = [(part, part.lstrip("0")) for part in re.split(r"(\d+)", name)]
    return [
        (1, len(number), number) if part.isdecimal() else (0, 0, part) for part, number in parts
    ]


def _kept(stream: IO[bytes], name: str) -> Open:
    """Read a stream into memory, so that it can be opened again and again like a file."""
    with _readable(name):
        data = limits.read_all(stream, name)
    return partial(io.BytesIO, data)


def _opener(path: Path, name: str) -> Open:
    if path.is_file():
        return lambda: path.open("rb")
    # A pipe, such as a shell's <(command), can be read only once.
    with _readable(name), path.open("rb") as stream:
        return _kept(stream, name)


def _read(name: str, open: Open) -> bytes:
    with _readable(name), open() as stream:
        data = limits.read_all(stream, name)
    return limits.unzipped(data, name)


def _refuse(error: SourceError) -> bytes:
    raise error


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Raise an OSError of the block as a SourceError about ``name``."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{name} cannot be read: {error.strerror or error}.",
            "Check the name and the permissions.",
        ) from error
