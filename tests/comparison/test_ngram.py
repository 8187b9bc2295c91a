"""The n-gram: a proper distribution, equal to the formula written out with dictionaries."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.comparison.ngram import (
    FALLBACK_DISCOUNTS,
    MAX_ORDER,
    NGram,
    count_levels,
    discounts_of,
    ngram_poet,
    train_ngram,
)
from poetgen.config import SampleConfig
from poetgen.corpus.corpus import encode_poems
from poetgen.corpus.vocabulary import END, PAD, START, UNK, Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.poet import generate
from poetgen.training.evaluation import evaluate
from tests.tiny import tiny_corpus

CHARS = "日月山水风"
VOCABULARY = Vocabulary(CHARS).with_fields()
# ? is unknown.
TEXTS = st.lists(st.text(CHARS[:3] + "?", min_size=1, max_size=9), min_size=1, max_size=12)
ORDERS = st.integers(1, 5)
# What may follow anything; the rest is never written.
WRITTEN = [END, UNK, *VOCABULARY.encode(CHARS)]


def naive_discounts(numbers):
    n = {k: numbers.count(k) for k in (1, 2, 3, 4)}
    if 0 in (n[1], n[2], n[3]):
        return (0.5, 1, 1.5)
    y = n[1] / (n[1] + 2 * n[2])
    found = (1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3])
    return found if all(0 < d <= k for k, d in enumerate(found, start=1)) else (0.5, 1, 1.5)


class Reference:
    """Modified Kneser-Ney over dictionaries, one n-gram at a time."""

    def __init__(self, texts, order):
        poems = [(START, *VOCABULARY.encode(text), END) for text in texts]
        counts = Counter(
            poem[first : first + length]
            for poem in poems
            for length in range(1, order + 1)
            for first in range(len(poem) - length + 1)
        )
        before = Counter(gram[1:] for gram in counts)
        self.adjusted = {
            gram: count if len(gram) == order or gram[0] == START else before[gram]
            for gram, count in counts.items()
            if gram != (START,)
        }
        by_length = {length: [] for length in range(1, order + 1)}
        for gram, number in self.adjusted.items():
            by_length[len(gram)].append(number)
        self.discounts = {length: naive_discounts(of) for length, of in by_length.items()}
        self.order = order

    def probability(self, token, context):
        context = tuple(context)[max(0, len(context) - self.order + 1) :]
        return self._after(token, context if self.order > 1 else ())

    def _after(self, token, context):
        shorter = self._after(token, context[1:]) if context else 1 / len(WRITTEN)
        seen = {gram[-1]: a for gram, a in self.adjusted.items() if gram[:-1] == context}
        if not seen:
            return shorter
        discounts = self.discounts[len(context) + 1]
        total = sum(seen.values())
        taken = {w: discounts[min(a, 3) - 1] for w, a in seen.items()}
        own = seen[token] - taken[token] if token in seen else 0
        return own / total + sum(taken.values()) / total * shorter


def ngram_of(texts, order):
    poems = encode_poems(texts, VOCABULARY)
    return NGram(count_levels(poems, len(VOCABULARY), order), order, VOCABULARY)


def log_probabilities(ngram, context):
    """Return the log-probabilities (V,) after a context that begins with the start of a poem."""
    logits, _ = ngram.prime(np.array(context), ngram.start(1))
    return logits[0]


@given(TEXTS, ORDERS, st.text(CHARS + "?", max_size=7))
def test_probabilities_equal_the_formula_written_out(texts, order, read):
    ngram, reference = ngram_of(texts, order), Reference(texts, order)
    context = [START, *VOCABULARY.encode(read)]
    wanted = [reference.probability(token, context) for token in WRITTEN]
    assert np.exp(log_probabilities(ngram, context))[WRITTEN] == pytest.approx(wanted, rel=1e-5)


def test_estimated_discounts_enter_as_in_the_formula():
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice([*CHARS], 6, p=[0.5, 0.3, 0.1, 0.07, 0.03])) for _ in range(60)]
    reference, ngram = Reference(texts, 4), ngram_of(texts, 4)
    assert sum(one != FALLBACK_DISCOUNTS for one in reference.discounts.values()) >= 2
    for context in ([START], *([START, *VOCABULARY.encode(text)] for text in ("月水", "日日日"))):
        wanted = [reference.probability(token, context) for token in WRITTEN]
        found = np.exp(log_probabilities(ngram, context))[WRITTEN]
        assert found == pytest.approx(wanted, rel=1e-5)


@given(TEXTS, ORDERS, st.lists(st.integers(0, len(VOCABULARY) - 1), min_size=1, max_size=7))
def test_probabilities_sum_to_one_after_any_context_and_none_is_zero(texts, order, context):
    probabilities = np.exp(log_probabilities(ngram_of(texts, order), context))
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert (probabilities[WRITTEN] > 0).all()
    assert not np.delete(probabilities, WRITTEN).any()


@given(TEXTS, ORDERS, TEXTS)
def test_losses_are_those_of_reading_token_by_token(texts, order, read):
    ngram = ngram_of(texts, order)
    width = max(map(len, read)) + 1
    inputs, targets = (np.full((len(read), width), PAD) for _ in range(2))
    wanted = []
    for row, text in enumerate(read):
        poem = [START, *VOCABULARY.encode(text), END]
        inputs[row, : len(poem) - 1], targets[row, : len(poem) - 1] = poem[:-1], poem[1:]
        state = ngram.start(1)
        for token, following in itertools.pairwise(poem):
            logits, state = ngram.step(np.array([token]), state)
            wanted.append(-logits[0, following])
    assert ngram.losses(inputs, targets, PAD) == pytest.approx(wanted)


def test_states_are_selected_with_what_they_have_read():
    ngram = ngram_of(["日月山", "月山水", "日月水"], 3)
    _, state = ngram.step(np.array([START, START]), ngram.start(2))
    _, state = ngram.step(np.array(VOCABULARY.encode("日月")), state)
    both, _ = ngram.step(np.array(VOCABULARY.encode("月山")), state)
    turned, _ = ngram.step(
        np.array(VOCABULARY.encode("山月")), ngram.select(state, np.array([1, 0]))
    )
    assert np.array_equal(turned, both[::-1])
    assert not np.array_equal(both[0], both[1])


def test_an_order_beyond_the_longest_poem_adds_nothing():
    texts = ["日月", "月山水"]
    longest, beyond = ngram_of(texts, 5), ngram_of(texts, 9)
    assert beyond.num_parameters == longest.num_parameters
    assert beyond.num_bytes == longest.num_bytes
    context = [START, *VOCABULARY.encode("月山水")]
    assert np.array_equal(log_probabilities(beyond, context), log_probabilities(longest, context))


def test_all_different_ngrams_are_counted():
    # Of one token the start, the end and 日; of two: start-日, 日日, 日-end.
    assert ngram_of(["日日日"], 2).num_parameters == 3 + 3


def test_discounts_follow_from_how_many_were_seen_how_often():
    # n1 … n4 = 8, 4, 2, 1: Y = 8/16.
    counts = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 3])
    assert discounts_of(counts) == pytest.approx((1 - 2 / 4, 2 - 3 / 4, 3 - 4 / 4))


@pytest.mark.parametrize(
    "counts",
    [[1, 1, 1], [2, 2, 3, 4], [1, 2, 4], [1] * 2 + [2] * 9 + [3] * 90],
    ids=["one only", "none once", "none thrice", "discount below zero"],
)
def test_too_few_ngrams_have_fixed_discounts(counts):
    assert discounts_of(np.array(counts)) == FALLBACK_DISCOUNTS


@pytest.mark.parametrize("order", [0, -1, MAX_ORDER + 1])
def test_an_order_out_of_range_is_refused(order):
    with pytest.raises(SettingError, match="ngram:"):
        train_ngram(tiny_corpus(), order)


def test_an_ngram_learns_the_training_poems_alone():
    corpus = tiny_corpus(90, seed=4)
    unigram, trigram = (
        evaluate(train_ngram(corpus, order), corpus.splits["train"], corpus.vocabulary)
        for order in (1, 3)
    )
    held_out = evaluate(train_ngram(corpus, 3), corpus.splits["validation"], corpus.vocabulary)
    assert 2 * trigram.perplexity_per_token < unigram.perplexity_per_token
    assert trigram.perplexity_per_token < held_out.perplexity_per_token < len(corpus.vocabulary)


def test_an_ngram_writes_poems():
    poet = ngram_poet(train_ngram(tiny_corpus(60, seed=2), 4))
    sampling = SampleConfig(temperature=0.8, max_chars=40)
    poems, again = (
        generate(model=poet, start="日", num_poems=5, sampling=sampling, seed=7) for _ in range(2)
    )
    assert [poem.text for poem in poems] == [poem.text for poem in again]
    assert all(poem.text.startswith("日") and len(poem.text) > 1 for poem in poems)
    assert len({poem.text for poem in poems}) > 1
    assert poet.name == "ngram:4"


@pytest.mark.parametrize(("order", "perplexity"), [(3, 208.14), (5, 187.05)])
def test_the_tang_have_the_perplexity_that_kenlm_finds(tang_corpus, order, perplexity):
    # lmplz and query of KenLM 0.2.0 on the same token ids, orders 3 and 5.
    ngram = train_ngram(tang_corpus, order)
    metrics = evaluate(ngram, tang_corpus.splits["validation"], tang_corpus.vocabulary)
    assert metrics.perplexity_per_token == pytest.approx(perplexity, abs=0.01)
