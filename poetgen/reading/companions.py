"""Files that lie beside the poems of a collection without being poems.

The collection chinese-poetry has lists of authors, search ranks, tone patterns and more,
all in JSON like the poems. They are told by their fields, so that any other file that has
no poems is still an error.
"""

from __future__ import annotations

from typing import Any

_KINDS = (
    ({"name", "version"}, "the description of a package"),
    ({"name", "desc"}, "a list of authors"),
    ({"name", "description"}, "a list of authors"),
    ({"title", "desc"}, "an introduction"),
    ({"baidu", "google"}, "search ranks"),
    ({"strains", "id"}, "tone patterns"),
)


def companion_kind(records: list[Any]) -> str | None:
    """Say what ``records`` without poems are, if all are of one kind that is known."""
    if len(records) == 1 and _is_glyph_table(records[0]):
        return "a table of rare characters"
    for fields, kind in _KINDS:
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
