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

# Enough to distinguish a table from a text with commas.
_LINES_LOOKED_AT = 50


def is_table(head: str, delimiter: str) -> bool:
    """Return whether a text begins with a known header, and rows as wide as it."""
    lines = head.split("\n")[:_LINES_LOOKED_AT]
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
    return (num_known >= 2 or are_words) and 2 * num_fitting >= len(rows) > 0


def read_table(text: str, name: str, delimiters: str) -> list[RawPoem]:
    """Read a table whose cells are separated by the commonest of ``delimiters`` in its header.

    Raises:
        SourceError: no column is known to hold poems, or a row is broken.
    """
    header_line = text[: text.find("\n") + 1 or len(text)]
    rows = csv.reader(
        (f"{line}\n" for line in limits.split_lines(text, name)),
        delimiter=max(delimiters, key=header_line.count),
        strict=True,
    )
    poems = []
    with _long_cells():
        try:
            header = next((row for row in rows if row), [])
            fields = fields_of(tuple(header))
            if not fields.texts:
                raise SourceError(
                    f"{name} has no column that is known to hold poems; it has "
                    f"{listed(tuple(header))}.",
                    f"Call the column of the poems {listed(TEXTS)}.",
                )
            # Of the text, the title, the author; of each the first cell that is not empty counts.
            columns = [[header.index(field) for field in names] for names in fields]
            for row in rows:
                if len(row) not in (0, len(header)):
                    raise SourceError(
                        f"Line {rows.line_num} of {name} has {len(row)} cells, but the header "
                        f"has {len(header)}.",
                        "Put quotation marks around cells with the separator or a line break.",
                    )
                if row:
                    cells = (next((row[i] for i in column if row[i]), "") for column in columns)
                    poems.append(RawPoem(*cells))
        except csv.Error as error:
            raise SourceError(
                f"Line {rows.line_num} of {name} is not a row of a table: {error}.",
                'Put quotation marks around such a cell, and "" for each one in it.',
            ) from error
    return poems


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as a line; the limit belongs to the module csv, not to a reader."""
    usual = csv.field_size_limit(limits.MAX_LINE_CHARS)
    try:
        yield
    finally:
        csv.field_size_limit(usual)
