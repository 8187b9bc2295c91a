"""The index of the training poems as arrays, and arrays that are none."""

import math
from collections import Counter

import numpy as np
import pytest

from poetgen.verse.choice import MAX_BYTES, build_choice, check_layout, choice_from
from tests.verse.samples import ALPHABET, chance_poems, lines_in

NAMES = {"uint8": "U8", "int8": "I8", "float16": "F16", "uint32": "U32"}
POEMS = chance_poems(300, seed=8)
CHOICE = build_choice(POEMS)
ARRAYS = CHOICE.as_arrays()


def layout_of(arrays):
    return {name: (NAMES[str(array.dtype)], array.shape) for name, array in arrays.items()}


@pytest.mark.parametrize("poems", [POEMS, POEMS[:3], [], ["abc"], ["白"]], ids=len)
def test_an_index_survives_as_arrays(poems):
    arrays = build_choice(poems).as_arrays()
    check_layout(layout_of(arrays))
    again = choice_from(arrays)
    for name, array in again.as_arrays().items():
        assert array.dtype == arrays[name].dtype
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    some = [*POEMS[:9], *chance_poems(9, seed=9)]
    whole = build_choice(poems)
    assert again.novelty.check(some) == whole.novelty.check(some)
    lines = [lines_in(poem) for poem in some]
    np.testing.assert_allclose(again.thread.scores(lines), whole.thread.scores(lines), atol=1e-6)
    assert again.unigrams(some) == whole.unigrams(some)


def test_the_unigram_likelihood_is_the_mean_log_frequency():
    counts = Counter("".join(line for poem in POEMS for line in lines_in(poem)))
    total = sum(counts.values())
    text = ALPHABET[2] + "，" + ALPHABET[70] + ALPHABET[2] + "。"
    expected = sum(math.log(counts[char] / total) for char in text if char in counts) / 3
    found, none, unknown = CHOICE.unigrams([text, "，", "龙"])
    assert found == pytest.approx(expected, rel=1e-3)
    assert none == 0
    assert unknown == pytest.approx(math.log(min(counts.values()) / total), rel=1e-3)


def test_the_order_of_the_poems_has_no_influence():
    for name, array in build_choice(POEMS[::-1]).as_arrays().items():
        np.testing.assert_array_equal(array, ARRAYS[name], err_msg=name)


@pytest.mark.parametrize(
    "change",
    [
        {"chars": ("U32", (9,))},
        {"chars": ("U32", (2**20,)), "log_probs": ("F16", (2**20,))},
        {"log_probs": ("F32", (90,))},
        {"kinds": ("I8", (91, 16))},
        {"kinds": ("I8", (90, 15))},
        {"kinds": ("I8", (90 * 16,))},
        {"thread_gaps": ("U8", (3,))},
        {"lines": ("U8", (2, 3))},
        {"lines": ("I8", (7,))},
        {"grams": ("U8", (MAX_BYTES,))},
        {"pairs": ("U8", (2**62,))},
        {"more": ("U8", (3,))},
    ],
    ids=str,
)
def test_a_layout_that_is_none_is_refused(change):
    assert len(ARRAYS["chars"]) == 90
    with pytest.raises(ValueError, match="index of the training poems"):
        check_layout({**layout_of(ARRAYS), **change})


@pytest.mark.parametrize("name", ARRAYS)
def test_a_layout_that_lacks_a_part_is_refused(name):
    layout = layout_of(ARRAYS)
    del layout[name]
    with pytest.raises(ValueError, match="lacks"):
        check_layout(layout)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chars", 0x110000),
        ("chars", 2**32 - 1),
        ("chars", 0xD800),
        ("chars", ord("a")),
        ("chars", ord(ALPHABET[1])),
        ("log_probs", math.nan),
        ("log_probs", -math.inf),
        ("log_probs", 0.5),
        ("thread_gaps", 0),
    ],
    ids=str,
)
def test_content_that_makes_no_sense_is_refused(name, value):
    array = ARRAYS[name].copy()
    array[-1] = value
    with pytest.raises(ValueError, match="its "):
        choice_from({**ARRAYS, name: array})


def test_keys_beyond_the_last_character_are_refused():
    gaps = np.full(len(ARRAYS["thread_gaps"]), 255, np.uint8)
    with pytest.raises(ValueError, match="table of pairs"):
        choice_from({**ARRAYS, "thread_gaps": gaps})
