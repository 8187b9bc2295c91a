"""Many texts at once say the same as one by one."""

import json
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import HAN_RANGES, LINE_MARKS, hanzi_only, is_hanzi
from poetgen.corpus.bulk import contain, find_clean_verse, folded_hanzi_of_all
from poetgen.corpus.cleaning import clean
from poetgen.corpus.codepoints import count_codepoints
from poetgen.corpus.variants import fold
from tests.real_data import TANG, needs_tang

# The last three: a compatibility ideograph of each plane, and a lone surrogate.
ALPHABET = "日月山鴈華□（）a \n" + LINE_MARKS + "𠀀〇豈\U0002f800\ud800"
RAGGED = st.lists(st.text(ALPHABET, max_size=60), max_size=8)
LINES = st.lists(st.text("日月山水", min_size=1, max_size=18), min_size=1, max_size=6)
NEARLY_VERSE = st.lists(
    st.builds(
        lambda lines, marks: "".join(a + b for a, b in zip(lines, marks, strict=False)),
        LINES,
        st.lists(st.sampled_from([*LINE_MARKS, "", "。。"]), min_size=6, max_size=6),
    ),
    max_size=8,
)


@given(RAGGED | NEARLY_VERSE)
def test_what_is_marked_as_clean_verse_is_left_unchanged_by_cleaning(texts):
    for text, marked in zip(texts, find_clean_verse(texts), strict=True):
        if marked:
            assert clean(text) == (text, None)


@given(NEARLY_VERSE)
def test_every_clean_poem_with_one_mark_to_each_line_is_marked(texts):
    cleaned = [clean(text).text for text in texts]
    whole = [text for text in cleaned if text is not None]
    assert find_clean_verse(whole).all()


@needs_tang
def test_most_of_the_work_is_saved_on_real_poems():
    records = json.loads((TANG / "poet.tang.1000.json").read_text(encoding="utf-8"))
    assert find_clean_verse(["".join(poem["paragraphs"]) for poem in records]).mean() > 0.8


@given(RAGGED)
def test_the_characters_of_all_texts_are_those_of_each(texts):
    assert folded_hanzi_of_all(texts) == [fold(hanzi_only(text), "classes") for text in texts]


@given(RAGGED, st.text(ALPHABET, max_size=3))
def test_texts_that_contain_a_character_are_marked(texts, chars):
    table = np.zeros(0x110000, bool)
    table[[ord(char) for char in chars]] = True
    assert contain(texts, table).tolist() == [bool(set(text) & set(chars)) for text in texts]


@given(RAGGED)
def test_counting_code_points_counts_characters(texts):
    counts = count_codepoints(texts)
    expected = Counter("".join(texts))
    assert counts.sum() == expected.total()
    assert {chr(i): counts[i] for i in np.flatnonzero(counts)} == expected


def test_the_ranges_and_the_regular_expression_are_the_same_characters():
    for first, last in HAN_RANGES:
        assert is_hanzi(chr(first))
        assert is_hanzi(chr(last))
        assert not is_hanzi(chr(first - 1))
        assert not is_hanzi(chr(last + 1))
