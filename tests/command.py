"""Run the real command line, as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = {**os.environ, "PYTHONUTF8": "0", "NO_COLOR": "1", "COLUMNS": "100"}


def poetgen(
    *arguments: str | Path, cwd: Path, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``poetgen`` in ``cwd`` and give what it said; text is UTF-8 whatever the locale."""
    return subprocess.run(
        [sys.executable, "-m", "poetgen", *map(str, arguments)],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )


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
