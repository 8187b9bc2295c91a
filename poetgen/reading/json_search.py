"""JSON of any shape: find the records, strings and lists that hold poems, however nested."""

from __future__ import annotations

from itertools import islice
from statistics import median
from typing import Any, NamedTuple

from poetgen import limits
from poetgen.characters import END_MARKS, mostly_han, printable
from poetgen.errors import SourceError
from poetgen.reading.columns import (
    NUM_ROWS_LOOKED_AT,
    columns_by_content,
    columns_by_name,
    is_dynasty,
    is_name,
    is_poem,
)
from poetgen.reading.documents import RawPoem, Reading
from poetgen.reading.fields import PARTS, Fields, fields_of, plain_name
from poetgen.reading.raw_text import verses_of
from poetgen.reading.records import ADVICE, MAX_DEPTH, first_value, label_of, poems_of
from poetgen.reading.tables import read_grid


class _Labels(NamedTuple):
    """What the fields and names around a value say about the poems in it."""

    title: str = ""
    author: str = ""
    dynasty: str = ""


def find_poems(value: Any, name: str) -> Reading:
    """Find the poems in parsed JSON; no poems if there are none.

    Records are recognised by the names of their fields, else by what the fields hold. An
    object may also have poems under their titles, and any of these under authors or dynasties.

    Raises:
        SourceError: the value is nested too deeply, or has too many poems.
    """
    search = _Search(name)
    search.visit(value, _Labels(), 0, "")
    left_out = {"records without a poem": search.num_without} if search.num_without else {}
    return Reading(search.poems, left_out, list(search.doubts))


class _Search:
    """The poems found so far, and what is uncertain about them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.poems: list[RawPoem] = []
        self.doubts: dict[str, None] = {}
        self.num_without = 0

    def visit(self, value: Any, labels: _Labels, depth: int, key: str | None) -> None:
        """Collect the poems in ``value``; ``key`` is its name, None if it is one of a list."""
        if depth > MAX_DEPTH:
            raise SourceError(f"{self.name} is nested too deeply.", ADVICE)
        if isinstance(value, dict):
            self._visit_object(value, labels, depth, key)
        elif isinstance(value, list) and value:
            if all(isinstance(one, str) for one in value):
                self._add_strings(value, labels, key)
            elif all(isinstance(one, dict) for one in value):
                self._visit_records(value, self._under(key, labels), depth)
            elif not self._add_rows(value):
                for one in value:
                    self.visit(one, self._under(key, labels), depth + 1, None)
        limits.ensure_few(len(self.poems), self.name)

    def _visit_object(
        self, record: dict[str, Any], labels: _Labels, depth: int, key: str | None
    ) -> None:
        fields = fields_of(tuple(record))
        if rows := rows_of_columns(record):
            self.visit(rows, labels, depth + 1, key)
            return
        if _has_lines(record, fields):
            self._add_record(record, labels, key)
            return
        # What stands above poems may be the life of their author.
        is_above = any(map(_holds_poems, record.values()))
        texts = {} if is_above else {name: one for name, one in record.items() if _is_one_poem(one)}
        num_strings = sum(isinstance(value, str) for value in record.values())
        if texts and 2 * len(texts) <= num_strings:
            self._visit_records([record], labels, depth)
            return
        if texts:
            self._doubt("names of fields are read as titles", next(iter(texts)))
            author, dynasty = self._under(key, labels)[1:]
            self.poems += [
                RawPoem(_in_lines(text), title, author, dynasty) for title, text in texts.items()
            ]
        labels = self._named(record, fields, self._under(key, labels, keep_title=True))
        for name, inner in record.items():
            if isinstance(inner, dict | list) and name not in texts:
                self.visit(inner, labels, depth + 1, name)

    def _add_record(self, record: dict[str, Any], labels: _Labels, key: str | None) -> None:
        """Add the poem of a record; its name is its title, or, if it has one, its author."""
        title = first_value(record, fields_of(tuple(record)).titles)
        if key and mostly_han(key) and not title:
            labels = labels._replace(title=key)
        elif title:
            labels = self._under(key, labels)
        self.poems += poems_of(record, self.name, *labels)

    def _visit_records(self, records: list[dict[str, Any]], labels: _Labels, depth: int) -> None:
        """Collect the poems of records; if no text has a known name, look at what fields hold."""
        is_known = any(_has_lines(record, fields_of(tuple(record))) for record in records)
        is_above = any(_holds_poems(value) for record in records for value in record.values())
        fields = None if is_known or is_above else self._fields_by_content(records)
        for record in records:
            num_before = len(self.poems)
            if fields is None:
                self.visit(record, labels, depth + 1, None)
            else:
                record = dict.fromkeys(field for role in fields for field in role) | record
                if _has_lines(record, fields):
                    self.poems += poems_of(record, self.name, *labels, fields)
            self.num_without += len(self.poems) == num_before

    def _fields_by_content(self, records: list[dict[str, Any]]) -> Fields | None:
        names = tuple(records[0])
        num_alike = sum(record.keys() == records[0].keys() for record in records)
        if len(records) > 1 and 2 * num_alike <= len(records):
            return None
        rows = [
            [_in_lines(record.get(name)) for name in names]
            for record in islice(records, NUM_ROWS_LOOKED_AT)
        ]
        columns = columns_by_content(rows, columns_by_name(names)._replace(texts=()))
        if columns is None:
            return None
        self._doubt("fields are known by their contents", columns.described(names), quoted=False)
        return Fields(*(tuple(names[place] for place in places) for places in columns))

    def _add_rows(self, value: list[Any]) -> bool:
        """Add the poems of lists of cells; return False if these are not rows of a table."""
        if not all(isinstance(row, list) for row in value):
            return False
        rows = [[_in_lines(cell) for cell in row] for row in value]
        reading = read_grid(rows, self.name)
        if reading is None:
            return False  # lists of verses
        self.poems += reading.poems
        self.doubts.update(dict.fromkeys(reading.doubts))
        return True

    def _add_strings(self, strings: list[str], labels: _Labels, key: str | None) -> None:
        """Add poems, or the verses of one."""
        has_title = key is None or mostly_han(key)
        verses = [len(verses_of(text)) for text in strings]
        if has_title and median(verses) <= 2 and is_poem("\n".join(strings)):
            title = labels.title if key is None else key
            self.poems += poems_of({"lines": strings}, self.name, title, *labels[1:])
            return
        poems = [text for text in strings if is_poem(text)]
        if poems and median(verses) <= 2 and not all(text[-1] in END_MARKS for text in poems):
            self._doubt("each string is read as a poem", poems[0][:20])
        self.num_without += len(strings) - len(poems)
        author, dynasty = self._under(key, labels)[1:]
        self.poems += [RawPoem(text, "", author, dynasty) for text in poems]

    def _named(self, record: dict[str, Any], fields: Fields, labels: _Labels) -> _Labels:
        """Add what the fields of an object say about the poems in it."""
        title = first_value(record, fields.titles) or labels.title
        owner = record.get("user")
        name = label_of(owner) or (owner.get("nickname") if isinstance(owner, dict) else "")
        author = first_value(record, fields.authors) or labels.author or name or ""
        dynasty = first_value(record, fields.dynasties) or labels.dynasty
        # A list of what an author wrote.
        if not author and is_name(title) and any(isinstance(one, list) for one in record.values()):
            title, author = "", title
        return _Labels(title, author, dynasty)

    def _under(self, key: str | None, labels: _Labels, *, keep_title: bool = False) -> _Labels:
        """Return the labels of poems that stand under ``key``: it may be a dynasty or an author.

        The title of an object with several poems is that of none of them.
        """
        labels = labels if keep_title else labels._replace(title="")
        if key and is_dynasty(key) and mostly_han(key):
            return labels._replace(dynasty=key)
        if key and is_name(key):
            self._doubt("names above poems are read as authors", key)
            return labels._replace(author=key)
        return labels

    def _doubt(self, what: str, example: str, *, quoted: bool = True) -> None:
        if not any(what in doubt for doubt in self.doubts):
            shown = f"such as {printable(example)!r}" if quoted else example
            self.doubts[f"In {self.name} {what}, {shown}."] = None


def rows_of_columns(record: dict[str, Any]) -> list[list[Any]] | None:
    """Return the rows of a table that is written by columns, as pandas does; None if it is not.

    ``{"title": {"0": …}, "text": {"0": …}}``, ``{"title": […], "text": […]}`` and
    ``{"columns": […], "data": [[…]]}`` are such tables. The header comes first.
    """
    names, data = record.get("columns"), record.get("data")
    if isinstance(names, list) and isinstance(data, list):
        return [names, *data]
    columns = list(record.values())
    fields = fields_of(tuple(record))
    if len(columns) < 2 or not (fields.texts and any(fields[1:])):
        return None
    if all(isinstance(column, dict) and column.keys() == columns[0].keys() for column in columns):
        columns = [list(column.values()) for column in columns]
    are_lists = all(isinstance(column, list) for column in columns)
    if not are_lists or len({len(column) for column in columns}) > 1 or len(columns[0]) < 2:
        return None
    return [list(record), *map(list, zip(*columns, strict=True))]


def _has_lines(record: dict[str, Any], fields: Fields) -> bool:
    """Return whether the text of a record is text, and not records, or an aside like "ok"."""
    if not fields.texts:
        return False
    content = record[fields.texts[0]]
    if isinstance(content, list):
        if plain_name(fields.texts[0]) in PARTS and all(isinstance(one, dict) for one in content):
            return bool(content)
        lines = [line for one in content for line in (one if isinstance(one, list) else [one])]
        return bool(lines) and all(isinstance(line, str) for line in lines)
    is_aside = any(isinstance(value, dict | list) for value in record.values())
    return isinstance(content, str) and bool(content) and (not is_aside or is_poem(content))


def _holds_poems(value: Any) -> bool:
    """Return whether this is a list of records with poems under known names."""
    return isinstance(value, list) and any(
        isinstance(one, dict)
        and _has_lines(one, fields := fields_of(tuple(one)))
        and is_poem(_in_lines(one[fields.texts[0]]))
        for one in value
    )


def _is_one_poem(value: Any) -> bool:
    """Return whether this is a poem: a text, or a list of its verses."""
    if isinstance(value, str):
        return is_poem(value)
    if not (isinstance(value, list) and value and all(isinstance(one, str) for one in value)):
        return False
    text = "\n".join(value)
    is_verse = mostly_han(text) or all(" " in line for line in value)
    return is_verse and median(len(verses_of(line)) for line in value) <= 2 and is_poem(text)


def _in_lines(value: Any) -> str:
    """Return a value of JSON as the text of a cell."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return label_of(value)
