"""A verdict in the terminal: what was found, one table, learning curves, poems side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from poetgen.characters import LINE_MARKS
from poetgen.cli.display import print_stripped
from poetgen.comparison.curves import Against
from poetgen.comparison.labels import labels_of
from poetgen.comparison.results import Verdict
from poetgen.comparison.rows import Section, sections
from poetgen.comparison.samples import shown_lines
from poetgen.comparison.sentences import conditions, early_ends, findings
from poetgen.comparison.text_chart import draw_text
from poetgen.terminal import display_width, visible

# As in the pictures: blue, orange (in a terminal red), green, pink, yellow, grey.
_COLOURS = ("blue", "red", "green", "magenta", "yellow", "bright_black")
_GAP = 2
_MAX_CHART = 100
# A longer name of a contender is broken.
_MAX_NAME = 16
# No poem is wrapped to fewer columns.
_MIN_POEM = 24
# After a mark of Chinese verse, and where a contender's name may be broken.
_AFTER_MARK = re.compile(f"(?<=[{LINE_MARKS}])(?=.)")
_AFTER_PART = re.compile(r" |(?<=[:,])(?=.)")


class _Column(NamedTuple):
    """What stands under a contender's name: one cell for each row, of one or more lines."""

    place: int
    heading: Text
    cells: Sequence[str]
    limit: int = 10_000

    @property
    def width(self) -> int:
        lines = [line for text in (self.heading.plain, *self.cells) for line in text.split("\n")]
        return min(max(map(display_width, lines)), self.limit)


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print a verdict; away from a terminal without curves, and as wide as it needs to be."""
    headings = _headings(console, verdict)
    _print_figures(console, verdict, headings)
    if console.is_terminal:
        _print_curves(console, verdict)
    _print_poems(console, verdict, headings)
    console.print()
    # What was found stands last, where it is seen.
    for sentence in [*conditions(verdict), *early_ends(verdict), *findings(verdict)]:
        console.print(sentence)


def _print_figures(console: Console, verdict: Verdict, headings: Sequence[Text]) -> None:
    found = sections(verdict)
    labels = [label for section in found for label in (section.title, *_labels(section))]
    columns = [
        _Column(place, heading, [row.cells[place] for section in found for row in section.rows])
        for place, heading in enumerate(headings)
    ]
    width = max(map(display_width, labels), default=0)
    for band in _bands(columns, console.width - width - _GAP):
        console.print()
        table = _table()
        table.add_column("")
        for column in band:
            table.add_column(column.heading, justify="right")
        for section in sections(verdict, [column.place for column in band]):
            if table.row_count:
                table.add_row()
            table.add_row(Text(section.title, style="bold"))
            for label, row in zip(_labels(section), section.rows, strict=True):
                table.add_row(label, *row.cells)
        print_stripped(console, table)


def _labels(section: Section) -> list[str]:
    return [f"  {row.label}" for row in section.rows]


def _print_curves(console: Console, verdict: Verdict) -> None:
    signs = console.no_color or not console.encoding.lower().startswith("utf")
    against: Against = "seconds" if verdict.equal == "time" else "tokens"
    rows = draw_text(verdict, against, min(console.width, _MAX_CHART) - 1, signs=signs)
    if rows:
        console.print()
    for row in rows:
        line = Text(no_wrap=True)
        for piece, place in row:
            line.append(piece, None if place is None else _colour(place))
        console.print(line)


def _print_poems(console: Console, verdict: Verdict, headings: Sequence[Text]) -> None:
    contenders = verdict.contenders
    writers = [place for place, one in enumerate(contenders) if one.poems]
    for whole in (True, False):
        columns = [
            _Column(i, headings[i], [_laid_out(poem, whole) for poem in contenders[i].poems])
            for i in writers
        ]
        if _needed(columns) <= console.width:
            break
    else:
        # Lines are wrapped, so that as many contenders as possible stand side by side.
        share = (console.width + _GAP) // max(1, len(columns)) - _GAP
        columns = [column._replace(limit=max(_MIN_POEM, share)) for column in columns]
    for band in _bands(columns, console.width):
        console.print()
        table = _table()
        for column in band:
            table.add_column(column.heading, overflow="fold", width=column.width)
        for row in range(max(len(column.cells) for column in band)):
            if row:
                table.add_row()
            table.add_row(*("".join(column.cells[row : row + 1]) for column in band))
        print_stripped(console, table)


def _laid_out(poem: str, whole: bool) -> str:
    """Return a poem with line breaks: of Chinese verse ``whole`` couplets, or single lines."""
    lines = shown_lines(visible(poem))
    if not whole and "\n" not in poem:
        lines = [part for line in lines for part in _AFTER_MARK.split(line)]
    return "\n".join(lines)


def _headings(console: Console, verdict: Verdict) -> list[Text]:
    """Return the names of the contenders in their colours; on a terminal in several lines."""
    found = []
    for place, label in enumerate(labels_of(verdict.contenders).values()):
        name = visible(label)
        if console.is_terminal and display_width(name) > _MAX_NAME:
            name = "\n".join(_AFTER_PART.split(name))
        found.append(Text(name, style=f"bold {_colour(place)}"))
    return found


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))


def _needed(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def _bands(columns: Sequence[_Column], width: int) -> Iterator[Sequence[_Column]]:
    """Yield the columns in as many groups as ``width`` asks for, each of at least one."""
    band: list[_Column] = []
    for column in columns:
        if band and _needed([*band, column]) > width:
            yield band
            band = []
        band.append(column)
    if band:
        yield band
