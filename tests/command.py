"""Run the real command line, as a user would."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

from tests.copied import run

ENVIRONMENT = {**os.environ, "PYTHONUTF8": "0", "NO_COLOR": "1", "COLUMNS": "100"}

# A process that has imported everything and done nothing is copied in milliseconds.
_WARM = "forkserver" in multiprocessing.get_all_start_methods()
if _WARM:
    _copies = multiprocessing.get_context("forkserver")
    _copies.set_forkserver_preload(["tests.warm", "tests.copied"])
    forkserver.ensure_running()  # it gets warm while the first tests run


class Running:
    """A command that runs in a copy of a warm process, with files for its streams."""

    def __init__(
        self, words: list[str], cwd: Path, environment: dict[str, str], die_at: int | None
    ) -> None:
        self._words = words
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = [os.path.join(self._folder.name, name) for name in ("out", "err")]
        self._process = _copies.Process(
            target=run,
            args=(words, str(cwd), {**ENVIRONMENT, **environment}, *self._outputs, die_at),
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Return its exit code and output."""
        self._process.join(timeout)
        is_over = self._process.exitcode is not None
        if not is_over:
            os.kill(self.pid, signal.SIGUSR1)
            self._process.join(2)
            self.kill()
        said = [
            Path(path).read_text("utf-8") if os.path.exists(path) else "" for path in self._outputs
        ]
        assert is_over, f"{self._words} took more than {timeout} seconds:\n{said[1]}"
        return subprocess.CompletedProcess(self._words, self._process.exitcode, *said)


def begin(
    *arguments: str | Path, cwd: Path, die_at: int | None = None, **environment: str
) -> Running:
    """Start ``poetgen`` in ``cwd`` in a copy of a warm process, and do not wait for it.

    With ``die_at`` = n it is killed when it calls fsync or rename for the n-th time.
    """
    return Running(list(map(str, arguments)), cwd, environment, die_at)


def poetgen(
    *arguments: str | Path, cwd: Path, fresh: bool = not _WARM, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``poetgen`` in ``cwd`` and return its exit code and output, read as UTF-8.

    It runs in a process of its own: a copy of a warm one, or, where the start of the
    interpreter matters, a ``fresh`` one.
    """
    if not fresh:
        return begin(*arguments, cwd=cwd, **environment).wait()
    return subprocess.run(
        [sys.executable, "-m", "poetgen", *map(str, arguments)],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def wait_until(happened: Callable[[], bool], running: Running | subprocess.Popen[str]) -> None:
    """Wait until something has happened, however long it takes; fail if the command ends first."""
    while not happened():
        assert running.poll() is None or happened(), "the command has ended"
        time.sleep(0.01)


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start ``poetgen`` in ``cwd`` and do not wait for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "poetgen", *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def assert_two_line_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Assert exit code 2, two lines on stderr and nothing on stdout."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("Error: ")
    for word in words:
        assert word in done.stderr, done.stderr
