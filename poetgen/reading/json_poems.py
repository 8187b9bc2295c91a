"""Poems in JSON: the collection chinese-poetry in all its shapes, JSON lines, CCPC."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from typing import Any

from poetgen import limits
from poetgen.characters import punctuated, without_surrogates
from poetgen.errors import SourceError
from poetgen.reading.documents import RawPoem
from poetgen.reading.fields import TEXTS, fields_of, listed

# Book, part, chapter, section, poem; no book is deeper.
_MAX_DEPTH = 12
# All that is written in Chinese has a character from here on; letters come before.
_FIRST_CJK = "\u2e80"
_ADVICE = (
    'Give JSON as in the collection chinese-poetry, [{"title": "…", "author": "…", '
    f'"paragraphs": ["…"]}}]; paragraphs may also be called {listed(TEXTS[1:7])}.'
)
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


def read_chinese_poetry(text: str, name: str) -> list[RawPoem]:
    """Read a list of records, or one; those of books contain records.

    Raises:
        SourceError: this is not JSON, or a record has no poem.
        NoPoemsError: it is another file of the collection, such as a list of authors.
    """
    if sum(map(text.count, ",:[{")) > limits.MAX_JSON_VALUES:
        raise SourceError(
            f"{name} holds more than {limits.MAX_JSON_VALUES:,} values.",
            "Split it into several files.",
        )
    records = _parsed(text, name)
    records = records if isinstance(records, list) else [records]
    if records and not (isinstance(records[0], dict) and fields_of(tuple(records[0])).texts):
        kind = _companion_kind(records)
        if kind is not None:
            raise NoPoemsError(kind)
    places = ((f"Record {number} of {name}", record) for number, record in enumerate(records))
    return _read(places, text, name)


def read_json_lines(text: str, name: str) -> list[RawPoem]:
    """Read a record from each line.

    Raises:
        SourceError: a line is not JSON, too long, or has no poem.
    """
    lines = (
        (f"Line {number} of {name}", line)
        for number, line in enumerate(limits.split_lines(text, name), start=1)
        if line and not line.isspace()
    )
    return _read(((place, _parsed(line, place)) for place, line in lines), text, name)


def read_ccpc(text: str, name: str) -> list[RawPoem]:
    """Read JSON lines whose ``content`` has verses separated by ``|``, without punctuation.

    Punctuation is added: 白日依山尽|黄河入海流 is 白日依山尽，黄河入海流。

    Raises:
        SourceError: a line is not JSON, too long, or has no poem.
    """
    return [
        poem._replace(text=punctuated(poem.text.split("|"))) for poem in read_json_lines(text, name)
    ]


def _parsed(text: str, place: str) -> Any:
    advice = "Download the file again, or give --format plain if it is meant to be text."
    try:
        return json.loads(text)
    except ValueError as error:
        raise SourceError(f"{place} is not valid JSON: {error}.", advice) from error
    except RecursionError as error:
        raise SourceError(f"{place} is not valid JSON: it is nested too deeply.", advice) from error


def _companion_kind(records: list[Any]) -> str | None:
    """Return what ``records`` without poems are, if all are of one known kind."""
    if len(records) == 1 and _is_glyph_table(records[0]):
        return "a table of rare characters"
    for fields, kind in _COMPANIONS:
        if all(isinstance(record, dict) and record.keys() >= fields for record in records):
            return kind
    return None


def _is_glyph_table(record: Any) -> bool:
    """Recognise 表面结构字.json: each glyph, given by its parts, with a list of fonts."""
    if not isinstance(record, dict) or not all(isinstance(v, list) for v in record.values()):
        return False
    glyphs = [glyph for glyphs in record.values() for glyph in glyphs]
    return bool(glyphs) and all(
        isinstance(glyph, dict) and glyph.keys() >= {"font", "unicode"} for glyph in glyphs
    )


def _read(places: Iterable[tuple[str, Any]], text: str, name: str) -> list[RawPoem]:
    """Read the poems of records, each of which has a place that an error can name."""
    poems: list[RawPoem] = []
    for place, record in places:
        poems.extend(_poems_of(record, place))
        limits.ensure_few(len(poems), name)
    # JSON can spell half a character; hardly any file does.
    return [RawPoem(*map(without_surrogates, poem)) for poem in poems] if "\\" in text else poems


def _poems_of(
    record: Any, place: str, title: str = "", author: str = "", depth: int = 0
) -> list[RawPoem]:
    """Read the poem, or the poems, of one record; titles and authors are passed down."""
    if not isinstance(record, dict):
        raise SourceError(f"{place} is not an object with fields.", _ADVICE)
    fields = fields_of(tuple(record))
    if not fields.texts:
        raise SourceError(f"{place} has no poem in its fields ({listed(tuple(record))}).", _ADVICE)
    title = _first(record, fields.titles) or title
    author = _first(record, fields.authors) or author
    [field] = fields.texts
    content = record[field]
    if content is None or isinstance(content, str):
        return [RawPoem(content or "", title, author)]
    if isinstance(content, list):
        try:
            # Faster than looking whether all of them are strings.
            text = "".join(content)
        except TypeError:
            if all(isinstance(one, dict) for one in content):
                if depth == _MAX_DEPTH:
                    raise SourceError(f"{place} is nested too deeply.", _ADVICE) from None
                inner = (_poems_of(one, place, title, author, depth + 1) for one in content)
                return list(chain.from_iterable(inner))
        else:
            is_alphabetic = text and text[0] < _FIRST_CJK and max(text) < _FIRST_CJK
            return [RawPoem("\n".join(content) if is_alphabetic else text, title, author)]
    raise SourceError(f"{place} has no lines of text under {field!r}.", _ADVICE)


def _first(record: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = record[name]
        if value and isinstance(value, str):
            return value
    return ""
