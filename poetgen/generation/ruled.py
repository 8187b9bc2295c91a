"""A network under rules is a network again: all ways of generation work with it unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from poetgen.arrays import FloatArray, IntArray
from poetgen.generation.decode import State, Stepper
from poetgen.generation.plan import Plan, Row


@dataclass(frozen=True, slots=True)
class RuledState(Generic[State]):
    """The state of the network, and how far each poem (B,) is."""

    inner: State
    rows: Sequence[Row]


class RuledNetwork(Generic[State]):
    """A network whose logits are −∞ where a plan excludes a token."""

    def __init__(self, network: Stepper[State], plan: Plan) -> None:
        """Write with ``network`` by the rules of ``plan``."""
        self.network = network
        self.plan = plan
        self.num_starts = network.num_starts

    def start(self, batch_size: int) -> RuledState[State]:
        """Return the state before the first token."""
        return RuledState(self.network.start(batch_size), [self.plan.start()] * batch_size)

    def prime(
        self, token_ids: IntArray, state: RuledState[State]
    ) -> tuple[FloatArray, RuledState[State]]:
        """Read a start token and a text, ids (T,); return the logits (B, V) after it."""
        logits, inner = self.network.prime(token_ids, state.inner)
        rows = list(state.rows)
        for token_id in token_ids[1:].tolist():
            rows = [self.plan.advance(row, token_id) for row in rows]
        self.plan.exclude(logits, rows)
        return logits, RuledState(inner, rows)

    def step(
        self, token_ids: IntArray, state: RuledState[State]
    ) -> tuple[FloatArray, RuledState[State]]:
        """Read one token of each poem, ids (B,); return the logits (B, V) after it."""
        logits, inner = self.network.step(token_ids, state.inner)
        rows = [
            self.plan.advance(row, token_id)
            for row, token_id in zip(state.rows, token_ids.tolist(), strict=True)
        ]
        self.plan.exclude(logits, rows)
        return logits, RuledState(inner, rows)

    def select(self, state: RuledState[State], rows: IntArray) -> RuledState[State]:
        """Return the states of some poems, in the order given."""
        return RuledState(
            self.network.select(state.inner, rows), [state.rows[row] for row in rows.tolist()]
        )
