"""``poetgen compare``: which contender predicts the same poems best, and whether that is clear."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.cli.app import explain, failure, report
from poetgen.cli.completion import complete_contender, complete_corpus
from poetgen.cli.corpora import find_or_offer
from poetgen.cli.options import (
    Force,
    Quiet,
    Without,
    ensure_new,
    ensure_picture,
    given_settings,
)
from poetgen.cli.signals import or_stop, stop_on_signal
from poetgen.cli.train import DEFAULT_CORPUS
from poetgen.comparison.results import SET_BY_RACE, Equal
from poetgen.config import TrainConfig
from poetgen.terminal import json_text

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.comparison.results import Verdict
    from poetgen.training.events import Event

_LONG_BUDGET = 20_000_000
# Of what the race sets only the first seed has a flag.
_WITHOUT_FLAG = SET_BY_RACE - {"seed"}


def compare(
    context: typer.Context,
    contenders: Annotated[
        list[str],
        typer.Argument(
            metavar="CONTENDER",
            help="At least two: architectures (rnn, gru, lstm), also with settings "
            "(lstm:hidden_size=512,num_layers=2), names or files of models, and n-grams (ngram:5).",
            autocompletion=complete_contender,
        ),
    ],
    corpus: Annotated[
        str,
        typer.Option(
            "--corpus",
            help="Name or folder of a prepared corpus.",
            autocompletion=complete_corpus,
        ),
    ] = DEFAULT_CORPUS,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="FILE|CORPUS",
            show_default="the validation split of --corpus",
            help="A text, or the name of a corpus, on which all contenders are measured.",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            min=1,
            max=10**12,
            show_default="1000000",
            help="Training tokens of each run.",
        ),
    ] = None,
    equal: Annotated[
        Equal | None,
        typer.Option(
            "--equal",
            show_default="tokens, and about equal parameters where no contender has its own size",
            help="What is made equal: parameters (and tokens), tokens, time (a share of "
            "--max-minutes), or flops (of training; the costliest contender has the budget).",
        ),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            "--max-minutes",
            min=0,
            help="Train no longer than this in the whole race; may be a fraction.",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds",
            min=1,
            max=1000,
            help="Train every contender so often, with seeds from --seed on; three or more show "
            "whether a difference is clear.",
        ),
    ] = 1,
    settings: Annotated[TrainConfig, Without(_WITHOUT_FLAG)] = TrainConfig(),
    start: Annotated[
        str | None,
        typer.Option(
            "--start", show_default="three that all contenders know", help="How every poem begins."
        ),
    ] = None,
    num_samples: Annotated[
        int,
        typer.Option(
            "--samples",
            min=0,
            max=100_000,
            help="Sample so many poems of each contender for the panel; 0 writes and times none.",
        ),
    ] = 200,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw the learning curves, as .svg or .png (matplotlib)."
        ),
    ] = None,
    report_folder: Annotated[
        str | None,  # of which a Path would make "." if it is empty
        typer.Option(
            "--report",
            metavar="DIR",
            show_default="reports/CONTENDERS, numbered",
            help="Folder for the report and the models.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue a race where it stopped, with the same settings; --seeds may be more, "
            "and with --report the contenders.",
        ),
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", min=1, max=1024, help="Train so many at the same time, on a GPU each."
        ),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Give one JSON object.")] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Compare architectures, trained with equal budgets, models and n-grams on the same poems.

    Example:  [bold]poetgen compare lstm gru[/bold]

    The default budget takes a few minutes on two cores. For a serious race:
    [bold]poetgen compare lstm gru rnn ngram:5 --budget 20000000 --seeds 3[/bold]

    Without any training:  [bold]poetgen compare tang ngram:5 --on poems.txt[/bold]
    """
    from poetgen.cli.display import TrainingDisplay, make_answer_console, make_console
    from poetgen.cli.verdict import print_verdict
    from poetgen.comparison.charts import check_plot, save_plot
    from poetgen.comparison.contenders import parse_contenders
    from poetgen.comparison.race import compare as run_race

    console = make_console(quiet)
    seen = _Seen(make_console())
    try:
        if plot is not None:
            ensure_picture(plot)
            check_plot(plot)
            ensure_new(plot, force or resume)
        given = given_settings(context, TrainConfig) - {"seed"}
        entrants = parse_contenders(contenders, settings, given)
        needs_corpus = on is None or any(one.kind != "saved" for one in entrants)
        folder = find_or_offer(corpus, console, "--corpus NAME") if needs_corpus else Path(corpus)
        with stop_on_signal(console.print) as stop, TrainingDisplay(console) as display:

            def show(contender: str, event: Event) -> None:
                display.show(event)

            def show_failure(contender: str, error: Exception) -> None:
                display.end_run()
                seen.on_failure(contender, error)

            verdict = run_race(
                entrants,
                corpus=folder,
                on=on,
                budget=budget,
                equal=equal,
                max_minutes=max_minutes,
                seeds=seeds,
                settings=settings,
                given=given,
                start=start,
                num_samples=num_samples,
                folder=report_folder,
                resume=resume,
                force=force,
                workers=workers,
                command=shlex.join(_command()),
                on_note=or_stop(console.print, stop),
                on_event=or_stop(show, stop),
                on_failure=or_stop(show_failure, stop),
                on_verdict=seen.on_verdict,
                should_stop=stop.wanted,
            )
        if plot is not None:
            for note in save_plot(verdict, plot):
                console.print(note)
    except BaseException as error:
        if not as_json:
            raise
        # One object, whatever happens.
        code = report(error, "compare")
        print(json_text({**seen.values(), **failure(error, "compare")}))
        raise typer.Exit(code) from error
    failed = any(run.status in ("failed", "diverged") for run in verdict.all_runs)
    code = stop.exit_code if stop.wanted() else int(failed or seen.num_failures > 0)
    if as_json:
        print(json_text({**seen.values(), "exit_code": code}))
    else:
        print_verdict(make_answer_console(), verdict)
    models = " and the models are" if verdict.seeds else " is"
    console.print(f"The report{models} in {verdict.folder}.")
    if stop.wanted():
        console.print(f"Stopped. To continue: {shlex.join(_command('--resume'))}")
    elif budget is None and verdict.equal not in (None, "time"):
        # Into a folder of its own.
        longer = shlex.join(_command("--budget", str(_LONG_BUDGET), without=("--report", "--plot")))
        console.print(f"This was the quick race. The long one: {longer}")
    if code:
        raise typer.Exit(code)


class _Seen:
    """The latest verdict, and the failures, which are shown at once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._verdict: Verdict | None = None
        self.num_failures = 0

    def on_verdict(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def on_failure(self, contender: str, error: Exception) -> None:
        self.num_failures += 1
        problem, advice, _ = explain(error, "compare")
        self._console.print(f"Error: {contender}: {problem}\n{advice}")
        if os.environ.get("POETGEN_DEBUG", "") not in ("", "0"):
            traceback.print_exception(error)

    def values(self) -> dict[str, object]:
        """Return what is known so far as plain values for JSON."""
        found = {"contenders": []} if self._verdict is None else self._verdict.as_dict()
        return {**found, "error": None}


def _command(*more: str, without: Collection[str] = ()) -> list[str]:
    """Return the command that was typed, as it begins the same comparison anew.

    The options ``without``, which have a value each, are left out, and those of ``more`` are added.
    """
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    kept = []
    options = iter(words[:end])
    for word in options:
        name, equals, _ = word.partition("=")
        if name in without:
            if not equals:
                next(options, None)
        elif word not in ("--resume", "--force"):
            kept.append(word)
    return ["poetgen", *kept, *more, *words[end:]]
