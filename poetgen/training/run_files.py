"""The files of one training run, and the lock that keeps other runs from writing them."""

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
# All files of a run; those that can be resumed first.
SUFFIXES = (
    CHECKPOINT_SUFFIX,
    _PREVIOUS_SUFFIX,
    MODEL_SUFFIX,
    _METRICS_SUFFIX,
    _TENSORBOARD_SUFFIX,
)
# The errors for a lock that another process holds; EACCES on Windows and some Unix systems.
_HELD_BY_ANOTHER = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The paths that a run of this name writes in this folder."""

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
        """The checkpoint before the latest, in case that is damaged."""
        return self._path(_PREVIOUS_SUFFIX)

    @property
    def metrics(self) -> Path:
        """The metrics measured during the run."""
        return self._path(_METRICS_SUFFIX)

    @property
    def tensorboard(self) -> Path:
        """A folder for TensorBoard."""
        return self._path(_TENSORBOARD_SUFFIX)

    @property
    def lock(self) -> Path:
        """The lock file, which exists while a process trains under this name."""
        return self._path(LOCK_SUFFIX)

    def present(self) -> list[Path]:
        """Return what a new run would replace; an empty file has nothing to lose."""
        paths = [path for suffix in SUFFIXES if (path := self._path(suffix)).exists()]
        return [path for path in paths if path.is_dir() or path.stat().st_size]

    def clear_leftovers(self) -> None:
        """Delete half-written files of a killed process; call it under the lock only."""
        for path in (self.model, self.checkpoint, self.metrics):
            for leftover in unfinished(path):
                leftover.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock while the block runs; the system releases it if the process dies.

        Raises:
            ExistsError: another process holds it.
            PoetgenError: the file system of this folder has no locks.
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
            # The process that held it before may have deleted the file in between.
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
    """Lock an open file for this process.

    Raises:
        OSError: another process holds the lock.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
