"""Poems in tables: a row for each poem, below a header that names the columns or without one."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from poetgen import limits
from poetgen.characters import END_MARKS, LINE_MARKS, mostly_han
from poetgen.errors import SourceError
from poetgen.reading.columns import (
    NUM_ROWS_LOOKED_AT,
    Columns,
    columns_by_content,
    columns_by_name,
    is_line,
    is_poem,
)
from poetgen.reading.documents import RawPoem, Reading
from poetgen.reading.fields import fields_of, listed
from poetgen.reading.raw_text import tidied, united
from poetgen.reading.tags import plain

if TYPE_CHECKING:
    from bs4 import Tag

# Enough to distinguish a table from a text with commas.
_LINES_LOOKED_AT = 50
# What Excel writes above a table: sep=;
_SEPARATOR_LINE = re.compile(r"sep=.\r?\n?", re.IGNORECASE)
_MARK = re.compile(f"[{LINE_MARKS}]")
_MAX_ROWS_ABOVE = 6
_NAME = re.compile(r"[^\W\d][\w .-]{0,29}")


class NoTableError(SourceError):
    """Rows of which no column is known to hold poems."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is laid out: its columns, its header if it has one, its width in cells.

    ``by_content`` says that the columns are recognised by what is in them.
    """

    columns: Columns
    header: tuple[str, ...]
    width: int
    by_content: bool = False

    def doubts(self, name: str) -> list[str]:
        """Return a sentence about a table whose columns have no known names."""
        if not self.by_content:
            return []
        unnamed = tuple(f"column {place + 1}" for place in range(self.width))
        names = self.header + unnamed[len(self.header) :]
        how = "" if self.header else "no header, and "
        return [f"{name} has {how}columns known by content: {self.columns.described(names)}."]


def layout_of(rows: Sequence[Sequence[str]]) -> Layout | None:
    """Return the layout of a table that begins with ``rows``; None if no column holds poems."""
    rows = [row for row in rows if any(row)]
    if not rows:
        return None
    header, *body = rows
    # The first poem of a table without a header may be called 诗.
    named = Columns() if any(map(is_poem, header)) else columns_by_name(header)
    if named.texts:
        columns = named if named.titles else columns_by_content(body, named) or named
        return Layout(columns, tuple(header), len(header), by_content=columns != named)
    width = max(map(len, rows))
    found = columns_by_content(body or rows, named)
    if found is None:
        return None
    are_verses = any(is_line(cell) for cell in header) and len(found.texts) > 1
    are_names = all(len(cell) < 20 and not _MARK.search(cell) for cell in header)
    if body and are_names and not are_verses:
        return Layout(found, tuple(header), width, by_content=True)
    found = columns_by_content(rows)
    return found and Layout(found, (), width, by_content=True)


def is_table(head: str, delimiter: str) -> bool:
    """Return whether a text begins like a table: as wide in most rows, with poems in a column.

    The poems are known by the name of the column or by their cells. A header of single words
    above rows that are all as wide is enough; reading then says what is missing.
    """
    lines = head.split("\n")[:_LINES_LOOKED_AT]
    if delimiter == "\t" and 2 * sum(line[:1] == "\t" for line in lines) >= len(lines):
        return False  # verses are indented below their titles
    if _SEPARATOR_LINE.fullmatch(lines[0]):
        return lines[0][4] == delimiter or delimiter == ";"
    try:
        rows = list(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter))
    except csv.Error:
        return False
    header, *rows = [row for row in rows if row] or [[]]
    fields = fields_of(tuple(header))
    if len(header) == 1:
        # The first line of a poem may well be the one word "poem".
        return bool(fields.texts) and len(lines) > 1 and lines[1].startswith('"')
    num_known = sum(map(bool, fields))
    # One known name may be chance, but names of columns are single words.
    are_words = bool(fields.texts) and not any(re.search(r"\s", cell) for cell in header)
    num_fitting = sum(len(row) == len(header) for row in rows)
    if (num_known >= 2 or are_words) and 2 * num_fitting >= len(rows) > 0:
        return True
    # Longer rows have commas within the poems, shorter ones no empty cells at their ends.
    if num_known >= 2 and fields.texts and rows:
        return min(map(len, rows)) > header.index(fields.texts[0])
    # The last row may be cut.
    return num_fitting >= len(rows) - 1 and _is_unknown_table([header, *rows])


def read_table(text: str, name: str, delimiters: str) -> Reading:
    """Read a table whose cells are separated by the commonest of ``delimiters`` in its header.

    Raises:
        SourceError: no column is known to hold poems, or a row is broken.
    """
    text = _SEPARATOR_LINE.sub("", text, count=1) if _SEPARATOR_LINE.match(text) else text
    header_line = text[: text.find("\n") + 1 or len(text)]
    rows = csv.reader(
        (f"{line}\n" for line in limits.split_lines(text, name)),
        delimiter=max(delimiters, key=header_line.count),
        strict=True,
    )
    with _long_cells():
        try:
            places = ((f"Line {rows.line_num} of {name}", row) for row in rows)
            reading = read_rows(places, name)
        except csv.Error as error:
            raise SourceError(
                f"Line {rows.line_num} of {name} is not a row of a table: {error}.",
                'Put quotation marks around such a cell, and "" for each one in it.',
            ) from error
    return reading._replace(poems=tidied(reading.poems, text, has_lines=True))


def read_rows(places: Iterable[tuple[str, Sequence[str]]], name: str) -> Reading:
    """Read the poems of rows, each with a place that an error can name.

    Raises:
        NoTableError: no column is known to hold poems.
        SourceError: a row has another width than the header.
    """
    rows = iter(places)
    first = list(islice(rows, NUM_ROWS_LOOKED_AT))
    num_above = _num_rows_above([row for _, row in first[:_MAX_ROWS_ABOVE]])
    first = first[num_above:]
    layout = layout_of([row for _, row in first])
    if layout is None:
        header = next((tuple(row) for _, row in first if any(row)), ())
        raise NoTableError(
            f"{name} has no column that is known to hold poems; it has {listed(header)}.",
            "Name the column of the poems text (or content, 正文) and give --format csv; or give "
            "--format plain if this is not a table.",
        )
    poems: list[RawPoem] = []
    num_empty, num_joined, is_below = 0, 0, not layout.header
    for place, row in chain(first, rows):
        if not any(row):
            num_empty += bool(row)
        elif not is_below:
            is_below = True
        else:
            if len(row) != layout.width:
                num_joined += len(row) > layout.width
                row = _fitted(row, layout, place)
            poems.append(layout.columns.poem(row))
    doubts = layout.doubts(name)
    if whole := united(poems):
        doubts.append(f"{name} has a verse in each row; those of equal titles are read as a poem.")
        poems = whole
    if num_joined:
        doubts.append(
            f"{num_joined} rows of {name} have more cells than the header: their verses are joined."
        )
    left_out = {"empty rows": num_empty, "rows above the header": num_above}
    return Reading(poems, {kind: num for kind, num in left_out.items() if num}, doubts)


def take_tables(page: Tag, name: str) -> Reading:
    """Read the tables of a page of HTML that hold poems, and take them out of the page.

    Raises:
        SourceError: a row has another width than the header.
    """
    poems: list[RawPoem] = []
    left_out: Counter[str] = Counter()
    doubts: list[str] = []
    for number, table in enumerate(page.find_all("table"), start=1):
        rows = [
            [plain(f"<br>{cell.decode_contents()}") for cell in row.find_all(["td", "th"])]
            for row in table.find_all("tr")
        ]
        layout = None if table.find("table") else layout_of(rows[:NUM_ROWS_LOOKED_AT])
        if layout is not None and (layout.header or any(layout.columns[1:])):
            place = f"table {number} of {name}"
            places = ((f"Row {line} of {place}", row) for line, row in enumerate(rows, start=1))
            found = read_rows(places, place)
            poems += tidied(found.poems, "", has_lines=True)
            left_out.update(found.left_out)
            doubts += found.doubts
            table.extract()
    return Reading(poems, left_out, doubts)


def _num_rows_above(rows: Sequence[Sequence[str]]) -> int:
    """Return how many rows, such as the name of the collection, stand above a known header."""
    for place, row in enumerate(rows):
        columns = columns_by_name(row)
        if columns.texts and (place == 0 or any(columns[1:])):
            return place
    return 0


def _fitted(row: Sequence[str], layout: Layout, place: str) -> Sequence[str]:
    """Join the verses of a poem whose commas made cells of them, in the last column.

    Raises:
        SourceError: the cells too many are not verses, or there are too few cells.
    """
    last = layout.width - 1
    if max(layout.columns.texts) < len(row) < layout.width:
        return row  # empty cells at the end
    if len(row) > layout.width and layout.columns.texts == (last,):
        verses = row[last:]
        if all(map(mostly_han, verses)):
            return [*row[:last], "，".join(verses)]
        if not any(verses[1:]):
            return row[: layout.width]
    raise SourceError(
        f"{place} has {len(row)} cells, but the header has {layout.width}.",
        "Put quotation marks around cells with the separator or a line break.",
    )


def _is_unknown_table(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows of one width are a table, though no column of poems is known by name."""
    header, *body = rows
    layout = layout_of(rows)
    if layout is None:
        is_named = any(cell.lower() == "id" or "_" in cell for cell in header)
        are_names = len(set(header)) == len(header) and all(map(_NAME.fullmatch, header))
        return len(body) > 1 and are_names and (is_named or any(columns_by_name(header)))
    # A text whose verses are separated by commas has no whole poem between two of them.
    columns = layout.columns
    poems = [columns.poem(row).text for row in (body if layout.header else rows)]
    num_whole = sum("\n" in poem or poem.rstrip()[-1:] in END_MARKS for poem in poems if poem)
    has_labels = any(columns[1:]) or bool(layout.header)
    if len(columns.texts) > 1:
        # Verses in columns of their own are sure below a title.
        has_labels = bool(columns.titles) and columns.titles < columns.texts
    return len(rows) > 1 and has_labels and 2 * num_whole > len(poems)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as a line; the limit belongs to the module csv, not to a reader."""
    usual = csv.field_size_limit(limits.MAX_LINE_CHARS)
    try:
        yield
    finally:
        csv.field_size_limit(usual)
