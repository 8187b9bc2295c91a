"""A network that has read something before its poems begin."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Generic

import numpy as np

from poetgen.arrays import FloatArray, IntArray
from poetgen.generation.decode import Network, State, start_of_each


def read_texts(network: Network[State], texts: Sequence[Sequence[int]]) -> State:
    """Return the states, one for each text of token ids, after it; a text may be empty."""
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    states = []
    # Those of one length are read together.
    for _, numbers in itertools.groupby(order, key=lambda number: len(texts[number])):
        token_ids = np.array([texts[number] for number in numbers], np.int64)
        state = network.start(len(token_ids))
        if len(token_ids) == 1 and token_ids.size:
            _, state = network.prime(token_ids[0], state)
        else:
            for column in token_ids.T:
                _, state = network.step(column, state)
        states.append(state)
    return network.select(network.join(states), np.argsort(order))


class OpenedNetwork(Generic[State]):
    """A network that has read texts: a network again, with a first state for each."""

    def __init__(self, network: Network[State], texts: Sequence[Sequence[int]]) -> None:
        """Read the texts, as token ids, once."""
        self.network = network
        self.num_starts = len(texts)
        self._first = read_texts(network, texts)

    def start(self, batch_size: int) -> State:
        """Return the states before the start token."""
        return self.network.select(self._first, start_of_each(batch_size, self.num_starts))

    def prime(self, token_ids: IntArray, state: State) -> tuple[FloatArray, State]:
        """Read a text, as the network does."""
        return self.network.prime(token_ids, state)

    def step(self, token_ids: IntArray, state: State) -> tuple[FloatArray, State]:
        """Read one token of each poem, as the network does."""
        return self.network.step(token_ids, state)

    def own_state(self, state: State) -> State:
        """Return the states of the network itself."""
        return state

    def select(self, state: State, rows: IntArray) -> State:
        """Return the states of some poems, as the network does."""
        return self.network.select(state, rows)
