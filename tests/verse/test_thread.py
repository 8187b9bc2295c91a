"""The thread of a poem: the fast table against the definition, written out."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.verse.choice import build_choice
from poetgen.verse.thread import (
    MIN_POEMS,
    MIN_TOGETHER,
    MIN_VALUE,
    NUM_COMMON,
    SMOOTHING,
    STEP,
    make_table,
    unpack,
)
from tests.verse.samples import ALPHABET, chance_poems, lines_in


def slow_table(poems):
    """The value of each pair {x, y}, by the definition."""
    num_poems = Counter(char for poem in poems for char in set("".join(lines_in(poem))))
    frequent = sorted(num_poems, key=lambda char: (-num_poems[char], char))
    chars = [char for char in frequent if num_poems[char] >= MIN_POEMS][NUM_COMMON:]
    windows = [
        lines_in(poem)[begin : begin + 4]
        for poem in poems
        for begin in range(0, len(lines_in(poem)), 4)
    ]
    together, seen_in = Counter(), Counter()
    for window in windows:
        first = {}
        for number, line in enumerate(window):
            for char in line:
                first.setdefault(char, number)
        own = sorted(char for char in first if char in chars)
        seen_in.update(own)
        together.update((x, y) for x, y in combinations(own, 2) if first[x] != first[y])
    values = {}
    for (x, y), count in together.items():
        by_chance = seen_in[x] * seen_in[y] / len(windows)
        value = math.log((count + SMOOTHING) / (by_chance + SMOOTHING))
        if count >= MIN_TOGETHER and value >= MIN_VALUE:
            values[frozenset((x, y))] = round(value / STEP) * STEP
    return "".join(chars), values


def slow_mean(pairs, chars, values):
    """The mean of the upper third over pairs of characters."""
    found = sorted(
        (values.get(frozenset(pair), 0) for pair in pairs if pair[0] != pair[1]), reverse=True
    )
    third = found[: math.ceil(len(found) / 3)]
    return sum(third) / len(third) if third else 0


def known_pairs(lines, chars):
    places = [(char, i) for i, line in enumerate(lines) for char in line if char in chars]
    return [(x, y) for (x, i), (y, j) in combinations(places, 2) if i != j]


POEMS = chance_poems(400, seed=3)
CHARS, VALUES = slow_table(POEMS)
TABLE = build_choice(POEMS).thread


def test_the_table_holds_the_pairs_of_the_definition():
    assert len(CHARS) == 30
    assert TABLE.chars == CHARS
    found = {
        frozenset((CHARS[key // 30], CHARS[key % 30])): value
        for key, value in zip(TABLE.keys.tolist(), TABLE.values.tolist(), strict=True)
    }
    assert len(found) > 20
    assert found == pytest.approx(VALUES, abs=1e-6)


LINE = st.text(ALPHABET[40:] + "龙", min_size=1, max_size=7)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(LINE, min_size=1, max_size=8), min_size=1, max_size=5))
def test_the_thread_of_many_poems_at_once_is_that_of_the_definition(poems):
    expected = [slow_mean(known_pairs(lines, CHARS), CHARS, VALUES) for lines in poems]
    assert TABLE.scores(poems) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINE, max_size=3), st.lists(LINE, min_size=1, max_size=4))
def test_a_new_line_is_held_against_the_lines_before_it(before, candidates):
    expected = [
        slow_mean(
            [(x, y) for x in "".join(before) for y in line if x in CHARS and y in CHARS],
            CHARS,
            VALUES,
        )
        for line in candidates
    ]
    assert TABLE.gains(before, candidates) == pytest.approx(expected, abs=1e-6)


def test_poems_of_lines_that_belong_together_have_more_thread():
    # Two worlds, of which no poem has both.
    worlds = [
        chance_poems(200, seed, ALPHABET[:30] + part)
        for seed, part in enumerate((ALPHABET[30:60], ALPHABET[60:90]))
    ]
    table = build_choice([poem for world in worlds for poem in world]).thread
    new = [
        chance_poems(60, seed + 5, ALPHABET[:30] + part)
        for seed, part in enumerate((ALPHABET[30:60], ALPHABET[60:90]))
    ]
    whole = [lines_in(poem)[:4] for world in new for poem in world]
    mixed = [one[:2] + other[2:] for one, other in zip(whole[:60], whole[60:], strict=True)]
    assert table.scores(whole).mean() > 1.3 * table.scores(mixed).mean() > 0


def test_a_poem_without_known_characters_has_no_thread():
    assert TABLE.score([]) == TABLE.score(["白日", ""]) == TABLE.score([ALPHABET[:5]] * 2) == 0
    empty = make_table("", np.zeros(0, np.int64), np.zeros(0))
    assert empty.score(["白日", "黄河"]) == 0
    assert empty.gains(["白日"], ["黄河", ""]).tolist() == [0, 0]


def test_the_same_character_twice_is_no_pair():
    one = CHARS[3]
    assert TABLE.score([one, one]) == 0


@settings(max_examples=60)
@given(st.dictionaries(st.integers(0, 899), st.integers(1, 255), max_size=40))
def test_any_table_survives_packing(pairs):
    keys = np.array(sorted(pairs), np.int64)
    values = np.array([pairs[key] * STEP for key in keys.tolist()])
    table = make_table(CHARS, keys, values)
    gaps, steps = table.packed()
    assert gaps.dtype == steps.dtype == np.uint8
    again = unpack(ALPHABET[:60] + CHARS, gaps, steps)
    np.testing.assert_array_equal(again.keys, keys)
    np.testing.assert_allclose(again.values, values, atol=1e-5)


@pytest.mark.parametrize("gaps", [[3, 0, 5], [255, 255, 255, 255], [0]])
def test_a_table_that_does_not_fit_its_characters_is_refused(gaps):
    gaps = np.array(gaps, np.uint8)
    with pytest.raises(ValueError, match="does not fit"):
        unpack(ALPHABET, gaps, np.ones(len(gaps), np.uint8))
