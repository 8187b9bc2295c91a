"""What titles tell of the marks of poems."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.verse.title_marks import features_of, mark_of_title, title_marks
from tools.make_title_marks import SMALLEST, learn, read_marks


@given(st.text("山寺奉和制", max_size=12))
def test_a_title_has_characters_pairs_a_beginning_and_a_length(title):
    features = features_of(title)
    assert {*title} == {one for one in features if len(one) == 1 and one != "^"} - {*"0123456789"}
    assert [one for one in features if one.startswith("^")] == [f"^{title[:1]}"]
    assert all(one in title for one in features if not one.startswith("^") and not one.isdigit())
    assert [one for one in features if one.isdigit()] == [str(min(len(title), 9))]


def test_poems_to_titles_that_readers_like_have_better_marks():
    assert mark_of_title("题山寺") > 0.1 > -0.05 > mark_of_title("奉和圣制春日赴阙")
    assert mark_of_title("㐀㐁") == pytest.approx(title_marks()["2"])


def test_what_a_form_is_worth_is_not_learned_as_that_of_a_title():
    rng = np.random.default_rng(3)
    poems = []
    for number in range(800):
        title = "".join(rng.choice([*"山寺春日人家明月水花东风"], 3)) + "夜" * (number % 2)
        # 七律 are worse, and are the only ones with 夜; of the rest 山 is better by a mark.
        form, worth = ("七律", -2.0) if number % 2 else ("五绝", 1.0)
        poems.append((title, form, worth + ("山" in title) + rng.normal(0, 0.1)))
    weights = learn(poems)
    assert max(weights, key=weights.__getitem__) == "山"
    assert weights["山"] > 0.5
    assert abs(weights["夜"]) < 0.05


def test_the_table_is_what_the_tool_makes_of_the_marks():
    found = learn(read_marks())
    kept = {feature: mark for feature, mark in found.items() if abs(mark) >= SMALLEST}
    assert kept.keys() == title_marks().keys()
    for feature, mark in kept.items():
        assert title_marks()[feature] == pytest.approx(mark, abs=6e-4)
