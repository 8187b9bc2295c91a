"""What is said before a poem: given by a user, or thought of by the model."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import punctuated
from poetgen.config import OccasionConfig, SampleConfig, SearchConfig, VerseConfig
from poetgen.corpus.about import About, Abouts
from poetgen.corpus.corpus import Poems
from poetgen.corpus.occasions import occasions_of
from poetgen.corpus.vocabulary import END, MAX_TITLE, START, Vocabulary
from poetgen.errors import PromptError, SettingError
from poetgen.generation.choosing import best_whole
from poetgen.generation.decode import Request, poem_rngs, write
from poetgen.generation.guidance import GuidedNetwork
from poetgen.generation.occasion import Occasion, read_occasion
from poetgen.generation.opened import OpenedNetwork
from poetgen.generation.poet import Poet, generate
from poetgen.generation.sampling import log_softmax
from poetgen.generation.thinking import think_titles
from poetgen.networks.model_file import load_model, save_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.choice import build_choice
from poetgen.verse.schemes import find_form
from poetgen.verse.score import ChoiceJudge
from tests.command import poetgen
from tests.tiny import HANZI, MARKS, tiny_model

TOKENS = HANZI + MARKS + "七绝五言"
SAMPLING = SampleConfig(temperature=0.9, max_chars=12)
ONE = SearchConfig(best_of=1)


def a_poet(fields: bool = True) -> Poet:
    """A poet whose titles and poems end now and then."""
    model = tiny_model("lstm", seed=3, tokens=TOKENS, fields=fields)
    model.weights["output_bias"][[START, END]] += 2
    # No poem may have the marks of fields, however likely they are.
    model.weights["output_bias"][4 + len(TOKENS) :] += 3
    return Poet("tiny", model, NumpyModel(model.config, model.weights))


POET, PLAIN = a_poet(), a_poet(fields=False)
VOCABULARY = POET.model.vocabulary
MARK = {name: VOCABULARY.field_id(name) for name in VOCABULARY.fields}
WORDS = st.lists(st.sampled_from(HANZI), min_size=1, max_size=5).map("".join)


def occasion_of(**said: str | bool) -> Occasion | None:
    return POET.request("", SAMPLING, occasion=OccasionConfig(**said)).occasion


# What is asked for.


@given(WORDS, WORDS, WORDS, WORDS, st.sampled_from(["，", ",", "、", " ", "; "]))
def test_fields_stand_before_the_poem_in_their_order_each_after_its_mark(
    author, one, two, title, comma
):
    said = occasion_of(author=author, keyword=f"{one}{comma}{two}", title=f"《{title}》")
    encode = VOCABULARY.encode
    assert said.token_ids == [
        *(MARK["author"], *encode(author)),
        *(MARK["keyword"], *encode(one), MARK["keyword"], *encode(two)),
        *(MARK["title"], *encode(title)),
    ]


def test_a_form_is_said_where_the_model_can_spell_it():
    for form, name in (("七绝", "七绝"), ("五古:6", "五言"), ("五律", "")):
        request = POET.request(
            "", SampleConfig(), VerseConfig(form=form, tones="off", rhyme="free")
        )
        assert VOCABULARY.decode(request.occasion.form) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("五古:4", "五绝"),
        ("浣溪沙", "七言"),
        ("玉楼春", "七律"),
        ("念奴娇", "念奴娇"),
        ("声声慢:仄韵", "声声慢"),
    ],
)
def test_a_form_is_said_as_the_poems_of_a_corpus_have_it(name, said):
    form = find_form(name)
    title = f"{form.name.partition(':')[0]}·春"
    text = punctuated(["日" * length for length in form.line_lengths])
    vocabulary = Vocabulary([*dict.fromkeys("日春，。" + said)], fields=VOCABULARY.fields)
    ids = vocabulary.encode(text)
    poems = Poems(np.array([START, *ids, END]), np.array([0, len(ids) + 2]))
    learned = occasions_of(poems, Abouts.of_lines([About(title).as_line()]), vocabulary).form.tokens
    assert vocabulary.decode(learned[1:].tolist()) == said
    occasion = read_occasion(OccasionConfig(title="春"), vocabulary, form, think=False)
    assert vocabulary.decode(occasion.form) == said


def test_without_wishes_the_model_thinks_of_a_title_unless_it_is_to_have_none():
    assert not occasion_of().has_title
    assert occasion_of(untitled=True) is None
    assert POET.request("日", SAMPLING).occasion is None
    assert occasion_of(untitled=True, author="山人").has_title
    for sampling, search in (
        (SampleConfig(temperature=0.0), SearchConfig()),
        (SAMPLING, SearchConfig(beam=3)),
        (SAMPLING, SearchConfig(distinct=True)),
    ):
        assert POET.request("", sampling, search=search).occasion is None


@pytest.mark.parametrize("said", [{"title": "山"}, {"author": "山"}, {"keyword": "山"}])
def test_a_model_without_fields_refuses_what_it_would_not_hear(said):
    (flag,) = said
    with pytest.raises(SettingError, match=f"--{flag} has no effect"):
        generate(model=PLAIN, occasion=OccasionConfig(**said))


def test_a_title_is_not_longer_than_those_that_models_learn():
    said = occasion_of(title="山" * MAX_TITLE)
    assert len(said.title) == MAX_TITLE
    with pytest.raises(SettingError, match=f"--title has {MAX_TITLE + 1} characters"):
        occasion_of(title="山" * (MAX_TITLE + 1))


@pytest.mark.parametrize("flag", ["title", "author", "keyword"])
def test_an_unknown_character_is_named_with_its_flag(flag):
    with pytest.raises(PromptError, match=f"--{flag} 山魑: .*'魑'"):
        generate(model=POET, occasion=OccasionConfig(**{flag: "山魑"}))


# Poems on an occasion.


@given(WORDS, st.integers(0, 2**32))
def test_a_poem_on_a_title_is_what_the_network_writes_after_reading_it(title, seed):
    poems = generate(
        model=POET,
        num_poems=3,
        sampling=SAMPLING,
        search=ONE,
        seed=seed,
        occasion=OccasionConfig(title=title, guidance=1.0),
        verse=VerseConfig(form="free"),
    )
    said = [MARK["title"], *VOCABULARY.encode(title)]

    class Read:
        """The slow way: everything is read again for every start."""

        num_starts = 1

        def start(self, batch_size):
            state = POET.network.start(batch_size)
            for token_id in said:
                _, state = POET.network.step(np.full(batch_size, token_id), state)
            return state

        prime, step, select = POET.network.prime, POET.network.step, POET.network.select

    request = Request((), SAMPLING, unwritten=VOCABULARY.unwritten)
    drafts = write(Read(), request, poem_rngs(seed, 3))
    assert [poem.text for poem in poems] == [VOCABULARY.decode(d.token_ids) for d in drafts]
    assert {poem.title for poem in poems} == {title}


@pytest.mark.parametrize(
    "search", [ONE, SearchConfig(beam=3), SearchConfig(distinct=True)], ids=str
)
@pytest.mark.parametrize("said", [{}, {"title": "山水"}, {"author": "来去", "keyword": "日"}])
def test_no_poem_has_marks_of_fields(search, said):
    request = POET.request("", SAMPLING, occasion=OccasionConfig(**said), search=search)
    marks = np.array(list(MARK.values()))
    fields = {name: tuple(VOCABULARY.encode(text)) for name, text in said.items()}
    fields.pop("keyword", None)
    network = OpenedNetwork(POET.network, [Occasion(VOCABULARY, **fields).token_ids])
    for draft in write(network, request._replace(occasion=None), poem_rngs(0, 20)):
        assert not np.isin(draft.token_ids, marks).any()
    for poem in POET.iter_poems(request, 3, 0, search):
        assert poem.text


@pytest.mark.parametrize("guidance", [1.0, 1.5])
@pytest.mark.parametrize("search", [ONE, SearchConfig(best_of=3)], ids=str)
@pytest.mark.parametrize("keyword", [None, "日，来去"])
def test_a_poem_does_not_depend_on_how_many_are_written(search, guidance, keyword):
    poet = replace(POET, model=replace(POET.model, choice=build_choice(["日山水。月来去。"] * 6)))
    said = OccasionConfig(guidance=guidance, keyword=keyword)
    request = poet.request("", SAMPLING, occasion=said)
    every = list(poet.iter_poems(request, 5, 4, search))
    # To keywords this network always has the same title.
    assert len({poem.text if keyword else poem.title for poem in every}) > 1
    for number, poem in enumerate(every):
        # As it is written alone, to its own title and form.
        (rng,), alone = poem_rngs(4, 1, number), poet.thought(request, 4, number)
        rng.spawn(1)
        occasion = alone.occasion
        if guidance == 1:
            network = OpenedNetwork(poet.network, [occasion.token_ids])
        else:
            texts = [occasion.token_ids], occasion.form_alone
            network = GuidedNetwork(poet.network, *texts, guidance)
        if search is ONE:
            (draft,) = write(network, alone, [rng])
        else:
            keywords = keyword.split("，") if keyword else []
            judge = ChoiceJudge(poet.model.choice, rules=True, keywords=keywords)
            (draft,) = best_whole(network, alone, [rng], 3, judge, VOCABULARY)
        assert poem.text == VOCABULARY.decode(draft.token_ids)
        assert poem.title == VOCABULARY.decode(occasion.title)


@given(st.integers(0, 2**32), st.integers(0, 4))
def test_a_stream_is_the_poem_and_has_its_heading(seed, number):
    request = POET.request("", SAMPLING)
    poem = list(POET.iter_poems(request, number + 1, seed, ONE))[number]
    assert "".join(POET.stream(request, seed, number)) == poem.text
    thought = POET.thought(request, seed, number)
    assert POET.heading(thought) == poem.heading == f"《{poem.title}》"
    assert "".join(POET.stream(thought, seed, number)) == poem.text


# Titles that the model thinks of.


@given(st.integers(0, 2**32))
def test_titles_are_neither_empty_nor_endless_and_have_no_special_tokens(seed):
    occasion = Occasion(VOCABULARY, has_title=False)
    for thought in think_titles(POET.network, occasion, poem_rngs(seed, 9)):
        assert thought.has_title
        assert 1 <= len(thought.title) <= MAX_TITLE
        assert all(map(VOCABULARY.is_ordinary, thought.title))


def test_a_title_does_not_depend_on_how_many_are_thought_of():
    occasion = Occasion(VOCABULARY, author=(7, 9), has_title=False)
    every = think_titles(POET.network, occasion, poem_rngs(2, 6))
    alone = [think_titles(POET.network, occasion, [rng])[0] for rng in poem_rngs(2, 6)]
    assert every == alone


def test_a_title_ends_where_the_model_begins_the_poem_or_the_form():
    for end in (START, MARK["form"]):
        model = tiny_model("gru", tokens=TOKENS, fields=True)
        model.weights["output_bias"][:] = -50
        model.weights["output_bias"][end] = 50
        network = NumpyModel(model.config, model.weights)
        thought = think_titles(network, Occasion(VOCABULARY), poem_rngs(0, 4))
        # The first character cannot be an end, the second always is.
        assert [len(occasion.title) for occasion in thought] == [1] * 4


# The model file and the command.


def test_a_model_file_keeps_its_fields(tmp_path):
    save_model(POET.model, tmp_path / "tiny.safetensors")
    again = load_model(tmp_path / "tiny.safetensors").vocabulary
    assert (again.fields, len(again)) == (VOCABULARY.fields, len(VOCABULARY))


def test_the_command_shows_the_title_above_the_poem(tmp_path):
    save_model(POET.model, tmp_path / "models/tiny.safetensors")
    common = ["generate", "--seed", "5", "--max-chars", "9"]
    thought = poetgen(*common, cwd=tmp_path).stdout.splitlines()
    given_one = poetgen(
        *common, "--title", "山水", "--author", "来去", cwd=tmp_path
    ).stdout.splitlines()
    bare = poetgen(*common, "--untitled", cwd=tmp_path).stdout.splitlines()
    assert thought[0].startswith("《")
    assert thought[0].endswith("》")
    assert given_one[0] == "《山水》，仿来去"
    assert not bare[0].startswith("《")
    streamed = poetgen(*common, "--stream", cwd=tmp_path).stdout.splitlines()
    assert streamed[0] == thought[0]
    (poem,) = json.loads(poetgen(*common, "--title", "山水", "--json", cwd=tmp_path).stdout)[
        "poems"
    ]
    assert poem["title"] == "山水"
    assert "author" not in poem


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"title": ""}, ("--title is empty",)),
        ({"title": " 《》"}, ("--title is empty",)),
        ({"author": " "}, ("--author is empty",)),
        ({"keyword": "，、"}, ("--keyword is empty",)),
        ({"title": "山水", "untitled": True}, ("--untitled", "--title")),
    ],
)
@pytest.mark.parametrize("poet", [POET, PLAIN], ids=["fields", "plain"])
def test_an_occasion_that_is_empty_or_contradicts_itself_is_refused(poet, said, words):
    with pytest.raises(SettingError) as caught:
        poet.request("", SAMPLING, occasion=OccasionConfig(**said))
    assert all(word in caught.value.problem for word in words)


# Guidance.


def test_a_poem_keeps_closer_to_what_is_given_than_to_a_title_that_is_thought_of():
    assert occasion_of().guidance == 1
    assert occasion_of(untitled=True) is None
    for said in ({"title": "山水"}, {"author": "来去"}, {"keyword": "日"}):
        assert occasion_of(**said).guidance > 1
        assert occasion_of(**said, guidance=0.5).guidance == 0.5


def network_after(**said: tuple[int, ...]) -> OpenedNetwork:
    return OpenedNetwork(POET.network, [Occasion(VOCABULARY, **said).token_ids])


@given(st.floats(0, 5), st.lists(st.integers(4, 20), max_size=4))
def test_guidance_moves_log_probabilities_in_proportion(guidance, prompt):
    occasion = Occasion(VOCABULARY, title=(7, 8), form=(5,))
    given_one, plain = network_after(title=(7, 8), form=(5,)), network_after(form=(5,))
    texts = [occasion.token_ids], occasion.form_alone
    guided = GuidedNetwork(POET.network, *texts, guidance)
    found, state = guided.prime(np.array([START, *prompt]), guided.start(1))
    found = np.concatenate([found, guided.step(np.array([9]), state)[0]])
    expected = []
    for text in ([START, *prompt], [START, *prompt, 9]):
        p, q = (
            log_softmax(network.prime(np.array(text), network.start(1))[0])
            for network in (given_one, plain)
        )
        expected.append(q + guidance * (p - q))
    wanted = log_softmax(np.concatenate(expected))
    np.testing.assert_allclose(log_softmax(found), wanted, atol=1e-3)


def test_guidance_of_one_writes_as_the_model_has_learned():
    for guidance in (1.0, 1.0 + 1e-9):
        said = OccasionConfig(title="山水", guidance=guidance)
        texts = [
            poem.text
            for poem in generate(
                model=POET, num_poems=4, sampling=SAMPLING, search=ONE, seed=3, occasion=said
            )
        ]
        if guidance == 1:
            expected = texts
    assert texts == expected


def test_states_of_guided_poems_are_selected_together():
    guided = GuidedNetwork(POET.network, [[MARK["title"], 7]], [], 2.0)
    _, state = guided.prime(np.array([START]), guided.start(3))
    _, state = guided.step(np.array([5, 6, 7]), state)
    again, _ = guided.step(np.array([9, 9]), guided.select(state, np.array([2, 0])))
    both, _ = guided.step(np.array([9, 9, 9]), state)
    np.testing.assert_allclose(again, both[[2, 0]], rtol=1e-4, atol=1e-4)
