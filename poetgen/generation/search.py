"""The search for whole poems: one loop; beam.py and stochastic_beam.py bring the scoring rule."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from poetgen.arrays import BoolArray, FloatArray
from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import END
from poetgen.generation.decode import Draft, State, Stepper, read_prompt, weigh


class Beginnings(NamedTuple):
    """B poems that are still growing: the prompt first, log-probabilities (B,), scores (B,).

    A log-probability is that of all that follows the prompt.
    """

    poems: list[list[int]]
    log_probabilities: FloatArray
    scores: FloatArray


class ScoringRule(Protocol):
    """What tells one search from another."""

    def expand(self, logits: FloatArray, beginnings: Beginnings) -> tuple[FloatArray, FloatArray]:
        """Return log-probabilities and scores, each (B, V), of every continuation.

        The largest scores are followed; −∞ excludes a continuation.
        """

    def rank(self, score: float, num_choices: int) -> float:
        """Return what a finished poem of so many choices is ranked by; higher is better."""

    def bounds(self, score: float) -> tuple[float, float]:
        """Return the lowest and the highest rank that the best poem of a beginning can have."""


class Branch(NamedTuple):
    """A continuation: from which row of the batch, with which token."""

    row: int
    token_id: int


def search(
    network: Stepper[State],
    prompt: Sequence[int],
    config: SampleConfig,
    rule: ScoringRule,
    num_kept: int,
    exempt: BoolArray | None = None,
) -> list[Draft]:
    """Return the poems that rank best by ``rule``, at most ``num_kept``, best first.

    At each step the ``num_kept`` best continuations are kept. Those that end, or reach
    ``config.max_chars``, are set aside, and those that cannot come in among the best are
    given up, until none is left.
    """
    growing = Beginnings([list(prompt)], np.zeros(1), np.zeros(1))
    finished: list[tuple[float, Draft]] = []
    logits, state = read_prompt(network, prompt, 1)
    for length in range(len(prompt), config.max_chars):
        logits = weigh(logits, growing.poems, config, exempt)
        log_probabilities, scores = rule.expand(logits, growing)
        is_last = length + 1 == config.max_chars
        branches = []
        for branch in best_branches(scores, num_kept):
            if branch.token_id == END or is_last:
                rank = rule.rank(float(scores[branch]), length + 1 - len(prompt))
                last = [] if branch.token_id == END else [branch.token_id]
                poem = growing.poems[branch.row] + last
                finished.append((rank, Draft(poem, bool(last), float(log_probabilities[branch]))))
            else:
                branches.append((branch, *rule.bounds(float(scores[branch]))))
        finished = sorted(finished, key=lambda ranked: -ranked[0])[:num_kept]
        rivals = [rank for rank, _ in finished] + [lowest for _, lowest, _ in branches]
        edge = heapq.nlargest(num_kept, rivals)[-1]
        kept = [branch for branch, _, highest in branches if highest >= edge]
        if not kept:
            break
        rows, chosen = np.array(kept).T
        growing = Beginnings(
            [[*growing.poems[row], token_id] for row, token_id in kept],
            log_probabilities[rows, chosen],
            scores[rows, chosen],
        )
        logits, state = network.step(chosen, network.select(state, rows))
    return [draft for _, draft in finished]


def best_branches(scores: FloatArray, num_best: int) -> list[Branch]:
    """Return the places of the largest of ``scores`` (B, V), best first; none of −∞.

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
