"""``poetgen train``: a model from a corpus."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.cli.corpora import find_or_offer
from poetgen.cli.options import Force, Quiet
from poetgen.cli.signals import GONE, Stop, stop_on_signal
from poetgen.config import TrainConfig
from poetgen.errors import ExistsError, ModelError, SettingError
from poetgen.places import check_name, free_name, plain_name
from poetgen.training.processes import Processes, joined
from poetgen.training.run_files import CHECKPOINT_SUFFIX, LOCK_SUFFIX, SUFFIXES, RunFiles

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.training.checkpoint import Checkpoint
    from poetgen.training.events import Event, Finished
    from poetgen.training.trainer import Trainer

DEFAULT_CORPUS = "tang"
# Settings that a resumed run may be given anew, for they do not change what is computed.
_MAY_CHANGE = ("max_minutes", "device", "patience", "checkpoint_seconds", "threads")
MODELS = Path("models")


def train(
    context: typer.Context,
    corpus: Annotated[
        str, typer.Argument(metavar="CORPUS", help="Name or folder of a prepared corpus.")
    ] = DEFAULT_CORPUS,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            show_default="CORPUS-ARCH, numbered if that is taken",
            help="Name of the model.",
        ),
    ] = None,
    settings: TrainConfig = TrainConfig(),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run, with its settings.")
    ] = False,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Write models/NAME.tensorboard, too, for TensorBoard."),
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train a model; the best one so far is always in models/NAME.safetensors.

    Example:  [bold]poetgen train --arch gru --device cuda[/bold]
    """
    # The cheap checks first: torch takes a second to import.
    from poetgen.cli.display import make_console

    if resume and force:
        raise SettingError("--resume and --force exclude each other.", "Leave one of the two out.")
    with joined(settings.device) as processes:
        console = make_console(quiet or not processes.is_first)
        folder = find_or_offer(corpus, console)
        base = plain_name(f"{Path(os.path.abspath(folder)).name}-{settings.arch}")
        files = RunFiles(MODELS, processes.from_first(lambda: _pick_name(name, base, resume)))
        # The first process looks after the files; the others never touch them.
        with files.held() if processes.is_first else nullcontext():
            if processes.is_first:
                _check_begun(files) if resume else _check_free(files, force)
            run = _Run(context, folder, files, settings, processes, tensorboard)
            finished, exit_code = run.go_on(console) if resume else run.begin(console)
    _report(console, finished, files, corpus)
    if exit_code:
        raise typer.Exit(exit_code)


@dataclasses.dataclass(frozen=True)
class _Run:
    """A training as the command line asked for it."""

    context: typer.Context
    corpus: Path
    files: RunFiles
    settings: TrainConfig
    processes: Processes
    tensorboard: bool

    def begin(self, console: Console) -> tuple[Finished, int]:
        """Train from the beginning; give how it ended, and the exit code."""
        return self._train(self._trainer(self.settings), console, is_new=True)

    def go_on(self, console: Console) -> tuple[Finished, int]:
        """Train from where the run stopped; give how it ended, and the exit code."""
        from poetgen.training.checkpoint import use_latest

        (trainer, remarks), remark = use_latest(self.files, self._stand_at, self.processes)
        for told in (remark, *remarks):
            if told:
                console.print(told)
        return self._train(trainer, console, is_new=False)

    def _stand_at(self, checkpoint: Checkpoint) -> tuple[Trainer, list[str]]:
        stored = checkpoint.state.training
        trainer = self._trainer(_merge(self.context, stored, self.settings))
        return trainer, trainer.resume(checkpoint)

    def _trainer(self, settings: TrainConfig) -> Trainer:
        from poetgen.corpus.corpus import load_corpus
        from poetgen.training.trainer import Trainer

        return Trainer(load_corpus(self.corpus), settings, self.files, self.processes)

    def _train(self, trainer: Trainer, console: Console, is_new: bool) -> tuple[Finished, int]:
        from poetgen.cli.display import TrainingDisplay
        from poetgen.training.checkpoint import delete_checkpoints

        display = TrainingDisplay(console, self.files.name)
        with ExitStack() as stack:
            stop = stack.enter_context(stop_on_signal(console.print))
            listeners = [_or_stop(display.show, stop)]
            if self.tensorboard and self.processes.is_first:
                from poetgen.training.tensorboard import TensorBoardLog

                log = TensorBoardLog(self.files.tensorboard, trainer.counters.step)
                stack.callback(log.close)
                listeners.append(log.show)
            if is_new and self.processes.is_first:
                # Of a run that is replaced, nothing must be left that could be resumed; but
                # it is there until this one has all that it needs.
                delete_checkpoints(self.files)
            stack.enter_context(display)
            for event in trainer.run(stop.wanted):
                for listen in listeners:
                    listen(event)
        finished = trainer.finished
        assert finished is not None
        return finished, stop.exit_code if finished.reason == "interrupted" else 0


def _or_stop(show: Callable[[Event], None], stop: Stop) -> Callable[[Event], None]:
    """Show events; if that fails, as on a terminal that was closed, save the run and stop."""

    def listen(event: Event) -> None:
        try:
            show(event)
        except GONE:
            stop.reader_left()

    return listen


def _check_free(files: RunFiles, force: bool) -> None:
    present = files.present()
    if present and not force:
        can_go_on = present[0] in (files.checkpoint, files.previous)
        go_on = "--resume to go on with that run, " * can_go_on
        raise ExistsError(
            f"{present[0]} is already there.",
            f"Give {go_on}--force to replace it, or another --name.",
        )


def _check_begun(files: RunFiles) -> None:
    if files.checkpoint.exists() or files.previous.exists():
        return
    if files.model.exists():
        raise ModelError(
            f"The run {files.name} is finished; there is nothing to resume.",
            "Begin a new one under another --name, or replace it with --force.",
        )
    raise ModelError(
        f"There is no run {files.name} to resume: {files.checkpoint} is not there.",
        "Leave --resume out to begin it.",
    )


def _pick_name(name: str | None, base: str, resume: bool) -> str:
    if name is not None:
        return check_name(name)
    if not resume:
        return free_name(MODELS, base, (*SUFFIXES, LOCK_SUFFIX))
    found = [path for path in MODELS.glob(f"{base}*{CHECKPOINT_SUFFIX}") if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns).stem if found else base


def _merge(context: typer.Context, stored: TrainConfig, given: TrainConfig) -> TrainConfig:
    """Take the stored settings; only what does not change the computation may be given anew."""
    changes = {}
    for field in dataclasses.fields(TrainConfig):
        source = context.get_parameter_source(field.name)
        if source is None or source.name != "COMMANDLINE":
            continue
        value = getattr(given, field.name)
        if (field.name, value) == ("engine", "auto"):
            continue
        if field.name in _MAY_CHANGE:
            changes[field.name] = value
        elif value != getattr(stored, field.name):
            flag = "--" + field.name.replace("_", "-")
            raise SettingError(
                f"This run was begun with {flag} {getattr(stored, field.name)}, not {value}.",
                f"Leave {flag} out, or begin a new run under another --name.",
            )
    return dataclasses.replace(stored, **changes)


def _report(console: Console, finished: Finished, files: RunFiles, corpus: str) -> None:
    from poetgen.cli.display import format_seconds

    words = {
        "done": "Finished",
        "time": "Time is up",
        "patience": "No better model for a while: ended",
        "interrupted": "Stopped",
    }
    console.print(
        f"{words[finished.reason]} after {finished.step:,} steps and "
        f"{format_seconds(finished.elapsed_seconds)}, {finished.tokens_per_second:,.0f} tokens/s, "
        f"{finished.padding_share:.2%} padding."
    )
    if finished.smooth_loss is not None:
        console.print(f"Smoothed loss of a window: {finished.smooth_loss:.2f} nats.")
    if finished.best is not None:
        console.print(
            f"Best validation perplexity: {finished.best.perplexity_per_token:.2f} per token. "
            f"That model is {finished.model_path}."
        )
    name = shlex.quote(files.name)
    go_on = f"poetgen train {shlex.quote(corpus)} --name {name} --resume"
    if finished.reason == "interrupted":
        console.print(f"To go on: {go_on}")
    else:
        if finished.reason == "time":
            console.print(f"To give it more time: {go_on} --max-minutes MINUTES_IN_ALL")
        console.print(f"Let it write: poetgen generate --model {name}")
