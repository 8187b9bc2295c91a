"""Guidance: writing closer to an occasion than the model alone would.

A network reads every token twice, once after the occasion and once without it, and what the
occasion makes likelier becomes likelier still. Source: classifier-free guidance, Ho & Salimans
2022, arXiv:2207.12598; for language models Sanchez et al. 2023, arXiv:2306.17806.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from poetgen.arrays import FloatArray, IntArray
from poetgen.generation.decode import State, Stepper
from poetgen.generation.sampling import log_softmax


class GuidedState(NamedTuple, Generic[State]):
    """The states after the occasion, and without it."""

    given: State
    plain: State


class GuidedNetwork(Generic[State]):
    """Two networks as one, whose logits are log p + (g − 1)·(log p − log q).

    p is the distribution of ``given``, q that of ``plain``; a ``guidance`` g of 1 changes
    nothing.
    """

    def __init__(self, given: Stepper[State], plain: Stepper[State], guidance: float) -> None:
        """Guide ``given`` away from ``plain``."""
        self.given = given
        self.plain = plain
        self.guidance = guidance

    def start(self, batch_size: int) -> GuidedState[State]:
        """Return the states before the start token."""
        return GuidedState(self.given.start(batch_size), self.plain.start(batch_size))

    def prime(
        self, token_ids: IntArray, state: GuidedState[State]
    ) -> tuple[FloatArray, GuidedState[State]]:
        """Read a text into every state, ids (T,); return the logits (B, V) after it."""
        logits, given = self.given.prime(token_ids, state.given)
        others, plain = self.plain.prime(token_ids, state.plain)
        return self._guide(logits, others), GuidedState(given, plain)

    def step(
        self, token_ids: IntArray, state: GuidedState[State]
    ) -> tuple[FloatArray, GuidedState[State]]:
        """Read one token of each poem, ids (B,); return the logits (B, V) after it."""
        logits, given = self.given.step(token_ids, state.given)
        others, plain = self.plain.step(token_ids, state.plain)
        return self._guide(logits, others), GuidedState(given, plain)

    def select(self, state: GuidedState[State], rows: IntArray) -> GuidedState[State]:
        """Return the states of some poems, in the order given."""
        return GuidedState(
            self.given.select(state.given, rows), self.plain.select(state.plain, rows)
        )

    def _guide(self, logits: FloatArray, others: FloatArray) -> FloatArray:
        one, other = log_softmax(logits), log_softmax(others)
        guided: FloatArray = one + (self.guidance - 1) * (one - other)
        return guided
