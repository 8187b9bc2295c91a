"""What both searches for whole poems share: their result, and the best of many branches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from poetgen.arrays import FloatArray


class Scored(NamedTuple):
    """A whole poem, the prompt first, and the natural logarithm of its probability.

    That is the probability of all that follows the prompt, the end token included; a poem
    that was cut at its largest length has none.
    """

    token_ids: list[int]
    log_probability: float
    is_cut: bool


class Branch(NamedTuple):
    """One way to go on: from which row of the batch, with which token."""

    row: int
    token_id: int


def best_branches(scores: FloatArray, num_best: int) -> list[Branch]:
    """Find the largest of ``scores`` (B, V), the best first; −∞ is no branch at all.

    Equal scores come in the order of their places, so that the answer is always the same.
    """
    flat = scores.ravel()
    if num_best < flat.size:
        edge = np.partition(flat, -num_best)[-num_best]
        (places,) = np.nonzero((flat >= edge) & (flat > -np.inf))
    else:
        (places,) = np.nonzero(flat > -np.inf)
    places = places[np.argsort(-flat[places], kind="stable")][:num_best]
    rows, token_ids = np.divmod(places, scores.shape[1])
    return [Branch(*pair) for pair in zip(rows.tolist(), token_ids.tolist(), strict=True)]
