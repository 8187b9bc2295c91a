"""The files of one training run, and the lock that keeps two runs from sharing them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from poetgen.errors import ExistsError, PoetgenError
from poetgen.files import unfinished
from poetgen.places import MODEL_SUFFIX

CHECKPOINT_SUFFIX = ".checkpoint"
LOCK_SUFFIX = ".lock"
_PREVIOUS_SUFFIX = f"{CHECKPOINT_SUFFIX}.previous"
_METRICS_SUFFIX = ".metrics.jsonl"
_TENSORBOARD_SUFFIX = ".tensorboard"
# All that a run leaves, what can be resumed first.
SUFFIXES = (
    CHECKPOINT_SUFFIX,
    _PREVIOUS_SUFFIX,
    MODEL_SUFFIX,
    _METRICS_SUFFIX,
    _TENSORBOARD_SUFFIX,
)
# What a system says of a lock that somebody has; EACCES on Windows and on some Unix systems.
_HELD_BY_ANOTHER = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Where a run of this name, in this folder, keeps what it writes."""

    folder: Path
    name: str

    @property
    def model(self) -> Path:
        """The best model so far."""
        return self._path(MODEL_SUFFIX)

    @property
    def checkpoint(self) -> Path:
        """The latest checkpoint."""
        return self._path(CHECKPOINT_SUFFIX)

    @property
    def previous(self) -> Path:
        """The checkpoint before the latest, should that be damaged."""
        return self._path(_PREVIOUS_SUFFIX)

    @property
    def metrics(self) -> Path:
        """What was measured on the way."""
        return self._path(_METRICS_SUFFIX)

    @property
    def tensorboard(self) -> Path:
        """A folder for TensorBoard."""
        return self._path(_TENSORBOARD_SUFFIX)

    @property
    def lock(self) -> Path:
        """There, and held, while a process trains under this name."""
        return self._path(LOCK_SUFFIX)

    def present(self) -> list[Path]:
        """List what a new run would replace; an empty file holds nothing that could be lost."""
        paths = [path for suffix in SUFFIXES if (path := self._path(suffix)).exists()]
        return [path for path in paths if path.is_dir() or path.stat().st_size]

    def clear_leftovers(self) -> None:
        """Delete the half-written files of a process that was killed; only under the lock."""
        for path in (self.model, self.checkpoint, self.metrics):
            for leftover in unfinished(path):
                leftover.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock while the block runs; a process that dies lets go of it.

        Raises:
            ExistsError: another process holds it.
            PoetgenError: this folder's file system gives no locks.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(handle)
            except OSError as error:
                os.close(handle)
                if error.errno not in _HELD_BY_ANOTHER:
                    raise PoetgenError(
                        f"{self.lock} cannot be locked: {error.strerror}.",
                        "Train in a folder on a local disk; some network drives have no locks.",
                    ) from error
                raise ExistsError(
                    f"Another training writes to {self.model} at this moment.",
                    "Wait for it, stop it, or give another --name.",
                ) from error
            # The one who held it before may have deleted the file in between.
            if self.lock.exists() and os.path.samestat(os.fstat(handle), self.lock.stat()):
                break
            os.close(handle)
        try:
            self.clear_leftovers()
            yield
        finally:
            if sys.platform == "win32":  # an open file cannot be deleted there
                os.close(handle)
                self.lock.unlink(missing_ok=True)
            else:
                self.lock.unlink(missing_ok=True)
                os.close(handle)

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self.name}{suffix}"


def _lock(handle: int) -> None:
    """Lock an open file for this process alone.

    Raises:
        OSError: another process has done so.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
