"""Poems in tables: a header that names the columns, then a row for each poem."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager

from poetgen import limits
from poetgen.errors import SourceError
from poetgen.reading.documents import RawPoem
from poetgen.reading.fields import TEXTS, fields_of, listed
from poetgen.reading.lines import lines_of

# By these a table is told from a text with commas.
_LINES_LOOKED_AT = 50


def read_csv(text: str, name: str) -> list[RawPoem]:
    """Read a table whose cells are parted by commas, or by semicolons as Excel may do.

    Raises:
        SourceError: no column is known to hold poems, or a row is broken.
    """
    header = text[: text.find("\n") + 1 or len(text)]
    return _read(text, name, ";" if header.count(";") > header.count(",") else ",")


def read_tsv(text: str, name: str) -> list[RawPoem]:
    """Read a table whose cells are parted by tabs.

    Raises:
        SourceError: no column is known to hold poems, or a row is broken.
    """
    return _read(text, name, "\t")


def is_table(head: str, delimiter: str) -> bool:
    """Return whether a text begins with a header that is known, and rows as wide as it."""
    lines = head.split("\n")[:_LINES_LOOKED_AT]
    try:
        rows = list(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter))
    except csv.Error:
        return False
    header, *rows = [row for row in rows if row] or [[]]
    fields = fields_of(tuple(header))
    if len(header) == 1:
        # The first line of a poem may well be the one word "poem".
        return fields.text is not None and len(lines) > 1 and lines[1].startswith('"')
    num_known = (fields.text is not None) + bool(fields.titles) + bool(fields.authors)
    # One known name may be chance; names of columns are words, though.
    are_words = fields.text is not None and not any(re.search(r"\s", cell) for cell in header)
    fitting = sum(len(row) == len(header) for row in rows)
    return (num_known >= 2 or are_words) and 2 * fitting >= len(rows) > 0


def _read(text: str, name: str, delimiter: str) -> list[RawPoem]:
    rows = csv.reader(
        (f"{line}\n" for line in lines_of(text, name)), delimiter=delimiter, strict=True
    )
    with _long_cells():
        try:
            header = next((row for row in rows if row), [])
            places = _places(header, name)
            return [
                _poem(row, header, places, f"Line {rows.line_num} of {name}") for row in rows if row
            ]
        except csv.Error as error:
            raise SourceError(
                f"Line {rows.line_num} of {name} is no row of a table: {error}.",
                'Put quotation marks around such a cell, and "" for each one in it.',
            ) from error


def _places(header: list[str], name: str) -> tuple[int, list[int], list[int]]:
    fields = fields_of(tuple(header))
    if fields.text is None:
        raise SourceError(
            f"{name} has no column that is known to hold poems; it has {listed(tuple(header))}.",
            f"Call the column of the poems {listed(TEXTS)}.",
        )
    return (
        header.index(fields.text),
        [header.index(title) for title in fields.titles],
        [header.index(author) for author in fields.authors],
    )


def _poem(
    row: list[str], header: list[str], places: tuple[int, list[int], list[int]], where: str
) -> RawPoem:
    if len(row) != len(header):
        raise SourceError(
            f"{where} has {len(row)} cells, but the header has {len(header)}.",
            "Put quotation marks around cells that have the separator or a line break in them.",
        )
    text, titles, authors = places
    title = next((row[place] for place in titles if row[place]), "")
    return RawPoem(row[text], title, next((row[place] for place in authors if row[place]), ""))


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as a line; the limit is the csv module's, not a reader's."""
    usual = csv.field_size_limit(limits.MAX_LINE_CHARS)
    try:
        yield
    finally:
        csv.field_size_limit(usual)
