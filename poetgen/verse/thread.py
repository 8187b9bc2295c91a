"""Thread: how far the lines of a poem speak of one thing.

Characters that meet in different lines of one quatrain more often than by chance belong
together (雪 and 梅, 帆 and 江). For each such pair the table holds its pointwise mutual
information (Church and Hanks 1990), and the thread of a poem is the mean of the upper third over
all pairs of its characters that stand in different lines.

A low-rank factorisation of the table was tried and lost what is wanted: it keeps the topics,
in which a small network is as good as a poet, and loses the single pairs, in which it is not
(docs/verse.md). So the pairs themselves are kept, those that are bound at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import BoolArray, FloatArray, IntArray
from poetgen.verse.pieces import Lines, code_points

# A quatrain: the lines that are one window.
WINDOW_LINES = 4
# The most common characters go with everything.
NUM_COMMON = 60
MIN_POEMS = 6
# Pairs count that were seen together in two windows, and half again as often as by chance.
MIN_TOGETHER = 2
MIN_VALUE = float(np.log(1.5))
# Added to what was counted and to what chance would have: two meetings by chance prove little.
SMOOTHING = 0.5
# Values are stored in steps of this size, at most 255 of them.
STEP = 1 / 20
# Characters in the table: more would need gigabytes while pairs are counted.
MAX_CHARS = 6_000
# A gap as large as a byte can hold is followed by another one of the same pair.
_LARGEST_GAP = 255


@dataclass(frozen=True, slots=True)
class ThreadTable:
    """The pairs of characters that belong together.

    ``chars`` are the characters (n,), none twice; ``keys`` (P,), rising, are
    n × smaller index + larger index of each pair, ``values`` (P,) float32 say how strongly it
    is bound, in nats. Of all other pairs the value is 0.
    """

    chars: str
    keys: NDArray[np.int32]
    values: NDArray[np.float32]
    index: dict[str, int]

    def scores(self, poems: Sequence[Sequence[str]]) -> FloatArray:
        """Return the thread of each poem, given as its lines, (B,); 0 and more, in nats."""
        ids, line_of = self._padded(poems)
        first, second = np.triu_indices(ids.shape[1], 1)
        differ = line_of[:, first] != line_of[:, second]
        return self._upper_third(ids[:, first], ids[:, second], differ)

    def score(self, lines: Sequence[str]) -> float:
        """Return the thread of one poem, given as its lines; 0 where no pair is known."""
        return float(self.scores([lines])[0])

    def gains(self, lines_so_far: Sequence[str], candidates: Sequence[str]) -> FloatArray:
        """Return how each candidate (C,) for the next line goes with the lines before it.

        This is the mean of the upper third over the pairs of one character before and one in
        the candidate; 0 without lines before.
        """
        before, _ = self._padded([lines_so_far])
        ids, _ = self._padded([[line] for line in candidates])
        num_before, num_new = before.shape[1], ids.shape[1]
        first = np.tile(np.repeat(before, num_new, axis=1), (len(candidates), 1))
        second = np.tile(ids, (1, num_before))
        return self._upper_third(first, second, np.ones(first.shape, np.bool_))

    def _padded(self, poems: Sequence[Sequence[str]]) -> tuple[IntArray, IntArray]:
        """Return the indices of the known characters of each poem, and their lines, (B, N).

        Places without a character are −1.
        """
        known = [
            [
                (self.index[char], number)
                for number, line in enumerate(lines)
                for char in line
                if char in self.index
            ]
            for lines in poems
        ]
        padded = np.full((2, len(poems), max(map(len, known), default=0)), -1, np.int64)
        for row, pairs in enumerate(known):
            if pairs:
                padded[:, row, : len(pairs)] = np.array(pairs).T
        return padded[0], padded[1]

    def _upper_third(self, first: IntArray, second: IntArray, differ: BoolArray) -> FloatArray:
        """Return the mean of the upper third of the values of pairs, (B, P) to (B,)."""
        counted = differ & (first >= 0) & (second >= 0) & (first != second)
        values = np.zeros(counted.shape)
        low, high = np.minimum(first, second)[counted], np.maximum(first, second)[counted]
        values[counted] = self._look_up(len(self.chars) * low + high)
        # Nothing is below 0, so what is not counted does no harm at the lower end.
        sums = np.cumsum(-np.sort(-values, axis=1), axis=1)
        third = -(-counted.sum(axis=1) // 3)
        best = np.take_along_axis(np.pad(sums, ((0, 0), (1, 0))), third[:, None], axis=1)[:, 0]
        return np.asarray(best / np.maximum(third, 1))

    def _look_up(self, keys: IntArray) -> FloatArray:
        if len(self.keys) == 0:
            return np.zeros(len(keys), np.float32)
        keys = keys.astype(np.int32)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.values[places], np.float32(0))

    def packed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the table as two arrays of bytes (P',): gaps between keys, and values.

        A value is a number of steps. Where a gap is too large for a byte, a pair of value 0
        stands between.
        """
        gaps = np.diff(self.keys, prepend=-1)
        extra = (gaps - 1) // _LARGEST_GAP
        places = np.cumsum(extra + 1) - 1
        all_gaps = np.full(places[-1] + 1 if len(places) else 0, _LARGEST_GAP, np.uint8)
        all_gaps[places] = gaps - extra * _LARGEST_GAP
        steps = np.zeros(len(all_gaps), np.uint8)
        steps[places] = np.rint(self.values / STEP)
        return all_gaps, steps


def make_table(chars: str, keys: IntArray, values: FloatArray) -> ThreadTable:
    """Return the table of these pairs of characters of ``chars``, as ``chars_of`` picks them."""
    index = {char: number for number, char in enumerate(chars)}
    return ThreadTable(chars, np.asarray(keys, np.int32), np.asarray(values, np.float32), index)


def chars_of(frequent: str) -> str:
    """Return the characters of a table: ``frequent`` from the 61st on, at most 6,000."""
    return frequent[NUM_COMMON : NUM_COMMON + MAX_CHARS]


def unpack(frequent: str, gaps: NDArray[np.uint8], steps: NDArray[np.uint8]) -> ThreadTable:
    """Return the table that ``packed`` wrote, among the same frequent characters.

    Raises:
        ValueError: there are pairs beyond the last one that these characters have.
    """
    chars = chars_of(frequent)
    if not gaps.all() or gaps.sum(dtype=np.int64) > len(chars) ** 2:
        raise ValueError("its table of pairs does not fit its characters")
    keys = np.cumsum(gaps, dtype=np.int32) - 1
    real = steps > 0
    return make_table(chars, keys[real], steps[real] * np.float32(STEP))


def build_thread(lines: Lines, frequent: str) -> ThreadTable:
    """Return the table of training poems.

    ``frequent`` are the characters in at least 6 of them, the most common first.
    The windows are the poems, cut after every fourth line. In each a character counts once,
    where it stands first; two meet in a window if they stand first in different lines.
    """
    chars = chars_of(frequent)
    size = len(chars)
    windows = _window_of_lines(lines)
    num_windows = int(windows[-1]) + 1 if len(windows) else 1
    lookup = np.full(0x110000, -1, np.int64)
    lookup[code_points(chars)] = np.arange(size)
    ids = lookup[lines.codes]
    known = np.flatnonzero(ids >= 0)
    line_of, ids = lines.line_of[known], ids[known]
    _, first = np.unique(windows[line_of] * (size + 1) + ids, return_index=True)
    first.sort()
    line_of, ids = line_of[first], ids[first]
    together = np.zeros(size * size, np.int32)
    for keys in _meetings(windows[line_of], line_of, ids, size):
        np.add.at(together, keys, 1)
    seen_in = np.bincount(ids, minlength=size)
    keys = np.flatnonzero(together >= MIN_TOGETHER)
    by_chance = seen_in[keys // size] * seen_in[keys % size] / num_windows
    values = np.log((together[keys] + SMOOTHING) / (by_chance + SMOOTHING))
    strong = values >= MIN_VALUE
    return make_table(chars, keys[strong], np.minimum(np.rint(values[strong] / STEP), 255) * STEP)


def _window_of_lines(lines: Lines) -> NDArray[np.int64]:
    """Return the number of the window of each line, (M,)."""
    number = np.arange(len(lines.poems))
    starts = np.concatenate([[True], np.diff(lines.poems) != 0])[: len(number)]
    in_poem = number - np.maximum.accumulate(np.where(starts, number, 0))
    return np.cumsum(in_poem % WINDOW_LINES == 0) - 1


def _meetings(
    window_of: IntArray, line_of: IntArray, ids: IntArray, size: int
) -> Iterator[IntArray]:
    """Yield the keys of the pairs of characters that stand in different lines of a window."""
    # A character and the one so many places after it, as long as windows go on.
    for distance in range(1, len(ids)):
        near = np.flatnonzero(window_of[distance:] == window_of[:-distance])
        if len(near) == 0:
            return
        near = near[line_of[near] != line_of[near + distance]]
        one, two = ids[near], ids[near + distance]
        yield np.minimum(one, two) * size + np.maximum(one, two)
