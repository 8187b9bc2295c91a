"""Characters that are written in several ways: variants (异体字), and classes of one character.

Two tables, each a text file of groups; the first character of a group stands for the others.

``variants.txt``: characters that OpenCC leaves as they are, though simplified script has a
standard form for them. From the first list of variants (第一批异体字整理表, 1955, after
cjkvi-variants), if the standard form is in GB 2312, without those that came back into use (1956
to 2013) or have a meaning of their own; and some forms of old prints and of Japan (鬬 荅 衞 髪).

``classes.txt``: characters that a conversion may turn into one another: those that OpenCC 1.4.2
connects in either direction, alone or in a phrase, the usual ones of Taiwan and Hong Kong, and
the variants. The commonest in simplified Tang and Song verse stands for its class. The table is
frozen: were it computed by the OpenCC that is installed, another version could move poems from
one split to another.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from poetgen.corpus.codepoints import NUM_CODEPOINTS, as_text, codepoints

TABLES = Path(__file__).parent / "tables"
Table = Literal["variants", "classes"]


@functools.cache
def groups(name: Table) -> tuple[str, ...]:
    """Read the groups of a table; the first character of each stands for the others."""
    return tuple((TABLES / f"{name}.txt").read_text(encoding="utf-8").split())


@functools.cache
def _folding(name: Table) -> NDArray[np.uint32]:
    folding = np.arange(NUM_CODEPOINTS, dtype=np.uint32)
    for group in groups(name):
        folding[codepoints(group[1:])] = ord(group[0])
    return folding


def fold(text: str, name: Table) -> str:
    """Replace each character by the one that stands for it; the length stays the same."""
    return as_text(_folding(name)[codepoints(text)])
