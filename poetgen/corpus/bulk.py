"""Many texts at once: what ``cleaning`` and ``split`` do to one, without a loop over texts.

Nearly every poem of a good edition is clean already. Here that is found out, for all poems
of a file together, on one array of code points; the few others take the slow way. Each
function has a slow twin that defines it, and a test that they agree.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from poetgen.characters import HAN_RANGES, LINE_MARKS
from poetgen.corpus.cleaning import LAST_MARKS, MAX_LINE_HANZI, MIN_HANZI
from poetgen.corpus.codepoints import NUM_CODEPOINTS, codepoints
from poetgen.corpus.variants import as_text, folding

_OTHER, _HAN, _MARK, _LAST = range(4)


def offsets_of(texts: Sequence[str]) -> NDArray[np.int64]:
    """Give, shape (N + 1,), where each text begins in all of them end to end."""
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=offsets[1:])
    return offsets


def find_clean_verse(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Mark the texts that ``cleaning.clean`` would give back unchanged, as verse.

    They consist of lines of 1 to 16 characters with one mark after each, are long enough
    to be poems, and end as poems do. A text that is not marked may be clean all the same.
    """
    classes = _class_table()[codepoints("".join(texts))]
    offsets = offsets_of(texts)
    first, last = offsets[:-1], offsets[1:] - 1
    is_mark = classes >= _MARK
    bad = classes == _OTHER
    bad[1:] |= is_mark[1:] & is_mark[:-1]
    # Places that are no character of a line, and how many such stand before each.
    breaks = np.flatnonzero(classes != _HAN)
    bad[breaks[np.diff(breaks, prepend=-1) > MAX_LINE_HANZI + 1]] = True
    clean: NDArray[np.bool_] = _sums(classes == _HAN, offsets) >= MIN_HANZI
    clean &= _sums(bad, offsets) == 0
    clean[clean] &= (classes[first[clean]] == _HAN) & (classes[last[clean]] == _LAST)
    return clean


def contain(texts: Sequence[str], table: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the texts with a code point that is marked in ``table``, shape (0x110000,)."""
    return _sums(table[codepoints("".join(texts))], offsets_of(texts)) > 0


def folded_hanzi_of_all(texts: Sequence[str]) -> list[str]:
    """Keep of each text its Chinese characters alone, each as the one that stands for it."""
    points = codepoints("".join(texts))
    is_hanzi = _hanzi_table()[points]
    hanzi = as_text(folding("classes")[points[is_hanzi]])
    ends = np.cumsum(_sums(is_hanzi, offsets_of(texts))).tolist()
    return [hanzi[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def _sums(marked: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count what is marked in each text; texts may be empty."""
    before = np.zeros(len(marked) + 1, np.int64)
    np.cumsum(marked, out=before[1:])
    return np.diff(before[offsets])


@functools.cache
def _hanzi_table() -> NDArray[np.bool_]:
    table = np.zeros(NUM_CODEPOINTS, bool)
    for first, last in HAN_RANGES:
        table[first : last + 1] = True
    return table


@functools.cache
def _class_table() -> NDArray[np.uint8]:
    table = np.where(_hanzi_table(), np.uint8(_HAN), np.uint8(_OTHER))
    # Compatibility ideographs of plane 2: normalisation would change them.
    table[0x2F800:0x2FA20] = _OTHER
    for marks, kind in ((LINE_MARKS, _MARK), (LAST_MARKS, _LAST)):
        table[codepoints(marks)] = kind
    return table
