"""The tunes (词牌) of 词, as ``tables/tunes.txt`` has them.

The table is learned from the Song 词 by ``tools/make_tunes.py``; its first lines explain it.
"""

from __future__ import annotations

import functools
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

    ``templates`` have 平, 仄 or, for either, 中 for each character. ``rhymes`` has a letter for
    each line, or "": A is level and a oblique, lines with one letter rhyme, and A rhymes with a
    across the tones (平仄通叶). ``stanzas`` are the numbers of lines (片) of which the tune
    consists, ``couplets`` the indices of lines that are usually parallel with the next (对仗).
    """

    name: str
    aliases: tuple[str, ...]
    templates: tuple[str, ...]
    rhymes: tuple[str, ...]
    marks: str
    stanzas: tuple[int, ...]
    couplets: tuple[int, ...]

    @property
    def line_lengths(self) -> tuple[int, ...]:
        """The number of characters in each line."""
        return tuple(map(len, self.templates))


@functools.cache
def tunes() -> Mapping[str, Tune]:
    """Return all tunes by their names, without aliases."""
    text = _TABLE.read_text(encoding="utf-8")
    return {tune.name: tune for tune in map(_tune, text.strip().split("\n\n")[1:])}


def find_tune(name: str) -> Tune | None:
    """Return the tune of a name, an alias or a title such as 水调歌头・明月几时有, or None."""
    return _by_alias().get(_SUBTITLE.sub("", name.strip()))


@functools.cache
def _by_alias() -> Mapping[str, Tune]:
    aliases = {alias: tune for tune in tunes().values() for alias in tune.aliases}
    return {**aliases, **tunes()}


def _tune(block: str) -> Tune:
    names, *stanzas = block.split("\n")
    name, *aliases = names.split()
    parts = [_LINE.findall(stanza) for stanza in stanzas]
    brackets, templates, rhymes, marks = zip(*(line for part in parts for line in part), strict=True)
    couplets = tuple(index for index, bracket in enumerate(brackets) if bracket)
    stanza_sizes = tuple(map(len, parts))
    return Tune(
        name, tuple(aliases), templates, rhymes, "".join(marks), stanza_sizes, couplets
    )
