"""Words and letters, and the outer forms of verse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.config import PrepareConfig
from poetgen.corpus.cleaning import letters_only
from poetgen.corpus.prepare import build_corpus
from poetgen.corpus.tokens import join_tokens, split_tokens
from poetgen.corpus.vocabulary import END, PAD, START, build_vocabulary, count_tokens
from poetgen.errors import SettingError
from poetgen.verse.forms import FORMS, form_of, parse_forms
from tests.real_data import TIME_MACHINE, needs_english


@given(st.text())
def test_characters_come_back_as_they_were(text):
    assert join_tokens(split_tokens(text, "char"), "char") == text


@given(st.text("ab c'-,.!(\n"))
def test_words_come_back_but_for_blanks(text):
    tokens = split_tokens(text, "word")
    again = join_tokens(tokens, "word")
    assert "".join(again.split(" ")) == "".join(text.split(" "))
    assert split_tokens(again, "word") == tokens


def test_words_are_joined_as_a_printer_would():
    line = "It isn't late, (he said); look: a well-kept clock!"
    assert join_tokens(split_tokens(line, "word"), "word") == line


@given(st.lists(st.text("ab 日\n,", max_size=12), min_size=1), st.sampled_from(["char", "word"]))
def test_encoding_all_texts_at_once_is_encoding_each(texts, kind):
    vocabulary = build_vocabulary(count_tokens(texts[:1], kind), 1, kind)
    token_ids, lengths = vocabulary.encode_texts(texts)
    each = [vocabulary.encode_text(text) for text in texts]
    assert token_ids.tolist() == [i for ids in each for i in ids]
    assert lengths.tolist() == [len(ids) for ids in each]


def test_a_corpus_of_words_has_words_for_tokens(tmp_path):
    lines = [f"the {beast} sat on the {place}." for beast in ("cat", "dog") for place in "xyz"]
    (tmp_path / "t.txt").write_text("\n\n".join(lines), encoding="utf-8")
    corpus = build_corpus([tmp_path / "t.txt"], "t", PrepareConfig(tokens="word")).corpus
    assert {"the", "cat", "."} <= set(corpus.vocabulary.tokens)
    assert corpus.vocabulary.decode(corpus.splits["train"][0].tolist()) in lines


@pytest.mark.parametrize("format", ["plain", "title-content"])
def test_verse_that_is_parted_into_words_has_those_for_tokens(tmp_path, format):
    poems = [f"{a} 明月 光，疑是 {b} 霜。" for a in ("床前", "山中", "水") for b in ("地上", "天")]
    title, end = ("题:", "\n") if format == "title-content" else ("", "\n\n")
    (tmp_path / "t.txt").write_text(end.join(title + poem for poem in poems), encoding="utf-8")
    rules = PrepareConfig(tokens="word", format=format, min_count=1)
    corpus = build_corpus([tmp_path / "t.txt"], "t", rules).corpus
    assert {"床前", "明月", "光", "，", "地上", "霜", "。"} <= set(corpus.vocabulary.tokens)
    written = {corpus.vocabulary.decode(poem) for poems in corpus.splits.values() for poem in poems}
    assert written == set(poems)


def test_verse_without_blanks_has_no_words(tmp_path):
    lines = [f"床前明月{a}，疑是地上{b}。" for a in "光山水" for b in "霜天"]
    (tmp_path / "t.txt").write_text("\n\n".join(lines), encoding="utf-8")
    with pytest.raises(SettingError, match="no blanks between words"):
        build_corpus([tmp_path / "t.txt"], "t", PrepareConfig(tokens="word"))


@given(st.text())
def test_letters_only_leaves_letters_single_blanks_and_lines(text):
    cleaned = letters_only(text)
    assert cleaned.count("\n") == text.count("\n")
    assert set(cleaned) <= set("abcdefghijklmnopqrstuvwxyz \n")
    assert all(line == line.strip() and "  " not in line for line in cleaned.split("\n"))


@needs_english
def test_the_time_machine_has_the_figures_of_the_book():
    corpus = build_corpus([TIME_MACHINE], "t", PrepareConfig(letters_only=True)).corpus
    report = corpus.report
    assert report.num_chars == 170_580
    assert report.num_lines == 3_221
    assert set(corpus.vocabulary.tokens) == set("abcdefghijklmnopqrstuvwxyz ")
    assert len(corpus.vocabulary) == 28 + len({PAD, START, END})


LINES = {5: "白日依山尽", 7: "朝辞白帝彩云间"}


@pytest.mark.parametrize("form", FORMS)
def test_a_poem_has_the_form_of_its_lines_and_no_other(form):
    num_lines, chars = FORMS[form]
    poem = "，".join([LINES[chars]] * num_lines) + "。"
    assert form_of(poem) == form
    assert form_of(poem.replace("，", "。")) == form
    assert form_of(poem + LINES[chars]) is None
    assert form_of(poem[1:]) is None


def test_an_unknown_form_is_refused_and_the_known_ones_are_named():
    assert parse_forms("五绝, 七律") == {"五绝", "七律"}
    for bad in ("词", "五绝,", ""):
        with pytest.raises(SettingError) as caught:
            parse_forms(bad)
        assert "七绝" in caught.value.advice
