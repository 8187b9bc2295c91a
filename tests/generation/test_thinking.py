"""Forms and titles that a model thinks of before it writes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import LINE_MARKS
from poetgen.config import OccasionConfig, SampleConfig, SearchConfig, VerseConfig
from poetgen.corpus.vocabulary import END, START
from poetgen.errors import SettingError
from poetgen.generation import thinking
from poetgen.generation.decode import poem_rngs
from poetgen.generation.form_plans import FormPlans
from poetgen.generation.guidance import GuidedNetwork
from poetgen.generation.occasion import Occasion
from poetgen.generation.opened import OpenedNetwork
from poetgen.generation.poem import Poem
from poetgen.generation.poet import generate
from poetgen.generation.sampling import softmax
from poetgen.generation.thinking import think_forms, think_titles
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.forms import form_of, line_lengths
from poetgen.verse.tunes import find_tune
from tests.scripted import VOCABULARY, poet_of
from tests.tiny import tiny_model

SAMPLING, ONE = SampleConfig(temperature=1.0), SearchConfig(best_of=1)


def poems_of(poet, num_poems=4, **options):
    options = {"sampling": SAMPLING, "search": ONE, "seed": 3} | options
    return generate(model=poet, num_poems=num_poems, **options)


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("name", ["五绝", "七绝", "五律"])
def test_asked_for_nothing_a_model_thinks_of_a_form_and_keeps_its_rules(name, index):
    for poem in poems_of(poet_of(name, index=index), score=True):
        assert form_of(poem.text) == name
        assert poem.score.rhyme_errors == poem.score.tone_errors == 0
        assert poem.title == "春"


def test_every_poem_of_many_has_the_form_that_was_thought_of_for_it():
    poet = poet_of("五绝", "七绝", "五律", "五言", index=True)
    many = poems_of(poet, 24, search=SearchConfig(best_of=2))
    assert {form_of(poem.text) for poem in many} >= {"五绝", "七绝", "五律"}
    request = poet.request("", SAMPLING)
    for number, poem in enumerate(many):
        thought = poet.thought(request, 3, number)
        name = VOCABULARY.decode(thought.occasion.form)
        assert form_of(poem.text) == (name if thought.plans else None)
        assert len(thought.plans) == (name != "五言")


def test_a_form_without_rules_is_kept_if_nothing_else_comes_to_mind():
    poet = poet_of("五言", "杂言")
    request = poet.thought(poet.request("", SAMPLING), 0)
    assert VOCABULARY.decode(request.occasion.form) in ("五言", "杂言")
    assert not request.plans


def test_a_form_that_is_given_or_none_is_not_thought_of():
    poet = poet_of("七绝")
    for verse in (VerseConfig(form="五绝"), VerseConfig(require="明月", form="五绝")):
        assert {form_of(poem.text) for poem in poems_of(poet, verse=verse)} == {"五绝"}
    free = poet.request("", SAMPLING, VerseConfig(form="free"))
    assert not poet.thought(free, 0).plans
    assert poet.thought(free, 0).occasion.title


@pytest.mark.parametrize("name", ["free", " FREE", "自由"])
def test_no_rules_have_several_names(name):
    assert not poet_of("七绝").request("", SAMPLING, VerseConfig(form=name)).plans
    assert poet_of("七绝").request("", SAMPLING, VerseConfig(form=name)).forms is None


def test_a_title_over_which_no_form_has_rules_does_not_keep_the_model_from_one():
    poet = poet_of("五言", "忆江南", suits=lambda title, form: (form == "五言") == bool(title))
    for poem in poems_of(poet, 6, occasion=OccasionConfig(title="明月")):
        assert poem.heading == "《忆江南·明月》"


@pytest.mark.parametrize("wish", [{"rhyme": "东"}, {"tones": "off"}, {"acrostic": "春秋"}])
def test_no_rules_and_a_rule_contradict_each_other(wish):
    with pytest.raises(SettingError, match="--form free is without rules"):
        poet_of("七绝").request("", SAMPLING, VerseConfig(form="free", **wish))


@pytest.mark.parametrize(
    "start", ["日", "日落", "三月", "春风空白日，", "白日木，", "白日落木石，"]
)
def test_a_start_has_a_form_that_it_suits(start):
    poems = poems_of(poet_of("五绝", "七绝"), 6, start=start, sampling=SAMPLING)
    for poem in poems:
        assert poem.text.startswith(start)
        assert poem.title == ""
        # Nor does it end at once where none suits it.
        assert len(poem.text.replace("\n", "")) >= 24
    suited = {
        "春风空白日，": {"五绝"},
        "白日木，": set(),
        "白日落木石，": {"五绝"},  # five oblique tones are in no form: it is kept without tones
    }
    forms = {form_of(poem.text) for poem in poems} - {None}
    assert forms == suited.get(start, {"五绝", "七绝"})
    poet = poet_of("五绝", "七绝")
    asked = poet.request(start, SAMPLING)
    poet.thought(asked, 3)
    assert asked.forms.has_kept == bool(forms)


def test_a_start_has_the_form_that_it_suits_best_though_the_model_seldom_thinks_of_it():
    # The model thinks of 七绝 alone, and knows 忆江南 as well; 江南好， is the beginning of no 诗.
    poet = poet_of(*["七绝"] * 40, "忆江南")
    for poem in poems_of(poet, 3, start="江南春，"):
        assert poem.tune == "忆江南"
        assert line_lengths(poem.text) == list(find_tune("忆江南").line_lengths)
    # Of forms that suit it without their tones, those are taken that keep them.
    asked = FormPlans(VOCABULARY, "白日落木石，", None)
    suited = asked.suited()
    assert tuple(VOCABULARY.encode("五绝")) in suited
    assert asked.best_kept(suited).keys() <= set(suited)
    for form, plan in asked.best_kept(suited).items():
        assert plan is asked.plan(form, "loose")
        assert asked.plan(form) is None


@pytest.mark.parametrize("start", ["春风空、", "春风空，白日。"])
def test_after_a_start_with_a_mark_comes_no_other(start):
    poet = poet_of("五绝")
    for poem in poems_of(poet, 6, start=start, verse=VerseConfig(form="free")):
        following = poem.text.removeprefix(start)[:1]
        assert following not in tuple(LINE_MARKS)
        assert following or start.endswith("。")


def test_a_start_of_a_whole_poem_goes_on_freely():
    poet = poet_of("五绝")
    (whole,) = poems_of(poet, 1)
    request = poet.request(whole.text, SAMPLING)
    thought = poet.thought(request, 0)
    assert not thought.plans
    assert thought.occasion.form == ()


def test_the_longest_poem_that_is_asked_for_holds_for_forms():
    poet = poet_of("七绝", "五绝")
    sampling = SampleConfig(temperature=1.0, max_chars=24)
    assert {form_of(poem.text) for poem in poems_of(poet, 6, sampling=sampling)} == {"五绝"}


def test_a_tune_is_kept_and_stands_before_the_title():
    for poem in poems_of(poet_of("忆江南", titles=("明月",))):
        assert line_lengths(poem.text) == list(find_tune("忆江南").line_lengths)
        assert poem.heading == "《忆江南·明月》"
        assert poem.as_dict()["tune"] == "忆江南"
    # A tune as a title, too, says nothing.
    for poem in poems_of(poet_of("忆江南", titles=("浣溪沙", "望江南"))):
        assert poem.heading == "《忆江南》"
    assert Poem("日", tune="浣溪沙", author="山人").heading == "《浣溪沙》，仿山人"


def test_a_title_suits_the_form():
    poet = poet_of(
        "五绝",
        titles=("春", "三十五", "人家"),
        suits=lambda title, form: title != "春",
    )
    titles = {poem.title for poem in poems_of(poet, 20)}
    assert titles == {"三十五", "人家"}
    given_form = poems_of(poet, 20, verse=VerseConfig(form="五绝"))
    assert {poem.title for poem in given_form} == {"三十五", "人家"}


def test_numbers_of_a_series_and_names_of_kinds_are_no_titles():
    poet = poet_of("五绝", titles=("其三", "绝", "五律"))
    assert {poem.title for poem in poems_of(poet, 8)} <= {"绝", ""}


def test_a_tune_of_unequal_lines_is_the_title_of_no_other_form():
    for poem in poems_of(poet_of("五绝", titles=("忆江南", "春山")), 8):
        assert poem.title == "春山"


def test_a_poem_to_a_tune_is_the_title_of_no_other_form():
    # 浣溪沙, whose lines are of one length, may itself be the title of a 七绝.
    for poem in poems_of(poet_of("七绝", titles=("浣溪沙·明月", "浣溪沙")), 8):
        assert poem.title == "浣溪沙"


def test_a_title_to_which_readers_like_poems_better_is_taken_sooner(monkeypatch):
    poet = poet_of("五绝", titles=("人家", "春山"))
    shares = []
    for mark in (-0.1, 0.0, 0.1):
        monkeypatch.setattr(
            thinking, "mark_of_title", lambda title, mark=mark: mark * (title == "春山")
        )
        shares.append(sum(poem.title == "春山" for poem in poems_of(poet, 40)) / 40)
    assert shares[0] < shares[1] - 0.2 < shares[1] + 0.2 < shares[2]
    # It is a preference, not a rule.
    assert 0 < shares[0] < shares[2] < 1


def test_a_form_follows_from_the_title_that_is_given():
    poet = poet_of("五绝", "七绝", suits=lambda title, form: (title == "人家") == (form == "七绝"))
    for title, form in (("人家", "七绝"), ("明月", "五绝")):
        poems = poems_of(poet, occasion=OccasionConfig(title=title))
        assert {form_of(poem.text) for poem in poems} == {form}


@given(st.integers(0, 2**32))
def test_a_form_does_not_depend_on_how_many_are_thought_of(seed):
    network = poet_of("五绝", "七绝", "忆江南").network
    occasions = [Occasion(VOCABULARY, author=(7, 9))] * 5
    every = think_forms(network, occasions, poem_rngs(seed, 5))
    alone = [think_forms(network, occasions[:1], [rng])[0] for rng in poem_rngs(seed, 5)]
    assert every == alone


@pytest.mark.parametrize("guided", [False, True])
def test_the_own_states_of_a_network_are_those_after_what_is_said_and_read(guided):
    model = tiny_model("lstm", seed=5, fields=True)
    network = NumpyModel(model.config, model.weights)
    opened = (
        GuidedNetwork(network, [[7, 9]], [8], 2.0) if guided else OpenedNetwork(network, [[7, 9]])
    )
    _, state = opened.step(np.array([5, 6]), opened.start(2))
    ((h, c),) = opened.own_state(state)
    for row, token_id in enumerate((5, 6)):
        _, ((alone, cell),) = network.prime(np.array([7, 9, token_id]), network.start(1))
        np.testing.assert_allclose(h[row], alone[0], rtol=1e-5)
        np.testing.assert_allclose(c[row], cell[0], rtol=1e-5)
    assert len(h) == 2


def test_keywords_are_kept_to_more_closely_in_a_title():
    model = tiny_model("lstm", seed=5, fields=True)
    network, vocabulary = NumpyModel(model.config, model.weights), model.vocabulary
    said = Occasion(vocabulary, keywords=((9,),), has_title=False)

    def first_tokens(occasion):
        thought = think_titles(network, occasion, poem_rngs(0, 400), SampleConfig(temperature=1))
        return np.bincount([one.title[0] for one in thought], minlength=len(vocabulary)) / 400

    mark = vocabulary.field_id("title")
    texts = [[vocabulary.field_id("keyword"), 9, mark], [mark]]
    given_one, plain = (
        network.prime(np.array(text), network.start(1))[0][0].astype(float) for text in texts
    )
    allowed = np.array([vocabulary.is_ordinary(i) for i in range(len(vocabulary))])
    allowed[[END, *vocabulary.encode("，。？")]] = False
    found = first_tokens(said)

    def distance(guidance):
        logits = plain + guidance * (given_one - plain)
        logits[9] += 2
        expected = np.where(allowed, np.exp(logits - logits[allowed].max()), 0)
        return np.abs(found - expected / expected.sum()).sum()

    assert distance(3) < 0.1
    assert min(map(distance, (1, 2, 4))) > distance(3)


def test_a_title_begins_as_often_so_as_the_model_has_it_and_goes_on_with_what_is_likely():
    model = tiny_model("lstm", seed=5, fields=True)
    network, vocabulary = NumpyModel(model.config, model.weights), model.vocabulary
    said = Occasion(vocabulary, has_title=False)
    titles = [one.title for one in think_titles(network, said, poem_rngs(0, 4000))]
    starts = Counter(title[0] for title in titles)
    ((common, _),) = starts.most_common(1)
    after = Counter(title[1] for title in titles if title[0] == common and len(title) > 1)
    mark, marks = vocabulary.field_id("title"), vocabulary.encode("，。？")
    ordinary = {i for i in range(len(vocabulary)) if vocabulary.is_ordinary(i)} - {*marks}

    def distance(found, text, may_end, temperature):
        (logits,), _ = network.prime(np.array(text), network.start(1))
        allowed = ordinary | ({START, vocabulary.field_id("form")} if may_end else set())
        barred = [i not in allowed for i in range(len(logits))]
        shares = softmax(np.where(barred, -np.inf, logits) / temperature)
        order = np.argsort(-shares)
        kept = order[np.cumsum(shares[order]) - shares[order] < 0.9]
        kept = [i for i in kept.tolist() if i in ordinary]
        expected = shares[kept] / shares[kept].sum()
        counts = np.array([found[i] for i in kept])
        return np.abs(counts / sum(found.values()) - expected).sum()

    assert distance(starts, [mark], False, 1.0) < 0.15 < distance(starts, [mark], False, 0.6)
    text = [mark, common]
    assert distance(after, text, True, 0.6) < 0.15 < distance(after, text, True, 1.0)
