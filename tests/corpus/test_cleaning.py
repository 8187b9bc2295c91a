"""What of an editor's page is the poem, and what is refused."""

import itertools
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.characters import LINE_MARKS, hanzi_only, is_hanzi, mostly_han
from poetgen.corpus.cleaning import MAX_LINE_HANZI, MIN_HANZI, clean, letters_only
from poetgen.reading import find_files, read_poems
from tests.real_data import TANG, needs_tang

POEM = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
LINES = ("床前明月光", "疑是地上霜")
BRACKETS = ["（）", "()", "〖〗", "【】", "〈〉"]
# Everything an editor may leave on a page, in an order nobody would print it in.
PIECES = [*LINES, "举头", "思", "〇", *"，。？！；：、,.", "。，", " ", "\n", "「", "》", "…"]
NOTES = [
    "（一作白）",
    "(見卷二)",
    "〖一〗",
    "【按（又）二】",
    "[3]",
    "［十］",
    "[思]",
    "（",
    "]",
    "□",
    "{口馬}",
]
PAGES = st.lists(
    st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES), st.sampled_from(PIECES + NOTES)),
    max_size=20,
).map("".join)
# Lines and marks, of which one in some is amiss; the last two are compatibility ideographs.
NEARLY_VERSE = st.lists(
    st.text("日月山水", min_size=1, max_size=18)
    | st.sampled_from([*LINE_MARKS, "里", "\U0002f800"]),
    max_size=16,
).map("".join)
# No control characters: clean() takes them out.
OTHER_TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Co"], exclude_characters="\ufeff"), max_size=40
)


@pytest.mark.parametrize("pair", BRACKETS)
@pytest.mark.parametrize("note", ["一作白", "一作「看月光」。", "a note of 3 words", "（见卷二）"])
@pytest.mark.parametrize("place", range(0, len(POEM) + 1, 3))
def test_no_note_in_brackets_survives_cleaning(pair, note, place):
    annotated = POEM[:place] + pair[0] + note + pair[1] + POEM[place:]
    assert clean(annotated).text == POEM


@pytest.mark.parametrize("outer", BRACKETS)
@pytest.mark.parametrize("inner", BRACKETS)
def test_a_note_within_a_note_goes_with_it(outer, inner):
    note = outer[0] + "按" + inner[0] + "又" + inner[1] + "二" + outer[1]
    assert clean(POEM[:5] + note + POEM[5:]).text == POEM


def test_notes_without_an_end_to_their_depth_are_refused_at_once():
    assert clean(POEM + "（" * 50 + "）" * 50).text == POEM
    assert clean(POEM + "（" * 200_000 + "）" * 200_000) == (None, "unbalanced note")


@pytest.mark.parametrize("number", ["[1]", "[12]", "［三］", "[十二]", "[]"])
def test_numbers_of_notes_are_taken_out(number):
    assert clean(POEM[:5] + number + POEM[5:]).text == POEM


def test_a_character_that_the_editor_restored_is_part_of_the_poem():
    assert clean("床前[明]月光，疑［是地］上霜。").text == "床前明月光，疑是地上霜。"


@pytest.mark.parametrize("bracket", "（）()〖〗【】〈〉[]［］{}")
def test_a_poem_with_half_a_pair_of_brackets_is_refused(bracket):
    for place in (0, 3, len(POEM)):
        assert clean(POEM[:place] + bracket + POEM[place:]) == (None, "unbalanced note")


INVISIBLE = ["\u200b", "\ufeff", "\xad", "\u200e", "\u200d", "\u202e", "\u2066", "\ufe00", "\x08"]


@pytest.mark.parametrize("char", [*INVISIBLE, "\U000e0100", "\x1b", "\x9b"])
def test_what_nobody_sees_is_taken_out_and_the_poem_is_kept(char):
    for place in range(len(POEM) + 1):
        assert clean(POEM[:place] + char + POEM[place:]).text == POEM
    assert clean(f"A{char}nd then{char} ").text.replace("\u200d", "") == "And then"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\x85", "\u2028", "\u2029"])
def test_every_end_of_a_line_is_the_same_one(end):
    assert clean(f"To be,{end}or not").text == "To be,\nor not"


@pytest.mark.parametrize(
    "text",
    [
        "床前 明月 光，疑是 地上 霜。",
        "床前　明月 光 ，疑是  地上 霜 。 ",
        "床前 明月 光\n疑是 地上 霜\n",
        "床前 （一作 夜） 明月 光，疑是[2] 「地上」 霜",
    ],
)
def test_the_blanks_between_words_stay_where_words_are_wanted(text):
    assert clean(text, words=True).text == "床前 明月 光，疑是 地上 霜。"
    assert clean(clean(text, words=True).text, words=True) == clean(text, words=True)


@pytest.mark.parametrize("hole", ["□", "■", "○", "\ufffd", "\ue000", "{口馬}", "⿰木養"])
def test_a_poem_with_a_lost_or_described_character_is_refused(hole):
    assert clean(POEM[:7] + hole + POEM[8:]) == (None, "lacuna")


def test_a_hole_inside_a_note_costs_nothing():
    assert clean(POEM[:5] + "（一作□）" + POEM[5:]).text == POEM


@pytest.mark.parametrize("debris", ["x", "7", "の", "=", "/", "々"])
def test_a_poem_with_signs_that_no_verse_has_is_refused(debris):
    assert clean(POEM[:7] + debris + POEM[7:]) == (None, "debris")


@pytest.mark.parametrize("text", ["", " \n\u3000\t", "\ufeff"])
def test_nothing_is_refused_as_empty(text):
    assert clean(text) == (None, "empty")


def test_a_text_that_is_all_note_is_refused_as_empty():
    assert clean("（此首未录，见别卷。）") == (None, "empty")


def test_a_fragment_has_fewer_than_eight_characters():
    assert clean("明" * (MIN_HANZI - 1) + "。") == (None, "fragment")
    assert clean("明" * MIN_HANZI + "。").text == "明" * MIN_HANZI + "。"


def test_verse_has_no_line_of_more_than_sixteen_characters():
    just = f"{LINES[0]}，{'光' * MAX_LINE_HANZI}。"
    assert clean(just).text == just
    assert clean(f"{LINES[0]}，{'光' * (MAX_LINE_HANZI + 1)}。") == (None, "not verse")


@pytest.mark.parametrize("quotes", ["「」", "『』", "“”", "‘’", '""', "《》"])
def test_quotation_marks_are_taken_out_and_what_they_quote_is_not(quotes):
    assert clean(POEM[:6] + quotes[0] + POEM[6:11] + quotes[1] + POEM[11:]).text == POEM


@pytest.mark.parametrize("end", ["", "，", "、", "：", "；", "。", "，。", "。。"])
def test_a_poem_ends_with_a_full_stop_whatever_its_source_forgot(end):
    assert clean("，".join(LINES) + end).text == "，".join(LINES) + "。"


@pytest.mark.parametrize("end", "？！")
def test_a_question_and_an_exclamation_keep_their_mark(end):
    assert clean("，".join(LINES) + end).text == "，".join(LINES) + end


@pytest.mark.parametrize(
    ("run", "left"),
    [("，。", "。"), ("。，", "。"), ("？，", "？"), ("，，", "，"), ("、，", "，")],
)
def test_of_several_marks_the_strongest_stays(run, left):
    assert clean(LINES[0] + run + LINES[1] + "。").text == LINES[0] + left + LINES[1] + "。"


def test_spaces_and_line_breaks_do_not_count_in_verse():
    assert clean("　床前 明月光，\n疑是地上霜。\r\n举头望明月，\t低头思故乡。 ").text == POEM


@pytest.mark.parametrize(
    "page",
    [
        "床前明月光 疑是地上霜。\n举头望明月 低头思故乡。",
        "床前明月光\n疑是地上霜。\n举头望明月\n低头思故乡。",
        "床前明月光\u3000疑是地上霜。举头望明月\u3000低头思故乡。",
        "床前明月光，疑是地\n上霜。举头望明月，低头思\n故乡。",
        "床前 明月光，疑是 地上霜。举头 望明月，低头 思故乡。",
    ],
)
def test_a_blank_or_a_line_end_stands_for_a_comma_between_verses_but_not_inside_one(page):
    assert clean(page).text == POEM


MODERN = "天边的云慢慢地走了\n河水还在唱着它的歌\n我们坐在旧的木船上，什么也不说"


@pytest.mark.parametrize("gap", ["\n", "\r\n", "\n\n", " \n\u3000\n"])
@pytest.mark.parametrize("note", ["", "（一作风）", "[1]", "“"])
def test_modern_verse_without_marks_keeps_its_lines(gap, note):
    assert clean(MODERN.replace("云", "云" + note).replace("\n", gap)).text == MODERN
    assert clean(MODERN) == clean(clean(MODERN).text)


def test_weak_function_words_make_verse_of_unequal_lines_modern_if_they_are_many():
    modern = "你说等雪下了就回来\n山那边\n从来不下雪"
    assert clean(modern).text == modern
    old = "昨夜雨疏风骤\n浓睡不消残酒\n试问卷帘人\n却道海棠依旧"  # a ci
    assert "\n" not in (clean(old).text or "\n")


def test_old_verse_without_marks_gets_them_and_so_does_modern_verse_of_one_length():
    assert clean("\n".join(LINES)).text == "，".join(LINES) + "。"
    assert clean("春天的风吹过\n我们的小村庄").text == "春天的风吹过，我们的小村庄。"


@pytest.mark.parametrize(("hole", "reason"), [("□", "lacuna"), ("x", "debris"), ("（", None)])
def test_a_page_of_modern_verse_is_refused_for_the_same_reasons(hole, reason):
    assert clean(MODERN.replace("云", hole)).reason == (reason or "unbalanced note")


@settings(max_examples=300)
@given(st.lists(st.text("的了我们这里日月，。 \n（）“", max_size=12), max_size=6).map("\n".join))
def test_a_clean_modern_poem_is_left_as_it_is(page):
    text = clean(page).text
    assert text is None or clean(text).text == text


def test_compatibility_ideographs_become_the_characters_they_stand_for():
    assert clean("床前明月\uf9e9，疑是地上霜。").text == "床前明月里，疑是地上霜。"


@settings(max_examples=300)
@given(PAGES | NEARLY_VERSE, st.booleans())
def test_a_page_gives_either_a_poem_or_a_reason(page, words):
    text, reason = clean(page, words=words)
    assert (text is None) != (reason is None)


@settings(max_examples=300)
@given(PAGES | NEARLY_VERSE)
def test_clean_verse_is_short_lines_of_characters_with_a_mark_after_each(page):
    text = clean(page).text
    if text is None or not mostly_han(page):
        return
    assert all(is_hanzi(char) or char in LINE_MARKS for char in text)
    assert is_hanzi(text[0])
    assert text[-1] in "。？！"
    assert all(is_hanzi(a) or is_hanzi(b) for a, b in itertools.pairwise(text))
    assert len(hanzi_only(text)) >= MIN_HANZI
    assert all(len(line) <= MAX_LINE_HANZI for line in re.split(f"[{LINE_MARKS}]", text))
    assert unicodedata.is_normalized("NFC", text)


@settings(max_examples=300)
@given(PAGES | NEARLY_VERSE | OTHER_TEXTS)
def test_a_clean_poem_is_left_as_it_is(page):
    text = clean(page).text
    if text is not None:
        assert clean(text).text == text


@settings(max_examples=300)
@given(PAGES | NEARLY_VERSE, st.booleans(), st.data())
def test_what_nobody_sees_changes_nothing(page, words, data):
    place = data.draw(st.integers(0, len(page)))
    assert clean(page[:place] + "\u200b" + page[place:], words=words) == clean(page, words=words)


@given(st.text(st.sampled_from("abc ,.\t\r\n\x00\x1b\ufeff\x85é日"), max_size=40))
def test_other_text_keeps_its_letters_and_marks_but_no_control_characters(page):
    if mostly_han(page):
        return
    text = clean(page).text or ""
    assert not any(unicodedata.category(c) == "Cc" for c in text.replace("\n", ""))
    shown = [char for char in page if char in "abc,.é日"]
    assert [char for char in text if char not in " \n"] == shown


def test_other_text_keeps_its_lines_and_single_spaces():
    assert clean("  To be,\tor  not \r\nto be: \r\n\r\nthat is\rthe question  ").text == (
        "To be, or not\nto be:\n\nthat is\nthe question"
    )


@given(st.text())
def test_letters_only_leaves_letters_single_blanks_and_lines(text):
    cleaned = letters_only(text)
    assert cleaned.count("\n") == text.count("\n")
    assert set(cleaned) <= set("abcdefghijklmnopqrstuvwxyz \n")
    assert all(line == line.strip() and "  " not in line for line in cleaned.split("\n"))


@needs_tang
def test_most_of_a_file_of_tang_poems_is_poems():
    poems = read_poems(find_files(TANG)[7])
    kept = [text for text in (clean(poem.text).text for poem in poems) if text is not None]
    assert 0.95 * len(poems) < len(kept) <= len(poems)
    assert all(clean(text).text == text for text in kept)
    assert all(is_hanzi(char) or char in LINE_MARKS for text in kept for char in text)


def test_prose_in_chinese_keeps_what_it_says():
    text = (
        "曲曲折折的荷塘上面，弥望的是田田的叶子；（叶子出水很高）像亭亭的舞女的裙。\n“好！”他说。"
    )
    assert clean(text, prose=True).text == text
    assert clean(text).text != text
