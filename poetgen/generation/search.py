"""The search for whole poems: one loop; beam.py and stochastic_beam.py have its scoring rules."""

from __future__ import annotations

import heapq
from typing import NamedTuple, Protocol

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.corpus.vocabulary import END
from poetgen.generation.decode import Draft, Request, State, Stepper, read_prompt, weigh


class Beginnings(NamedTuple):
    """Poems (B,) that are still growing, each with its prompt.

    A log-probability is that of all that follows the prompt.
    """

    poems: list[list[int]]
    log_probabilities: FloatArray
    scores: FloatArray


class ScoringRule(Protocol):
    """What tells one search from another."""

    def expand(self, logits: FloatArray, beginnings: Beginnings) -> tuple[FloatArray, FloatArray]:
        """Return log-probabilities and scores of every continuation, each (B, V).

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
    network: Stepper[State], request: Request, rule: ScoringRule, num_kept: int
) -> list[Draft]:
    """Return the poems that rank best by ``rule``, at most ``num_kept``, best first.

    At each step the ``num_kept`` best continuations are kept. Those that end, or reach the
    largest length, are set aside; those that cannot come in among the best are given up. A
    poem of the largest length is whole if its end is the likeliest to come next.
    """
    prompt, max_chars = list(request.prompt), request.sampling.max_chars
    if len(prompt) >= max_chars:
        return [Draft(prompt, False, 0.0)]
    growing = Beginnings([prompt], np.zeros(1), np.zeros(1))
    finished: list[tuple[float, Draft]] = []
    logits, state = read_prompt(network, prompt, 1)
    for length in range(len(prompt), max_chars):
        log_probabilities, scores = rule.expand(weigh(logits, growing.poems, request), growing)
        best = best_branches(scores, num_kept)
        poems = [[*growing.poems[row], token_id] for row, token_id in best]
        is_whole = np.array([token_id == END for _, token_id in best])
        is_last = length + 1 == max_chars
        if is_last:
            rows, chosen = np.array(best).T
            logits, _ = network.step(chosen, network.select(state, rows))
            is_whole |= weigh(logits, poems, request).argmax(axis=-1) == END
        branches = []
        for branch, poem, whole in zip(best, poems, is_whole, strict=True):
            score = float(scores[branch])
            if is_last or branch.token_id == END:
                written = poem[:-1] if branch.token_id == END else poem
                draft = Draft(written, not whole, float(log_probabilities[branch]))
                finished.append((rule.rank(score, length + 1 - len(prompt)), draft))
            else:
                branches.append((branch, *rule.bounds(score)))
        finished = sorted(finished, key=lambda ranked: -ranked[0])[:num_kept]
        rivals = [rank for rank, _ in finished] + [lowest for _, lowest, _ in branches]
        edge = heapq.nlargest(num_kept, rivals)[-1]
        kept = [branch for branch, _, highest in branches if highest >= edge]
        if not kept:
            break
        rows, chosen = np.array(kept).T
        poems = [[*growing.poems[row], token_id] for row, token_id in kept]
        growing = Beginnings(poems, log_probabilities[rows, chosen], scores[rows, chosen])
        logits, state = network.step(chosen, network.select(state, rows))
    return [draft for _, draft in finished]


def best_branches(scores: FloatArray, num_best: int) -> list[Branch]:
    """Return the places of the largest of ``scores`` (B, V), best first, except those of −∞.

    Equal scores come in the order of their places, so that the answer is always the same.
    """
    flat = scores.ravel()
    edge = np.partition(flat, -num_best)[-num_best] if num_best < flat.size else -np.inf
    (places,) = np.nonzero((flat >= edge) & (flat > -np.inf))
    places = places[np.argsort(-flat[places], kind="stable")][:num_best]
    rows, token_ids = np.divmod(places, scores.shape[1])
    return [Branch(*pair) for pair in zip(rows.tolist(), token_ids.tolist(), strict=True)]
