"""The lines of many poems as one array, and hashes of their pieces (n-grams and whole lines)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import BoolArray, IntArray
from poetgen.characters import HAN_RANGES

# Stands in a text for a character that is not known; it belongs to its line, but to no piece.
UNKNOWN = "\ufffd"

# Odd constants of well-mixing bits: the 64-bit FNV prime and those of SplitMix64 (Steele, Lea and
# Flood 2014). Hashes are stored in model files: these numbers never change.
_STEP = np.uint64(0x100000001B3)
_MIX = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)


class Lines(NamedTuple):
    """The lines (句) of poems, end to end.

    ``codes`` (N,) are the code points of all characters, ``starts`` and ``lengths`` (M,) say
    where each line begins and how long it is, ``poems`` (M,) to which poem it belongs.
    """

    codes: NDArray[np.uint32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    poems: NDArray[np.int64]

    @property
    def line_of(self) -> NDArray[np.int64]:
        """The number of the line of each character, (N,)."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)


def split(texts: Sequence[str]) -> Lines:
    """Return the lines of poems: runs of Chinese characters (and of ``UNKNOWN``)."""
    codes = code_points("\n".join([*texts, ""]))
    of_poem = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])
    inside = codes == ord(UNKNOWN)
    for first, last in HAN_RANGES:
        inside |= (codes >= first) & (codes <= last)
    begins, ends = runs_of(inside)
    lengths = ends - begins
    starts = np.cumsum(lengths) - lengths
    return Lines(codes[inside], starts, lengths, of_poem[begins])


def runs_of(mask: BoolArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each run of True in a mask (N,) begins and where it has ended, (M,) both."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points of a text, (N,)."""
    data = text.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, "<u4").astype(np.uint32, copy=False)


def distinct(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return the different ones of ``numbers``, (N,), rising; faster than numpy's hash table."""
    ordered = np.sort(numbers)
    return np.asarray(ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]])


def ngrams(lines: Lines, n: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the hashes of all runs of ``n`` characters inside lines, and where they begin, (P,).

    Runs with an unknown character are left out.
    """
    before_end = np.repeat(lines.starts + lines.lengths, lines.lengths) - np.arange(
        len(lines.codes)
    )
    places = np.flatnonzero(before_end >= n)
    places = places[_known(lines, places, n)]
    return _hashes(lines.codes, places, n), places


def whole_lines(
    lines: Lines, shortest: int
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
    """Yield, for each length from ``shortest`` up, the hashes of lines and their numbers, (M',).

    Lines with an unknown character are left out.
    """
    for length in np.unique(lines.lengths[lines.lengths >= shortest]).tolist():
        numbers = np.flatnonzero(lines.lengths == length)
        numbers = numbers[_known(lines, lines.starts[numbers], length)]
        yield _hashes(lines.codes, lines.starts[numbers], length), numbers


def _known(lines: Lines, places: IntArray, n: int) -> BoolArray:
    unknown = np.concatenate([[0], np.cumsum(lines.codes == ord(UNKNOWN))])
    return np.asarray(unknown[places + n] == unknown[places])


def _hashes(codes: NDArray[np.uint32], places: IntArray, n: int) -> NDArray[np.uint64]:
    """Hash the ``n`` characters from each place on, the same on every machine."""
    hashes = np.full(len(places), n, np.uint64)
    for offset in range(n):
        # Unsigned arithmetic of numpy arrays wraps around.
        hashes = (hashes ^ codes[places + offset]) * _STEP
        hashes ^= hashes >> np.uint64(29)
    for shift, factor in _MIX:
        hashes = (hashes ^ (hashes >> shift)) * factor
    return hashes ^ (hashes >> np.uint64(31))
