"""Poems in workbooks (.xlsx): each sheet is a table, read by the rules of tables."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Any

from poetgen import limits
from poetgen.errors import SourceError
from poetgen.reading.blocks import gather_poems
from poetgen.reading.cells import tidied
from poetgen.reading.columns import NUM_ROWS_LOOKED_AT, columns_by_name, is_poem
from poetgen.reading.documents import Reading, united_readings
from poetgen.reading.lines import Line, spread
from poetgen.reading.tables import NoTableError, read_rows

if TYPE_CHECKING:
    from openpyxl import Workbook


def read_workbook(data: bytes, name: str) -> Reading:
    """Read the poems of all sheets of an ``.xlsx``: of formulas the value that was last saved.

    Raises:
        SourceError: it is damaged or too large, or no sheet has a column of poems.
    """
    # Imported late: most sources are no workbooks.
    import openpyxl

    found: list[Reading] = []
    problems: list[NoTableError] = []
    with limits.damage_reported(name), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about validations, colours and the like
        limits.ensure_unpacks_within(data, name)
        try:
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True, keep_links=False
            )
            for sheet in book.worksheets:
                # What a file says about its own dimensions may be wrong.
                sheet.reset_dimensions()
                place = f"{name}, sheet {sheet.title}"
                rows = _numbered(sheet.iter_rows(values_only=True), place)
                try:
                    reading = read_rows(rows, place, surely=True)
                except NoTableError as problem:
                    problems.append(problem)
                else:
                    found.append(tidied(reading, "<", place, has_lines=True))
                limits.ensure_few(sum(len(one.poems) for one in found), name)
            if not found and (text := _read_cells(book, name)):
                return text
        except (SyntaxError, TypeError, AttributeError) as error:  # of XML, and of odd parts
            raise ValueError(str(error)) from error
    if problems and not any(one.poems for one in found):
        raise SourceError(
            problems[0].problem,
            "Name the column of the poems text (or content, 正文); or save the sheet as text.",
        )
    if problems:
        found.append(Reading([], {"sheets without poems": len(problems)}))
    return united_readings(found)


def _read_cells(book: Workbook, name: str) -> Reading | None:
    """Return the poems of sheets that are running text, a line a cell; None if it is not verse.

    Each column is read for itself, unless it has labels for the one beside it.
    """
    lines: list[Line] = []
    for sheet in book.worksheets:
        rows = [row for _, row in _numbered(sheet.iter_rows(values_only=True), name)]
        if all(len(row) == 2 and any(columns_by_name(row[:1])) for row in rows if row):
            rows = [["：".join(row)] for row in rows]
        for column in zip_longest(*(row or [""] for row in rows), fillvalue=""):
            lines += [line for cell in column for line in spread(cell)] + [Line("")]
    found = gather_poems(lines)
    return found if found.poems and all(is_poem(poem.text) for poem in found.poems) else None


def _numbered(rows: Iterable[Sequence[Any]], name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows as texts, all as wide as the widest of the first ones.

    Raises:
        SourceError: there are too many cells, most of them empty.
    """
    cells = ([_text_of(value) for value in row] for row in rows)
    first = [_trimmed(row) for row in islice(cells, NUM_ROWS_LOOKED_AT)]
    width = max(map(len, first), default=0)
    num_cells = 0
    for number, row in enumerate(chain(first, cells), start=1):
        num_cells += len(row) + 1
        if num_cells > limits.MAX_JSON_VALUES:
            raise SourceError(
                f"{name} has more than {limits.MAX_JSON_VALUES:,} cells.",
                "Split it into several files.",
            )
        row = row[:width] if any(row) else []
        yield f"Row {number} of {name}", row + [""] * (width - len(row)) if row else row


def _trimmed(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row.pop()
    return row


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).replace("_x000D_", "")
