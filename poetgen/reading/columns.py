"""Which column of a table holds the poems, their titles and authors: by name, else by content."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from poetgen.characters import HAN, LINE_MARKS, hanzi_only, mostly_han, printable
from poetgen.names import DOUBLE_FAMILY_NAMES, DYNASTIES, FAMILY_NAMES
from poetgen.reading.documents import RawPoem
from poetgen.reading.fields import fields_of, plain_name
from poetgen.reading.raw_text import verses_of
from poetgen.reading.tags import plain

# So many rows tell what a column holds.
NUM_ROWS_LOOKED_AT = 200

_LINE = re.compile(rf"[{HAN}]{{4,9}}[{LINE_MARKS}]?")
# Particles and pronouns that modern prose cannot do without, and classical verse can.
_PROSE = re.compile("[的了着著们們这這那吗嗎呢]")
_SENTENCE_MARK = re.compile("[，。？！；]")
_NO_VALUE = frozenset(
    ("", "nan", "null", "none", "nil", "n/a", "#n/a", "\\n", "-", "—", "无", "無")
)
_DYNASTY = re.compile(
    rf"\W?(?:{DYNASTIES})[代朝]?\W?|(?:tang|song|yuan|ming|qing|han|jin|sui)(?: dynasty)?"
)
# Those of two characters begin with a character that begins a name; so do two famous monks.
_SURNAMES = frozenset(FAMILY_NAMES) | {name[0] for name in DOUBLE_FAMILY_NAMES} | {"皎", "寒"}
_NAMELESS = frozenset(("佚名", "无名氏", "無名氏", "无名", "不详"))


class Columns(NamedTuple):
    """The places of the columns of a table.

    The cells of ``texts`` together are the poem; of the others the first that is not empty
    counts.
    """

    texts: tuple[int, ...] = ()
    titles: tuple[int, ...] = ()
    authors: tuple[int, ...] = ()
    dynasties: tuple[int, ...] = ()

    def poem(self, row: Sequence[str]) -> RawPoem:
        """Return the poem of a row, which may be shorter than the header."""
        cells = list(map(value_of, row))
        text = "\n".join(filter(None, (cells[place] for place in self.texts if place < len(cells))))
        labels = (
            (cells[place].strip() for place in places if place < len(cells)) for places in self[1:]
        )
        return RawPoem(text, *(next(filter(None, found), "") for found in labels))

    def described(self, names: Sequence[str]) -> str:
        """Return what is where, for a report: text 'poem_text', title 'poem_title'."""

        def name(place: int) -> str:
            # A row may be longer than the header.
            known = names[place][:30] if place < len(names) else f"column {place + 1}"
            return repr(printable(known))

        roles = zip(("text", "title", "author", "dynasty"), self, strict=True)
        return ", ".join(
            f"{role} {' and '.join(map(name, places))}" for role, places in roles if places
        )


def value_of(cell: str) -> str:
    """Return a cell, or nothing if it is a mark for a missing value, such as NaN or NULL."""
    return "" if len(cell) < 5 and cell.strip().lower() in _NO_VALUE else cell


def columns_by_name(names: Sequence[str]) -> Columns:
    """Return the columns whose names are known; of equal names the first comes first."""
    fields = fields_of(tuple(names))
    texts, *others = (
        [
            place
            for field in role
            for place, name in enumerate(names)
            if plain_name(name) == plain_name(field)
        ]
        for role in fields
    )
    return Columns(tuple(texts[:1] if len(fields.texts) == 1 else texts), *map(tuple, others))


def columns_by_content(rows: Sequence[Sequence[str]], known: Columns = Columns()) -> Columns | None:
    """Return the columns by what their cells are like; None if none of them holds poems.

    The text is the column that is mostly verse; a title is short, and different in most rows;
    an author has a surname in front; dynasties are known. What is ``known`` already stays.
    If the text is, only what is surely a title, an author or a dynasty is added.
    """
    width = max(map(len, rows), default=0)
    columns = [
        [value for row in rows if place < len(row) if (value := value_of(row[place]))]
        for place in range(width)
    ]
    taken = {place for places in known for place in places}
    free = [place for place in range(width) if columns[place] and place not in taken]
    texts = known.texts or _texts(columns, free)
    if not texts:
        return None
    labels = [p for p in free if p not in texts and _share(columns[p], _is_label) >= 0.8]
    dynasties = known.dynasties or _best(labels, lambda p: _share(columns[p], is_dynasty), 0.8)
    labels = [place for place in labels if place not in dynasties]
    authors = known.authors or _best(labels, lambda p: _share(columns[p], is_name), 0.5)
    labels = [place for place in labels if place not in authors]
    titles = known.titles or _best(
        labels, lambda p: len(set(columns[p])) / len(rows), 0.8 if known.texts else 0.5
    )
    return Columns(texts, titles, authors, dynasties)


def is_poem(text: str) -> bool:
    """Return whether a text is a whole poem: Chinese with verses, or lines of letters."""
    text = plain(text)
    if not mostly_han(text):
        return text.strip().count("\n") > 0
    lengths = [len(hanzi_only(verse)) for verse in verses_of(text)]
    if (
        len(lengths) < 2
        or sum(lengths) < 8
        or 2 * sum(length <= 16 for length in lengths) < len(lengths)
    ):
        return False
    return "\n" in text.strip() or "|" in text or 25 * len(_PROSE.findall(text)) <= sum(lengths)


def _texts(columns: Sequence[Sequence[str]], free: Sequence[int]) -> tuple[int, ...]:
    scores = {place: _share(columns[place], is_poem) for place in free}
    best = max(scores.values(), default=0.0)
    if best >= 0.5:
        # The longest, for a famous couplet may stand in a column of its own.
        near = [place for place in free if scores[place] >= 0.8 * best]
        return (max(near, key=lambda place: sum(map(len, columns[place]))),)
    parts = [place for place in free if _share(columns[place], is_line) >= 0.9]
    # Of verses between others some may be shorter.
    return tuple(p for p in free if parts[0] <= p <= parts[-1]) if len(parts) > 1 else ()


def is_line(text: str) -> bool:
    """Return whether a text is one Chinese verse, of four to nine characters."""
    return _LINE.fullmatch(text.strip()) is not None


def _is_label(text: str) -> bool:
    has_letter = any(char.isalpha() for char in text)
    return len(text) <= 40 and has_letter and not _SENTENCE_MARK.search(text) and "://" not in text


def is_dynasty(text: str) -> bool:
    """Return whether a text is a dynasty, such as 唐, 唐代, 〔北宋〕 or Tang."""
    return _DYNASTY.fullmatch(text.strip().lower()) is not None


def is_name(text: str) -> bool:
    """Return whether a text may well be the name of a Chinese author."""
    text = text.strip()
    return text in _NAMELESS or (2 <= len(text) <= 4 and text[0] in _SURNAMES)


def _share(cells: Sequence[str], test: Callable[[str], bool]) -> float:
    return sum(map(test, cells)) / len(cells)


def _best(places: Sequence[int], score: Callable[[int], float], least: float) -> tuple[int, ...]:
    """Return the place with the highest score, if that is at least ``least``."""
    best = max(places, key=score, default=None)
    return () if best is None or score(best) < least else (best,)
