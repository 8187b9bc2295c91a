"""Poems in columns: nothing is lost, and they stand straight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.terminal import display_width
from poetgen.verse.columns import BLANK, MAX_CHARS, columns, vertical

QUATRAIN = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
LYRIC = (
    "转朱阁，低绮户，照无眠。不应有恨，何事长向别时圆？\n\n人有悲欢离合，月有阴晴圆缺，此事古难全。"
)
MARKS = "，。？！；：、“”《》 \n"
TEXTS = st.text("床前明月光𠮷a□" + MARKS, max_size=60)
COLUMNS = st.lists(st.text("床前明a" + BLANK, min_size=1, max_size=9), max_size=20)


def test_each_line_of_a_regular_poem_is_a_column():
    assert columns(QUATRAIN) == ["床前明月光", "疑是地上霜", "举头望明月", "低头思故乡"]


def test_a_regular_poem_that_breaks_off_keeps_its_columns():
    assert columns(QUATRAIN[:-4]) == ["床前明月光", "疑是地上霜", "举头望明月", "低头"]


def test_each_couplet_of_a_long_poem_is_a_column():
    assert columns(3 * QUATRAIN) == 3 * [
        f"床前明月光{BLANK}疑是地上霜",
        f"举头望明月{BLANK}低头思故乡",
    ]


def test_each_sentence_of_other_verse_is_a_column_and_stanzas_are_set_apart():
    assert columns(LYRIC) == [
        f"转朱阁{BLANK}低绮户{BLANK}照无眠",
        f"不应有恨{BLANK}何事长向别时圆",
        "",
        f"人有悲欢离合{BLANK}月有阴晴圆缺",
        "此事古难全",
    ]


@given(TEXTS)
def test_columns_have_every_character_but_the_marks_once_and_in_order(text):
    wanted = "".join(char for char in text if char not in MARKS)
    assert "".join(columns(text)).replace(BLANK, "") == wanted


@given(TEXTS)
def test_no_column_is_too_long_or_begins_with_a_gap(text):
    found = columns(text)
    assert all(len(column) <= MAX_CHARS and column == column.strip(BLANK) for column in found)
    assert "" not in (found[:1] + found[-1:])


@given(COLUMNS, st.integers(1, 50))
def test_columns_are_read_from_the_right_within_the_width(found, width):
    rows = vertical(found, width)
    assert all(display_width(row) <= max(width, 2) for row in rows)
    assert all(row == row.rstrip(" ") for row in rows)
    # Read back: two cells of a row are four columns apart, and the first band is full.
    at_once = max(1, (width + 2) // 4)
    across = min(at_once, len(found))
    bands = [found[first : first + at_once] for first in range(0, len(found), at_once)]
    top = 0
    for number, band in enumerate(bands):
        top += number > 0
        high = max(map(len, band))
        for place, column in enumerate(band):
            cells = [_cell(row, 4 * (across - 1 - place)) for row in rows[top : top + high]]
            assert "".join(cells).rstrip(" ") == column.replace(BLANK, " ").rstrip(" ")
        top += high
    assert top == len(rows)


def _cell(row, left):
    """Return the character that begins ``left`` columns from the edge, or a blank."""
    at = 0
    for char in row:
        if at == left:
            return char
        at += display_width(char)
    return " "


@pytest.mark.parametrize(("width", "bands"), [(14, 1), (13, 2), (6, 2), (5, 4), (1, 4)])
def test_a_narrow_terminal_shows_bands(width, bands):
    rows = vertical(columns(QUATRAIN), width)
    assert rows.count("") == bands - 1
    assert len(rows) == 5 * bands + bands - 1


def test_a_short_last_band_begins_at_the_right():
    rows = vertical(["床前", "明月", "光"], 6)
    assert rows == ["明  床", "月  前", "", "    光"]


def test_an_empty_column_leaves_a_gap():
    assert vertical(["床", "", "月"], 80) == ["月      床"]
