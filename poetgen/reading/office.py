"""Poems in Word files (.docx): paragraphs, headings and the cells of tables."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from poetgen import limits
from poetgen.errors import SourceError
from poetgen.reading.blocks import gather_poems
from poetgen.reading.columns import columns_by_name
from poetgen.reading.documents import Reading, united_readings
from poetgen.reading.lines import Line, spread, tidy
from poetgen.reading.tables import beside_tables, read_grid

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from docx.table import Table, _Row
    from docx.text.paragraph import Paragraph

_HEADING_STYLE = re.compile(r"(?:Heading|标题|標題)\s*(\d)|(Title|Subtitle|标题|副标题)$")


def read_docx(data: bytes, name: str) -> Reading:
    """Read the poems of a Word file; headers, footers, footnotes and text boxes are not read.

    Raises:
        SourceError: it is damaged or too large, has no text, or the library is not installed.
    """
    try:
        import docx  # late, and an extra: it brings lxml with it
    except ImportError as error:
        raise SourceError(
            f"{name} is a Word file, and the library that reads it is not installed.",
            "Install it with pip install 'poetgen[office]', or save the file as text (UTF-8).",
        ) from error
    with limits.damage_reported(name):
        limits.ensure_unpacks_within(data, name)
        try:
            tables: list[Reading] = []
            lines = list(_lines(docx.Document(io.BytesIO(data)), name, tables))
        except (SyntaxError, AttributeError, TypeError) as error:  # of XML that is not Word's
            raise ValueError(str(error)) from error
    limits.ensure_few(len(lines), name, "lines")
    if not tables and not any(line.text for line in lines):
        raise SourceError(f"{name} is empty.", "Give a file with at least a few poems.")
    return beside_tables(united_readings(tables), gather_poems(lines))


def _lines(holder: WordDocument, name: str, tables: list[Reading]) -> Iterator[Line]:
    """Yield the lines of a file, and add to ``tables`` those tables that have a poem a row."""
    from docx.table import Table

    num_tables = 0
    for part in holder.iter_inner_content():
        if not isinstance(part, Table):
            yield from _paragraph_lines(part)
            continue
        num_tables += 1
        if found := read_grid(list(map(_cells, part.rows)), f"table {num_tables} of {name}"):
            tables.append(found)
        else:
            yield from _table_lines(part)


def _cells(row: _Row) -> list[str]:
    """Return the cells of a row; one that goes over several columns is not repeated."""
    texts = [cell.text.strip() for cell in row.cells]
    return ["" if place and text == texts[place - 1] else text for place, text in enumerate(texts)]


def _table_lines(table: Table) -> Iterator[Line]:
    """Yield a row as a block: title, author and poem may be cells beside each other."""
    for row in table.rows:
        # Merged cells are listed more than once.
        cells = {cell.text: cell for cell in row.cells}
        if len(cells) == 2 and any(columns_by_name(list(cells)[:1])):  # 题目 | 静夜思
            yield from spread("：".join(cells))
            continue
        yield Line("")
        for cell in cells.values():
            for paragraph in cell.paragraphs:
                yield from _paragraph_lines(paragraph)
    yield Line("")


def _paragraph_lines(paragraph: Paragraph) -> Iterator[Line]:
    style = paragraph.style.name if paragraph.style is not None else None
    heading = _HEADING_STYLE.match(style or "")
    text = paragraph.text
    if heading and text.strip():
        level = int(heading[1]) + 1 if heading[1] else 1
        yield from (Line(""), Line(tidy(text.replace("\n", " ")), "heading", level), Line(""))
    else:
        runs = [run for run in paragraph.runs if run.text.strip()]
        is_bold = bool(runs) and all(run.bold for run in runs) and "\n" not in text
        yield from [Line(tidy(text), "bold")] if is_bold else spread(text)
