"""Poems as text: with a title before each, one a line, or separated by blank lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from poetgen.characters import END_MARKS, LINE_MARKS, full_width, mostly_han, unix_newlines
from poetgen.errors import SourceError
from poetgen.limits import split_lines
from poetgen.reading.documents import RawPoem

_TITLED = re.compile(r"([^:：，。？！；]{1,80})[:：](\S.*)")
_DOUBLE_COLON = re.compile(r"::|：：")
_BLANK_LINE = re.compile(r"\n[ \t\u3000]*\n")


def split_title(line: str) -> RawPoem | None:
    """Read a line ``title:content``; None if it is not one."""
    match = _TITLED.fullmatch(line.strip())
    return RawPoem(match[2].strip(), match[1].strip()) if match else None


def split_title_author(line: str) -> RawPoem | None:
    """Read a line ``title::author::content``; None if it is not one."""
    parts = _DOUBLE_COLON.split(line, maxsplit=2)
    return RawPoem(*(parts[place].strip() for place in (2, 0, 1))) if len(parts) == 3 else None


def read_titled(
    text: str, name: str, split: Callable[[str], RawPoem | None], form: str
) -> list[RawPoem]:
    """Read a poem from each line with ``split``, which returns None if it is not in ``form``.

    Raises:
        SourceError: a line is not written so, or too long.
    """
    poems = []
    for number, line in enumerate(split_lines(text, name), start=1):
        if not line or line.isspace():
            continue
        poem = split(line)
        if poem is None:
            raise SourceError(
                f"Line {number} of {name} is not written {form}.",
                "Correct the line, or give --format plain if the poems have no titles.",
            )
        poems.append(poem)
    return poems


def read_plain(text: str, name: str) -> list[RawPoem]:
    """Read poems, or paragraphs, between blank lines; without any, one from each line.

    Raises:
        SourceError: a line is too long.
    """
    text = unix_newlines(text).strip()
    poems = split_lines(text, name)
    if _BLANK_LINE.search(text):
        poems = _BLANK_LINE.split(text)
    elif len(poems) > 1 and all(map(_may_be_verse, poems)) and mostly_han(text):
        # Verses of one poem on lines of their own, rather than one poem a line.
        poems = [text]
    return [_headed(poem.strip("\n")) for poem in poems if poem.strip()]


def _may_be_verse(line: str) -> bool:
    """Return whether a line may be one of several of a poem: short, or open at its end."""
    return len(line) < 8 or (line[-1] not in END_MARKS and len(line.split()) == 1)


def _headed(text: str) -> RawPoem:
    """Take a title, and an author, off the head of a Chinese poem.

    They stand on lines of their own before verses, which are recognised by their punctuation,
    or, if no line has any, by their one length, which the head does not have.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    for size in (1, 2):
        head, body = lines[:size], lines[size:]
        if len(body) >= 2 and _is_head(head, body):
            return RawPoem("\n".join(body), *head)
    if len(lines) in (2, 3) and _has_mark(lines[-1]) and not any(map(_has_mark, lines[:-1])):
        return RawPoem(lines[-1], *lines[:-1])
    return RawPoem(text)


def _is_head(head: Sequence[str], body: Sequence[str]) -> bool:
    if not mostly_han("".join(body)) or any(map(_has_mark, head)):
        return False
    if all(map(_has_mark, body)):
        return True
    lengths = {len(line) for line in body}
    is_metre = len(lengths) == 1 and not any(map(_has_mark, body)) and len(body) % 2 == 0
    return is_metre and not lengths & {len(line) for line in head}


def _has_mark(line: str) -> bool:
    return any(char in LINE_MARKS for char in full_width(line))


def is_prose(poems: Sequence[RawPoem]) -> bool:
    """Return whether texts are running prose: untitled paragraphs of letters, lines filled.

    Verse breaks its lines; the lines of prose are as long as the page allows, so most of
    them are nearly as long as the longest.
    """
    if not poems or any(poem.title for poem in poems):
        return False
    lines = [line for poem in poems for line in poem.text.splitlines()[:-1] if line.strip()]
    if len(lines) < 20 or mostly_han("".join(lines[:200])):
        return False
    lengths = sorted(map(len, lines))
    return lengths[len(lengths) // 2] >= 0.75 * lengths[len(lengths) * 99 // 100]
