"""How a poem stands on the page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import END_MARKS
from poetgen.verse.layout import couplets, with_breaks

VERSE = st.text("床前明月光，、。？！；：", max_size=40)


@pytest.mark.parametrize("mark", END_MARKS)
def test_a_couplet_ends_with_each_mark_that_ends_a_sentence(mark):
    text = f"床前明月光，疑是地上霜{mark}举头望明月，低头思故乡。"
    assert couplets(text) == [f"床前明月光，疑是地上霜{mark}", "举头望明月，低头思故乡。"]


@pytest.mark.parametrize("mark", "，、：")
def test_a_couplet_is_not_broken_inside(mark):
    text = f"床前明月光{mark}疑是地上霜。"
    assert couplets(text) == [text]


def test_a_poem_that_breaks_off_keeps_its_last_words():
    assert couplets("床前明月光，疑是地上霜。举头望") == ["床前明月光，疑是地上霜。", "举头望"]
    assert couplets("床前") == ["床前"]


def test_marks_in_a_row_stay_together():
    assert couplets("床前明月光？！疑是地上霜。") == ["床前明月光？！", "疑是地上霜。"]


@given(VERSE)
def test_no_character_is_lost_or_moved(text):
    assert "".join(couplets(text)) == text


@given(VERSE.filter(lambda text: any(char not in "，、。？！；：" for char in text)))
def test_every_line_of_verse_but_the_last_ends_a_sentence_and_none_goes_on_after(text):
    lines = couplets(text)
    for line in lines:
        assert not set(line.rstrip(END_MARKS)) & set(END_MARKS)
    assert all(line[-1] in END_MARKS for line in lines[:-1])


@given(st.text("ab .;!\n", max_size=40))
def test_other_text_keeps_the_lines_it_has(text):
    assert couplets(text) == text.split("\n")


def test_verse_that_has_lines_already_keeps_them():
    assert couplets("床前明月光，\n疑是地上霜。举头") == ["床前明月光，", "疑是地上霜。举头"]


# A poem that grows.


def grown(pieces):
    """Lay out a text piece by piece."""
    text = laid_out = ""
    for piece in pieces:
        laid_out += with_breaks(text, piece)
        text += piece
    return laid_out


@given(st.text("床前。！", min_size=1, max_size=12), st.lists(VERSE))
def test_verse_that_grows_is_laid_out_as_the_whole(start, pieces):
    whole = "光" + start + "".join(pieces)
    assert grown(["光" + start, *pieces]).split("\n") == couplets(whole)


@given(st.lists(st.text("床前光，。！ab \n", max_size=9)))
def test_text_that_grows_keeps_every_character_whatever_its_layout(pieces):
    assert grown(pieces).replace("\n", "") == "".join(pieces).replace("\n", "")


@given(st.lists(st.text("ab 。!\n", max_size=9)))
def test_other_text_that_grows_stays_as_it_is(pieces):
    assert grown(pieces) == "".join(pieces)
