"""Guidance: writing closer to an occasion than the model alone would.

Every token is read twice, once after the occasion and once without it, and what the occasion
makes likelier becomes likelier still. Source: classifier-free guidance, Ho & Salimans
2022, arXiv:2207.12598; for language models Sanchez et al. 2023, arXiv:2306.17806.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple

import numpy as np

from poetgen.arrays import FloatArray, IntArray
from poetgen.generation.decode import Network, State, start_of_each
from poetgen.generation.opened import read_texts


class GuidedState(NamedTuple, Generic[State]):
    """The states of so many poems after what is said, and then of as many without it."""

    inner: State
    num_poems: int


class GuidedNetwork(Generic[State]):
    """A network whose logits are log p + (g − 1)·(log p − log q), up to a number a row.

    p is the distribution after a text, q that after another which says less; a guidance g of 1
    changes nothing. To read both at once takes little longer than to read one.
    """

    def __init__(
        self,
        network: Network[State],
        texts: Sequence[Sequence[int]],
        plain: Sequence[int],
        guidance: float,
    ) -> None:
        """Read the texts, and the plain one that says less, as token ids, once."""
        self.network = network
        self.guidance = guidance
        self.num_starts = len(texts)
        self._first = read_texts(network, [*texts, plain])

    def start(self, batch_size: int) -> GuidedState[State]:
        """Return the states before the start token."""
        given = start_of_each(batch_size, self.num_starts)
        rows = np.append(given, np.full(batch_size, self.num_starts))
        return GuidedState(self.network.select(self._first, rows), batch_size)

    def prime(
        self, token_ids: IntArray, state: GuidedState[State]
    ) -> tuple[FloatArray, GuidedState[State]]:
        """Read a text into every state, ids (T,); return the logits (B, V) after it."""
        logits, inner = self.network.prime(token_ids, state.inner)
        return self._guide(logits), GuidedState(inner, state.num_poems)

    def step(
        self, token_ids: IntArray, state: GuidedState[State]
    ) -> tuple[FloatArray, GuidedState[State]]:
        """Read one token of each poem, ids (B,); return the logits (B, V) after it."""
        logits, inner = self.network.step(np.tile(token_ids, 2), state.inner)
        return self._guide(logits), GuidedState(inner, state.num_poems)

    def own_state(self, state: GuidedState[State]) -> State:
        """Return the states of the network itself after what is said."""
        return self.network.select(state.inner, np.arange(state.num_poems))

    def select(self, state: GuidedState[State], rows: IntArray) -> GuidedState[State]:
        """Return the states of some poems, in the order given."""
        both = np.concatenate([rows, rows + state.num_poems])
        return GuidedState(self.network.select(state.inner, both), len(rows))

    def _guide(self, logits: FloatArray) -> FloatArray:
        # What normalises p and q is one number a row, and changes no distribution.
        given, plain = np.split(logits, 2)
        guided: FloatArray = given + (self.guidance - 1) * (given - plain)
        return guided
