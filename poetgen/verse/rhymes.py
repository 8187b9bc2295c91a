"""Rhyme books (韵书): the rhyme groups (韵部) and tones (平仄) of characters.

A book is a text file in ``tables/``, which ``tools/make_rhymes.py`` makes and docs/verse.md
explains. Lines that begin with ``#`` say where the facts come from. Up to an empty line, each
line is a group: title, name, tone. After it, each line is the titles of some groups and the
characters that have a reading in each of them and in no other; readings in brackets are not
usual in verse.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

Tone = Literal["平", "仄"]
RhymeBookName = Literal["pingshui", "new", "cilin"]

TABLES = Path(__file__).parent / "tables"


class RhymeGroup(NamedTuple):
    """A rhyme group (韵部): its name (东), the tone of its characters, its title (上平一东).

    No two groups of a book have the same title, nor the same name and tone.
    """

    name: str
    tone: Tone
    title: str


# The groups and tones of all readings of a character, and those of its usual ones. A plain tuple:
# a book makes a thousand of them as it loads.
_Readings = tuple[frozenset[int], frozenset[Tone], frozenset[int], frozenset[Tone]]
_UNKNOWN: _Readings = (frozenset(), frozenset(), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class RhymeBook:
    """A rhyme book (韵书). Characters are looked up as they are, simplified or traditional.

    A simplified character has the readings of all the traditional ones that it stands for.
    """

    name: RhymeBookName
    groups: tuple[RhymeGroup, ...]
    _readings: Mapping[str, _Readings] = field(repr=False)

    def groups_of(self, char: str) -> frozenset[int]:
        """Return the groups, as indices into ``groups``, of every reading of a character.

        A character that is not in the book has none.
        """
        return self._readings.get(char, _UNKNOWN)[0]

    def tones_of(self, char: str) -> frozenset[Tone]:
        """Return the tones of every reading of a character: one, both, or none if unknown."""
        return self._readings.get(char, _UNKNOWN)[1]

    def usual_groups_of(self, char: str) -> frozenset[int]:
        """Return those groups of a character by which verse usually reads it (冷: 梗).

        A known character has at least one; in ``new`` all are usual.
        """
        return self._readings.get(char, _UNKNOWN)[2]

    def usual_tones_of(self, char: str) -> frozenset[Tone]:
        """Return the tones of the usual readings of a character: one, both, or none if unknown."""
        return self._readings.get(char, _UNKNOWN)[3]


@functools.cache
def rhyme_book(name: RhymeBookName = "pingshui") -> RhymeBook:
    """Return a rhyme book.

    - ``pingshui``: the 106 groups of 平水韵, by which regulated verse rhymes since the Tang.
    - ``cilin``: 词林正韵, for 词: 19 divisions (部), 14 of them in 平 and 仄, 5 of 入声.
    - ``new``: 中华新韵, modern Mandarin: 14 divisions in 平 and 仄.
    """
    head, _, body = (TABLES / f"{name}.txt").read_text(encoding="utf-8").partition("\n\n")
    groups = tuple(_group(line) for line in head.splitlines() if not line.startswith("#"))
    index_of = {group.title: index for index, group in enumerate(groups)}
    tone_of = [group.tone for group in groups]
    readings: dict[str, _Readings] = {}
    for line in body.splitlines():
        key, _, chars = line.partition(" ")
        titles = key.split("/")
        usual = every = frozenset([index_of[title.strip("()")] for title in titles])
        usual_tones = tones = frozenset([tone_of[index] for index in every])
        if "(" in key:
            usual = frozenset([index_of[title] for title in titles if title in index_of])
            usual_tones = frozenset([tone_of[index] for index in usual])
        shared = (every, tones, usual, usual_tones)
        for char in chars:
            readings[char] = shared
    return RhymeBook(name, groups, readings)


def _group(line: str) -> RhymeGroup:
    title, name, tone = line.split()
    return RhymeGroup(name, "平" if tone == "平" else "仄", title)
