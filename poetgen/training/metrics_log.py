"""``metrics.jsonl``: what a run measured, one JSON object a line.

What a resumed run would measure again is at the top of a record; what varies by nature,
time and speed, stands apart under ``clock``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from poetgen.files import write_text


class MetricsLog:
    """The file that is written."""

    def __init__(self, path: Path | None) -> None:
        """Write to ``path``; without it, to nowhere."""
        self.path = path

    def begin(self, last_step: int) -> None:
        """Keep the records up to ``last_step``; those after it will be measured again."""
        if self.path is None:
            return
        kept = []
        if last_step > 0 and self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    record = json.loads(line)
                    if record["step"] <= last_step:
                        kept.append(line)
                except (ValueError, KeyError, TypeError):
                    # The half line of a process that was killed; nothing after it counts.
                    break
        write_text(self.path, "".join(f"{line}\n" for line in kept))

    def add(self, **record: Any) -> None:
        """Append one record, which begins with its step."""
        if self.path is None:
            return
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def sync(self) -> None:
        """See to it that the records are on the disk."""
        if self.path is None:
            return
        with self.path.open("a") as file:
            os.fsync(file.fileno())
