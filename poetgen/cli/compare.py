"""``poetgen compare``: which architecture learns the same poems better."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.cli.completion import complete_architecture, complete_corpus
from poetgen.cli.corpora import find_or_offer
from poetgen.cli.options import Force, Quiet, Without
from poetgen.cli.signals import stop_on_signal
from poetgen.cli.train import DEFAULT_CORPUS
from poetgen.config import TrainConfig
from poetgen.terminal import json_text

if TYPE_CHECKING:
    from poetgen.cli.display import Columns
    from poetgen.comparison.report import Comparison

_QUICK_BUDGET, _LONG_BUDGET = 1_000_000, 20_000_000


def compare(
    contenders: Annotated[
        list[str],
        typer.Argument(
            metavar="CONTENDER",
            help="Architectures: rnn, gru, lstm.",
            autocompletion=complete_architecture,
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
    budget: Annotated[
        int, typer.Option("--budget", min=1, max=10**12, help="Training tokens per contender.")
    ] = _QUICK_BUDGET,
    settings: Annotated[
        TrainConfig, Without({"arch", "epochs", "max_tokens", "init"})
    ] = TrainConfig(),
    start: Annotated[
        str | None,
        typer.Option(
            "--start", show_default="日, where the corpus has it", help="How every poem begins."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="DIR",
            show_default="reports/CONTENDERS, numbered",
            help="Folder for the report and the models.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Give one JSON object.")] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train each contender with the same data, seed, budget and size, and show how it did.

    Example:  [bold]poetgen compare lstm gru[/bold]

    The default budget takes a few minutes on two cores. For a serious race:
    [bold]poetgen compare lstm gru rnn --budget 20000000[/bold]
    """
    from poetgen.cli.display import TrainingDisplay, make_console
    from poetgen.comparison.race import compare as run_race
    from poetgen.comparison.race import parse_contenders

    archs = parse_contenders(contenders)
    console = make_console(quiet)
    folder = find_or_offer(corpus, console, "--corpus NAME")
    with stop_on_signal(console.print) as stop, TrainingDisplay(console) as display:
        comparison = run_race(
            archs,
            corpus=folder,
            budget=budget,
            settings=settings,
            start=start,
            folder=report,
            force=force,
            on_event=lambda contender, event: display.show(event),
            should_stop=stop.wanted,
        )
    if comparison.results:
        if as_json:
            print(json_text(comparison.as_dict()))
        else:
            _print_results(comparison)
        console.print(f"The report and the models are in {comparison.folder}.")
    if stop.wanted():
        console.print(f"Stopped; a race is not resumed. What it left is in {comparison.folder}.")
        raise typer.Exit(stop.exit_code)
    if budget == _QUICK_BUDGET:
        on = f" --corpus {shlex.quote(corpus)}" * (corpus != DEFAULT_CORPUS)
        console.print(
            "This was the quick race. The long one: "
            f"poetgen compare {' '.join(archs)}{on} --budget {_LONG_BUDGET}"
        )


def _print_results(comparison: Comparison) -> None:
    from poetgen.cli.display import make_answer_console, print_table
    from poetgen.comparison.report import columns
    from poetgen.verse.layout import couplets

    results, answer = comparison.results, make_answer_console()
    rows = [columns(result) for result in results]
    sides: Columns = {head: "left" if head == "contender" else "right" for head in rows[0]}
    print_table(answer, sides, [list(row.values()) for row in rows])
    for result in results:
        answer.print(f"\n{result.name}:")
        for line in couplets(result.poem):
            answer.print(f"  {line}")
