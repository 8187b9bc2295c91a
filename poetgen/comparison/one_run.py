"""One training of a contender, with what it really had, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from poetgen.comparison.results import Point, Run, Status
from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import DivergedError, PoetgenError
from poetgen.networks.model_file import load_model, save_model
from poetgen.shortage import shortage_in
from poetgen.training.checkpoint import delete_checkpoints
from poetgen.training.engine import make_engine
from poetgen.training.evaluation import perplexity_of
from poetgen.training.events import Event, OnEvent, Progress, Started, Trained
from poetgen.training.logs import read_losses, read_validations
from poetgen.training.progress import DataOrder
from poetgen.training.run import train
from poetgen.training.run_files import RunFiles

# A model of a race is a function of corpus, settings and budget: what differs from one time to
# the next is in the report.
_CLOCK = ("run", "elapsed_seconds", "max_minutes")

_FEW_TOKENS = 8

OnFailure = Callable[[Exception], object]


class Watch:
    """What a run really had so far, from its events."""

    def __init__(self, seed: int, on_event: OnEvent) -> None:
        """Pass all events on."""
        self._on_event = on_event
        self._run = Run(seed, "interrupted", "It was not finished.")
        self._steps_per_epoch = 1

    def __call__(self, event: Event) -> None:
        """Take note of one event."""
        if isinstance(event, Started):
            self._run = replace(
                self._run,
                device=event.device,
                precision=event.precision,
                threads=event.num_threads,
                steps=event.resumed_at_step,
            )
            self._steps_per_epoch = event.steps_per_epoch
        elif isinstance(event, Progress | Trained):
            self._run = replace(
                self._run,
                steps=event.step,
                epochs=event.step / self._steps_per_epoch,
                tokens=event.num_tokens,
                train_seconds=event.train_seconds,
                total_seconds=event.elapsed_seconds,
            )
        if isinstance(event, Progress):
            self._run = replace(self._run, threads=event.num_threads)
        self._on_event(event)

    def run(self, status: Status, reason: str, files: RunFiles) -> Run:
        """Return the run as it ended."""
        curve = [
            Point(
                record["tokens"],
                record["clock"]["elapsed_seconds"],
                record["validation"]["perplexity_per_token"],
            )
            for record in read_validations(files.metrics)
        ]
        # From the file: a run that was resumed has not seen all its steps.
        loss = mean_of_last(read_losses(files.metrics), self._steps_per_epoch)
        return replace(
            self._run,
            status=status,
            reason=reason,
            curve=curve,
            training_perplexity=None if loss is None else perplexity_of(loss),
            model=files.model.name if files.model.exists() else "",
        )


def mean_of_last(records: Sequence[Mapping[str, Any]], num_steps: int) -> float | None:
    """Return the mean loss in nats of the last ``num_steps`` steps; None if there are fewer.

    A record has the mean ``loss`` of all steps after the record before it, up to its ``step``.
    The first record that counts is taken whole.
    """
    total, counted = 0.0, 0
    for number in reversed(range(len(records))):
        if counted >= num_steps:
            break
        before = records[number - 1]["step"] if number else 0
        steps = records[number]["step"] - before
        total += records[number]["loss"] * steps
        counted += steps
    return total / counted if 0 < num_steps <= counted else None


def train_run(
    corpus: Corpus,
    files: RunFiles,
    settings: TrainConfig,
    *,
    resume: bool,
    on_event: OnEvent,
    on_failure: OnFailure,
    should_stop: Callable[[], bool],
) -> Run:
    """Train one contender once; a run that fails or diverges says so, and raises nothing.

    With ``resume`` a run that has a checkpoint goes on from it; all files of this name are its own.
    However it ends, it leaves its last checkpoint: ``tidy`` deletes that when the end is saved.
    """
    watch = Watch(settings.seed, on_event)
    goes_on = resume and (files.checkpoint.exists() or files.previous.exists())
    try:
        trained = train(
            corpus,
            name=files.name,
            settings=settings,
            folder=files.folder,
            resume=goes_on,
            given={"max_minutes"} if goes_on else None,
            force=not goes_on,
            keep_checkpoints=True,
            on_event=watch,
            should_stop=should_stop,
        )
    except DivergedError as error:
        on_failure(error)
        return watch.run("diverged", error.problem, files)
    except Exception as error:
        on_failure(error)
        return watch.run("failed", reason_of(error), files)
    if trained.step == 0 and trained.reason == "time":
        return watch.run("time", "There was no time for a single step.", files)
    return watch.run(trained.reason, "", files)


def clear(files: RunFiles) -> None:
    """Delete what another race has left under the name of a run that is about to begin.

    Raises:
        ExistsError: another training writes there at this moment.
    """
    with files.held():
        delete_checkpoints(files)
        files.model.unlink(missing_ok=True)
        files.metrics.unlink(missing_ok=True)


def tidy(files: RunFiles) -> None:
    """Delete the checkpoints of a run whose end is saved, and leave the clock out of its model.

    What was done before is not done again: a race may be killed at any moment of it.
    """
    if files.checkpoint.exists() or files.previous.exists():
        if files.model.exists():
            model = load_model(files.model)
            record = {name: value for name, value in model.training.items() if name not in _CLOCK}
            save_model(replace(model, training=record), files.model)
        delete_checkpoints(files)


def check_run(corpus: Corpus, settings: TrainConfig) -> None:
    """Check what can be known before a training.

    Raises:
        DeviceError: the device is missing, or not supported by the engine.
        SettingError: the settings contradict each other, or the corpus is too small for them.
    """
    settings.shape(len(corpus.vocabulary))
    small = replace(settings, hidden_size=2, embedding_dim=2, num_layers=1)
    make_engine(small, small.shape(_FEW_TOKENS))
    # Titles and authors do not change how many batches there are at least.
    DataOrder(corpus, replace(settings, fields=False))


def reason_of(error: Exception) -> str:
    """Return why something has failed, in a sentence."""
    known = error if isinstance(error, PoetgenError) else shortage_in(error)
    if known is not None:
        return known.problem
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return f"The system says: {error.strerror}{where}."
    return f"{type(error).__name__}: {error}."
