"""Poems as token ids, and the fingerprint of what is learnt from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.corpus import Poems, encode_poems, fingerprint_of, unknown_share
from poetgen.corpus.vocabulary import (
    END,
    START,
    Vocabulary,
)


@given(st.lists(st.text("日月山水", max_size=9), max_size=7))
def test_encoded_poems_stand_end_to_end_each_between_start_and_end(texts):
    vocabulary = Vocabulary("月日水")  # 山 is unknown
    poems = encode_poems(texts, vocabulary)
    assert len(poems) == len(texts)
    spelled = [[START, *vocabulary.encode(text), END] for text in texts]
    assert [poem.tolist() for poem in poems] == spelled
    assert poems.tokens.tolist() == [i for poem in spelled for i in poem]
    assert poems.lengths.tolist() == [len(text) + 1 for text in texts]
    assert poems.num_targets == sum(len(text) + 1 for text in texts)
    unknown = "".join(texts).count("山")
    assert unknown_share(poems) == (unknown / poems.num_targets if texts else 0)


def test_many_poems_are_encoded_like_few():
    vocabulary = Vocabulary("月日")
    texts = ["日", "日月", "", "月月月"] * 30_000
    one, all_of_them = (encode_poems(part, vocabulary) for part in (texts[:4], texts))
    assert all_of_them.tokens.tolist() == one.tokens.tolist() * 30_000
    assert all_of_them.lengths.tolist() == one.lengths.tolist() * 30_000


@pytest.mark.parametrize("num_tokens", [1 << 16, (1 << 16) - 4, (1 << 16) - 3])
def test_ids_of_a_large_vocabulary_are_not_cut_off(num_tokens):
    vocabulary = Vocabulary([chr(0x10000 + number) for number in range(num_tokens)])
    last = vocabulary.tokens[-1]
    poems = encode_poems([last], vocabulary)
    assert poems.tokens.tolist() == [START, num_tokens + 3, END]
    assert vocabulary.decode(poems[0]) == last


def test_the_fingerprint_tells_moved_poems_and_moved_borders_apart():
    vocabulary = Vocabulary("日月")

    def fingerprint(train, validation, vocabulary=vocabulary):
        splits = {"train": train, "validation": validation, "test": []}
        return fingerprint_of(
            vocabulary,
            {name: encode_poems(texts, vocabulary) for name, texts in splits.items()},
            {},
        )

    prints = [
        fingerprint(["日", "月"], []),
        fingerprint(["月", "日"], []),
        fingerprint(["日"], ["月"]),
        fingerprint(["日月"], []),
        fingerprint(["日", "月"], [], Vocabulary("月日")),
    ]
    assert len(set(prints)) == 5
    wide = Poems(np.array([START, 4, END], np.uint32), np.array([0, 3]))
    narrow = Poems(np.array([START, 4, END], np.uint16), np.array([0, 3]))
    empty = encode_poems([], vocabulary)
    one, two = (
        fingerprint_of(vocabulary, {"train": poems, "validation": empty, "test": empty}, {})
        for poems in (wide, narrow)
    )
    assert one == two
