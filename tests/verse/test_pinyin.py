"""Pinyin: one syllable for each character, and above it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import hanzi_only
from poetgen.corpus.script import in_both_scripts, to_traditional
from poetgen.terminal import display_width
from poetgen.verse.layout import couplets
from poetgen.verse.pinyin import readings, with_pinyin

TEXTS = st.text("床前明月光长一不𠮷𬭭ab，。？ \n", max_size=40)


def pinyin(text):
    return " ".join(readings(*in_both_scripts(text)))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("白日依山尽，黄河入海流。", "bái rì yī shān jìn huáng hé rù hǎi liú"),
        ("欲穷千里目，更上一层楼。", "yù qióng qiān lǐ mù gèng shàng yī céng lóu"),
        ("缘愁似个长。", "yuán chóu sì gè cháng"),
        ("白发三千丈", "bái fà sān qiān zhàng"),
        ("迟日江山丽", "chí rì jiāng shān lì"),
        ("一日看尽长安花", "yī rì kàn jìn cháng ān huā"),
        ("朝辞白帝彩云间", "zhāo cí bái dì cǎi yún jiān"),
        ("千里江陵一日还", "qiān lǐ jiāng líng yī rì huán"),
    ],
)
def test_a_character_is_read_as_its_word_and_old_verse_demand(line, wanted):
    assert pinyin(line) == wanted
    assert pinyin(to_traditional(line)) == wanted


@given(TEXTS)
def test_each_chinese_character_has_one_syllable(text):
    found = readings(*in_both_scripts(text))
    assert len(found) == len(hanzi_only(text))
    assert all(syllable and " " not in syllable for syllable in found)


def test_a_character_without_a_reading_gets_a_question_mark():
    assert readings("床𬻿月", "牀𬻿月") == ["chuáng", "?", "yuè"]


def test_both_scripts_must_match():
    with pytest.raises(ValueError, match="length"):
        readings("床前", "牀")


@given(TEXTS, st.integers(1, 90))
def test_every_syllable_stands_above_its_character(text, width):
    lines = couplets(text)
    syllables = readings(*in_both_scripts(text))
    rows = with_pinyin(lines, syllables, width)
    seen, above = [], ""
    for row in rows:
        if not hanzi_only(row):
            above = row
            continue
        at = 0
        for char in row:
            if hanzi_only(char):
                assert above[:at].endswith(" ") or at == 0
                seen.append((char, above[at:].partition(" ")[0]))
            at += display_width(char)
    assert seen == list(zip(hanzi_only(text), syllables, strict=True))


@given(TEXTS)
def test_no_character_of_the_poem_is_lost(text):
    rows = with_pinyin(couplets(text), ["x"] * len(hanzi_only(text)), 30)
    kept = "".join("".join(rows).split()).replace("x", "")
    assert kept == "".join(text.split())


def test_lines_that_are_too_long_are_broken_where_a_mark_stands():
    lines, syllables = ["床前明月光，疑是地上霜。"], ["x"] * 10
    assert len(with_pinyin(lines, syllables, 80)) == 2
    assert with_pinyin(lines, syllables, 25)[1::2] == ["床 前 明 月 光，", "疑 是 地 上 霜。"]


def test_text_without_chinese_characters_stays_as_it_is():
    assert with_pinyin(["To be,", "", "or not"], [], 80) == ["To be,", "", "or not"]
