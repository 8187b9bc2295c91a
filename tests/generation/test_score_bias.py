"""The biases of drafts, held against what the score counts of a whole text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.config import SampleConfig, VerseConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.generation.choosing import best_by_lines
from poetgen.generation.decode import Request, poem_rngs
from poetgen.generation.planning import make_plans
from poetgen.generation.score_bias import ScoreBias
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.choice import build_choice
from poetgen.verse.common_pairs import count_common
from poetgen.verse.overused import overuse
from poetgen.verse.score import Weights
from tests.tiny import tiny_model

PLAIN = "不知何处明月白日故人千里相思泪满山中水上悠"
VOCABULARY = Vocabulary(f"{PLAIN}雪菊蝉，。")
# 水 and 上 stand in no training poem.
CHOICE = build_choice(["不知何处明，月白日故人。", "千里相思泪，满山中悠悠。"] * 4)
WEIGHTS = Weights()
PLAN = make_plans(VerseConfig(form="五绝", tones="off", rhyme="free"), "", VOCABULARY)[0]


def bias_of(*titles, num_drafts=1):
    return ScoreBias(VOCABULARY, CHOICE, PLAN, titles, num_drafts)


def biases(text, *titles):
    """Return what is added for each token (V,) after a text."""
    logits = np.zeros((1, len(PLAN.usable)), np.float32)
    return bias_of(*titles or [""]).add(logits, [VOCABULARY.encode(text)])[0]


def bias_for(text, char, *titles):
    return float(biases(text, *titles)[VOCABULARY.encode(char)[0]])


@settings(deadline=None)
@given(st.permutations(PLAIN))
def test_biases_add_up_to_what_the_score_takes_off(order):
    lines = ["".join(order[first : first + 5]) for first in (0, 5, 10, 15)]
    text = "，".join(lines[:2]) + "。" + "，".join(lines[2:]) + "。"
    added = sum(bias_for(text[:place], char) for place, char in enumerate(text))
    known = CHOICE.log_probs
    expected = -WEIGHTS.dullness * sum(known.get(char, 0) for char in "".join(lines))
    expected -= WEIGHTS.common * count_common(lines) + WEIGHTS.overuse * overuse(lines)
    assert added == pytest.approx(expected, abs=1e-4)


def test_the_law_of_sums_speaks_of_pairs():
    assert count_common(["不知何处"]) > 0
    assert overuse(["泪满"]) > 0


@pytest.mark.parametrize(
    ("text", "char", "repeats"),
    [
        ("", "水", 0),
        ("水", "上", 0),
        ("水上", "水", 4.5),
        ("水上何处白，", "水", 4.5),
        ("水上何处白，明月故人思。", "水", 3),
        ("水上何处白，明月故人思。山", "水", 3),
        # A usual doubling is none, over a mark or a third time it is.
        ("悠", "悠", 0),
        ("悠悠", "悠", 4.5),
        ("满", "满", 4.5),
        ("水上何处悠，", "悠", 4.5),
    ],
)
def test_what_stands_in_the_poem_is_written_less(text, char, repeats):
    pairs = [] if text[-1:] in ("", "，", "。") else [text[-1] + char]
    alone = bias_for("", char) - WEIGHTS.common * count_common(pairs)
    expected = alone - WEIGHTS.overuse * overuse(pairs) - repeats
    assert bias_for(text, char) == pytest.approx(expected, abs=1e-5)


def test_signs_of_another_season_are_written_less():
    base = {char: bias_for("", char) for char in "雪菊蝉"}
    lowered = lambda text, title: {  # noqa: E731
        char for char in "雪菊蝉" if bias_for(text, char, title) - base[char] == pytest.approx(-4)
    }
    assert lowered("", "") == set()
    assert lowered("", "除夕") == {"菊", "蝉"}
    assert lowered("水", "重阳") == {"雪"}
    # 菊 is of autumn alone, 蝉 of summer as well.
    assert lowered("菊", "") == {"雪"}
    assert lowered("蝉水", "") == {"雪"}
    # What is written already contradicts the title, which still counts.
    assert lowered("菊", "除夕") == {"蝉"}


def test_marks_have_no_bias():
    assert not biases("水上何处白").any()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(PLAIN + "雪菊蝉", min_size=7, max_size=7), min_size=4, max_size=4))
def test_rows_do_not_depend_on_each_other(texts):
    ids = [[*VOCABULARY.encode(f"{text[:5]}，{text[5:]}")] for text in texts]
    logits = np.arange(4 * len(PLAN.usable), dtype=np.float32).reshape(4, -1)
    before = logits.copy()
    titles = ["除夕", "秋"]
    together = bias_of(*titles, num_drafts=2).add(logits, ids)
    assert (logits == before).all()
    for row, title in enumerate(title for title in titles for _ in range(2)):
        alone = bias_of(title).add(logits[row : row + 1], ids[row : row + 1])
        assert (together[row] == alone[0]).all()


def test_drafts_are_judged_by_the_likelihoods_of_the_network():
    model = tiny_model("gru", tokens=f"{PLAIN}，。")
    network = NumpyModel(model.config, model.weights)
    plan = make_plans(VerseConfig(form="五绝", tones="off", rhyme="free"), "", model.vocabulary)[0]
    heard = {}

    class Listening:
        def scores(self, texts, log_probabilities, ends=None):
            heard.update(zip(texts, log_probabilities, strict=True))
            return np.zeros(len(texts))

    class Strict:
        """A bias for 水 that is nearly a rule."""

        def add(self, logits, texts):
            biased = logits.copy()
            biased[:, model.vocabulary.encode("水")] += 5
            return biased

    request = Request([], SampleConfig(temperature=1.0, max_chars=len(plan.slots)))
    texts = {}
    for name, bias in (("with", Strict()), ("without", None)):
        heard.clear()
        best_by_lines(network, plan, request, poem_rngs(3, 1), 8, Listening(), bias=bias)
        texts[name] = "".join(heard)
        for text, log_probability in heard.items():
            ids = model.vocabulary.encode(text)
            expected, state = 0.0, network.start(1)
            logits, state = network.prime(np.array([1]), state)
            for token_id in ids:
                shifted = logits[0].astype(np.float64)
                expected += shifted[token_id] - np.logaddexp.reduce(shifted)
                logits, state = network.step(np.array([token_id]), state)
            assert log_probability == pytest.approx(expected, abs=1e-3)
    assert texts["with"].count("水") > 2 * texts["without"].count("水")
