"""Parallelism (对仗): how far the lines of a couplet answer each other, place by place.

Characters that have the same neighbours inside lines are of one kind (春 and 秋, 入 and 归). Each
has a vector that says so: the truncated singular value decomposition of the positive pointwise
mutual information with its neighbours (Bullinaria and Levy 2007), found by random projection
(Halko, Martinsson and Tropp 2011). In the middle couplets of a 律诗 facing characters should be
of one kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import FloatArray
from poetgen.verse.pieces import Lines, code_points

DIM = 16
# The most common neighbours tell enough of a character.
_NUM_NEIGHBOURS = 1_000
_OVERSAMPLING = 16
_ROUNDS = 3
# Vectors of length 1 are stored as whole numbers of this part.
_UNIT = 127


@dataclass(frozen=True, slots=True)
class Kinship:
    """The kind of each character: ``vectors``, (K, DIM) int8, of the characters in ``index``."""

    vectors: NDArray[np.int8]
    index: dict[str, int]

    def parallelism(self, line: str, other: str) -> float:
        """Return how alike in kind the facing characters of two lines are, −1 to 1.

        The mean cosine of the vectors of all places with two different characters that have
        one; 0 if there is none.
        """
        pairs = [
            (self.index[one], self.index[two])
            for one, two in zip(line, other, strict=False)
            if one != two and one in self.index and two in self.index
        ]
        if not pairs:
            return 0.0
        first, second = self.vectors[np.array(pairs).T].astype(np.float64)
        norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        return float(((first * second).sum(axis=1) / np.maximum(norms, 1)).mean())


def make_kinship(chars: str, vectors: NDArray[np.int8]) -> Kinship:
    """Return the kinds of the first characters of ``chars``, as many as there are vectors."""
    return Kinship(vectors, {char: number for number, char in enumerate(chars[: len(vectors)])})


def build_kinship(lines: Lines, chars: str) -> Kinship:
    """Return the kinds of ``chars``, ordered from the most common one, in training poems."""
    return make_kinship(chars, _packed(_reduced(_associations(lines, chars))))


def _associations(lines: Lines, chars: str) -> FloatArray:
    """Return how each character goes with its neighbours before and after it, (K, 2 N)."""
    size = len(chars)
    num = min(size, _NUM_NEIGHBOURS)
    lookup = np.full(0x110000, -1, np.int64)
    lookup[code_points(chars)] = np.arange(size)
    ids, line_of = lookup[lines.codes], lines.line_of
    pairs = np.flatnonzero((line_of[1:] == line_of[:-1]) & (ids[1:] >= 0) & (ids[:-1] >= 0))
    counts = np.zeros((size, 2, num), np.float32)
    for side, (one, other) in enumerate(((ids[:-1], ids[1:]), (ids[1:], ids[:-1]))):
        at, near = one[pairs], other[pairs]
        keys = (at * num + near)[near < num]
        counts[:, side] = np.bincount(keys, minlength=size * num).reshape(size, num)
    found = counts.reshape(size, 2 * num)
    total = max(1.0, float(found.sum()))
    by_chance = found.sum(axis=1, keepdims=True) * found.sum(axis=0, keepdims=True) / total
    return np.asarray(np.maximum(np.log((found + 1) / (by_chance + 1)), 0))


def _reduced(matrix: FloatArray) -> FloatArray:
    """Return vectors (K, at most DIM) whose products are those of the rows, nearly."""
    rng = np.random.default_rng(0)
    probe = rng.standard_normal((matrix.shape[1], DIM + _OVERSAMPLING)).astype(np.float32)
    basis = np.linalg.qr(matrix @ probe)[0]
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(matrix @ (matrix.T @ basis))[0]
    left, scales, _ = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    return np.asarray((basis @ left[:, :DIM]) * np.sqrt(scales[:DIM]))


def _packed(vectors: FloatArray) -> NDArray[np.int8]:
    """Return vectors of length 1 as int8, (K, DIM), with the sign of each dimension settled."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = np.zeros((len(vectors), DIM), np.int8)
    unit = vectors / np.maximum(lengths, 1e-12)
    signs = np.where(vectors.sum(axis=0) < 0, -1, 1)
    whole[:, : vectors.shape[1]] = np.rint(unit * signs * _UNIT)
    return whole
