"""From what the user names to single inputs: files, folders, archives, standard input."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from poetgen.errors import SourceError
from poetgen.text.readers import limits
from poetgen.text.readers.archives import Archive, Open, as_archive
from poetgen.text.readers.model import Input, printable

STANDARD_INPUT = Path("-")
# In a folder or an archive; a file that is named itself may be called anything.
SUFFIXES = (".json", ".jsonl", ".txt", ".csv", ".tsv", ".npz", ".gz", ".zip", ".tgz")

_ADVICE = "Give a file with poems, a folder or an archive of such files, or - for standard input."


def find_inputs(sources: Sequence[Path]) -> list[Input]:
    """List the inputs that ``sources`` hold, each source in turn.

    A folder and an archive give all files in them, at any depth, whose suffix is one of
    ``SUFFIXES``. An archive that cannot be read is an input that cannot be read.

    Raises:
        SourceError: nothing is there, or a folder holds no such file, or standard input
            is wanted twice or too long.
    """
    if list(sources).count(STANDARD_INPUT) > 1:
        raise SourceError("Standard input is given twice.", "Give - only once.")
    return [found for source in sources for found in _inputs_of(source)]


def find_files(source: Path) -> list[Path]:
    """List the files of a source: the file itself, or those with poems below a folder.

    The order is by the numbers in the names, so ``poet.tang.2000`` comes before ``.10000``
    and the same folder gives the same order on every machine.

    Raises:
        SourceError: nothing is there, or the folder holds no such file.
    """
    try:
        if source.is_file():
            return [source]
        is_folder = source.is_dir()
        found = [path for path in source.rglob("*") if is_folder and path.is_file()]
    except OSError as error:
        raise SourceError(f"{source} cannot be read: {error.strerror}.", _ADVICE) from error
    if not is_folder:
        raise SourceError(f"There is no file or folder {source}.", _ADVICE)
    found = [path for path in found if _may_hold_poems(path.relative_to(source).as_posix())]
    if not found:
        raise SourceError(
            f"The folder {source} holds no {_suffixes()} file.",
            "Give a folder with poems in such files, or name one file.",
        )
    return sorted(found, key=lambda path: _natural(path.as_posix()))


def _inputs_of(source: Path) -> Iterator[Input]:
    if source == STANDARD_INPUT:
        yield from _expanded("standard input", _kept(sys.stdin.buffer, "standard input"))
    elif source.is_fifo() or source.is_char_device():
        # What a shell puts for <(command); it can be read once only, and not backwards.
        yield from _expanded(str(source), _kept(source.open("rb"), str(source)))
    else:
        for path in find_files(source):
            yield from _expanded(path.as_posix(), partial(path.open, "rb"), path != source)
