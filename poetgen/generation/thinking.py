"""A network that has read an occasion, and titles that a model thinks of."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Generic

import numpy as np

from poetgen.arrays import FloatArray, IntArray
from poetgen.characters import LINE_MARKS
from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import END, MAX_TITLE, PAD, START, UNK
from poetgen.generation.decode import Network, State, Stepper, read_once, start_of_each
from poetgen.generation.occasion import Occasion
from poetgen.generation.sampling import sample

# Bolder than a poem: at a low temperature every title is 偶成.
_THINKING = SampleConfig(temperature=0.9, top_p=0.9)


def read_fields(network: Network[State], occasions: Sequence[Occasion]) -> State:
    """Return the states, one of each occasion, after what it says."""
    texts = [occasion.token_ids for occasion in occasions]
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
    """A network that has read occasions: a network again, with a first state for each."""

    def __init__(self, network: Network[State], occasions: Sequence[Occasion]) -> None:
        """Read the occasions once."""
        self.network = network
        self.num_starts = len(occasions)
        self._first = read_fields(network, occasions)

    def start(self, batch_size: int) -> State:
        """Return the states before the start token."""
        return self.network.select(self._first, start_of_each(batch_size, self.num_starts))

    def prime(self, token_ids: IntArray, state: State) -> tuple[FloatArray, State]:
        """Read a text, as the network does."""
        return self.network.prime(token_ids, state)

    def step(self, token_ids: IntArray, state: State) -> tuple[FloatArray, State]:
        """Read one token of each poem, as the network does."""
        return self.network.step(token_ids, state)

    def select(self, state: State, rows: IntArray) -> State:
        """Return the states of some poems, as the network does."""
        return self.network.select(state, rows)


def think_titles(
    network: Stepper[State],
    occasion: Occasion,
    rngs: Sequence[np.random.Generator],
    sampling: SampleConfig = _THINKING,
) -> list[Occasion]:
    """Return for each generator the occasion with a title that the model thinks of."""
    vocabulary = occasion.vocabulary
    # The field after the title, or the poem itself, is its end.
    ends = [START, vocabulary.field_id("form")]
    others = map(vocabulary.field_id, ("author", "keyword", "title"))
    barred = [PAD, END, UNK, *others, *vocabulary.encode(LINE_MARKS)]
    titles: list[list[int]] = [[] for _ in rngs]
    alive = np.arange(len(rngs))
    logits, state = read_once(network, occasion.up_to_title(), len(rngs))
    for length in range(MAX_TITLE):
        logits[:, barred if length else barred + ends] = -np.inf
        chosen = sample(logits, sampling, np.array([rngs[i].random() for i in alive.tolist()]))
        is_open = ~np.isin(chosen, ends)
        for number, token_id in zip(alive[is_open], chosen[is_open].tolist(), strict=True):
            titles[number].append(token_id)
        (rows,) = np.nonzero(is_open)
        if len(rows) == 0:
            break
        alive = alive[rows]
        logits, state = network.step(chosen[rows], network.select(state, rows))
    return list(map(occasion.titled, titles))
