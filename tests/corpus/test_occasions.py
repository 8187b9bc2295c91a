"""What is said before a poem: which fields, in which order, how often, and nothing else."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import mostly_han
from poetgen.corpus.about import About, Abouts
from poetgen.corpus.corpus import encode_poems
from poetgen.corpus.occasions import MAX_FOREIGN_TITLE, occasions_of, plain_title
from poetgen.corpus.vocabulary import END, FIELDS, MAX_TITLE, START, Vocabulary
from tests.tiny import titled_corpus

KNOWN = "山水日月五七言绝杂"
VOCABULARY = Vocabulary(KNOWN + "，。").with_fields()
FIELD_OF = {VOCABULARY.field_id(field): field for field in FIELDS}

PIECES = st.text(KNOWN + "龘", max_size=6)
# Few different lines, so that pairs recur.
LINES = st.sampled_from(["山水日月五", "山水日日山", "龘月日月五", "山水日月水日月", "月", ""])
TEXTS = st.lists(LINES, max_size=6).map("，".join)
POEMS = st.lists(st.tuples(TEXTS, st.builds(About, PIECES, PIECES, st.just(""))), max_size=30)


def occasions(texts, abouts, vocabulary=VOCABULARY):
    lines = [about.as_line() for about in abouts]
    return occasions_of(encode_poems(texts, vocabulary), Abouts.of_lines(lines), vocabulary)


def occasions_in(corpus, split="train"):
    vocabulary = corpus.vocabulary.with_fields()
    return occasions_of(corpus.splits[split], corpus.about(split), vocabulary), vocabulary


def joined_slowly(occasions, drawn, number):
    """One sequence, as a reader of the description would write it down."""
    said = []
    if drawn.author[number]:
        said += occasions.author[number].tolist()
    for places, lengths in zip(drawn.keywords, drawn.lengths, strict=True):
        begin, length = places[number], lengths[number]
        if length:
            said += [occasions.keyword_id, *occasions.poems.tokens[begin : begin + length]]
    if drawn.title[number]:
        said += occasions.title[number].tolist()
    if drawn.form[number]:
        said += occasions.form[number].tolist()
    return said + occasions.poems[number].tolist()


def fields_of(sequence, vocabulary):
    """The fields of a sequence, with what they say, in their order; and the poem."""
    sequence = list(map(int, sequence))
    marks = {vocabulary.field_id(field): field for field in FIELDS}
    start = sequence.index(START)
    begins = [place for place, token in enumerate(sequence) if token in marks]
    said = [
        (marks[sequence[begin]], sequence[begin + 1 : end])
        for begin, end in itertools.pairwise([*begins, start])
    ]
    assert all(place < start for place in begins)
    assert not begins or begins[0] == 0
    return said, sequence[start:]


@given(poems=POEMS, seed=st.integers(0, 99))
def test_a_sequence_is_what_is_said_in_its_order_and_then_the_poem(poems, seed):
    found = occasions([text for text, _ in poems], [about for _, about in poems])
    drawn = found.draw(np.random.default_rng(seed))
    sequences = found.join(drawn)
    assert len(sequences) == len(poems)
    assert sequences.tokens.dtype == found.poems.tokens.dtype
    for number in range(len(poems)):
        assert sequences[number].tolist() == joined_slowly(found, drawn, number)
        said, poem = fields_of(sequences[number], VOCABULARY)
        assert poem == found.poems[number].tolist()
        order = [FIELDS.index(field) for field, _ in said]
        assert order == sorted(order)


def test_very_many_poems_are_joined_as_few_are():
    texts = [KNOWN[number % 7] * (number % 3 + 1) for number in range(20_003)]
    abouts = [About(KNOWN[number % 5] * (number % 2), "山日") for number in range(len(texts))]
    found = occasions(texts, abouts)
    drawn = found.draw(np.random.default_rng(1))
    sequences = found.join(drawn)
    for number in [*range(50), *range(19_980, len(texts))]:
        assert sequences[number].tolist() == joined_slowly(found, drawn, number)


@given(poems=POEMS)
def test_a_sequence_without_fields_is_the_poem_byte_for_byte(poems):
    found = occasions([text for text, _ in poems], [about for _, about in poems])
    alone = found.given()
    np.testing.assert_array_equal(alone.tokens, found.poems.tokens)
    np.testing.assert_array_equal(alone.offsets, found.poems.offsets)


@given(poems=POEMS)
def test_what_is_given_is_said_whole_and_what_cannot_be_spelled_is_not(poems):
    found = occasions([text for text, _ in poems], [about for _, about in poems])
    for sequence, (_, about) in zip(found.given("author", "title"), poems, strict=True):
        said, _ = fields_of(sequence, VOCABULARY)
        wanted = [("author", about.author), ("title", plain_title(about.title))]
        assert [(field, VOCABULARY.decode(ids)) for field, ids in said] == [
            (field, text) for field, text in wanted if text and "龘" not in text
        ]


FORMS = {
    "山水日月五，" * 3 + "山水日月五。": "五绝",
    "山水日月五山水，" * 3 + "山水日月五山水。": "七绝",
    "山水日月五，" * 5 + "山水日月五。": "五言",
    "山水日月五山水，山水日月五。": "杂言",
}


@pytest.mark.parametrize("text", FORMS, ids=FORMS.get)
def test_the_form_is_that_of_the_lines(text):
    ((_, form),), _ = fields_of(occasions([text], [About()]).given("form")[0], VOCABULARY)
    assert VOCABULARY.decode(form) == FORMS[text]


def test_the_form_of_a_tune_is_its_name_and_not_the_title():
    vocabulary = Vocabulary("浣溪沙山水日月，。").with_fields()
    texts = ["山水日月山水，山水。"] * 2
    found = occasions(texts, [About("浣溪沙·山月"), About("浣溪沙")], vocabulary)
    assert [
        [(field, vocabulary.decode(ids)) for field, ids in fields_of(sequence, vocabulary)[0]]
        for sequence in found.given("title", "form")
    ] == [[("title", "山月"), ("form", "浣溪沙")], [("form", "浣溪沙")]]


# What is drawn.


@pytest.fixture(scope="module")
def drawn_often():
    """What is said of each poem in each of forty epochs, with the poem and what is known."""
    corpus = titled_corpus(200, seed=1)
    found, vocabulary = occasions_in(corpus)
    epochs = [found.join(found.draw(np.random.default_rng([7, epoch]))) for epoch in range(40)]
    said = [[fields_of(sequence, vocabulary)[0] for sequence in epoch] for epoch in epochs]
    return said, found, vocabulary


def test_a_keyword_is_a_piece_of_one_or_two_characters_of_its_own_poem(drawn_often):
    said, found, vocabulary = drawn_often
    texts = [vocabulary.decode(poem.tolist()) for poem in found.poems]
    keywords = [
        (vocabulary.decode(ids), text)
        for epoch in said
        for fields, text in zip(epoch, texts, strict=True)
        for field, ids in fields
        if field == "keyword"
    ]
    assert keywords
    for keyword, text in keywords:
        assert keyword in text
        assert re.fullmatch("[^，。]{1,2}", keyword)
        # A character twice is no word.
        assert len(set(keyword)) == len(keyword)
    pairs = np.mean([len(keyword) == 2 for keyword, _ in keywords])
    assert pairs == pytest.approx(0.8, abs=0.03)


def test_words_that_are_seen_less_than_five_times_are_no_keywords():
    texts = ["山水日月五，"] * 4 + ["日月山水七，"] * 5
    found = occasions(texts, [About()] * len(texts))
    words = {VOCABULARY.decode(found.poems.tokens[place : place + 2]) for place in found.words}
    # 山水 and 日月 stand at both places; 月五 four times only, 水七 five times.
    assert words == {"山水", "日月", "水七"}


def test_empty_words_are_no_keywords():
    vocabulary = Vocabulary("不山水日月，").with_fields()
    found = occasions(["不山水日月，"] * 9, [About()] * 9, vocabulary)
    words = {vocabulary.decode(found.poems.tokens[place : place + 2]) for place in found.words}
    assert words == {"水日", "日月"}


def test_four_poems_in_ten_are_read_alone_and_of_the_others_each_field_in_seven_of_ten(
    drawn_often,
):
    said, found, _ = drawn_often
    for name in ("author", "title", "form"):
        has_it = np.diff(getattr(found, name).offsets) > 0
        assert has_it.any()
        shares = [
            any(field == name for field, _ in fields)
            for epoch in said
            for fields, known in zip(epoch, has_it, strict=True)
            if known
        ]
        assert np.mean(shares) == pytest.approx(0.6 * 0.7, abs=0.03)
    counts = [sum(field == "keyword" for field, _ in fields) for epoch in said for fields in epoch]
    expected = [0.4 + 0.6 * 0.6, 0.6 * 0.25, 0.6 * 0.15]
    assert np.bincount(counts) / len(counts) == pytest.approx(expected, abs=0.03)
    # Each with the chance that nothing is left of the others.
    alone = np.mean([not fields for epoch in said for fields in epoch])
    assert 0.4 < alone < 0.5


def test_the_fields_of_a_poem_are_drawn_independently(drawn_often):
    said, found, _ = drawn_often
    both_known = (np.diff(found.author.offsets) > 0) & (np.diff(found.title.offsets) > 0)
    both = [
        {"author", "title"} <= {field for field, _ in fields}
        for epoch in said
        for fields, known in zip(epoch, both_known, strict=True)
        if known
    ]
    assert np.mean(both) == pytest.approx(0.6 * 0.7**2, abs=0.03)


def test_what_is_drawn_depends_on_the_seed_alone():
    found, _ = occasions_in(titled_corpus(60))
    one, two = (found.join(found.draw(np.random.default_rng([3, 1]))) for _ in range(2))
    np.testing.assert_array_equal(one.tokens, two.tokens)
    other = found.join(found.draw(np.random.default_rng([3, 2])))
    assert one.tokens.tolist() != other.tokens.tolist()


# Titles.


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("送友人", "送友人"),
        ("相和歌辞 江南曲", "江南曲"),
        ("秋兴八首 其一", "秋兴"),
        ("秋兴八首", "秋兴"),
        ("古意 其十二", "古意"),
        ("感遇三", "感遇三"),
        ("《登楼》", "登楼"),
        ("失题", ""),
        ("失调名", ""),
        ("句", ""),
        ("", ""),
        ("山" * MAX_TITLE, "山" * MAX_TITLE),
        ("山" * (MAX_TITLE + 1), ""),
        ("Ode to Autumn, 2 parts", "Ode to Autumn, 2 parts"),
        ("O" * (MAX_FOREIGN_TITLE + 1), ""),
    ],
)
def test_a_title_is_what_it_says_of_one_poem(title, plain):
    assert plain_title(title) == plain


@given(title=st.text("山水首章其一二三 ·《》歌", max_size=40).filter(mostly_han))
def test_a_plain_title_is_a_part_of_the_title(title):
    plain = plain_title(title)
    assert len(plain) <= MAX_TITLE
    assert plain in re.sub("[《》 ]", "", title)


def test_poems_in_another_language_have_their_titles_and_no_form():
    vocabulary = Vocabulary("abcdeO ,\n").with_fields()
    found = occasions(["a bed, a cab,\na bad dad"] * 9, [About("Ode a", "abe")] * 9, vocabulary)
    said, poem = fields_of(found.given("author", "title", "form")[0], vocabulary)
    assert [(field, vocabulary.decode(ids)) for field, ids in said] == [
        ("author", "abe"),
        ("title", "Ode a"),
    ]
    assert (poem[0], poem[-1]) == (START, END)
    assert not found.draw(np.random.default_rng(0)).lengths.any()
