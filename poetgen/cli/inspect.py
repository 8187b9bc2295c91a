"""``poetgen inspect``: what a model says about itself, what happens in it, and scans of poems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len
from rich.text import Text

from poetgen.cli.completion import complete_model
from poetgen.cli.heat import pieces, shown, strip, text_row, widths
from poetgen.cli.options import Force, ensure_new, ensure_picture
from poetgen.config import RhymeBookName
from poetgen.errors import SettingError
from poetgen.terminal import json_text, visible

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.inspection.report import Report

_NAME_WIDTH = 12
_NUM_UNITS = 8
# Columns of a trace in a pipe, where a card has lines of any length.
_PIPE_WIDTH = 200


def inspect(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="Name or file; without it, all models and corpora that are here are listed.",
            autocompletion=complete_model,
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="A text to trace the model on.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.png|svg", help="Draw the trace (needs matplotlib)."),
    ] = None,
    verse: Annotated[
        str | None,
        typer.Option(
            "--verse",
            metavar="FILE|-|TEXT",
            help="Poems to scan: form, tones (平仄), rhymes, and every fault at its place.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--form", help="With --verse: hold the poems against this form or tune."),
    ] = None,
    rhyme_book: Annotated[
        RhymeBookName | None,
        typer.Option(
            "--rhyme-book", help="With --verse: the book; by default pingshui, for 词 cilin."
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="With --verse: count amended lines (拗救) as faults."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    force: Force = False,
) -> None:
    """List what is here, show a model's card, trace it on a text, or scan poems.

    Examples:  [bold]poetgen inspect[/bold]

    [bold]poetgen inspect tang --text '床前明月光，'[/bold]

    [bold]poetgen inspect --verse '白日依山尽，黄河入海流。欲穷千里目，更上一层楼。'[/bold]
    """
    if verse is not None:
        if model is not None or text is not None or plot is not None:
            raise SettingError(
                "--verse scans poems without a model.", "Leave out MODEL, --text and --plot."
            )
        from poetgen.cli.scans import print_scans

        print_scans(verse, form, rhyme_book, strict=strict, as_json=as_json)
        return
    if form is not None or rhyme_book is not None or strict:
        raise SettingError(
            "--form, --rhyme-book and --strict say how to scan poems.", "Give some: --verse FILE"
        )
    if model is None:
        if text is not None or plot is not None:
            raise SettingError("--text and --plot need a model.", "Name one: poetgen inspect MODEL")
        from poetgen.cli.catalogue import print_what_is_here

        print_what_is_here(as_json=as_json)
        return
    from poetgen.inspection.plot import save_plot
    from poetgen.plotting import need_matplotlib

    if plot is not None:
        if text is None:
            raise SettingError("--plot draws what happens in a text.", "Give one: --text '…'")
        ensure_picture(plot)
        ensure_new(plot, force)
        need_matplotlib()
    from poetgen.cli.display import make_answer_console, make_console
    from poetgen.generation.poet import load_poet
    from poetgen.generation.prompt import encode_prompt
    from poetgen.inspection.report import card, report

    notes = make_console()
    poet = load_poet(model, on_note=notes.print)
    answer = card(poet.name, poet.model)
    found: Report | None = None
    if text is not None:
        token_ids = encode_prompt(text, poet.model.vocabulary)
        if not token_ids:
            raise SettingError("There is nothing to read in --text.", "Give it some text.")
        found = report(poet.model, token_ids, _NUM_UNITS)
    if as_json:
        print(json_text(answer if found is None else {**answer, **found.as_dict()}))
    else:
        console = make_answer_console()
        _print_card(console, answer)
        if found is not None:
            console.print()
            _print_report(console, found)
    if plot is not None and found is not None:
        for warning in save_plot(found, plot):
            notes.print(warning)
        notes.print(f"Wrote {plot}.")


def _print_card(console: Console, card: dict[str, Any]) -> None:
    from poetgen.inspection.report import in_effect

    # A row for each split, with a prefix: its name is the file's, and must not hide another.
    splits = {f"metrics {split}": values for split, values in card["metrics"].items()}
    rows = {key: value for key, value in card.items() if key != "metrics"} | splits
    if card["output"] != "gumbel":
        del rows["gumbel_tau"]
    # Without what was off, and without the shape, which is shown already.
    rows["training"] = {
        key: value for key, value in in_effect(card["training"]).items() if value != card.get(key)
    }
    heads = {key: _short(key.replace("_", " ")) for key in rows}
    width = max(map(cell_len, heads.values())) + 2
    for key, value in rows.items():
        if isinstance(value, dict):
            value = ", ".join(f"{_short(name)} {_short(part)}" for name, part in value.items())
        _print_row(console, heads[key], width, _short(value))


def _print_row(console: Console, head: str, width: int, text: str) -> None:
    """Print ``text`` beside ``head``, which is ``width`` wide; on a terminal it is wrapped."""
    room = max(20, console.width - width)
    for line in Text(text).wrap(console, room) if console.is_terminal else [Text(text)]:
        row = Text(head + " " * (width - cell_len(head))) + line
        row.rstrip()
        console.print(row, soft_wrap=True)
        head = ""


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(_short, value)) or "none"
    # On one line: a stranger's card must not look like several rows.
    return visible(" ".join(str(value).split()))


def _print_report(console: Console, found: Report) -> None:
    columns = widths(found.tokens)
    highest = max(8.0, max(found.surprise_bits))
    rows: list[tuple[str, list[float], float, float]] = [
        ("surprise", found.surprise_bits, 0.0, highest),
        ("memory", found.memory, 0.0, 1.0),
        *((f"{name} gate", values, 0.0, 1.0) for name, values in found.gates.items()),
        *((f"unit {unit.unit}", unit.values, -1.0, 1.0) for unit in found.strong_units),
    ]
    room = console.width if console.is_terminal else _PIPE_WIDTH
    for piece in pieces(columns, max(20, room - _NAME_WIDTH - 1)):
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
    rows = [("token", "bits", "memory", "what comes next")]
    for place, token in enumerate(found.tokens):
        following = "  ".join(f"{shown(t)} {p:.0%}" for t, p in found.next_tokens[place])
        bits, memory = found.surprise_bits[place], found.memory[place]
        rows.append((shown(token), f"{bits:.1f}", f"{memory:.2f}", following))
    wide, long = max(cell_len(row[0]) for row in rows), max(len(row[1]) for row in rows)
    for token, number, share, following in rows:
        head = f"{token}{' ' * (wide - cell_len(token))}  {number:>{long}}  {share:>6}"
        _print_row(console, head, wide + long + 12, following)
    console.print()
