"""The tunes (词牌) of 词, as ``tables/tunes.txt`` has them.

The table is learned from the Song 词 by ``tools/make_tunes.py``; its first lines explain it.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).parent / "tables" / "tunes.txt"
_LINE = re.compile("(（?)([平仄中]+)([A-Za-z]?)([，、。])")
# 水调歌头・明月几时有: what follows the name of a tune in a title.
_SUBTITLE = re.compile(r"[・·（(\s].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tune:
    """A tune (词牌): its names, and for each line its tones, its rhyme and the mark after it.

    The first of ``names`` is the usual one; ``traditional_names`` are the same names.

    ``templates`` have 平, 仄 or, for either, 中 for each character. ``rhymes`` has a letter for
    each line, or "": A is level and a oblique, lines with one letter rhyme, and A rhymes with a
    across the tones (平仄通叶). ``stanzas`` are the numbers of lines (片) of which the tune
    consists, ``couplets`` the indices of lines that are usually parallel with the next (对仗).
    """

    names: tuple[str, ...]
    traditional_names: tuple[str, ...]
    templates: tuple[str, ...]
    rhymes: tuple[str, ...]
    marks: str
    stanzas: tuple[int, ...]
    couplets: tuple[int, ...]

    @property
    def name(self) -> str:
        """The usual name."""
        return self.names[0]

    @property
    def line_lengths(self) -> tuple[int, ...]:
        """The number of characters in each line."""
        return tuple(map(len, self.templates))


@functools.cache
def tunes() -> Mapping[str, Tune]:
    """Return all tunes by their usual names."""
    text = _TABLE.read_text(encoding="utf-8")
    return {tune.name: tune for tune in map(_tune, text.strip().split("\n\n")[1:])}


def find_tune(name: str) -> Tune | None:
    """Return the tune of a name, an alias or a title such as 水调歌头・明月几时有, or None.

    Traditional characters are read as the simplified ones of the table.
    """
    by_name, simplified = _index()
    return by_name.get(_SUBTITLE.sub("", name.strip()).translate(simplified))


@functools.cache
def _index() -> tuple[Mapping[str, Tune], Mapping[int, str]]:
    """Return the tunes by all names, and the simplified character of each traditional one."""
    by_name: dict[str, Tune] = {}
    simplified: dict[int, str] = {}
    for tune in tunes().values():
        for name, traditional in zip(tune.names, tune.traditional_names, strict=True):
            by_name.setdefault(name, tune)
            simplified |= {ord(one): other for one, other in zip(traditional, name, strict=True)}
    return by_name, simplified


def _tune(block: str) -> Tune:
    names, *stanzas = block.split("\n")
    spellings = [name.split("/") for name in names.split()]
    parts = [_LINE.findall(stanza) for stanza in stanzas]
    brackets, templates, rhymes, marks = zip(*itertools.chain(*parts), strict=True)
    return Tune(
        names=tuple(one[0] for one in spellings),
        traditional_names=tuple(one[-1] for one in spellings),
        templates=templates,
        rhymes=rhymes,
        marks="".join(marks),
        stanzas=tuple(map(len, parts)),
        couplets=tuple(index for index, bracket in enumerate(brackets) if bracket),
    )
