"""Poems in JSON: the collection chinese-poetry in all its shapes, JSON lines, CCPC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from poetgen import limits
from poetgen.characters import punctuated, without_surrogates
from poetgen.errors import SourceError
from poetgen.reading.companions import companion_kind
from poetgen.reading.documents import RawPoem
from poetgen.reading.fields import TEXTS, fields_of, listed
from poetgen.reading.lines import lines_of

# Book, part, chapter, section, poem; what is deeper is no book.
_MAX_DEPTH = 12
# All that is written in Chinese has a character from here on; letters come before.
_FIRST_CJK = "\u2e80"
_ADVICE = (
    'Give JSON as in the collection chinese-poetry, [{"title": "…", "author": "…", '
    f'"paragraphs": ["…"]}}]; for paragraphs there may be {listed(TEXTS[1:7])}.'
)


class NoPoemsError(Exception):
    """A file of a collection that holds something else; the text says what."""


def read_chinese_poetry(text: str, name: str) -> list[RawPoem]:
    """Read a list of records, or one; in books they have records within.

    Raises:
        SourceError: this is not JSON, or a record has no poem.
        NoPoemsError: none has one, for it is something else out of the collection.
    """
    if sum(map(text.count, ",:[{")) > limits.MAX_JSON_VALUES:
        raise SourceError(
            f"{name} holds more than {limits.MAX_JSON_VALUES:,} values.",
            "Split it into several files.",
        )
    records = _parsed(text, name)
    records = records if isinstance(records, list) else [records]
    if records and not (isinstance(records[0], dict) and fields_of(tuple(records[0])).text):
        kind = companion_kind(records)
        if kind is not None:
            raise NoPoemsError(kind)
    poems: list[RawPoem] = []
    for number, record in enumerate(records):
        try:
            poems.extend(_poems_of(record))
        except _NotAPoemError as error:
            raise SourceError(f"Record {number} of {name} {error}.", _ADVICE) from None
    return _scrubbed(poems, text)


def read_json_lines(text: str, name: str) -> list[RawPoem]:
    """Read a record from each line.

    Raises:
        SourceError: a line is not JSON, too long, or has no poem.
    """
    poems: list[RawPoem] = []
    for number, line in enumerate(lines_of(text, name), start=1):
        if not line or line.isspace():
            continue
        try:
            poems.extend(_poems_of(_parsed(line, f"Line {number} of {name}")))
        except _NotAPoemError as error:
            raise SourceError(f"Line {number} of {name} {error}.", _ADVICE) from None
        limits.ensure_few(len(poems), name)
    return _scrubbed(poems, text)


def read_ccpc(text: str, name: str) -> list[RawPoem]:
    """Read JSON lines whose ``content`` has its verses parted by ``|``, without marks.

    The marks are put in: 白日依山尽|黄河入海流 is 白日依山尽，黄河入海流。

    Raises:
        SourceError: a line is not JSON, too long, or has no poem.
    """
    return [
        poem._replace(text=punctuated(poem.text.split("|"))) for poem in read_json_lines(text, name)
    ]


class _NotAPoemError(Exception):
    """A record in which no poem is found; the text says why, after "Record 3 of … "."""


def _parsed(text: str, what: str) -> Any:
    advice = "Fetch the file again, or give --format plain if it is meant to be text."
    try:
        return json.loads(text)
    except ValueError as error:
        raise SourceError(f"{what} is not valid JSON: {error}.", advice) from error
    except RecursionError as error:
        raise SourceError(f"{what} is not valid JSON: it is nested too deeply.", advice) from error


def _poems_of(record: Any, title: str = "", author: str = "", depth: int = 0) -> list[RawPoem]:
    """Read the poem, or the poems, of one record; titles and authors are handed down."""
    if not isinstance(record, dict):
        raise _NotAPoemError("is not an object with fields")
    fields = fields_of(tuple(record))
    if fields.text is None:
        raise _NotAPoemError(f"has no poem in its fields ({listed(tuple(record))})")
    title = _first(record, fields.titles) or title
    author = _first(record, fields.authors) or author
    content = record[fields.text]
    if isinstance(content, str):
        return [RawPoem(content, title, author)]
    if content is None:
        return [RawPoem("", title, author)]
    if not isinstance(content, list):
        raise _NotAPoemError(f"has no lines of text under {fields.text!r}")
    try:
        # That all of them are strings need not be looked at beforehand.
        text = "".join(content)
    except TypeError:
        return list(_nested(content, fields.text, title, author, depth))
    if text and text[0] < _FIRST_CJK and max(text) < _FIRST_CJK:
        text = "\n".join(content)
    return [RawPoem(text, title, author)]


def _nested(
    content: list[Any], field: str, title: str, author: str, depth: int
) -> Iterator[RawPoem]:
    if not all(isinstance(one, dict) for one in content):
        raise _NotAPoemError(f"has no lines of text under {field!r}")
    if depth == _MAX_DEPTH:
        raise _NotAPoemError("is nested too deeply")
    for one in content:
        yield from _poems_of(one, title, author, depth + 1)


def _first(record: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = record[name]
        if value and isinstance(value, str):
            return value
    return ""


def _scrubbed(poems: list[RawPoem], text: str) -> list[RawPoem]:
    # JSON can spell half a character; hardly any file does.
    if "\\" not in text:
        return poems
    return [RawPoem(*map(without_surrogates, poem)) for poem in poems]
