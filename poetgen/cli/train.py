"""``poetgen train``: a model from a corpus."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.cli.completion import complete_corpus, complete_model
from poetgen.cli.corpora import find_or_offer
from poetgen.cli.options import Force, Quiet, given_settings
from poetgen.cli.signals import or_stop, stop_on_signal
from poetgen.config import TrainConfig
from poetgen.errors import SettingError
from poetgen.generation.settings import exclude

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.training.events import Trained

DEFAULT_CORPUS = "tang"


def train(
    context: typer.Context,
    corpus: Annotated[
        str,
        typer.Argument(
            metavar="CORPUS",
            help="Name or folder of a prepared corpus.",
            autocompletion=complete_corpus,
        ),
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
        bool, typer.Option("--resume", help="Continue an interrupted run, with its settings.")
    ] = False,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Write models/NAME.tensorboard, too, for TensorBoard."),
    ] = False,
    index: Annotated[
        str | None,
        typer.Option(
            "--index",
            metavar="MODEL",
            help="Train nothing, but write into this model, trained on CORPUS before, the index "
            "by which the best of many drafts is chosen; train itself does so at its end.",
            autocompletion=complete_model,
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train a model; the best one so far is always in models/NAME.safetensors.

    Example:  [bold]poetgen train --arch gru --device cuda[/bold]
    """
    if resume and force:
        raise exclude("--resume", "--force")
    if index is not None:
        _add_index(index, corpus, quiet=quiet, alone=not (name or resume or tensorboard or force))
        return
    from poetgen.cli.display import TrainingDisplay, make_console
    from poetgen.training.processes import this_process
    from poetgen.training.run import train as run_training

    console = make_console(quiet or not this_process().is_first)
    folder = find_or_offer(corpus, console, "poetgen train NAME")
    with stop_on_signal(console.print) as stop, TrainingDisplay(console) as display:
        trained = run_training(
            folder,
            name=name,
            settings=settings,
            resume=resume,
            given=given_settings(context, TrainConfig),
            force=force,
            tensorboard=tensorboard,
            on_event=or_stop(display.show, stop),
            should_stop=stop.wanted,
        )
    _report(console, trained, corpus)
    if trained.reason == "interrupted":
        raise typer.Exit(stop.exit_code)


def _add_index(model: str, corpus: str, *, quiet: bool, alone: bool) -> None:
    from poetgen.cli.display import make_console
    from poetgen.training.choice import add_choice

    if not alone:
        raise SettingError(
            "--index trains nothing, so --name, --resume, --tensorboard and --force do not apply.",
            "Leave them out, or leave --index out.",
        )
    console = make_console(quiet)
    folder = find_or_offer(corpus, console, "poetgen train NAME")
    path = add_choice(model, folder, on_note=console.print)
    console.print(f"Wrote the index of {folder.name} into {path}.")


def _report(console: Console, trained: Trained, corpus: str) -> None:
    from poetgen.cli.display import format_seconds

    words = {
        "done": "Finished",
        "time": "Time is up",
        "patience": "No better model for a while: ended",
        "interrupted": "Stopped",
    }
    console.print(
        f"{words[trained.reason]} after {trained.step:,} step{'s' * (trained.step != 1)} and "
        f"{format_seconds(trained.elapsed_seconds)}, {trained.tokens_per_second:,.0f} tokens/s, "
        f"{trained.padding_share:.2%} padding."
    )
    if trained.smooth_loss is not None:
        console.print(f"Smoothed loss of a window: {trained.smooth_loss:.2f} nats.")
    if trained.best is not None:
        console.print(
            f"Best validation perplexity: {trained.best.perplexity_per_token:.2f} per token. "
            f"That model is {trained.model}."
        )
        if trained.settings.init is not None and trained.best_step == 0:
            console.print(
                f"No step was better than {trained.settings.init} itself: the model is that one, "
                "unchanged. Train longer, or on more poems."
            )
    name = shlex.quote(trained.name)
    go_on = f"poetgen train {shlex.quote(corpus)} --name {name} --resume"
    if trained.reason == "interrupted":
        console.print(f"To continue: {go_on}")
    else:
        if trained.reason == "time":
            console.print(f"To give it more time: {go_on} --max-minutes MINUTES_IN_ALL")
        console.print(f"To write poems: poetgen generate --model {name}")
