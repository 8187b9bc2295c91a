"""Run the real command line, as a user would."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ENVIRONMENT = {**os.environ, "PYTHONUTF8": "0", "NO_COLOR": "1", "COLUMNS": "100"}

# Of a process that has imported everything and done nothing, a copy is there in milliseconds.
# (``tests/test_rooms.py`` has what each command imports.)
_WARM = "forkserver" in multiprocessing.get_all_start_methods()
if _WARM:
    _copies = multiprocessing.get_context("forkserver")
    _copies.set_forkserver_preload(["tests.warm"])


def poetgen(
    *arguments: str | Path,
    cwd: Path,
    timeout: float = 120,
    fresh: bool = not _WARM,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run ``poetgen`` in ``cwd`` and give what it said; text is UTF-8 whatever the locale.

    It runs in a process of its own: a copy of a warm one, or, where the interpreter's start
    matters, a ``fresh`` one.
    """
    words, environment = list(map(str, arguments)), {**ENVIRONMENT, **environment}
    if fresh:
        return subprocess.run(
            [sys.executable, "-m", "poetgen", *words],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    from tests.warm import run

    with tempfile.TemporaryDirectory() as folder:
        outputs = [os.path.join(folder, name) for name in ("stdout", "stderr")]
        process = _copies.Process(target=run, args=(words, str(cwd), environment, *outputs))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout)
        said = [Path(path).read_text(encoding="utf-8") for path in outputs]
        return subprocess.CompletedProcess(words, process.exitcode, *said)


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
    """Hold the promise of the design: exit code 2, two lines on stderr, no traceback."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("Error: ")
    for word in words:
        assert word in done.stderr, done.stderr
