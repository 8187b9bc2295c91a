"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import glob
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from poetgen.errors import PoetgenError

_UNFINISHED = ".part"


def write_whole(
    path: Path, write: Callable[[Path], object], before: Callable[[], None] = lambda: None
) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it to ``path``.

    ``before`` is called just before the rename. A crash, a full disk or a power cut leaves the
    old file or the new one, never half of one: the data are on the disk (fsync) before the
    name is. A pipe or a device is written to, and never replaced.
    """
    if is_stream(path):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / path.name)
            before()
            _send((Path(folder) / path.name).read_bytes(), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        # mkstemp makes files private; others get the user's mask, which only os.umask tells.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        sync(temporary)
        before()
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        if error.filename is None:  # as on a full disk
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole, with Unix newlines on every system."""
    write_whole(path, lambda temporary: temporary.write_bytes(text.encode("utf-8")))


def is_stream(path: Path) -> bool:
    """Return whether ``path`` is a pipe, a device or a socket, which keeps nothing."""
    if not path.exists() or path.is_dir():
        return False
    # /dev/stdout may be a file that the shell has open; replacing it would not reach the shell.
    return not path.is_file() or path.parent.as_posix() in ("/dev", "/dev/fd", "/proc/self/fd")


def _send(data: bytes, path: Path) -> None:
    try:
        # O_NONBLOCK: else opening a pipe waits, perhaps for ever, for a reader.
        handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise PoetgenError(
            f"Nobody reads from {path}.", "Start what reads from it first, or give a file."
        ) from error
    os.set_blocking(handle, True)
    with open(handle, "wb") as stream:
        stream.write(data)


def unfinished(path: Path) -> list[Path]:
    """Return the temporary files of ``write_whole`` that killed processes left of ``path``."""
    # What mkstemp inserts has no dot; a file with a longer name has one there.
    return [
        found
        for found in path.parent.glob(f".{glob.escape(path.name)}.*{_UNFINISHED}")
        if "." not in found.name.removeprefix(f".{path.name}.").removesuffix(_UNFINISHED)
    ]


def sync(path: Path) -> None:
    """Have the system put a file, or the list of names of a folder, on the disk (fsync)."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders, and keeps their names without it.
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on ``folder`` while the block runs; other processes that want it wait.

    The system releases it if the process dies. Where folders cannot be locked (Windows, some
    network disks) nobody waits.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL):
                raise
        yield
    finally:
        os.close(handle)
