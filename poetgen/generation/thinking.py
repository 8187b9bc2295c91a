"""A network that has read an occasion, and titles that a model thinks of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

import numpy as np

from poetgen.arrays import FloatArray, IntArray
from poetgen.characters import LINE_MARKS
from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import END, MAX_TITLE, PAD, START, UNK
from poetgen.generation.decode import State, Stepper, read_once
from poetgen.generation.occasion import Occasion
from poetgen.generation.sampling import sample

# Bolder than a poem: at a low temperature every title is 偶成.
_THINKING = SampleConfig(temperature=0.9, top_p=0.9)


def read_fields(network: Stepper[State], occasion: Occasion) -> State:
    """Return the state, of one poem, after what an occasion says."""
    first, token_ids = network.start(1), occasion.token_ids
    return network.prime(np.array(token_ids), first)[1] if token_ids else first


class OpenedNetwork(Generic[State]):
    """A network that has read an occasion: a network again, whose first state is another."""

    def __init__(self, network: Stepper[State], occasion: Occasion) -> None:
        """Read the occasion once."""
        self.network = network
        self._first = read_fields(network, occasion)

    def start(self, batch_size: int) -> State:
        """Return the state before the start token."""
        return self.network.select(self._first, np.zeros(batch_size, np.int64))

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
