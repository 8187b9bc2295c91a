"""Batches of whole poems: a budget of tokens each, poems of like length together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from poetgen.text.corpus import Poems
from poetgen.text.vocabulary import PAD


class Batch(NamedTuple):
    """Token ids, each of shape (B, T), int64; PAD after the end of the shorter poems.

    ``targets[b, t]`` follows ``inputs[b, t]`` in its poem.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]


def plan_batches(
    lengths: NDArray[np.int64], batch_tokens: int, rng: np.random.Generator | None
) -> list[NDArray[np.int64]]:
    """Group poems into batches of at most ``batch_tokens`` steps, padding included.

    Poems are sorted by length, equal lengths in random order, cut into groups, and the
    groups are shuffled; a poem longer than the budget is a batch of its own. Without
    ``rng`` the order is by length, for evaluation.

    Returns:
        The indices of the poems of each batch; every poem is in exactly one.
    """
    order = np.arange(len(lengths)) if rng is None else rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    ordered = lengths[order]
    groups = []
    first = 0
    while first < len(order):
        # With lengths ascending, the k-th poem sets the width of a group of k poems.
        most = max(1, batch_tokens // int(ordered[first]))
        widths = ordered[first : first + most]
        sizes = widths * np.arange(1, len(widths) + 1)
        count = max(1, int(np.searchsorted(sizes, batch_tokens, side="right")))
        groups.append(order[first : first + count])
        first += count
    if rng is not None:
        groups = [groups[i] for i in rng.permutation(len(groups))]
    return groups


def assemble(poems: Poems, indices: NDArray[np.int64]) -> Batch:
    """Gather the poems ``indices`` into one padded batch."""
    starts = poems.offsets[indices]
    lengths = poems.offsets[indices + 1] - starts
    steps = np.arange(int(lengths.max()))
    present = steps < lengths[:, None]
    places = np.where(present, starts[:, None] + steps, 0)
    token_ids = np.where(present, poems.tokens[places], PAD).astype(np.int64)
    return Batch(token_ids[:, :-1], token_ids[:, 1:])


def iter_batches(
    poems: Poems, batch_tokens: int, rng: np.random.Generator | None = None
) -> Iterator[Batch]:
    """Yield every poem once, in batches of about ``batch_tokens`` steps."""
    for indices in plan_batches(poems.lengths, batch_tokens, rng):
        yield assemble(poems, indices)
