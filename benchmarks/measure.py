"""Time two things in turn, A B A B …, so that a drifting machine is fair to both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_NOT_COMPILED = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True)
class Ratio:
    """Medians of both sides, and the median of the ratios pair by pair."""

    ours_seconds: float
    theirs_seconds: float
    ratio: float

    def line(self, what: str, bound: str) -> str:
        """Write one row of the table."""
        return (
            f"{what:<58} {self.ours_seconds:9.3f} s {self.theirs_seconds:9.3f} s "
            f"{self.ratio:8.2f}   {bound}"
        )


def compare(ours: Callable[[], None], theirs: Callable[[], None], pairs: int) -> Ratio:
    """Run both once unmeasured, then ``pairs`` times in turn."""
    times: list[tuple[float, float]] = []
    for number in range(pairs + 1):
        pair = (_seconds(ours), _seconds(theirs))
        if number:
            times.append(pair)
    return Ratio(
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        statistics.median(a / b for a, b in times),
    )


def process(arguments: Sequence[str], cwd: Path | None = None) -> Callable[[], None]:
    """Return a function that runs Python with ``arguments`` as a whole process.

    Its modules are compiled, as those of an installed package are: the first run may do so.
    """
    environment = {name: value for name, value in os.environ.items() if name != _NOT_COMPILED}

    def run() -> None:
        command = [sys.executable, *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=cwd, env=environment)

    return run


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
