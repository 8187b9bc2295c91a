"""The poems of one record of JSON, and of the records within it."""

from __future__ import annotations

from itertools import chain
from typing import Any

from poetgen.characters import LINE_MARKS, mostly_han
from poetgen.errors import SourceError
from poetgen.reading.documents import RawPoem
from poetgen.reading.fields import PARTS, TEXTS, Fields, fields_of, listed, plain_name
from poetgen.reading.raw_text import are_verses, joined, united

# Book, part, chapter, section, poem; no book is deeper.
MAX_DEPTH = 12
ADVICE = (
    'Give JSON as in the collection chinese-poetry, [{"title": "…", "author": "…", '
    f'"paragraphs": ["…"]}}]; paragraphs may also be called {listed(TEXTS[1:7])}.'
)
# All that is written in Chinese has a character from here on; letters come before.
_FIRST_CJK = "\u2e80"


def poems_of(
    record: Any,
    place: str,
    title: str = "",
    author: str = "",
    dynasty: str = "",
    fields: Fields | None = None,
    depth: int = 0,
) -> list[RawPoem]:
    """Read the poem, or the poems, of one record, whose ``place`` errors name.

    Title, author and dynasty are passed down to the records within. ``fields`` are those of
    this record if their names are not known.

    Raises:
        SourceError: this is not a record with a poem, or it is nested too deeply.
    """
    if not isinstance(record, dict):
        raise SourceError(f"{place} is not an object with fields.", ADVICE)
    fields = fields or fields_of(tuple(record))
    if not fields.texts:
        raise SourceError(f"{place} has no poem in its fields ({listed(tuple(record))}).", ADVICE)
    title = first_value(record, fields.titles) or title
    author = first_value(record, fields.authors) or author
    if fields.dynasties:
        dynasty = first_value(record, fields.dynasties) or dynasty
    elif fields.authors and isinstance(inner := record[fields.authors[0]], dict):
        dynasty = first_value(inner, fields_of(tuple(inner)).dynasties) or dynasty
    content = record[fields.texts[0]]
    if len(fields.texts) > 1:
        content = [label_of(record[field]) for field in fields.texts if record[field]]
    if isinstance(content, dict) and fields_of(tuple(content)).texts:
        content = [content]
    if isinstance(content, list):
        try:
            # Faster than looking whether all of them are strings.
            text = "".join(content)
        except TypeError:
            if all(isinstance(one, list) for one in content):
                # Stanzas, or verses that are lists themselves.
                flat = {**record, fields.texts[0]: list(chain.from_iterable(content))}
                depth = _below(depth, place)
                return poems_of(flat, place, title, author, dynasty, fields, depth)
            if all(isinstance(one, dict) for one in content):
                if lines := _lines_of(content):
                    return [RawPoem(_joined(lines, "".join(lines)), title, author, dynasty)]
                depth = _below(depth, place)
                within = [
                    poem
                    for one in content
                    for poem in poems_of(one, place, title, author, dynasty, depth=depth)
                ]
                if plain_name(fields.texts[0]) in PARTS and not any(map(_is_titled, content)):
                    text = "\n".join(poem.text for poem in within)
                    return [RawPoem(text, title, author, dynasty)]
                return united(within) or within
        else:
            return [RawPoem(_joined(content, text), title, author, dynasty)]
    elif content is None or isinstance(content, str) or content != content:  # NaN
        return [RawPoem(content if isinstance(content, str) else "", title, author, dynasty)]
    raise SourceError(f"{place} has no lines of text under {fields.texts[0]!r}.", ADVICE)


def first_value(record: dict[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of the values under ``names`` that is not empty, as text."""
    for name in names:
        value = record[name]
        if value and (isinstance(value, str) or (value := label_of(value))):
            return value
    return ""


def label_of(value: Any) -> str:
    """Return what is named: by a text or number, an object with a name, the first of a list."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        fields = fields_of(tuple(value))
        inner = (value[name] for name in chain(*fields[1:], fields.texts))
        return next((one for one in inner if isinstance(one, str) and one), "")
    if isinstance(value, list):
        return label_of(value[0]) if value and not isinstance(value[0], list) else ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return str(value) if is_number else ""


def _lines_of(records: list[dict[str, Any]]) -> list[str] | None:
    """Return the lines of records that hold one each, under a name like "line"; else None."""
    if any(any(fields_of(tuple(record))) for record in records):
        return None
    texts = [[one for one in record.values() if isinstance(one, str)] for record in records]
    # A translation, or the sounds, beside each line.
    texts = [[one for one in row if mostly_han(one)] or row for row in texts]
    return [one[0] for one in texts] if texts and all(len(one) == 1 for one in texts) else None


def _is_titled(record: dict[str, Any]) -> bool:
    return bool(fields_of(tuple(record)).titles)


def _below(depth: int, place: str) -> int:
    if depth == MAX_DEPTH:
        raise SourceError(f"{place} is nested too deeply.", ADVICE)
    return depth + 1


def _joined(lines: list[str], text: str) -> str:
    """Return the lines of a poem in one; those without marks at their ends stay lines."""
    if text and text[0] < _FIRST_CJK and max(text) < _FIRST_CJK:
        return "\n".join(lines)
    if len(lines) > 1 and (lines[0][-1:] not in LINE_MARKS or lines[1][-1:] not in LINE_MARKS):
        return joined(lines) if are_verses(lines) else text
    return text
