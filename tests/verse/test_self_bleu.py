"""Self-BLEU against its definition, written as one reads it."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import hanzi_only
from poetgen.verse.self_bleu import self_bleu

POEMS = st.lists(st.text("日月山水，", min_size=5, max_size=14), min_size=2, max_size=6)


def grams(text, order):
    return Counter(text[i : i + order] for i in range(len(text) - order + 1))


def bleu(text, others):
    logs = []
    for order in (1, 2, 3, 4):
        own = grams(text, order)
        matched = sum(
            min(count, max(grams(other, order)[gram] for other in others))
            for gram, count in own.items()
        )
        logs.append(math.log((matched or 0.1) / own.total()))
    closest = min((len(other) for other in others), key=lambda n: (abs(n - len(text)), n))
    brevity = 1 if len(text) > closest else math.exp(1 - closest / len(text))
    return brevity * math.exp(sum(logs) / 4)


@given(POEMS)
def test_it_is_the_mean_bleu_of_each_poem_against_all_others(poems):
    texts = [text for text in map(hanzi_only, poems) if len(text) >= 4]
    if len(texts) < 2:
        assert self_bleu(poems) is None
        return
    each = [bleu(text, texts[:i] + texts[i + 1 :]) for i, text in enumerate(texts)]
    assert self_bleu(poems) == pytest.approx(sum(each) / len(each))


def test_equal_poems_have_one_and_different_ones_nearly_none():
    assert self_bleu(["日月山水。", "日月山水，"]) == pytest.approx(1)
    assert self_bleu(["日月山水", "春秋风云"]) < 0.1
    assert self_bleu(["日月山水", "日"]) is None
