"""``poetgen train``: a model from a corpus."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.cli.corpora import find_or_offer
from poetgen.cli.options import Force, Quiet
from poetgen.cli.signals import stop_on_signal
from poetgen.config import TrainConfig
from poetgen.errors import ExistsError, ModelError, SettingError

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.training.events import Finished

DEFAULT_CORPUS = "tang"


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
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train a model; the best one so far is always in models/NAME.safetensors.

    Example:  [bold]poetgen train --arch gru --device cuda[/bold]
    """
    # The cheap checks first: torch takes a second to import.
    from poetgen.console import TrainingDisplay, make_console
    from poetgen.places import check_name

    if resume and force:
        raise SettingError("--resume and --force exclude each other.", "Leave one of the two out.")
    console = make_console(quiet)
    folder = find_or_offer(corpus, console)
    base = f"{folder.name}-{settings.arch}"
    run = _Run(check_name(name) if name is not None else _default_name(base, resume))
    if resume:
        run.check_begun()
    else:
        run.check_free(force)

    from poetgen.text.corpus import load_corpus
    from poetgen.training.resuming import load_resumable
    from poetgen.training.trainer import Trainer

    if resume:
        settings = _merge(context, load_resumable(run.checkpoint), settings)
    trainer = Trainer(load_corpus(folder), settings, run.model, run.checkpoint)
    if resume:
        trainer.resume()
    with stop_on_signal(console.print) as stop, TrainingDisplay(console, run.name) as display:
        for event in trainer.run(stop.wanted):
            display.show(event)
    assert trainer.finished is not None
    _report(console, trainer.finished, run, corpus)
    if trainer.finished.reason == "interrupted":
        raise typer.Exit(stop.exit_code)


@dataclasses.dataclass(frozen=True)
class _Run:
    """The files of one run."""

    name: str

    @property
    def model(self) -> Path:
        return Path("models") / f"{self.name}.safetensors"

    @property
    def checkpoint(self) -> Path:
        return Path("models") / f"{self.name}.checkpoint"

    def check_free(self, force: bool) -> None:
        for path in (self.checkpoint, self.model):
            if path.exists() and not force:
                go_on = "--resume to go on with that run, " * (path == self.checkpoint)
                raise ExistsError(
                    f"{path} is already there.",
                    f"Give {go_on}--force to replace it, or another --name.",
                )

    def check_begun(self) -> None:
        if self.checkpoint.exists():
            return
        if self.model.exists():
            raise ModelError(
                f"The run {self.name} is finished; there is nothing to resume.",
                "Begin a new one under another --name, or replace it with --force.",
            )
        raise ModelError(
            f"There is no run {self.name} to resume: {self.checkpoint} is not there.",
            "Leave --resume out to begin it.",
        )


def _default_name(base: str, resume: bool) -> str:
    from poetgen.places import free_name

    folder = Path("models")
    if not resume:
        return free_name(folder, base, (".safetensors", ".checkpoint"))
    found = [path for path in folder.glob(f"{base}*.checkpoint") if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns).stem if found else base


def _merge(context: typer.Context, stored: TrainConfig, given: TrainConfig) -> TrainConfig:
    """Take the stored settings; only the time limit and the device may be given anew."""
    changes = {}
    for field in dataclasses.fields(TrainConfig):
        source = context.get_parameter_source(field.name)
        if source is None or source.name != "COMMANDLINE":
            continue
        value = getattr(given, field.name)
        if field.name in ("max_minutes", "device"):
            changes[field.name] = value
        elif value != getattr(stored, field.name):
            flag = "--" + field.name.replace("_", "-")
            raise SettingError(
                f"This run was begun with {flag} {getattr(stored, field.name)}, not {value}.",
                f"Leave {flag} out, or begin a new run under another --name.",
            )
    return dataclasses.replace(stored, **changes)


def _report(console: Console, finished: Finished, run: _Run, corpus: str) -> None:
    from poetgen.console import format_seconds

    words = {"done": "Finished", "time": "Time is up", "interrupted": "Stopped"}
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
    go_on = f"poetgen train {corpus} --name {run.name} --resume"
    if finished.reason == "interrupted":
        console.print(f"To go on: {go_on}")
    else:
        if finished.reason == "time":
            console.print(f"To give it more time: {go_on} --max-minutes MINUTES_IN_ALL")
        console.print(f"Let it write: poetgen generate --model {run.name}")
