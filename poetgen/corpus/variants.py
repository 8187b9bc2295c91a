"""Characters that are written in several ways: variants (异体字), and classes of one character.

Two tables, each a text file of groups; the first character of a line stands for the others.

``variants.txt`` says what simplified script writes for characters that OpenCC leaves alone:
the first list of variants (第一批异体字整理表, 1955, after cjkvi-variants), where the standard
character is one of GB 2312, without those that came back into use (1956 to 2013) or have a
meaning of their own; and some shapes of old prints and of Japan (鬬 荅 衞 髪).

``classes.txt`` holds characters that any conversion may turn into one another: those that
OpenCC 1.4.2 connects in either direction, alone or in a phrase, the usual ones of Taiwan and
Hong Kong, and the variants. The table is kept here, not asked of OpenCC, so that another
version of it moves no poem from one split to another. The commonest character of Tang and
Song verse in simplified script stands for its class.
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
