"""A text in lines."""

from __future__ import annotations

from poetgen import limits
from poetgen.characters import unix_newlines
from poetgen.errors import SourceError


def lines_of(text: str, name: str) -> list[str]:
    r"""Split ``text`` at \n, \r\n and \r, and at no other character.

    Raises:
        SourceError: a line is longer than any poem, or paragraph of a book, or there are
            more than of any collection.
    """
    limits.ensure_few(num_lines_of(text), name, "lines")
    lines = unix_newlines(text).split("\n")
    if len(text) > limits.MAX_LINE_CHARS:
        for number, line in enumerate(lines, start=1):
            if len(line) > limits.MAX_LINE_CHARS:
                raise SourceError(
                    f"Line {number} of {name} has {len(line):,} characters.",
                    f"Break it into lines of {limits.MAX_LINE_CHARS:,} characters at most.",
                )
    return lines


def num_lines_of(text: str) -> int:
    """Count the lines, blank ones included."""
    newlines = text.count("\n")
    if "\r" in text:
        newlines += text.count("\r") - text.count("\r\n")
    return newlines + (not text.endswith(("\n", "\r")))
