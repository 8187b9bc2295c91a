"""Poems in JSON: the collection chinese-poetry in all its shapes, JSON lines, CCPC."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from poetgen import limits
from poetgen.characters import punctuated
from poetgen.errors import SourceError
from poetgen.reading.cells import tidied
from poetgen.reading.documents import RawPoem, Reading
from poetgen.reading.fields import fields_of
from poetgen.reading.json_search import find_poems, rows_of_columns
from poetgen.reading.records import poems_of

_BETWEEN_VALUES = re.compile(r"[\s,]*")
# A bar in Chinese text is read as a line break, as in any JSON.
_BARS = re.compile(r"[|\n]")
# Files of the collection without poems, which are JSON too, by the fields of all their records.
_COMPANIONS = (
    ({"name", "version"}, "the description of a package"),
    ({"name", "desc"}, "a list of authors"),
    ({"name", "description"}, "a list of authors"),
    ({"title", "desc"}, "an introduction"),
    ({"baidu", "google"}, "search ranks"),
    ({"strains", "id"}, "tone patterns"),
)


class NoPoemsError(Exception):
    """A file of a collection that holds something other than poems; the text says what."""


def read_chinese_poetry(text: str, name: str) -> Reading:
    """Read a list of records, or one; those of books contain records.

    JSON of another shape is searched for its poems.

    Raises:
        SourceError: this is not JSON, or a record has no poem.
        NoPoemsError: it is another file of the collection, such as a list of authors.
    """
    if sum(map(text.count, ",:[{")) > limits.MAX_JSON_VALUES:
        raise SourceError(
            f"{name} holds more than {limits.MAX_JSON_VALUES:,} values.",
            "Split it into several files.",
        )
    value = _parsed(text, name)
    records = value if isinstance(value, list) else [value]
    if records and not _has_text(records[0]):
        kind = _companion_kind(records)
        if kind is not None:
            raise NoPoemsError(kind)
    places = ((f"Record {number} of {name}", record) for number, record in enumerate(records))
    return _read(places, value, text, name)


def read_json_lines(text: str, name: str) -> Reading:
    """Read a record from each line.

    Raises:
        SourceError: a line is not JSON, too long, or has no poem.
    """
    places = [
        (place := f"Line {number} of {name}", _parsed(line, place))
        for number, line in enumerate(limits.split_lines(text, name), start=1)
        if line and not line.isspace()
    ]
    return _read(places, [record for _, record in places], text, name)


def read_ccpc(text: str, name: str) -> Reading:
    """Read JSON lines whose ``content`` has verses separated by ``|``, without punctuation.

    Punctuation is added: 白日依山尽|黄河入海流 is 白日依山尽，黄河入海流。

    Raises:
        SourceError: a line is not JSON, too long, or has no poem.
    """
    reading = read_json_lines(text, name)
    return reading._replace(
        poems=[poem._replace(text=punctuated(_BARS.split(poem.text))) for poem in reading.poems]
    )


def _parsed(text: str, place: str) -> Any:
    advice = "Download the file again, or give --format plain if it is meant to be text."
    try:
        return json.loads(text)
    except ValueError as error:
        values = _parsed_one_by_one(text)
        if values is not None:
            return values
        raise SourceError(f"{place} is not valid JSON: {error}.", advice) from error
    except RecursionError as error:
        raise SourceError(f"{place} is not valid JSON: it is nested too deeply.", advice) from error


def _parsed_one_by_one(text: str) -> list[Any] | None:
    """Return the objects, or lists, of a text that has several without brackets around them."""
    decoder, values, place = json.JSONDecoder(), [], 0
    while (place := _BETWEEN_VALUES.match(text, place).end()) < len(text):  # type: ignore[union-attr]
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict | list):
            return None
        values.append(value)
    return values


def _companion_kind(records: list[Any]) -> str | None:
    """Return what ``records`` without poems are, if all are of one known kind."""
    if len(records) == 1 and _is_glyph_table(records[0]):
        return "a table of rare characters"
    first = records[0]
    if isinstance(first, dict) and any(map(_has_records, first.values())):
        return None  # authors with their poems
    for fields, kind in _COMPANIONS:
        if all(isinstance(record, dict) and record.keys() >= fields for record in records):
            return kind
    return None


def _has_records(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _is_glyph_table(record: Any) -> bool:
    """Recognise 表面结构字.json: each glyph, given by its parts, with a list of fonts."""
    if not isinstance(record, dict) or not all(isinstance(v, list) for v in record.values()):
        return False
    glyphs = [glyph for glyphs in record.values() for glyph in glyphs]
    return bool(glyphs) and all(
        isinstance(glyph, dict) and glyph.keys() >= {"font", "unicode"} for glyph in glyphs
    )


def _read(places: Iterable[tuple[str, Any]], value: Any, text: str, name: str) -> Reading:
    """Read the poems of records, each of which has a place that an error can name.

    If none of them has a poem in its fields, ``value``, all of the source, is searched.
    """
    records = value if isinstance(value, list) else [value]
    if not any(map(_has_text, records)):
        found = find_poems(value, name)
        if found.poems:
            return tidied(found, text, name)
    poems: list[RawPoem] = []
    for place, record in places:
        poems.extend(poems_of(record, place))
        limits.ensure_few(len(poems), name)
    return tidied(Reading(poems), text, name)


def _has_text(record: Any) -> bool:
    if not isinstance(record, dict) or not fields_of(tuple(record)).texts:
        return False
    return rows_of_columns(record) is None
