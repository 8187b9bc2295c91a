import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.config import ARCHS, SampleConfig
from poetgen.corpus.vocabulary import END, NUM_SPECIAL, PAD, START, UNK
from poetgen.errors import PromptError
from poetgen.generation.decode import Request, iter_written, poem_rngs, write
from poetgen.generation.poet import BLOCK_POEMS, Poet, generate
from poetgen.generation.prompt import encode_prompt
from poetgen.generation.stochastic_beam import sample_distinct
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.torch_model import TorchStepper, build
from tests.tiny import HANZI, tiny_model

SEEDS = st.integers(0, 2**63 - 1)
quick = settings(max_examples=30, deadline=None)


def model_that_leans(arch="gru", tokens=None, **leanings):
    """Build a random model whose output leans to some special tokens, in nats."""
    model = tiny_model(arch, 2) if tokens is None else tiny_model(arch, 2, tokens=tokens)
    bias = model.weights["output_bias"].copy()
    for name, leaning in leanings.items():
        bias[{"pad": PAD, "start": START, "end": END, "unk": UNK}[name]] += leaning
    return dataclasses.replace(model, weights={**model.weights, "output_bias": bias})


def poet_of(model):
    return Poet("tiny", model, NumpyModel(model.config, model.weights))


def texts(poet, start="", *, num_poems=1, seed=0, **sampling):
    config = SampleConfig(**sampling)
    poems = generate(model=poet, start=start, num_poems=num_poems, sampling=config, seed=seed)
    return [poem.text for poem in poems]


@pytest.fixture(scope="module")
def poet():
    """A poet whose poems end now and then, so that their lengths differ."""
    return poet_of(model_that_leans(end=2.0))


@pytest.fixture(scope="module")
def restless():
    """A poet that would write nothing but special tokens, if it were let."""
    return poet_of(model_that_leans(pad=60, start=60, unk=60, end=-60))


# What a poem may hold.


@quick
@given(
    seed=SEEDS,
    temperature=st.sampled_from([0, 0.3, 1, 5]),
    top_k=st.one_of(st.none(), st.integers(1, 9)),
    top_p=st.one_of(st.none(), st.floats(0, 1)),
)
def test_special_tokens_are_never_written(restless, seed, temperature, top_k, top_p):
    config = SampleConfig(temperature=temperature, top_k=top_k, top_p=top_p, max_chars=12)
    for poem in write(restless.network, Request([], config), poem_rngs(seed, 3)):
        assert min(poem.token_ids) >= NUM_SPECIAL


@quick
@given(seed=SEEDS, max_chars=st.integers(1, 20), data=st.data())
def test_no_poem_is_longer_than_max_chars_the_start_included(restless, seed, max_chars, data):
    start = data.draw(st.text(HANZI, max_size=max_chars - 1))
    poems = texts(restless, start, seed=seed, num_poems=3, temperature=1, max_chars=max_chars)
    # This poet never wants to end, so every poem is as long as it may be.
    assert [len(poem) for poem in poems] == [max_chars] * 3


@quick
@given(seed=SEEDS, start=st.text(HANZI + "，。", max_size=9))
def test_a_poem_begins_with_its_start(poet, seed, start):
    for poem in texts(poet, start, seed=seed, num_poems=3, max_chars=30):
        assert poem.startswith(start)
        assert len(poem) <= 30


@quick
@given(seed=SEEDS, start=st.text(HANZI, max_size=3))
def test_a_poem_ends_at_its_end_token_but_is_never_empty(seed, start):
    brief = poet_of(model_that_leans(end=60))
    poems = texts(brief, start, seed=seed, num_poems=4, temperature=1)
    if start:
        assert poems == [start] * 4
    else:
        assert [len(poem) for poem in poems] == [1] * 4


# Each poem is a function of the model, the seed and its number.


@quick
@given(seed=SEEDS, start=st.text(HANZI, max_size=3))
def test_the_same_seed_gives_the_same_poems(poet, seed, start):
    options = {"start": start, "seed": seed, "num_poems": 4, "temperature": 1, "max_chars": 25}
    assert texts(poet, **options) == texts(poet, **options)


def test_a_seed_keeps_its_poems():
    """Golden: drawn with the first release; a change here breaks what users have noted down."""
    poet = poet_of(tiny_model("lstm", 2, seed=4))
    filters = {"temperature": 1.3, "top_k": 12, "top_p": 0.9}
    found = {
        "plain": texts(poet, "日", seed=7, num_poems=2, temperature=0.8, max_chars=16),
        "filtered": texts(poet, seed=8, num_poems=2, max_chars=16, **filters),
        "greedy": texts(poet, "月", seed=9, temperature=0, max_chars=16),
    }
    assert found == {
        "plain": ["日梦，湖山鸟去", "日海月山月鸟天？花花春水"],
        "filtered": ["花？山红，水鸟鸟日春山花", "山夜山？去？鸟夜。"],
        "greedy": ["月鸟鸟鸟鸟"],
    }


def test_other_seeds_and_other_numbers_give_other_poems(poet):
    options = {"num_poems": 5, "temperature": 1, "max_chars": 25}
    poems = [poem for seed in range(5) for poem in texts(poet, seed=seed, **options)]
    long_ones = [poem for poem in poems if len(poem) > 8]
    assert len(long_ones) > 5
    assert len(set(long_ones)) == len(long_ones)


@quick
@given(seed=SEEDS, num_poems=st.integers(1, 7))
def test_a_poem_does_not_depend_on_how_many_others_are_written(poet, seed, num_poems):
    options = {"seed": seed, "temperature": 1, "max_chars": 25}
    fewer, more = (texts(poet, num_poems=number, **options) for number in (num_poems, 7))
    assert fewer == more[:num_poems]


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_poem_does_not_depend_on_when_its_neighbours_end(poet, engine):
    if engine == "torch":
        model = build(poet.model.config, poet.model.weights)
        poet = Poet("tiny", poet.model, TorchStepper(model))
    request = Request([], SampleConfig(temperature=1, max_chars=25))
    together = write(poet.network, request, poem_rngs(11, 8))
    # The law says nothing if all poems end together.
    assert len({len(poem.token_ids) for poem in together}) > 3
    alone = [write(poet.network, request, poem_rngs(11, 1, number)) for number in range(8)]
    assert together == [poem for poems in alone for poem in poems]


@quick
@given(seed=SEEDS, max_chars=st.integers(1, 12))
def test_a_poem_is_cut_if_its_end_comes_only_after_its_largest_length(poet, seed, max_chars):
    shorter, longer = (
        write(poet.network, Request([], SampleConfig(temperature=1, max_chars=size)), rngs)
        for size, rngs in [(max_chars, poem_rngs(seed, 5)), (max_chars + 1, poem_rngs(seed, 5))]
    )
    for cut, whole in zip(shorter, longer, strict=True):
        assert cut.token_ids == whole.token_ids[:max_chars]
        assert cut.is_cut == (len(whole.token_ids) > max_chars)


def test_any_number_of_poems_is_written_a_block_at_a_time(poet):
    request = Request([], SampleConfig(temperature=1, max_chars=25))
    together = write(poet.network, request, poem_rngs(7, BLOCK_POEMS + 5))
    sizes = []

    class Watched:
        num_starts = 1
        prime, step = poet.network.prime, poet.network.step
        start = poet.network.start

        def select(self, state, rows):
            sizes.append(len(rows))
            return poet.network.select(state, rows)

    # Nobody waits for what nobody has asked for.
    endless = dataclasses.replace(poet, network=Watched()).iter_poems(request, 10**12, seed=7)
    found = [poem.text for poem in itertools.islice(endless, len(together))]
    assert found == [poet.model.vocabulary.decode(poem.token_ids) for poem in together]
    assert max(sizes) == BLOCK_POEMS
    # The first poems do not wait for all of a large block.
    assert sizes[0] < 10


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("temperature", [5e-324, 1e-308, 1e308])
def test_every_temperature_makes_poems_without_a_warning(poet, temperature):
    poems = texts(poet, num_poems=3, temperature=temperature, max_chars=9)
    request = Request([], SampleConfig(temperature=temperature, max_chars=9))
    assert sample_distinct(poet.network, request, 1, 2)
    if temperature < 1:
        assert poems == texts(poet, num_poems=3, temperature=0, max_chars=9)


def test_a_stream_reads_no_further_than_it_is_asked(poet):
    network = poet.network
    steps = []

    class Watched:
        num_starts = 1
        start, prime, select = network.start, network.prime, network.select

        def step(self, token_ids, state):
            steps.append(token_ids)
            return network.step(token_ids, state)

    request = poet.request("日月", SampleConfig(temperature=1, max_chars=25))
    next(iter_written(Watched(), request, poem_rngs(3, 1)))
    assert steps == []


@pytest.mark.parametrize("arch", ARCHS)
def test_both_engines_write_the_same_greedy_poem(arch):
    model = model_that_leans(arch)
    request = Request([], SampleConfig(temperature=0, max_chars=40))
    by_numpy, by_torch = (
        write(engine, request, poem_rngs(0, 2))
        for engine in (
            NumpyModel(model.config, model.weights),
            TorchStepper(build(model.config, model.weights)),
        )
    )
    assert by_numpy == by_torch
    # Without randomness both poems of a batch are the same.
    assert by_numpy[0] == by_numpy[1]


def test_the_greedy_poem_is_the_likeliest_token_again_and_again(poet):
    request = Request([9], SampleConfig(temperature=0, max_chars=15))
    (found,) = write(poet.network, request, poem_rngs(0, 1))
    poem = [9]
    while len(poem) < 15:
        logits, _ = poet.network.prime(np.array([START, *poem]), poet.network.start(1))
        logits[0, [PAD, START, UNK]] = -np.inf
        if logits[0].argmax() == END:
            break
        poem.append(int(logits[0].argmax()))
    assert found.token_ids == poem


# How a start is read.


def test_a_traditional_start_is_understood_by_a_model_of_simplified_verse():
    model = tiny_model(tokens="日梦风云，。")
    assert encode_prompt("夢風，雲", model.vocabulary) == encode_prompt(
        "梦风，云", model.vocabulary
    )
    assert model.vocabulary.decode(encode_prompt("夢風，雲", model.vocabulary)) == "梦风，云"


def test_a_simplified_start_is_understood_by_a_model_of_traditional_verse():
    model = tiny_model(tokens="日夢風雲，。")
    assert model.vocabulary.decode(encode_prompt("梦风云", model.vocabulary)) == "夢風雲"


def test_a_character_that_the_model_knows_is_never_converted():
    model = tiny_model(tokens="梦夢，。")
    assert model.vocabulary.decode(encode_prompt("夢梦", model.vocabulary)) == "夢梦"


@pytest.mark.parametrize("start", ["龘", "日龘", "Q", "日□", "\x00"])
def test_a_start_with_an_unknown_character_is_refused_by_name(start):
    model = tiny_model()
    with pytest.raises(PromptError) as caught:
        encode_prompt(start, model.vocabulary)
    assert repr(start[-1]) in caught.value.problem
    # What the advice proposes must work.
    proposed = caught.value.advice.rpartition(": ")[2]
    assert proposed
    assert encode_prompt(proposed, model.vocabulary)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("日,月.", "日，月。"),
        ("日?", "日？"),
        ("日月，山 水。\n花鸟", "日月，山水。花鸟"),
        ("日　月", "日月"),
        ("", ""),
    ],
)
def test_half_width_marks_and_spaces_are_read_as_verse(typed, meant):
    model = tiny_model()
    assert model.vocabulary.decode(encode_prompt(typed, model.vocabulary)) == meant


def test_a_model_of_prose_reads_marks_and_spaces_as_they_are():
    model = tiny_model(tokens="abc ,.\n")
    assert model.vocabulary.decode(encode_prompt("a b, c.\n", model.vocabulary)) == "a b, c.\n"


def test_a_composed_letter_is_known_in_its_decomposed_form():
    model = tiny_model(tokens="é b")
    assert model.vocabulary.decode(encode_prompt("e\u0301", model.vocabulary)) == "é"


@quick
@given(start=st.text(HANZI + "，。？"))
def test_a_start_of_known_characters_is_read_as_it_stands(start):
    model = tiny_model()
    assert model.vocabulary.decode(encode_prompt(start, model.vocabulary)) == start


@quick
@given(start=st.text(max_size=6))
def test_any_start_is_either_read_without_unknowns_or_refused(start):
    model = tiny_model()
    try:
        token_ids = encode_prompt(start, model.vocabulary)
    except PromptError:
        return
    assert all(token_id >= NUM_SPECIAL for token_id in token_ids)
