"""``poetgen inspect``: a look inside a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from poetgen.cli.options import Force, ensure_new
from poetgen.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.inspection.report import Report

_NAME_WIDTH = 12
_NUM_UNITS = 8


def inspect(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="Name or file.", show_default="the one generate would take"
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="What the model reads while you look.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.png|svg", help="Draw it (needs matplotlib)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Give one JSON object.")] = False,
    force: Force = False,
) -> None:
    """Show a model's card; with --text, what happens in it while it reads.

    Example:  [bold]poetgen inspect tang --text '床前明月光，'[/bold]
    """
    if plot is not None:
        if text is None:
            raise SettingError("--plot draws what happens in a text.", "Give one: --text '…'")
        if plot.suffix not in (".png", ".svg"):
            raise SettingError(f"{plot} is no .png or .svg file.", "Give a name that ends so.")
        ensure_new(plot, force)
    from poetgen.cli.display import make_answer_console, make_console
    from poetgen.generation.prompt import encode_prompt
    from poetgen.inspection.report import card, report
    from poetgen.networks.model_file import load_model
    from poetgen.places import find_model
    from poetgen.terminal import json_text

    path = find_model(model, lambda note: make_console().print(note, markup=False))
    loaded = load_model(path)
    answer: dict[str, Any] = card(path.stem, loaded)
    found: Report | None = None
    if text is not None:
        token_ids = encode_prompt(text, loaded.vocabulary)
        if not token_ids:
            raise SettingError(
                "There is nothing to read in --text.", "Give at least one character."
            )
        found = report(loaded, token_ids, _NUM_UNITS)
    if as_json:
        answer = answer if found is None else {**answer, **found.as_dict()}
        print(json_text(answer))
    else:
        console = make_answer_console()
        _print_card(console, answer)
        if found is not None:
            console.print()
            _print_report(console, found)
    if plot is not None and found is not None:
        from poetgen.inspection.plot import save_plot

        for warning in save_plot(found, plot):
            make_console().print(warning)
        make_console().print(f"Wrote {plot}.")


def _print_card(console: Console, card: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    # A row for each split, with a prefix: its name is the file's, and must not hide another.
    splits = {f"metrics {split}": values for split, values in card["metrics"].items()}
    about = {key: value for key, value in card.items() if key != "metrics"}
    for key, value in (about | splits).items():
        if isinstance(value, dict):
            value = ", ".join(f"{_short(name)} {_short(part)}" for name, part in value.items())
        table.add_row(_short(key.replace("_", " ")), _short(value))
    console.print(table)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    # On one line: a stranger's card must not look like several rows.
    return " ".join(str(value).split())


def _print_report(console: Console, found: Report) -> None:
    from rich.text import Text

    from poetgen.cli.heat import pieces, strip, text_row, widths

    columns = widths(found.tokens)
    highest = max(8.0, max(found.surprise_bits))
    rows: list[tuple[str, list[float], float, float]] = [
        ("surprise", found.surprise_bits, 0.0, highest),
        ("memory", found.memory, 0.0, 1.0),
        *((f"{name} gate", values, 0.0, 1.0) for name, values in found.gates.items()),
        *((f"unit {unit.unit}", unit.values, -1.0, 1.0) for unit in found.strong_units),
    ]
    for piece in pieces(columns, max(20, console.width - _NAME_WIDTH - 1)):
        console.print(Text(" " * _NAME_WIDTH + " ") + text_row(found.tokens[piece]))
        for name, values, low, high in rows:
            drawn = strip(values[piece], columns[piece], low, high)
            console.print(Text(f"{name:<{_NAME_WIDTH}} ", style="dim") + drawn)
        console.print()
    console.print(
        f"surprise in bits, 0 to {highest:.0f}; memory, 0 where what comes next depends on the "
        "last token alone;\ngates as means over the layer, 0 to 1; units that are above 0.5 in "
        "size most often, −1 to 1.\n"
    )
    _print_tokens(console, found)
    if found.deciding_units:
        units = ", ".join(f"{unit.unit} ({unit.change:.2f})" for unit in found.deciding_units)
        console.print(f"Units that decide what comes after the last token: {units}")


def _print_tokens(console: Console, found: Report) -> None:
    from rich.table import Table

    from poetgen.cli.heat import shown

    table = Table(box=None, pad_edge=False)
    for heading in ("token", "bits", "memory", "what comes next"):
        table.add_column(heading, justify="right" if heading in ("bits", "memory") else "left")
    for place, token in enumerate(found.tokens):
        following = "  ".join(f"{shown(t)} {p:.0%}" for t, p in found.next_tokens[place])
        bits, memory = found.surprise_bits[place], found.memory[place]
        table.add_row(shown(token), f"{bits:.1f}", f"{memory:.2f}", following)
    console.print(table)
    console.print()
