"""Poems as text: with a title before each, one a line, or with blank lines between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from poetgen.characters import mostly_han, unix_newlines
from poetgen.errors import SourceError
from poetgen.limits import split_lines
from poetgen.reading.blocks import gather_poems
from poetgen.reading.documents import RawPoem, Reading
from poetgen.reading.headings import is_label
from poetgen.reading.letters import signed_all
from poetgen.reading.lines import Line, is_chinese, tidy
from poetgen.shortage import without_collector

_TITLED = re.compile(r"([^:：，。？！；]{1,80})[:：]\s*(\S.*)")
# A title may have marks, where other lines have shown that each begins with one.
_MARKED_TITLE = re.compile(r"([^:：]{1,120})[:：]\s*(\S.*)")
_DOUBLE_COLON = re.compile(r"::|：：")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_SPEECH = re.compile(r"[^:：]*[:：]\s")


def split_title(line: str) -> RawPoem | None:
    """Read a line ``title:content``; None if it is not one."""
    match = _MARKED_TITLE.fullmatch(line.strip())
    return RawPoem(match[2].strip(), match[1].strip()) if match else None


def split_title_author(line: str) -> RawPoem | None:
    """Read a line ``title::author::content``; None if it is not one."""
    parts = _DOUBLE_COLON.split(line, maxsplit=2)
    return RawPoem(*(parts[place].strip() for place in (2, 0, 1))) if len(parts) == 3 else None


def is_titled(line: str) -> bool:
    """Return whether a line is ``title:content``, and neither a speaker's nor a labelled field."""
    poem = split_title(line) if _TITLED.fullmatch(line.strip()) else None
    if poem is None or is_label(poem.title) or "《" in poem.title:
        return False
    return mostly_han(poem.text) or not _SPEECH.match(line)


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


@without_collector()
def read_plain(text: str, name: str) -> Reading:
    """Read poems between blank lines, with their titles and authors.

    Raises:
        SourceError: a line is too long.
    """
    lines = [Line(tidy(line)) for line in split_lines(text, name)]
    if is_chinese(lines):
        return gather_poems(lines)
    return Reading(list(signed_all(paragraphs(text, name))))


def paragraphs(text: str, name: str) -> list[RawPoem]:
    """Read what stands between blank lines; without any, one poem from each line.

    Raises:
        SourceError: a line is too long.
    """
    text = unix_newlines(text).strip()
    poems = split_lines(text, name)
    if _BLANK_LINE.search(text):
        poems = _BLANK_LINE.split(text)
    return [RawPoem(poem.strip("\n")) for poem in poems if poem.strip()]


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
