"""The cache: verified files, and ``.part`` files on their way to become such."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from poetgen.fetching.pinned import PinnedCorpus, PinnedFile
from poetgen.fetching.sources import (
    FileUnavailableError,
    Source,
    SourceDownError,
    WrongContentError,
)
from poetgen.files import alone_in, sync

NUM_THREADS = 8
# How long an interrupted run waits for its threads: long enough to finish a rename, short
# enough to feel like at once. They are daemons; the end of the program does not wait.
_FAREWELL_SECONDS = 0.5
_TICK_SECONDS = 0.1

# A file and what became of it; without a file, the end of a thread.
_Result = tuple[PinnedFile | None, BaseException | None]


class Store:
    """The folder of one corpus in the cache; no other file of it is ever given out."""

    def __init__(self, corpus: PinnedCorpus, folder: Path) -> None:
        """Keep the files of ``corpus`` in ``folder``."""
        import pooch

        # pooch announces every file it stores; here the caller does that.
        pooch.get_logger().setLevel("WARNING")
        self.folder = folder
        self.corpus = corpus
        self._keeper: Any = pooch.create(
            path=folder,
            base_url="",
            registry={file.name: f"sha256:{file.sha256}" for file in corpus.files},
        )
        self._positions = {file.name: 0 for file in corpus.files}

    @property
    def done_bytes(self) -> int:
        """Bytes that are here by now, verified or not."""
        return sum(self._positions.values())

    def missing(self) -> list[PinnedFile]:
        """List the files that are not here, or not as they should be, in their order."""
        missing = [file for file in self.corpus.files if not self._is_here(file)]
        here = set(self.corpus.files) - set(missing)
        self._positions.update((file.name, file.num_bytes) for file in here)
        return missing

    def _is_here(self, file: PinnedFile) -> bool:
        import pooch

        path = self.folder / file.name
        return (
            path.is_file()
            and path.stat().st_size == file.num_bytes
            and pooch.file_hash(str(path)) == file.sha256
        )

    def fetch(self, file: PinnedFile, source: Source) -> None:
        """Fetch one file, verify it, and put it into place.

        Raises:
            FileUnavailableError: the source does not have it, or has another.
            SourceDownError: the source has nothing.
        """
        if self._is_here(file):  # another run, for which this one waited, has fetched it
            self._positions[file.name] = file.num_bytes
            return
        part = self.folder / f"{file.name}.part"
        inherited = part.exists()
        if inherited and part.stat().st_size > file.num_bytes:
            part.unlink()
        for last_chance in (False, True):
            try:
                self._fill_and_settle(file, part, source)
                break
            except WrongContentError:
                # By its hash? Then what an earlier run left may be to blame, and is gone.
                if last_chance or not inherited or part.exists():
                    raise
            except FileNotFoundError:
                # Another run, at work on the same file, has just finished it.
                if self._is_here(file):
                    break
                if last_chance:
                    raise
        part.unlink(missing_ok=True)

    def _fill_and_settle(self, file: PinnedFile, part: Path, source: Source) -> None:
        def on_position(position: int) -> None:
            self._positions[file.name] = position

        try:
            source.fill(file, part, on_position)
            sync(part)
            # pooch hashes what the "download" gave, throws it away if it is wrong, and
            # moves it into place if it is right.
            self._keeper.fetch(file.name, downloader=lambda url, output, _: part.replace(output))
        except ValueError as error:
            on_position(0)
            raise WrongContentError(str(error).partition(" Deleted")[0].rstrip(".")) from error
        except FileUnavailableError:
            on_position(part.stat().st_size if part.exists() else 0)
            raise

    def fetch_all(
        self,
        files: Sequence[PinnedFile],
        source: Source,
        stop: threading.Event,
        on_tick: Callable[[], None],
    ) -> dict[str, str]:
        """Fetch many files side by side; ``on_tick`` is called in this thread meanwhile.

        Returns:
            For each file that did not come, the reason.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # Two runs that filled one file would each move away what the other is writing.
        with alone_in(self.folder):
            waiting: queue.SimpleQueue[PinnedFile] = queue.SimpleQueue()
            for file in files:
                waiting.put(file)
            results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
            work = (waiting, results, source, stop)
            threads = [
                threading.Thread(target=self._work, args=work, daemon=True)
                for _ in range(min(NUM_THREADS, len(files)))
            ]
            try:
                for thread in threads:
                    thread.start()
                reasons = _watch(results, len(threads), on_tick)
            except BaseException:
                stop.set()
                for thread in threads:
                    if thread.ident is not None:
                        thread.join(_FAREWELL_SECONDS / len(threads))
                raise
            sync(self.folder)
            while not waiting.empty():
                # Every thread gave up on this source, for the same reason.
                reasons[waiting.get().name] = next(iter(reasons.values()))
            return reasons

    def _work(
        self,
        waiting: queue.SimpleQueue[PinnedFile],
        results: queue.SimpleQueue[_Result],
        source: Source,
        stop: threading.Event,
    ) -> None:
        """Fetch what waits until nothing waits, or the source is down."""
        error: BaseException | None = None
        while not stop.is_set() and not isinstance(error, SourceDownError):
            try:
                file = waiting.get_nowait()
            except queue.Empty:
                break
            error = None
            try:
                self.fetch(file, source)
            except BaseException as caught:
                error = caught
            results.put((file, error))
        results.put((None, None))


def _watch(
    results: queue.SimpleQueue[_Result], running: int, on_tick: Callable[[], None]
) -> dict[str, str]:
    """Wait until ``running`` threads are done; give the reasons of the files that failed."""
    reasons: dict[str, str] = {}
    while running:
        # With a timeout, so that Ctrl-C is heard on every system.
        with contextlib.suppress(queue.Empty):
            file, error = results.get(timeout=_TICK_SECONDS)
            if file is None:
                running -= 1
            elif isinstance(error, FileUnavailableError | SourceDownError):
                reasons[file.name] = str(error)
            elif error is not None:
                raise error
        on_tick()
    return reasons
