"""``poetgen compare``: which architecture learns the same poems better."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.cli.corpora import find_or_offer
from poetgen.cli.options import Force, Quiet
from poetgen.cli.signals import stop_on_signal
from poetgen.cli.train import DEFAULT_CORPUS
from poetgen.config import RaceConfig
from poetgen.errors import ExistsError

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.comparison.race import Result


_USUAL_START = "日"


def compare(
    contenders: Annotated[
        list[str], typer.Argument(metavar="CONTENDER", help="Architectures: rnn, gru, lstm.")
    ],
    corpus: Annotated[
        str, typer.Option("--corpus", help="Name or folder of a prepared corpus.")
    ] = DEFAULT_CORPUS,
    config: RaceConfig = RaceConfig(),
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
    from poetgen.comparison.race import Result, parse_contenders, run_contender
    from poetgen.comparison.report import as_json as race_as_json
    from poetgen.comparison.report import save_report
    from poetgen.corpus.corpus import load_corpus
    from poetgen.generation.prompt import encode_prompt
    from poetgen.terminal import json_text

    archs = parse_contenders(contenders)
    folder = _report_folder(report, "-".join(archs), force)
    console = make_console(quiet)
    data = load_corpus(find_or_offer(corpus, console))
    if start is None:
        start = _USUAL_START if _USUAL_START in data.vocabulary else ""
    encode_prompt(start, data.vocabulary)  # before the work, not after it
    results: list[Result] = []
    with stop_on_signal(console.print) as stop:
        for arch in archs:
            with TrainingDisplay(console, arch) as display:
                for event in run_contender(arch, data, config, start, folder, stop.wanted):
                    if isinstance(event, Result):
                        results.append(event)
                    else:
                        display.show(event)
            if stop.wanted():
                break
    if results:
        save_report(results, data, config, folder)
        if as_json:
            print(json_text(race_as_json(results, data, config)))
        else:
            _print_results(results)
        console.print(f"The report and the models are in {folder}.")
    if stop.wanted():
        raise typer.Exit(stop.exit_code)
    if config.budget == RaceConfig().budget:
        on = f" --corpus {shlex.quote(corpus)}" * (corpus != DEFAULT_CORPUS)
        console.print(
            "This was the quick race. The long one: "
            f"poetgen compare {' '.join(archs)}{on} --budget 20000000"
        )


def _report_folder(wanted: Path | None, name: str, force: bool) -> Path:
    from poetgen.places import free_name

    if wanted is None:
        return Path("reports") / free_name(Path("reports"), name, ("",))
    if wanted.exists() and not force:
        raise ExistsError(f"{wanted} is already there.", "Give --force to write into it.")
    return wanted


def _print_results(results: Sequence[Result]) -> None:
    from rich.table import Table

    from poetgen.cli.display import make_answer_console
    from poetgen.comparison.report import columns
    from poetgen.verse.layout import couplets

    table = Table(box=None, pad_edge=False)
    for heading in columns(results[0]):
        table.add_column(heading, justify="left" if heading == "contender" else "right")
    for result in results:
        table.add_row(*columns(result).values())
    answer: Console = make_answer_console()
    answer.print(table)
    for result in results:
        answer.print(f"\n{result.name}:")
        for line in couplets(result.poem):
            answer.print(f"  {line}")
