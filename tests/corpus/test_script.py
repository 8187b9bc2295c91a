"""Simplified and traditional characters, and variants."""

from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.script import convert_all, to_simplified, to_traditional
from poetgen.corpus.variants import groups

SIMPLIFIED = "国破山河在，城春草木深。感时花溅泪，恨别鸟惊心。"
TRADITIONAL = "國破山河在，城春草木深。感時花濺淚，恨別鳥驚心。"


def test_scripts_are_converted_and_keep_keeps():
    both = [SIMPLIFIED, TRADITIONAL]
    assert convert_all(both, "simplified") == [SIMPLIFIED] * 2
    assert convert_all(both, "traditional") == [TRADITIONAL] * 2
    assert convert_all(both, "keep") == both


@given(st.lists(st.text("頭头髮发出乾干坤，\n", max_size=6), max_size=6))
def test_converting_texts_together_and_one_by_one_comes_to_the_same(texts):
    assert convert_all(texts, "simplified") == [to_simplified(text) for text in texts]
    assert convert_all(texts, "traditional") == [to_traditional(text) for text in texts]


def test_conversion_looks_at_phrases():
    assert to_simplified("頭髮") == "头发"
    assert to_traditional("头发出发") == "頭髮出發"


@given(st.text("ab ,.\n，。？！日山水", max_size=30))
def test_what_is_the_same_in_both_scripts_is_left_alone(text):
    assert to_simplified(text) == to_traditional(text) == text


def test_simplified_text_has_no_variants():
    assert to_simplified("疎影飜飛鴈，輭紅嬾慢鬬。") == "疏影翻飞雁，软红懒慢斗。"
    for standard, *variants in groups("variants"):
        assert to_simplified(standard) == standard
        for variant in variants:
            assert to_simplified(variant) == standard
