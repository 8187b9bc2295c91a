"""Tokens and their ids."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.vocabulary import (
    END,
    NUM_SPECIAL,
    PAD,
    START,
    UNK,
    Vocabulary,
    build_vocabulary,
    count_tokens,
)


@pytest.fixture
def vocabulary():
    return Vocabulary(["，", "日", "月", "a"])


@pytest.mark.parametrize("token", ["\x1b[2J", "\x00", "\x9b", "\ud800", 7, None])
def test_what_a_terminal_would_obey_is_no_token(token):
    with pytest.raises(ValueError, match="vocabulary"):
        Vocabulary(["日", token])
    assert len(Vocabulary(["日", "\n", "\t"])) == NUM_SPECIAL + 3


def test_ordinary_tokens_follow_the_four_special_ones_in_the_order_given(vocabulary):
    assert list(range(NUM_SPECIAL)) == [PAD, START, END, UNK]
    assert len(vocabulary) == 8
    assert vocabulary.encode("月，日a") == [6, 4, 5, 7]


@given(
    st.lists(st.characters(exclude_categories=["Cc", "Cs"]), unique=True, max_size=20), st.data()
)
def test_what_is_known_is_decoded_to_itself(tokens, data):
    vocabulary = Vocabulary(tokens)
    text = "".join(data.draw(st.lists(st.sampled_from(tokens)))) if tokens else ""
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert [vocabulary.token(i) for i in ids] == list(text)
    assert all(char in vocabulary for char in text)


@given(st.text(max_size=30))
def test_no_text_is_encoded_to_padding_start_or_end(text):
    vocabulary = Vocabulary(["\t", "\n", "日", "<s>"])
    ids = vocabulary.encode(text)
    assert len(ids) == len(text)
    assert not {PAD, START, END} & set(ids)
    assert [i == UNK for i in ids] == [char not in vocabulary for char in text]


def test_special_tokens_have_no_spelling(vocabulary):
    assert vocabulary.decode([START, 5, UNK, 4, 6, END, PAD, PAD]) == "日，月"


@pytest.mark.parametrize("tokens", [["日", "月", "日"], ["日", ""]])
def test_an_empty_or_doubled_token_is_refused(tokens):
    with pytest.raises(ValueError, match="vocabulary"):
        Vocabulary(tokens)


@pytest.mark.parametrize(
    ("tokens", "kind", "marked"),
    [
        (["e", " ", ",", "t"], "char", []),
        (["the", "poem"], "word", []),
        (["a", "b", "日", "c"], "char", ["日"]),
        (["日", "床前", "明月"], "word", []),
    ],
)
def test_what_is_unknown_is_no_hanzi_where_most_letters_are_none(tokens, kind, marked):
    vocabulary = Vocabulary(tokens, kind)
    found = np.flatnonzero(vocabulary.hanzi_mask()).tolist()
    assert found == vocabulary.encode(marked)


def test_the_hanzi_mask_marks_characters_and_the_unknown_one():
    vocabulary = Vocabulary(["，", "日", "a", "〇", "\n"])
    mask = vocabulary.hanzi_mask()
    assert mask.dtype == bool
    assert set(np.flatnonzero(mask).tolist()) == {UNK, *vocabulary.encode("日〇")}
    assert mask.shape == (len(vocabulary),)


@pytest.mark.parametrize(
    ("tokens", "kind", "is_chinese"),
    [(["日", "，"], "char", True), (["明月", "a"], "word", True), (["a", "the"], "word", False)],
)
def test_characters_and_words_are_of_a_language(tokens, kind, is_chinese):
    assert Vocabulary(tokens, kind).is_chinese == is_chinese


@given(st.lists(st.text("ab 日\n,", max_size=12), min_size=1), st.sampled_from(["char", "word"]))
def test_encoding_all_texts_at_once_is_encoding_each(texts, kind):
    vocabulary = build_vocabulary(count_tokens(texts[:1], kind), 1, kind)
    token_ids, lengths = vocabulary.encode_texts(texts)
    each = [vocabulary.encode_text(text) for text in texts]
    assert token_ids.tolist() == [i for ids in each for i in ids]
    assert lengths.tolist() == [len(ids) for ids in each]


@given(st.lists(st.text("日月山水，", max_size=8), max_size=6), st.integers(1, 4), st.randoms())
def test_the_vocabulary_depends_on_counts_alone_not_on_the_order_of_poems(texts, min_count, rng):
    shuffled = rng.sample(texts, len(texts))
    counts = Counter("".join(texts))
    tokens = build_vocabulary(count_tokens(texts), min_count).tokens
    assert build_vocabulary(count_tokens(shuffled), min_count).tokens == tokens
    assert set(tokens) == {char for char in counts if counts[char] >= min_count}
    assert list(tokens) == sorted(tokens, key=lambda char: (-counts[char], char))


@given(st.lists(st.text(st.characters() | st.sampled_from("日\ud800\U0002f800"))))
def test_every_character_is_counted(texts):
    assert count_tokens(texts) == Counter("".join(texts))
