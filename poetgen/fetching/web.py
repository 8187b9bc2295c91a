"""Files over HTTP: continued where they broke off, tried again when a connection drops."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from poetgen.fetching.pinned import PinnedFile
from poetgen.fetching.sources import (
    FileUnavailableError,
    SourceDownError,
    WrongContentError,
    check_size,
)

if TYPE_CHECKING:
    from requests import RequestException, Response, Session

TRIES = 5
# A host that never answered is given up sooner than one that did.
TRIES_UNANSWERED = 2
BACKOFF_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 10.0
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
_CHUNK = 1 << 16
_WRITE_INTO = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _DroppedError(Exception):
    """The connection broke, or the server is busy; it is worth another try."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class WebSource:
    """An HTTP server; ``urls`` lists where it may keep a file, one address for each layout."""

    def __init__(
        self, label: str, urls: Callable[[PinnedFile], Sequence[str]], stop: threading.Event
    ) -> None:
        """Download until ``stop`` is set."""
        self.label = label
        self._urls = urls
        self._stop = stop
        self._local = threading.local()
        self._layout = 0  # the one that held the last file goes first for the next
        self._answered = False

    def fill(self, file: PinnedFile, part: Path, on_position: Callable[[int], None]) -> None:
        """Download ``file`` into ``part``, from the first layout that has it."""
        urls = self._urls(file)
        first = self._layout
        reasons: list[FileUnavailableError] = []
        for layout in sorted(range(len(urls)), key=lambda index: index != first):
            try:
                self._download(file, urls[layout], part, on_position)
            except FileUnavailableError as error:
                reasons.append(error)
            else:
                self._layout = layout
                return
        # A file that is wrong says more than the places where there is none.
        raise next((r for r in reasons if isinstance(r, WrongContentError)), reasons[0])

    def _download(
        self, file: PinnedFile, url: str, part: Path, on_position: Callable[[int], None]
    ) -> None:
        failures = 0
        furthest = _size(part)
        while True:
            try:
                self._transfer(file, url, part, on_position)
                return
            except _DroppedError as error:
                # Bytes won are no failure: a bad line gets there in the end.
                gained = _size(part) - furthest >= _CHUNK
                furthest = max(furthest, _size(part))
                failures = 1 if gained else failures + 1
                if failures >= (TRIES if self._answered else TRIES_UNANSWERED):
                    raise SourceDownError(f"{file.name}: {error}") from error
                pause = max(BACKOFF_SECONDS * 2 ** (failures - 1), error.wait_seconds)
            if self._stop.wait(min(pause, LONGEST_WAIT_SECONDS)):
                raise SourceDownError("stopped")

    def _transfer(
        self, file: PinnedFile, url: str, part: Path, on_position: Callable[[int], None]
    ) -> None:
        """Ask for the bytes that ``part`` lacks, and write those that come."""
        from requests import RequestException
        from urllib3.exceptions import HTTPError

        start = _size(part)
        if start == file.num_bytes:
            on_position(start)
            return
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with self._session().get(
                url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)
            ) as response:
                self._answered = True
                start = _check_answer(file, response, start, part)
                self._write(file, response, start, part, on_position)
        except RequestException as error:
            raise _translate(error, url) from error
        except HTTPError as error:
            raise _DroppedError("the connection dropped") from error

    def _write(
        self,
        file: PinnedFile,
        response: Response,
        start: int,
        part: Path,
        on_position: Callable[[int], None],
    ) -> None:
        position = start
        # Not truncated: the bytes are pinned, so writing them again does no harm, even
        # where two runs write the same file at once.
        with os.fdopen(os.open(part, _WRITE_INTO, 0o666), "r+b") as out:
            out.seek(start)
            # What has come is written at once, so that a broken connection loses nothing.
            while chunk := response.raw.read1(_CHUNK):
                if self._stop.is_set():
                    raise SourceDownError("stopped")
                position += len(chunk)
                if position > file.num_bytes:
                    raise WrongContentError(f"{file.name} has more than {file.num_bytes:,} bytes")
                out.write(chunk)
                on_position(position)
        if position < file.num_bytes:
            raise _DroppedError(f"ended after {position:,} of {file.num_bytes:,} bytes")

    def _session(self) -> Session:
        # One for each thread: requests does not promise that a session may be shared.
        if not hasattr(self._local, "session"):
            import requests

            from poetgen import __version__

            self._local.session = requests.Session()
            self._local.session.headers["User-Agent"] = f"poetgen/{__version__}"
        session: Session = self._local.session
        return session


def _check_answer(file: PinnedFile, response: Response, start: int, part: Path) -> int:
    """Refuse an answer that is not the file; give the position that its first byte has."""
    status = response.status_code
    if status in _BUSY:
        wait = response.headers.get("Retry-After", "")
        raise _DroppedError(
            f"HTTP {status} {response.reason}", float(wait) if wait.isdecimal() else 0.0
        )
    if status == 416:
        # There is nothing after what we have, so what we have is not the file.
        part.unlink(missing_ok=True)
        raise _DroppedError("HTTP 416: it is shorter there")
    if status == 206 and start:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != start:
            part.unlink(missing_ok=True)
            raise _DroppedError("it sent another range than was asked for")
        if found[2] != "*":
            check_size(file, int(found[2]))
        return start
    if status != 200:
        raise FileUnavailableError(f"{file.name}: HTTP {status} {response.reason}")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and "Content-Encoding" not in response.headers:
        check_size(file, int(length))
    return 0


def _translate(error: RequestException, url: str) -> Exception:
    """Say in a few words what a library says in five lines."""
    from requests import exceptions
    from urllib3.exceptions import NewConnectionError

    host = urlsplit(url).hostname
    if isinstance(error, exceptions.ProxyError):
        return _DroppedError(f"no connection to {host} through the proxy")
    if isinstance(error, exceptions.SSLError):
        return SourceDownError(f"no secure connection to {host}")
    if isinstance(error, exceptions.ConnectTimeout):
        return _DroppedError(f"no connection to {host} (timed out)")
    if isinstance(error, exceptions.Timeout):
        return _DroppedError(f"no answer from {host} in time")
    if isinstance(error, exceptions.ConnectionError | exceptions.ChunkedEncodingError):
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        if isinstance(reason, NewConnectionError):
            return _DroppedError(f"no connection to {host}")
        return _DroppedError("the connection dropped")
    return SourceDownError(f"{type(error).__name__} for {url}")


def join_url(base: str, path: str) -> str:
    """Put ``path``, percent-encoded, after the path of ``base``; its query stays behind it."""
    parts = urlsplit(base)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(path)}"))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
