"""Poems in tables: a row for each poem, below a header that names the columns or without one."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from poetgen import limits
from poetgen.characters import END_MARKS, LINE_MARKS, hanzi_only, mostly_han
from poetgen.errors import SourceError
from poetgen.reading.cells import tidied
from poetgen.reading.columns import (
    NUM_ROWS_LOOKED_AT,
    Columns,
    columns_by_content,
    columns_by_name,
    is_line,
    is_poem,
)
from poetgen.reading.documents import Aside, RawPoem, Reading, united_readings
from poetgen.reading.fields import fields_of, listed
from poetgen.reading.raw_text import united, verses_of
from poetgen.reading.tags import plain

if TYPE_CHECKING:
    from bs4 import Tag

# Enough to distinguish a table from a text with commas.
_LINES_LOOKED_AT = 50
# What Excel writes above a table: sep=;
_SEPARATOR_LINE = re.compile(r"sep=.\r?\n?", re.IGNORECASE)
_MARK = re.compile(f"[{LINE_MARKS}]")
_MAX_ROWS_ABOVE = 10
_HEAD_CHARS = 20_000
_MAX_NAME_CHARS = 20
_NAME = re.compile(r"[^\W\d][\w .-]{0,29}")


class NoTableError(SourceError):
    """Rows of which no column is known to hold poems."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is laid out: its columns, its header if it has one, its width in cells.

    ``by_content`` says that the columns are recognised by what is in them, ``num_above`` how
    many rows, such as the name of the collection, stand above.
    """

    columns: Columns
    header: tuple[str, ...]
    width: int
    by_content: bool = False
    num_above: int = 0

    @property
    def described(self) -> str:
        """What the columns hold: text 'poem_text', title 'poem_title'."""
        names = [*self.header, *[""] * (self.width - len(self.header))]
        return self.columns.described(
            [name or f"column {place}" for place, name in enumerate(names, start=1)]
        )

    @property
    def is_sure(self) -> bool:
        """Whether this cannot well be running text, with its lines in cells."""
        is_named = bool(self.header) and (self.width > 1 or not self.by_content)
        return any(self.columns[1:]) or (is_named and len(self.columns.texts) == 1)

    def doubts(self, name: str) -> list[str]:
        """Return a sentence about a table whose columns have no known names."""
        how = "" if self.header else "no header, and "
        doubt = f"{name} has {how}columns known by content: {self.described}."
        return [doubt] if self.by_content else []

    def lacks_poem(self, row: Sequence[str]) -> bool:
        """Return whether a row is the header again, a sum, a remark, the name of a part.

        It is not verse, and is a number, or lacks half of the cells or most of the labels that
        others have: of two or three there is one at most. A title with an empty text is an
        empty poem.
        """
        if tuple(row) == self.header:
            return True
        text = "\n".join(row[place] for place in self.columns.texts).strip()
        is_number = re.search(r"\d", text or "".join(row)) is not None
        is_long = len(hanzi_only(text)) >= 8 or text[-1:] in END_MARKS
        is_verse = is_line(text) or (is_long and len(verses_of(text)) > 1)
        if is_verse or (any(map(str.isalpha, text)) and not mostly_han(text)):
            return False
        labels = [
            any(row[p].strip() for p in places if p < len(row)) for places in self.columns[1:]
        ]
        num_needed = min(sum(map(bool, self.columns[1:])), 2) or not text
        is_bare = self.width > 2 and 2 * sum(map(bool, row)) <= self.width
        return sum(labels) < num_needed or is_bare or is_number

    def continues(self, poem: RawPoem) -> bool:
        """Return whether a row is a verse or two of the poem above it: it has no label."""
        is_bare = bool(self.columns.titles) and not any(poem[1:])
        return is_bare and len(verses_of(poem.text)) <= 2 and mostly_han(poem.text)


def layout_of(rows: Sequence[Sequence[str]]) -> Layout | None:
    """Return the layout of a table that begins with ``rows``; None if no column holds poems."""
    num_above = _num_rows_above(rows[:_MAX_ROWS_ABOVE])
    found = _layout_below([row for row in rows[num_above:] if any(row)])
    return found and replace(found, num_above=num_above)


def _layout_below(rows: Sequence[Sequence[str]]) -> Layout | None:
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
    num_indented = sum(line[:1] == "\t" and "\t" not in line.strip("\t") for line in lines)
    if delimiter == "\t" and 2 * num_indented >= len(lines):
        return False  # verses are indented below their titles
    if _SEPARATOR_LINE.fullmatch(lines[0]):
        return lines[0][4] == delimiter or delimiter == ";"
    try:
        rows = list(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter))
    except csv.Error:
        return False
    rows = [row for row in rows if row]
    header, *rows = rows[_num_rows_above(rows[:_MAX_ROWS_ABOVE]) :] or [[]]
    fields = fields_of(tuple(header))
    if len(header) == 1:
        # The first line of a poem may well be the one word "poem".
        return bool(fields.texts) and len(lines) > 1 and lines[1].startswith('"')
    num_known = sum(map(bool, fields))
    if num_known >= 2:  # a line break within a poem has no quotation marks around it
        rows = [row for row in rows if len(row) > 1 or not mostly_han(row[0])]
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
    head, header_line = text[:_HEAD_CHARS], text[: text.find("\n") + 1 or len(text)]
    # The first line may stand above the table.
    found = (one for one in delimiters if is_table(head, one))
    rows = csv.reader(
        (f"{line}\n" for line in limits.split_lines(text, name)),
        delimiter=next(found, max(delimiters, key=header_line.count)),
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
    return tidied(reading, text, name, has_lines=True)


def read_rows(
    places: Iterable[tuple[str, Sequence[str]]], name: str, *, surely: bool = False
) -> Reading:
    """Read the poems of rows, each with a place that an error can name.

    With ``surely``, a table has a column of labels, or one of texts below a name.

    Raises:
        NoTableError: no column is known to hold poems.
        SourceError: a row has another width than the header.
    """
    rows = iter(places)
    first = list(islice(rows, NUM_ROWS_LOOKED_AT))
    layout = layout_of([row for _, row in first])
    if layout is None or (surely and not layout.is_sure):
        header = next((tuple(row) for _, row in first if any(row)), ())
        raise NoTableError(
            f"{name} has no column that is known to hold poems; it has {listed(header)}.",
            "Name the column of the poems text (or content, 正文) and give --format csv; or give "
            "--format plain if this is not a table.",
        )
    poems: list[RawPoem] = []
    asides = [
        Aside("rows above the header", " ".join(filter(None, row)))
        for _, row in first[: layout.num_above]
    ]
    num_empty, num_joined, num_continued, is_below = 0, 0, 0, not layout.header
    for place, row in chain(first[layout.num_above :], rows):
        if len(row) == 1 < layout.width and mostly_han(row[0]):
            row = [*[""] * max(layout.columns.texts), *row]  # a line of the text above
        if not any(map(str.strip, row)):
            num_empty += bool(row)
        elif not is_below:
            is_below = True
        elif columns := _columns_of_header(row):
            layout = replace(layout, columns=columns)
        elif len(row) > max(layout.columns.texts) and layout.lacks_poem(row):
            asides.append(Aside("rows without a poem", " ".join(filter(None, row))))
        else:
            while len(row) > layout.width and not row[-1]:
                row = row[:-1]
            if len(row) != layout.width:
                num_joined += len(row) > layout.width
                row = _fitted(row, layout, place)
            poem = layout.columns.poem(row)
            if poems and layout.continues(poem):
                num_continued += 1
                poems[-1] = poems[-1]._replace(text=f"{poems[-1].text}\n{poem.text}")
            else:
                poems.append(poem)
    doubts = layout.doubts(name)
    if whole := united(poems):
        doubts.append(f"{name} has a verse in each row; those of equal titles are read as a poem.")
        poems = whole
    for num, what in (
        (num_joined, "more cells than the header: their verses are joined"),
        (num_continued, "a verse or two and no title: they go on with the poem above"),
    ):
        doubts += [f"{num} rows of {name} have {what}."] if num else []
    left_out = Counter(aside.kind for aside in asides) + Counter({"empty rows": num_empty})
    return Reading(poems, left_out, doubts, asides, layout.described)


def take_tables(page: Tag, name: str) -> Reading:
    """Read the tables of a page of HTML that hold poems, and take them out of the page."""
    found = []
    for number, table in enumerate(page.find_all("table"), start=1):
        place = f"table {number} of {name}"
        if not table.find("table") and (one := read_grid(_rows_of(table), place)):
            found.append(one)
            table.extract()
    return united_readings(found)


def _rows_of(table: Tag) -> list[list[str]]:
    """Return the texts of the cells; one that goes over several rows, at the left, is in all."""
    is_merged = table.find(rowspan=True) is not None
    rows: list[list[str]] = []
    for row in table.find_all("tr"):
        cells = [plain(f"<br>{cell.decode_contents()}") for cell in row.find_all(["td", "th"])]
        num_above = max(len(rows[-1]) - len(cells), 0) if rows and is_merged else 0
        rows.append((rows[-1][:num_above] if num_above and len(cells) > 1 else []) + cells)
    return rows


def read_grid(rows: Sequence[Sequence[str]], name: str) -> Reading | None:
    """Read a table of a page or a Word file; None if its rows are not surely poems.

    Rows may lack their last cells.
    """
    width = max(map(len, rows), default=0)
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    places = ((f"Row {line} of {name}", row) for line, row in enumerate(rows, start=1))
    try:
        return tidied(read_rows(places, name, surely=True), "<", name, has_lines=True)
    except NoTableError:
        return None


def beside_tables(tables: Reading, rest: Reading) -> Reading:
    """Return the poems of the tables of a page, and those of the text around them.

    Beside tables of poems, only what is surely verse is a poem.
    """
    if not tables.poems:
        return rest
    prose = [poem.text for poem in rest.poems if not is_poem(poem.text)]
    verse = [poem for poem in rest.poems if is_poem(poem.text)]
    around = rest._replace(poems=verse, doubts=rest.doubts if verse else [])
    asides = [Aside("prose", text) for text in prose]
    left_out: Counter[str] = Counter(aside.kind for aside in asides)
    return united_readings([tables, around, Reading([], left_out, asides=asides)])


def _num_rows_above(rows: Sequence[Sequence[str]]) -> int:
    """Return how many rows, such as the name of the collection, stand above a table.

    The header is the row with the most known names; without any, rows of one cell stand above
    those of several.
    """
    num_known = [sum(map(bool, columns_by_name(row))) for row in rows]
    if max(num_known, default=0) > 1:
        return num_known.index(max(num_known))
    filled = [[cell for cell in row if cell.strip()] for row in rows]
    if max(map(len, filled), default=0) < 2 or 1 in num_known:
        return 0
    return next(
        place for place, cells in enumerate(filled) if len(cells) > 1 or any(map(is_poem, cells))
    )


def _columns_of_header(row: Sequence[str]) -> Columns | None:
    """Return the columns if a row is the header of another table, below the first one."""
    if max(map(len, row)) > _MAX_NAME_CHARS:
        return None
    columns = columns_by_name(row)
    return columns if columns.texts and any(columns[1:]) else None


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
    has_lines = any("\n" in cell for row in rows for cell in row)
    has_labels = any(columns[1:]) or bool(layout.header) or has_lines
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
