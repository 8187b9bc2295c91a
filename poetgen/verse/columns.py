"""A poem in columns from right to left, as poems were written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from poetgen.characters import LINE_MARKS
from poetgen.terminal import display_width
from poetgen.verse.layout import couplets

# Between two lines (句) that share a column.
BLANK = "\u3000"
# Characters in the longest column.
MAX_CHARS = 18
# Lines that have a column each, if they have the same length: those of 绝句 and 律诗.
_MAX_LINES = 8

_MARKS = re.compile(rf"[\s{LINE_MARKS}“”‘’「」『』《》〈〉（）—…·,.!?;:()]+")
_STANZA_BREAK = re.compile(r"\n\s*\n")


def columns(text: str) -> list[str]:
    """Return the columns of a poem, the first to be read first, without punctuation.

    A column is a line (句) in a poem of at most eight, all but perhaps the last of the same
    length. Else it is a sentence, such as a couplet, of at most ``MAX_CHARS`` characters, its
    lines set apart by an ideographic space. An empty column stands between two stanzas.
    """
    lines = _lines(text)
    is_short = len(lines) <= _MAX_LINES and len({len(line) for line in lines[:-1]}) < 2
    found: list[str] = []
    for stanza in _STANZA_BREAK.split(text):
        if found and _lines(stanza):
            found.append("")
        for sentence in couplets(stanza):
            found += _folded(_lines(sentence), together=not is_short)
    return found


def _lines(text: str) -> list[str]:
    return [line for line in _MARKS.split(text) if line]


def _folded(lines: Sequence[str], together: bool) -> list[str]:
    """Return columns of the lines, as few as hold them if lines may stand together."""
    folded: list[str] = []
    for line in lines:
        if together and folded and len(folded[-1]) + len(line) < MAX_CHARS:
            folded[-1] += BLANK + line
        else:
            folded += [line[at : at + MAX_CHARS] for at in range(0, len(line), MAX_CHARS)]
    return folded


def vertical(columns: Sequence[str], width: int) -> list[str]:
    """Return the rows that show ``columns`` in a terminal of ``width`` columns.

    Columns that do not fit beside each other continue in a band below, from the right again. A
    blank row stands between two bands.
    """
    at_once = max(1, (width + 2) // 4)
    widest = min(at_once, len(columns))
    rows: list[str] = []
    for first in range(0, len(columns), at_once):
        band = columns[first : first + at_once]
        rows += [""] if rows else []
        for place in range(max(map(len, band))):
            cells = [column[place : place + 1].replace(BLANK, "") for column in band]
            cells = [cell + " " * (2 - display_width(cell)) for cell in cells]
            cells += ["  "] * (widest - len(band))
            rows.append("  ".join(reversed(cells)).rstrip(" "))
    return rows
