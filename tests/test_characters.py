"""What counts as a Chinese character (汉字), and as punctuation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import HAN_RANGES, full_width, hanzi_only, is_hanzi, mostly_han


@pytest.mark.parametrize("char", ["日", "〇", "㐀", "\U00020000", "\U00030000"])
def test_ideographs_of_every_plane_are_hanzi(char):
    assert is_hanzi(char)


@pytest.mark.parametrize("char", ["", "a", "1", "，", "□", "の", "한", "日月", "々", "⿰", " "])
def test_what_is_no_single_ideograph_is_no_hanzi(char):
    assert not is_hanzi(char)


@given(st.text(max_size=40))
def test_only_the_hanzi_are_kept_and_in_their_order(text):
    assert hanzi_only(text) == "".join(char for char in text if is_hanzi(char))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("日x", True),
        ("日xy", False),
        ("日月xy!", True),
        ("", False),
        ("。，", False),
        ("1 2", False),
    ],
)
def test_a_text_is_han_when_at_least_half_of_its_letters_are(text, expected):
    assert mostly_han(text) is expected


@given(st.text(max_size=40))
def test_full_width_replaces_marks_one_for_one_and_is_done_after_one_pass(text):
    wide = full_width(text)
    assert len(wide) == len(text)
    assert not set(wide) & set(",.?!;:")
    assert full_width(wide) == wide
    assert hanzi_only(wide) == hanzi_only(text)


def test_half_width_marks_become_the_marks_of_chinese_text():
    assert full_width("a,b.c?d!e;f:g") == "a，b。c？d！e；f：g"


def test_the_ranges_and_the_regular_expression_are_the_same_characters():
    for first, last in HAN_RANGES:
        assert is_hanzi(chr(first))
        assert is_hanzi(chr(last))
        assert not is_hanzi(chr(first - 1))
        assert not is_hanzi(chr(last + 1))
