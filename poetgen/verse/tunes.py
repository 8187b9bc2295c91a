"""The tunes (词牌) of 词, as ``tables/tunes.txt`` has them.

The table is learned from the Song 词 by ``tools/make_tunes.py``; its first lines explain it.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).parent / "tables" / "tunes.txt"
_LINE = re.compile("(（?)([平仄中◒◓]+)([A-Za-z]?)([，、。])")
# Usually level, and usually oblique.
_USUAL = str.maketrans("◒◓", "平仄")
_FIXED = str.maketrans("◒◓", "中中")
# The line of a block that says which characters repeat others.
_REPEATS = "叠 "
# 水调歌头・明月几时有: what follows the name of a tune in a title.
_SUBTITLE = re.compile(r"[・·（(\s].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tune:
    """A tune (词牌): its names, and for each line its tones, its rhyme and the mark after it.

    The first of ``names`` is the usual one; ``traditional_names`` are the same names. Those of
    a variant (体) other than the commonest have what tells it apart after a colon: 声声慢:仄韵.

    ``templates`` have 平, 仄 or, for either, 中 for each character; ``fixed_templates`` only the
    tones that hardly any poem breaks, and 中 where some do. ``rhymes`` has a letter for
    each line, or "": A is level and a oblique, lines with one letter rhyme, and A rhymes with a
    across the tones (平仄通叶). ``stanzas`` are the numbers of lines (片) of which the tune
    consists, ``couplets`` the indices of lines that are usually parallel with the next (对仗).
    ``repeats`` are pairs of characters, counted from 0 without marks, of which the second is
    usually the same as the first (叠).
    """

    names: tuple[str, ...]
    traditional_names: tuple[str, ...]
    templates: tuple[str, ...]
    fixed_templates: tuple[str, ...]
    rhymes: tuple[str, ...]
    marks: str
    stanzas: tuple[int, ...]
    couplets: tuple[int, ...]
    repeats: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """The usual name."""
        return self.names[0]

    @property
    def line_lengths(self) -> tuple[int, ...]:
        """The number of characters in each line."""
        return tuple(map(len, self.templates))

    @property
    def num_chars(self) -> int:
        """The characters of a poem, without marks."""
        return sum(self.line_lengths)


@functools.cache
def tunes() -> Mapping[str, Tune]:
    """Return all tunes by their usual names, the variants of each after the commonest."""
    text = _TABLE.read_text(encoding="utf-8")
    return {tune.name: tune for tune in map(_tune, text.strip().split("\n\n")[1:])}


def find_tune(name: str) -> Tune | None:
    """Return the commonest tune of a name, an alias or a title, or None, as ``find_tunes``."""
    return next(iter(find_tunes(name)), None)


def find_tunes(name: str) -> tuple[Tune, ...]:
    """Return the tunes of a name, an alias or a title such as 水调歌头・明月几时有.

    They are the variants of a tune, the commonest first, and other tunes of the name; of a name
    such as 声声慢:仄韵 that variant alone. Traditional characters are read as the simplified
    ones of the table.
    """
    by_name, simplified = _index()
    plain = _SUBTITLE.sub("", name.strip()).translate(simplified).replace("：", ":")
    return by_name.get(plain, ())


@functools.cache
def _index() -> tuple[Mapping[str, tuple[Tune, ...]], Mapping[int, str]]:
    """Return the tunes by all names, and the simplified character of each traditional one."""
    by_name: dict[str, tuple[Tune, ...]] = defaultdict(tuple)
    simplified: dict[int, str] = {}
    for tune in tunes().values():
        for name, traditional in zip(tune.names, tune.traditional_names, strict=True):
            for key in {name, name.partition(":")[0]}:
                by_name[key] += (tune,)
            simplified |= {ord(one): other for one, other in zip(traditional, name, strict=True)}
    return dict(by_name), simplified


def _tune(block: str) -> Tune:
    names, *stanzas = block.split("\n")
    repeats = stanzas.pop() if stanzas[-1].startswith(_REPEATS) else ""
    spellings = [name.split("/") for name in names.split()]
    parts = [_LINE.findall(stanza) for stanza in stanzas]
    brackets, symbols, rhymes, marks = zip(*itertools.chain(*parts), strict=True)
    return Tune(
        names=tuple(one[0] for one in spellings),
        traditional_names=tuple(one[-1] for one in spellings),
        templates=tuple(line.translate(_USUAL) for line in symbols),
        fixed_templates=tuple(line.translate(_FIXED) for line in symbols),
        rhymes=rhymes,
        marks="".join(marks),
        stanzas=tuple(map(len, parts)),
        couplets=tuple(index for index, bracket in enumerate(brackets) if bracket),
        repeats=tuple(
            (int(before) - 1, int(place) - 1)
            for place, before in re.findall(r"(\d+)=(\d+)", repeats)
        ),
    )
