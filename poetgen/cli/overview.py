"""What ``prepare`` shows of poems before they are learned: samples, forms, what looks odd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from poetgen.corpus.overview import form_rows, merge_samples, odd_things
from poetgen.reading import count_left_out
from poetgen.verse.forms import form_of
from poetgen.verse.layout import couplets

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.cli.display import Columns
    from poetgen.corpus.prepare import Prepared
    from poetgen.corpus.sieve import KeptPoem

# Of a poem in the preview; a novel may have thousands of lines.
_MAX_LINES, _MAX_LINE_CHARS = 8, 120
_MAX_FORMS, _MAX_DOUBTS = 9, 10
_COLUMNS: Columns = {
    "form": "left",
    "poems": "right",
    "share": "right",
    "shortest": "right",
    "median": "right",
    "longest": "right",
}


def show_samples(prepared: Prepared, console: Console, num_samples: int) -> None:
    """Print the first and some random poems of each source, as they will be learned."""
    if num_samples == 0:
        return
    for sample in merge_samples(prepared.samples, num_samples):
        way = ", ".join(filter(None, (sample.format, sample.encoding)))
        way += f"; {sample.columns}" if sample.columns else ""
        shown = f"{len(sample.poems):,} of {sample.num_poems:,} poems"
        console.print(f"{sample.source} ({way}): {shown if sample.poems else 'no poem is kept'}")
        for poem in sample.poems:
            _show_poem(poem, console)
        console.print()


def _show_poem(poem: KeptPoem, console: Console) -> None:
    known = filter(None, (poem.author, poem.dynasty, form_of(poem.text)))
    console.print("  " + " · ".join([poem.title or "(no title)", *known]))
    lines = couplets(poem.text)
    for line in lines[:_MAX_LINES]:
        is_long = len(line) > _MAX_LINE_CHARS
        console.print(f"    {line[:_MAX_LINE_CHARS]}{'…' * is_long}")
    if len(lines) > _MAX_LINES:
        console.print(f"    … and {len(lines) - _MAX_LINES:,} more lines")


def show_forms(texts: Sequence[str], console: Console) -> None:
    """Print a table of the forms, with the lengths of their poems in characters."""
    from poetgen.cli.display import print_table

    rows = form_rows(texts)
    table = [
        [
            row.form,
            f"{row.num_poems:,}",
            f"{row.num_poems / len(texts):.1%}",
            *(f"{number:,}" for number in (row.shortest, row.median, row.longest)),
        ]
        for row in rows[:_MAX_FORMS]
    ]
    if len(rows) > _MAX_FORMS:
        num_poems = sum(row.num_poems for row in rows[_MAX_FORMS:])
        share = f"{num_poems / len(texts):.1%}"
        table.append([f"{len(rows) - _MAX_FORMS} more", f"{num_poems:,}", share, "", "", ""])
    print_table(console, _COLUMNS, table)


def show_doubts(
    prepared: Prepared, texts: Sequence[str], console: Console, list_dropped: Path | None = None
) -> None:
    """Print what was left out, and where it is listed; what readers doubt; what looks odd."""
    corpus = prepared.corpus
    if corpus.report.left_out:
        kinds = sorted(corpus.report.left_out.items(), key=lambda item: -item[1])
        found = ", ".join(count_left_out(kind, count) for kind, count in kinds)
        where = f"It is in {list_dropped}." if list_dropped else "To see it: --list-dropped FILE"
        console.print(f"Not read as poems: {found}. {where}")
    for doubt in prepared.doubts[:_MAX_DOUBTS]:
        console.print(f"In doubt: {doubt}")
    if len(prepared.doubts) > _MAX_DOUBTS:
        console.print(f"… and {len(prepared.doubts) - _MAX_DOUBTS:,} more.")
    for warning in odd_things(corpus.report, texts, is_prose=corpus.is_prose):
        console.print(f"Warning: {warning}")
