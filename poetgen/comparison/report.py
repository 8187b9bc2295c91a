"""The report of a verdict: report.json, report.md, report.html and curves.svg in its folder."""

from __future__ import annotations

import re
from collections.abc import Sequence

from poetgen.comparison.charts import picture
from poetgen.comparison.curves import curves_of
from poetgen.comparison.labels import labels_of
from poetgen.comparison.page import page
from poetgen.comparison.results import Verdict
from poetgen.comparison.rows import pair_rows, run_rows, sections
from poetgen.comparison.samples import samples_title, shown_lines
from poetgen.comparison.sentences import (
    conditions,
    early_ends,
    findings,
    meanings,
    reading_curves,
    title_of,
)
from poetgen.files import write_text
from poetgen.terminal import json_text, visible

# What Markdown, or HTML inside it, would read as more than a character.
_MARKDOWN = re.compile(r"([\\`*{}\[\]#|~$]|\b_|_\b)")


def save_verdict(verdict: Verdict) -> None:
    """Write the report into the folder of the verdict, in place of an earlier one.

    Every file is written whole; report.json is the first.
    """
    write_text(verdict.folder / "report.json", json_text(verdict.as_dict()) + "\n")
    curves = verdict.folder / "curves.svg"
    if drawn := picture(verdict):
        write_text(curves, drawn)
    else:
        curves.unlink(missing_ok=True)
    write_text(verdict.folder / "report.md", markdown(verdict))
    write_text(verdict.folder / "report.html", page(verdict))


def markdown(verdict: Verdict) -> str:
    """Return the report as Markdown; its picture is curves.svg beside it."""
    names = [_plain(label) for label in labels_of(verdict.contenders).values()]
    lines = [f"# {_plain(title_of(verdict))}", ""]
    lines += [f"- {_plain(sentence)}" for sentence in (*findings(verdict), *early_ends(verdict))]
    lines += ["", *_table(["", *names], _figures(verdict))]
    if curves_of(verdict, "tokens"):
        lines += ["", "## Learning curves", "", "![Perplexity per token](curves.svg)", ""]
        lines += [" ".join(reading_curves(verdict))]
    writers = [place for place, one in enumerate(verdict.contenders) if one.poems]
    if writers:
        poems = [[_poem(poem) for poem in verdict.contenders[i].poems] for i in writers]
        rows = [list(row) for row in zip(*poems, strict=False)]
        lines += ["", f"## {samples_title(verdict)}", ""]
        lines += _table([names[i] for i in writers], rows, right=False)
    for title, (heads, found) in (("Pairs", pair_rows(verdict)), ("Runs", run_rows(verdict))):
        if found:
            rows = [[_plain(cell) for cell in row] for row in found]
            lines += ["", f"## {title}", "", *_table(heads, rows)]
    about = [*conditions(verdict), *meanings(verdict)]
    lines += ["", "## How it was measured", "", *(f"- {_plain(sentence)}" for sentence in about)]
    lines += ["", "The command:", "", f"    {visible(verdict.command)}"]
    return "\n".join(lines) + "\n"


def _figures(verdict: Verdict) -> list[list[str]]:
    rows = []
    for section in sections(verdict):
        rows.append([f"**{section.title}**", *[""] * len(verdict.contenders)])
        rows += [[row.label, *row.cells] for row in section.rows]
    return rows


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: bool = True) -> list[str]:
    rule = ["---", *["---:" if right else "---"] * (len(heads) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)]


def _poem(text: str) -> str:
    return "<br>".join(map(_plain, shown_lines(text)))


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    safe = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", safe).replace("\n", " ")
