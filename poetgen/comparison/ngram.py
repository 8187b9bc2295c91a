"""An n-gram model with interpolated modified Kneser-Ney smoothing: the baseline of a comparison.

The probability of a token w after a context h is::

    p(w | h) = (a(hw) − D(a(hw))) / Σ a(h·) + rest(h) · p(w | h without its first token)

and below the empty context stands the uniform choice among all tokens that a poem may have. Of an
n-gram of the highest order, a is its count. Of a shorter one it is the number of different tokens
that stand before it, but again its count if it begins with the start of a poem, before which
nothing stands. D is one of three discounts, for a = 1, a = 2 and more; rest(h) is what they take
away, so that probabilities sum to 1. Source: Chen and Goodman 1999, An empirical study of smoothing
techniques for language modeling, Computer Speech & Language 13.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import BoolArray, FloatArray, IntArray
from poetgen.config import ModelConfig
from poetgen.corpus.corpus import Corpus, Poems
from poetgen.corpus.vocabulary import START, UNK, Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.poet import Poet
from poetgen.networks.model import Model

MAX_ORDER = 10
# Where there are too few n-grams to estimate them; the same as in KenLM (Heafield et al. 2013).
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
# The place of an n-gram that was not seen.
_UNSEEN = -1

# For each poem of a batch, (B, number of levels): the places of the n-grams of 0, 1, 2, … tokens
# at its end.
Contexts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Level:
    """All n-grams of one length, as a level of a trie.

    Each is a context, an n-gram of the level above, and one more token. Those of context c have
    the places ``first[c]`` to ``first[c + 1]`` in ``tokens`` (N,), ascending, and in ``shares``
    (N,), the first term of their probability. ``rest`` (C,) is what a context leaves to shorter
    ones; 1 where nothing follows it.
    """

    first: NDArray[np.int32]
    tokens: IntArray
    shares: NDArray[np.float32]
    rest: NDArray[np.float32]

    def find(self, contexts: IntArray, tokens: IntArray) -> NDArray[np.int64]:
        """Return the places of n-grams, given by contexts and last tokens of one shape.

        −1 for those that were not seen, or whose context was not.
        """
        rows = np.maximum(contexts, 0)
        low = self.first[rows]
        end = np.where(contexts == _UNSEEN, low, self.first[rows + 1])
        high, last = end, len(self.tokens) - 1
        while (is_open := low < high).any():  # a binary search in all of them at once
            middle = (low + high) // 2
            is_before = self.tokens[np.minimum(middle, last)] < tokens
            low = np.where(is_open & is_before, middle + 1, low)
            high = np.where(is_open & ~is_before, middle, high)
        is_found = (low < end) & (self.tokens[np.minimum(low, last)] == tokens)
        return np.where(is_found, low, _UNSEEN)

    @property
    def num_bytes(self) -> int:
        """Bytes in memory."""
        return sum(part.nbytes for part in (self.first, self.tokens, self.shares, self.rest))


class NGram:
    """An n-gram model that predicts and writes like a network, token by token."""

    num_starts = 1

    def __init__(
        self, levels: Sequence[Level], order: int, vocabulary: Vocabulary, script: str = "keep"
    ) -> None:
        """Use ``levels``, of 1, 2, … tokens: ``order`` of them, or fewer if no poem is so long."""
        self.order = order
        self.vocabulary = vocabulary
        self.script = script
        self._levels = levels
        # After no context: a table over the whole vocabulary.
        root, is_written = levels[0], _written(vocabulary)
        self._unigrams = np.where(is_written, root.rest[0] / is_written.sum(), 0.0)
        self._unigrams[root.tokens] += root.shares

    @property
    def num_parameters(self) -> int:
        """The number of different n-grams of all lengths."""
        return sum(len(level.tokens) for level in self._levels)

    @property
    def num_bytes(self) -> int:
        """Bytes in memory."""
        return sum(level.num_bytes for level in self._levels)

    def losses(self, inputs: IntArray, targets: IntArray, pad: int) -> NDArray[np.float64]:
        """Return the loss in nats of every target (B, T) that is not ``pad``, row by row (N,)."""
        present = targets != pad
        wanted = targets[present]
        probabilities = self._unigrams[wanted]
        # After each input, and in the first column before any: the empty n-gram ends everywhere.
        ending = np.zeros((len(inputs), inputs.shape[1] + 1), np.int64)
        for shorter, level in itertools.pairwise(self._levels):
            longer = np.full_like(ending, _UNSEEN)
            longer[:, 1:] = shorter.find(ending[:, :-1], inputs)
            ending = longer
            contexts = ending[:, 1:][present]
            places = level.find(contexts, wanted)
            probabilities *= np.where(contexts == _UNSEEN, 1.0, level.rest[contexts])
            probabilities += np.where(places == _UNSEEN, 0.0, level.shares[places])
        losses: NDArray[np.float64] = -np.log(probabilities)
        return losses

    def start(self, batch_size: int) -> Contexts:
        """Return the state before the first token: the empty context alone."""
        state = np.full((batch_size, len(self._levels)), _UNSEEN, np.int64)
        state[:, 0] = 0
        return state

    def prime(self, token_ids: IntArray, state: Contexts) -> tuple[FloatArray, Contexts]:
        """Read a text into every state, ids (T,); return the logits (B, V) after its last token."""
        for token_id in token_ids:
            state = self._read(np.full(len(state), token_id), state)
        return self._logits(state), state

    def step(self, token_ids: IntArray, state: Contexts) -> tuple[FloatArray, Contexts]:
        """Read one token of each poem, ids (B,); return logits (B, V) and the next state."""
        state = self._read(token_ids, state)
        return self._logits(state), state

    def select(self, state: Contexts, rows: IntArray) -> Contexts:
        """Return the states of some poems, in the order given."""
        return state[rows]

    def join(self, states: Sequence[Contexts]) -> Contexts:
        """Return the states of several batches as those of one."""
        return np.concatenate(states)

    def _read(self, token_ids: IntArray, state: Contexts) -> Contexts:
        new = np.zeros_like(state)
        for length, level in enumerate(self._levels[:-1], start=1):
            new[:, length] = level.find(state[:, length - 1], token_ids)
        return new

    def _logits(self, state: Contexts) -> FloatArray:
        """Return the log-probabilities (B, V) after these contexts."""
        out = np.tile(self._unigrams, (len(state), 1))
        for length, level in enumerate(self._levels[1:], start=1):
            for row, context in enumerate(state[:, length].tolist()):
                if context != _UNSEEN:
                    out[row] *= level.rest[context]
                    inside = slice(level.first[context], level.first[context + 1])
                    out[row, level.tokens[inside]] += level.shares[inside]
        with np.errstate(divide="ignore"):  # padding and the start token follow nothing
            np.log(out, out=out)
        return out


def train_ngram(corpus: Corpus, order: int) -> NGram:
    """Return the n-gram model of the training poems of a corpus, with n = ``order``.

    Raises:
        SettingError: ``order`` is not from 1 to ``MAX_ORDER``.
    """
    if not 1 <= order <= MAX_ORDER:
        raise SettingError(
            f"ngram:{order} is out of range.", f"Give a number from 1 to {MAX_ORDER}: ngram:5"
        )
    levels = count_levels(corpus.splits["train"], len(corpus.vocabulary), order)
    return NGram(levels, order, corpus.vocabulary, corpus.script)


def ngram_poet(ngram: NGram) -> Poet:
    """Return a poet that writes with an n-gram; its model has a vocabulary and no weights."""
    vocabulary = ngram.vocabulary
    shape = ModelConfig(vocab_size=len(vocabulary))
    model = Model(shape, vocabulary, weights={}, script=ngram.script)
    return Poet(f"ngram:{ngram.order}", model, ngram)


def count_levels(poems: Poems, vocab_size: int, order: int) -> list[Level]:
    """Return the n-grams of 1 to ``order`` tokens in poems; fewer if no poem has so many."""
    levels: list[Level] = []
    num_contexts = 1
    for keys, counts in _iter_counts(poems, vocab_size, order):
        contexts = (keys // vocab_size).astype(np.int32)
        tokens = (keys % vocab_size).astype(poems.tokens.dtype)
        levels.append(_smoothed(contexts, tokens, counts, num_contexts))
        num_contexts = len(keys)
    return levels


def _smoothed(
    contexts: NDArray[np.int32], tokens: IntArray, counts: NDArray[np.int32], num_contexts: int
) -> Level:
    """Return the level of n-grams, given by their contexts, last tokens and a, each (N,)."""
    discounts = np.append(0, discounts_of(counts)).astype(np.float32)[np.minimum(counts, 3)]
    totals = np.bincount(contexts, counts, num_contexts)
    taken = np.bincount(contexts, discounts, num_contexts)
    sizes = np.bincount(contexts, minlength=num_contexts)
    shares = counts.astype(np.float32) - discounts
    shares /= totals.astype(np.float32)[contexts]
    return Level(
        first=np.append(0, np.cumsum(sizes)).astype(np.int32),
        tokens=tokens,
        shares=shares,
        rest=np.where(sizes > 0, taken / np.maximum(totals, 1), 1.0).astype(np.float32),
    )


def _iter_counts(
    poems: Poems, vocab_size: int, order: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Yield the different n-grams (N,) of each length, ascending, and their a (N,).

    An n-gram is the place of its context among those before, times ``vocab_size``, plus its last
    token: so one of any length is one number.
    """
    starts = np.repeat(poems.offsets[:-1], np.diff(poems.offsets))
    places = (np.arange(len(starts)) - starts).astype(np.int32)
    # The n-gram that ends at each place of the stream; at first the empty one.
    ending = np.zeros(len(places), np.int32)
    grams, counts = np.zeros(1, np.int64), np.zeros(1, np.int32)
    for length in range(1, min(order, int(places.max()) + 1) + 1):
        at = np.flatnonzero(places >= length - 1)
        contexts = ending[at - 1] if length > 1 else ending
        keys = contexts.astype(np.int64) * vocab_size + poems.tokens[at]
        longer, owners, own_counts = _distinct(keys)
        if length == 1:
            own_counts[longer == START] = 0  # it is never predicted
        else:
            shorter = np.empty(len(longer), np.int32)
            shorter[owners] = ending[at]
            num_before = np.bincount(shorter, minlength=len(grams)).astype(np.int32)
            initial = ending[places == length - 2]
            num_before[initial] = counts[initial]
            yield grams, num_before
        grams, counts = longer, own_counts
        ending[at] = owners
        ending[places < length - 1] = _UNSEEN
    yield grams, counts


def _distinct(
    keys: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Return the different keys, ascending, the number of each key among them, and the counts.

    As ``np.unique`` does, in half the memory.
    """
    order = np.argsort(keys)
    ordered = keys[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])
    numbers = np.empty(len(keys), np.int32)
    numbers[order] = np.cumsum(is_first, dtype=np.int32) - 1
    return ordered[is_first], numbers, np.bincount(numbers).astype(np.int32)


def discounts_of(counts: IntArray) -> tuple[float, float, float]:
    """Return the discounts of n-grams seen once, twice, and more often.

    They follow from how many n-grams were seen 1, 2, 3 and 4 times. Where these numbers give none
    that is above zero and not above what it is taken from, as for a text of a few lines, they are
    ``FALLBACK_DISCOUNTS``. Source: Chen and Goodman 1999, section 3.
    """
    num_seen = np.bincount(np.minimum(counts, 5), minlength=6).tolist()
    if not all(num_seen[1:4]):
        return FALLBACK_DISCOUNTS
    share = num_seen[1] / (num_seen[1] + 2 * num_seen[2])
    one, two, more = (k - (k + 1) * share * num_seen[k + 1] / num_seen[k] for k in (1, 2, 3))
    is_usual = 0 < one <= 1 and 0 < two <= 2 and 0 < more <= 3
    return (one, two, more) if is_usual else FALLBACK_DISCOUNTS


def _written(vocabulary: Vocabulary) -> BoolArray:
    """Return a mask (V,) of what a poem may have: its tokens, its end and the unknown token."""
    mask = np.ones(len(vocabulary), np.bool_)
    mask[vocabulary.unwritten] = False
    mask[UNK] = True
    return mask
