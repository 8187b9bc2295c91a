"""What a run leaves for reading later: ``metrics.jsonl``, and events for TensorBoard.

``metrics.jsonl`` holds one JSON object a line. What a resumed run would measure again is at
the top of a record; what varies by nature, time and speed, stands apart under ``clock``.
``run`` is the identifier of the run.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from poetgen.errors import SettingError
from poetgen.files import write_whole
from poetgen.networks.model_file import GIVEN
from poetgen.training.events import Event, Progress, Sampled, Validated


class _Line(NamedTuple):
    text: bytes
    record: dict[str, Any]


class MetricsLog:
    """A ``metrics.jsonl`` that is written."""

    def __init__(self, path: Path | None) -> None:
        """Write to ``path``; if that is None, nowhere."""
        self.path = path
        self._run: str | None = None

    def begin(self, run: str | None, last_step: int) -> None:
        """Keep the records up to ``last_step``; later ones will be measured again."""
        if self.path is None:
            return
        self._run = run
        lines = _read(self.path)[0] if last_step > 0 and self.path.exists() else []
        kept = [line.text for line in lines if line.record["step"] <= last_step]
        write_whole(self.path, lambda temporary: temporary.write_bytes(b"".join(kept)))

    def add_steps(self, progress: Progress, loss: float) -> None:
        """Record the mean ``loss`` of the steps since the last such record."""
        record = {
            "step": progress.step,
            "epoch": progress.epoch,
            "loss": loss,
            "learning_rate": progress.learning_rate,
        }
        if progress.smooth_loss is not None:
            record["smooth_loss"] = progress.smooth_loss
        clock = _clock(progress.elapsed_seconds, progress.num_threads)
        self._add(record, {**clock, "tokens_per_second": round(progress.tokens_per_second, 1)})

    def add_validation(
        self, validated: Validated, elapsed_seconds: float, num_threads: int
    ) -> None:
        """Record a validation."""
        record = {
            "step": validated.step,
            "tokens": validated.num_tokens,
            "validation": asdict(validated.metrics),
            "is_best": validated.is_best,
        }
        if validated.given is not None:
            record[GIVEN] = asdict(validated.given)
        self._add(record, _clock(elapsed_seconds, num_threads))

    def _add(self, record: dict[str, Any], clock: dict[str, float]) -> None:
        if self.path is None:
            return
        record["clock"] = clock
        if self._run is not None:
            record["run"] = self._run
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def sync(self) -> None:
        """Ensure that the records are on the disk."""
        if self.path is None:
            return
        with self.path.open("a") as file:
            os.fsync(file.fileno())


def _clock(elapsed_seconds: float, num_threads: int) -> dict[str, float]:
    return {"elapsed_seconds": round(elapsed_seconds, 3), "threads": num_threads}


def scan_metrics(path: Path) -> tuple[set[str | None], int]:
    """Return the runs that a ``metrics.jsonl`` has records of, and its number of damaged lines."""
    lines, num_damaged = _read(path)
    runs = [line.record.get("run") for line in lines]
    return {run if isinstance(run, str) else None for run in runs}, num_damaged


def read_validations(path: Path) -> list[dict[str, Any]]:
    """Return the records of all validations in a ``metrics.jsonl``; none if it is not there."""
    return _records_with("validation", path)


def read_losses(path: Path) -> list[dict[str, Any]]:
    """Return the records of training steps in a ``metrics.jsonl``; none if it is not there."""
    return _records_with("loss", path)


def _records_with(name: str, path: Path) -> list[dict[str, Any]]:
    lines = _read(path)[0] if path.exists() else []
    return [line.record for line in lines if name in line.record]


def _read(path: Path) -> tuple[list[_Line], int]:
    lines, num_damaged = [], 0
    with path.open("rb") as file:
        for text in file:
            record = _parse(text)
            if record is not None:
                lines.append(_Line(text.rstrip() + b"\n", record))
            elif text.strip() and text.endswith(b"\n"):
                # A line without its end is what a killed process had half written.
                num_damaged += 1
    return lines, num_damaged


def _parse(text: bytes) -> dict[str, Any] | None:
    """Return a record, or None for a damaged line, after which others may follow."""
    try:
        record = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    is_record = isinstance(record, dict) and type(record.get("step")) is int
    return record if is_record else None


class TensorBoardLog:
    """A folder that ``tensorboard --logdir`` shows."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Write to ``folder``, replacing what it has of steps after ``first_step``.

        Raises:
            SettingError: the package tensorboard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise SettingError(
                "TensorBoard is not installed.",
                "Install it: pip install 'poetgen[tensorboard]', or leave --tensorboard out.",
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=first_step + 1)

    def show(self, event: Event) -> None:
        """Write an event."""
        if isinstance(event, Progress):
            self._add("train/loss", event.loss, event.step)
            self._add("train/learning_rate", event.learning_rate, event.step)
            self._add("train/tokens_per_second", event.tokens_per_second, event.step)
        elif isinstance(event, Validated):
            metrics = event.metrics
            self._add("validation/loss", metrics.loss_per_token, event.step)
            self._add("validation/perplexity_per_token", metrics.perplexity_per_token, event.step)
            if metrics.perplexity_per_hanzi is not None:
                hanzi = metrics.perplexity_per_hanzi
                self._add("validation/perplexity_per_hanzi", hanzi, event.step)
            if event.given is not None:
                self._add(f"{GIVEN}/loss", event.given.loss_per_token, event.step)
                per_token = event.given.perplexity_per_token
                self._add(f"{GIVEN}/perplexity_per_token", per_token, event.step)
        elif isinstance(event, Sampled):
            self._writer.add_text("poems", "\n\n".join(event.poems), event.step)

    def close(self) -> None:
        """Write everything to the disk."""
        self._writer.close()

    def _add(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)
