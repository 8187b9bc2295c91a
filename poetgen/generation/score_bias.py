"""Biases of characters by what the score counts of them, so that drafts are drawn which it likes.

Much of what the score of a draft takes off is known as soon as a character is written: a common or
an overused pair, a character that stands in the poem already, a sign of another season. Drawn by
the likelihood alone, most drafts have some of it and are thrown away. So the logits are lowered by
what the score would take off; drafts are judged by the likelihoods of the network as before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from poetgen.arrays import FloatArray, IntArray
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.generation.plan import Plan
from poetgen.verse.choice import Choice
from poetgen.verse.common_pairs import common_pairs, doublings
from poetgen.verse.overused import overused_pairs
from poetgen.verse.score import Weights
from poetgen.verse.seasons import SEASONS, SEASONS_OF, seasons_of_title

# The score takes 8 nats off a 七绝 for a repeat, twice as many for a sign of another season. With
# these hardly a draft has one, and one may still stand where nothing else fits.
_REPEAT, _COUPLET_REPEAT, _SEASON = 3.0, 1.5, 4.0


class ScoreBias:
    """What is added to the logits of the drafts of several poems of one plan."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        choice: Choice,
        plan: Plan,
        titles: Sequence[str],
        num_drafts: int,
        weights: Weights = Weights(),
    ) -> None:
        """Look up what the score says of the tokens of a vocabulary.

        ``titles`` are those of the poems, each of which has ``num_drafts`` rows, one after the
        other.
        """
        self._slots = plan.slots
        num_tokens = len(plan.usable)
        # What is not known is UNK, which is never written.
        self._unigram = np.zeros(num_tokens, np.float32)
        known = vocabulary.encode(choice.log_probs)
        self._unigram[known] = -weights.dullness * np.array([*choice.log_probs.values()])
        self._first, self._seconds, self._pairs = _pair_table(vocabulary, num_tokens, weights)
        self._doubles = np.zeros(num_tokens, np.bool_)
        self._doubles[vocabulary.encode(pair[0] for pair in doublings())] = True
        # Which seasons each token may stand in, and those of the title of each row.
        self._signs = np.array(vocabulary.encode(SEASONS_OF))
        self._allowed = np.ones((num_tokens, len(SEASONS)), np.bool_)
        self._allowed[self._signs] = [
            [season in of_sign for season in SEASONS] for of_sign in SEASONS_OF.values()
        ]
        of_titles = [seasons_of_title(title) or SEASONS for title in titles]
        self._asked = np.repeat(
            [[season in of_title for season in SEASONS] for of_title in of_titles], num_drafts, 0
        )

    def add(self, logits: FloatArray, texts: Sequence[Sequence[int]]) -> FloatArray:
        """Return logits (B, V) of what comes next in texts of equal length, with their biases."""
        slot, ids = self._slots[len(texts[0])], np.array(texts, np.int64)
        if slot.place is None:
            return logits
        biased: FloatArray = logits + self._unigram
        rows = np.arange(len(ids))
        before = self._slots[: len(texts[0])]
        written = ids[:, [other.place is not None for other in before]]
        in_couplet = ids[
            :, [other.place is not None and other.line >= slot.line // 2 * 2 for other in before]
        ]
        follows = bool(before) and before[-1].line == slot.line
        if follows:
            last = ids[:, -1]
            self._add_pairs(biased, last)
            doubled = biased[rows, last]
        biased[rows[:, None], written] -= _REPEAT
        biased[rows[:, None], in_couplet] -= _COUPLET_REPEAT
        if follows:
            # 渐渐 is a word, and 渐渐渐 is none.
            again = ids.shape[1] > 1 and (ids[:, -1] == ids[:, -2])
            may_double = self._doubles[last] & ~np.asarray(again)
            biased[rows[may_double], last[may_double]] = doubled[may_double]
        self._lower_signs(biased, written)
        return biased

    def _add_pairs(self, logits: FloatArray, last: IntArray) -> None:
        """Lower in place the logits of tokens that make a pair with the one before, ids (B,)."""
        counts = self._first[last + 1] - self._first[last]
        rows = np.repeat(np.arange(len(last)), counts)
        ends = np.cumsum(counts)
        places = np.arange(len(rows)) + np.repeat(self._first[last] - ends + counts, counts)
        logits[rows, self._seconds[places]] += self._pairs[places]

    def _lower_signs(self, logits: FloatArray, written: IntArray) -> None:
        """Lower in place the signs of seasons in which the rest of a poem, (B, T), cannot be."""
        possible = self._allowed[written].all(axis=1) & self._asked
        undecided = ~possible.any(axis=1)
        possible[undecided] = self._asked[undecided]
        suits = possible.astype(np.int64) @ self._allowed[self._signs].T
        logits[:, self._signs] -= np.where(suits > 0, 0, np.float32(_SEASON))


def _pair_table(
    vocabulary: Vocabulary, num_tokens: int, weights: Weights
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the biases of pairs: from ``first[a]`` on those after token a, ids and nats (P,)."""
    costs = {pair: weights.overuse * excess for pair, excess in overused_pairs().items()}
    for pair in common_pairs():
        costs[pair] = costs.get(pair, 0.0) + weights.common
    ids = np.array(vocabulary.encode("".join(costs))).reshape(-1, 2)
    order = np.argsort(ids[:, 0], kind="stable")
    firsts, seconds = ids[order].T
    biases = -np.array([*costs.values()], np.float32)[order]
    return np.searchsorted(firsts, np.arange(num_tokens + 1)), seconds, biases
