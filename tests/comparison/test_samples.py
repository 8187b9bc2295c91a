"""Poems are shown whole, and of prose no more than one cares to read."""

import pytest

from poetgen.comparison.samples import is_verse, samples_title, shown_lines
from poetgen.verse.layout import couplets
from tests.comparison.verdicts import ENGLISH, chinese, english, poems


def test_chinese_verse_is_shown_whole_in_couplets():
    (poem,) = poems(1, 1, 100)
    assert len(poem) > 280
    assert shown_lines(poem) == couplets(poem)


def test_short_prose_is_shown_whole_with_its_lines():
    assert shown_lines(ENGLISH) == ENGLISH.split("\n")


@pytest.mark.parametrize("blank", [" ", "\n"])
def test_long_prose_is_cut_at_a_blank_and_says_so(blank):
    text = blank.join(["machine"] * 90)
    shown = "\n".join(shown_lines(text))
    assert shown.endswith("machine …")
    kept = shown.removesuffix(" …")
    assert text.startswith(kept)
    assert 280 - len("machine ") <= len(kept) <= 280


def test_long_text_without_blanks_is_cut_too():
    (line,) = shown_lines("x" * 900)
    assert line == "x" * 280 + " …"


def test_poems_are_called_so_only_where_somebody_writes_verse(tmp_path):
    assert is_verse(chinese(tmp_path))
    assert samples_title(chinese(tmp_path)).startswith("Poems")
    assert not is_verse(english(tmp_path))
    assert samples_title(english(tmp_path)).startswith("Samples")
