"""``metrics.jsonl``: what a run measured, one JSON object a line.

What a resumed run would measure again is at the top of a record; what varies by nature,
time and speed, stands apart under ``clock``. ``run`` is the name that the run gave itself.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from poetgen.files import write_whole


class _Line(NamedTuple):
    text: bytes
    record: dict[str, Any]


class MetricsLog:
    """The file that is written."""

    def __init__(self, path: Path | None) -> None:
        """Write to ``path``; without it, to nowhere."""
        self.path = path
        self._run: str | None = None

    def begin(self, run: str | None, last_step: int) -> None:
        """Keep the records up to ``last_step``; those after it will be measured again."""
        if self.path is None:
            return
        self._run = run
        lines = _read(self.path)[0] if last_step > 0 and self.path.exists() else []
        kept = [line.text for line in lines if line.record["step"] <= last_step]
        write_whole(self.path, lambda temporary: temporary.write_bytes(b"".join(kept)))

    def add(self, **record: Any) -> None:
        """Append one record, which begins with its step."""
        if self.path is None:
            return
        if self._run is not None:
            record["run"] = self._run
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def sync(self) -> None:
        """See to it that the records are on the disk."""
        if self.path is None:
            return
        with self.path.open("a") as file:
            os.fsync(file.fileno())


def look_through(path: Path) -> tuple[set[str | None], int]:
    """Look through the records that a run left.

    Returns:
        The runs they are of, and how many lines are damaged.
    """
    lines, num_damaged = _read(path)
    runs = [line.record.get("run") for line in lines]
    return {run if isinstance(run, str) else None for run in runs}, num_damaged


def _read(path: Path) -> tuple[list[_Line], int]:
    lines, num_damaged = [], 0
    with path.open("rb") as file:
        for text in file:
            record = _parse(text)
            if record is not None:
                lines.append(_Line(text.rstrip() + b"\n", record))
            elif text.strip() and text.endswith(b"\n"):
                # Without its end, a line is half that of a process that was killed.
                num_damaged += 1
    return lines, num_damaged


def _parse(text: bytes) -> dict[str, Any] | None:
    """Read a record; None if it is none, for a later one may be."""
    try:
        record = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    is_record = isinstance(record, dict) and type(record.get("step")) is int
    return record if is_record else None
