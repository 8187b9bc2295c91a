"""Many drafts and the best of them, held against what a judge says of all."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.characters import is_hanzi
from poetgen.config import SampleConfig, SearchConfig, VerseConfig
from poetgen.corpus.vocabulary import END, START
from poetgen.errors import SettingError
from poetgen.generation.choosing import best_by_lines, best_whole
from poetgen.generation.decode import Request, poem_rngs, write
from poetgen.generation.fitting import fit_plan
from poetgen.generation.planning import make_plans
from poetgen.generation.poet import Poet, generate
from poetgen.generation.ruled import RuledNetwork
from poetgen.generation.sampling import log_normaliser
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.choice import build_choice
from poetgen.verse.schemes import Form, Scheme
from tests.tiny import tiny_model

TOKENS = "东红风空中月白石落日木学人家门花山水心年，。"
CHARS = st.integers(0, 2**32 - 1)
quick = settings(max_examples=15, deadline=None)


class Counting:
    """A judge who wants one character as often as possible, and remembers what was asked."""

    def __init__(self, wanted="月"):
        self.wanted, self.asked = wanted, []

    def scores(self, texts, log_probabilities, ends=None):
        self.asked.append((list(texts), log_probabilities, ends))
        return np.array([float(text.count(self.wanted)) for text in texts])


class Short(Counting):
    def scores(self, texts, log_probabilities, ends=None):
        super().scores(texts, log_probabilities, ends)
        return np.array([-float(sum(map(is_hanzi, text))) for text in texts])


class Refusing(Counting):
    def scores(self, texts, log_probabilities, ends=None):
        super().scores(texts, log_probabilities, ends)
        return np.full(len(texts), -math.inf)


@pytest.fixture(scope="module")
def model():
    return tiny_model("gru", tokens=TOKENS)


@pytest.fixture(scope="module")
def network(model):
    weights = {name: w.astype(np.float64) for name, w in model.weights.items()}
    return NumpyModel(model.config, weights)


@pytest.fixture(scope="module")
def plan(model):
    return make_plans(VerseConfig(form="五绝", tones="off"), "", model.vocabulary)[0]


def likelihood(network, token_ids, end):
    """Add the log-probabilities of tokens, and of the end where it is wanted, one by one."""
    total, before = 0.0, [START]
    for token_id in [*token_ids, END] if end else token_ids:
        logits, _ = network.prime(np.array(before), network.start(1))
        total += logits[0, token_id] - log_normaliser(logits)[0]
        before.append(token_id)
    return total


def request_of(plan, temperature=1.0):
    sampling = SampleConfig(temperature=temperature, max_chars=len(plan.slots) if plan else 12)
    return Request([], sampling)


@quick
@given(seed=CHARS)
def test_the_best_whole_poem_is_the_best_of_all_that_were_written(model, network, seed):
    judge = Counting()
    drafts = best_whole(network, request_of(None), poem_rngs(seed, 3), 5, judge, model.vocabulary)
    ((texts, log_probabilities, ends),) = judge.asked
    assert ends is None
    assert len(texts) == 15
    for number, draft in enumerate(drafts):
        ours = texts[5 * number : 5 * number + 5]
        text = model.vocabulary.decode(draft.token_ids)
        assert text in ours
        assert text.count("月") == max(one.count("月") for one in ours)
        expected = likelihood(network, draft.token_ids, len(draft.token_ids) < 12)
        assert draft.log_probability == pytest.approx(expected)
        assert draft.log_probability in log_probabilities


@quick
@given(seed=CHARS)
def test_a_poem_that_breaks_off_is_taken_only_if_all_do(model, network, seed):
    # A judge who likes short ones best.
    judge = Short()
    request = Request([], SampleConfig(temperature=1.0, max_chars=40))
    for first in best_whole(network, request, poem_rngs(seed, 4), 3, judge, model.vocabulary):
        text = model.vocabulary.decode(first.token_ids)
        texts, *_ = judge.asked[-1]
        place = texts.index(text) // 3 * 3
        lengths = [sum(map(is_hanzi, one)) for one in texts[place : place + 3]]
        whole = [length for length in lengths if length >= 20]
        assert sum(map(is_hanzi, text)) == min(whole or lengths)


@quick
@given(seed=CHARS, num_kept=st.integers(1, 6))
def test_lines_are_chosen_one_after_the_other(model, network, plan, seed, num_kept):
    judge = Counting()
    drafts = best_by_lines(
        network, plan, request_of(plan), poem_rngs(seed, 2), 6, judge, num_kept=num_kept
    )
    assert len(judge.asked) == 4
    for line, (texts, log_probabilities, ends) in enumerate(judge.asked):
        assert len(texts) == 12
        assert {len(text) for text in texts} == {6 * (line + 1)}
        for text, log_probability in zip(texts, log_probabilities, strict=True):
            ids = model.vocabulary.encode(text)
            assert log_probability == pytest.approx(likelihood(network, ids, False))
        for text, end in zip(texts[:2], ends, strict=False):
            ids = model.vocabulary.encode(text)
            upto = [likelihood(network, ids[:place], False) for place in range(len(ids) + 1)]
            places = range(4, len(ids), 6)
            assert end == pytest.approx(sum(upto[place + 1] - upto[place] for place in places))
        if line:
            before = judge.asked[line - 1][0]
            for first in (0, 6):
                kept = {text[: 6 * line] for text in texts[first : first + 6]}
                ranked = sorted({*before[first : first + 6]}, key=lambda text: -text.count("月"))
                # The best different beginnings, and nothing else, are continued.
                assert len(kept) == min(num_kept, len(ranked))
                worst = min(text.count("月") for text in kept)
                assert all(one in kept for one in ranked if one.count("月") > worst)
    finals = judge.asked[-1][0]
    for number, draft in enumerate(drafts):
        ours = finals[6 * number : 6 * number + 6]
        text = model.vocabulary.decode(draft.token_ids)
        assert text.count("月") == max(one.count("月") for one in ours)
        assert not draft.is_cut


def test_a_line_is_chosen_with_those_that_only_repeat_some_of_it(model, network, plan):
    # The second line is the end of the first one, and of the fourth a character is new.
    repeats = ((3, 5), (4, 6), (5, 12))
    form = Form("again", (5, 2, 5, 2), "，。，。", (Scheme(("",) * 4),), repeats=repeats)
    usable = plan.lexicon.tones["中"]
    again = fit_plan(form, plan.lexicon, {}, usable, rhymes=None)
    judge = Counting()
    (draft,) = best_by_lines(network, again, request_of(again), poem_rngs(2, 1), 6, judge)
    assert [len(texts[0]) for texts, *_ in judge.asked] == [9, 15, 18]
    text = model.vocabulary.decode(draft.token_ids)
    assert text[3:5] == text[6:8]
    assert text[15] == text[6]


@quick
@given(seed=CHARS)
def test_one_draft_is_the_poem_that_the_ruled_network_writes(network, plan, seed):
    request = request_of(plan, 0.8)
    one = best_by_lines(network, plan, request, poem_rngs(seed, 3), 1, None)
    other = write(RuledNetwork(network, plan), request, poem_rngs(seed, 3))
    assert [draft.token_ids for draft in one] == [draft.token_ids for draft in other]


@quick
@given(seed=CHARS)
def test_a_poem_does_not_depend_on_how_many_are_written_with_it(model, network, plan, seed):
    vocabulary = model.vocabulary
    for write_best in (
        lambda rngs: best_whole(network, request_of(None), rngs, 3, Counting(), vocabulary),
        lambda rngs: best_by_lines(network, plan, request_of(plan), rngs, 4, Counting()),
    ):
        (alone,) = write_best(poem_rngs(seed, 1, 2))
        assert write_best(poem_rngs(seed, 3))[2].token_ids == alone.token_ids


def test_if_all_are_refused_there_is_still_a_poem(network, plan):
    (draft,) = best_by_lines(network, plan, request_of(plan), poem_rngs(1, 1), 4, Refusing())
    assert len(draft.token_ids) == len(plan.slots)


POEMS = ["东风空月白，落日木学红。", "人家门花白，山水月石空。"] * 4


@pytest.fixture(scope="module")
def poet(model):
    indexed = replace(model, choice=build_choice(POEMS))
    return Poet("tiny", indexed, NumpyModel(model.config, model.weights))


def test_a_poet_who_knows_verse_writes_many_drafts_where_it_can(poet, model):
    plain = Poet("plain", model, poet.network)
    request = poet.request()
    assert poet.num_drafts(request) == 16
    assert poet.num_drafts(request, SearchConfig(best_of=3)) == 3
    for form, num_drafts in (("五绝", 32), ("七绝", 32), ("五律", 16)):
        verse = VerseConfig(form=form, tones="off", rhyme="free")
        assert poet.num_drafts(poet.request(verse=verse)) == num_drafts
    cold = poet.request(sampling=SampleConfig(temperature=0))
    for search in (SearchConfig(beam=2), SearchConfig(distinct=True)):
        assert poet.num_drafts(request, search) == 1
    assert poet.num_drafts(cold) == 1
    assert poet.num_drafts(request, stream=True) == 1
    assert plain.num_drafts(request) == 1
    with pytest.raises(SettingError, match="no index"):
        plain.num_drafts(request, SearchConfig(best_of=2))


@quick
@given(seed=CHARS, num_drafts=st.sampled_from([1, 4]), form=st.sampled_from(["五绝", "free"]))
def test_several_drafts_in_a_form_are_drawn_cooler_unless_it_is_said_how(
    poet, seed, num_drafts, form
):
    verse = VerseConfig(form=form)
    if form != "free":
        verse = replace(verse, tones="off", rhyme="free")
    search = SearchConfig(best_of=num_drafts)

    def write_at(temperature):
        sampling = SampleConfig(temperature=temperature)
        return generate(model=poet, seed=seed, verse=verse, search=search, sampling=sampling)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("poetgen.generation.poet.OPENING_TEMPERATURE", 0.4)
        assert write_at(None) == write_at(0.4 if num_drafts > 1 and form != "free" else 0.6)


@quick
@given(seed=CHARS)
def test_the_first_word_alone_is_drawn_as_it_is_said(network, plan, seed):
    judge, cold = Counting(), SampleConfig(temperature=0)
    request = request_of(plan)
    best_by_lines(network, plan, request, poem_rngs(seed, 1), 8, judge, opening=cold)
    openings = {text[:2] for text in judge.asked[0][0]}
    rests = {text[2:] for text in judge.asked[0][0]}
    assert len(openings) == 1 < len(rests)


@quick
@given(seed=CHARS, novel=st.booleans())
def test_a_copied_line_is_refused_unless_it_is_allowed(poet, seed, novel):
    verse = VerseConfig(tones="off", rhyme="free", pattern="东风空月白，?????。?????，?????。")
    if seed % 2:
        verse = VerseConfig(form="五绝", tones="off", rhyme="free")
    search = SearchConfig(best_of=4, novel=novel)
    (poem,) = generate(model=poet, seed=seed, verse=verse, search=search, score=True)
    assert poem.score.num_candidates == 4
    assert poem.seed == seed
    assert poem.score.log_likelihood * 20 == pytest.approx(poem.log_probability)
    if verse.pattern:
        # What was asked for is written, although it was copied.
        assert poem.text.startswith("东风空月白")
        assert poem.score.copied_lines >= 1


@pytest.mark.parametrize(
    "others",
    [
        {"search": SearchConfig(best_of=2, beam=3)},
        {"search": SearchConfig(best_of=2, distinct=True)},
        {"search": SearchConfig(best_of=2), "sampling": SampleConfig(temperature=0)},
    ],
)
def test_what_writes_one_draft_excludes_several(poet, others):
    with pytest.raises(SettingError, match="exclude"):
        generate(model=poet, **others)
