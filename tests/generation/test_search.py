"""Beam search and sampling without replacement, against all poems that a tiny model can write."""

import decimal
import itertools
import json
import math
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from poetgen.config import ARCHS, SampleConfig
from poetgen.corpus.vocabulary import END, PAD, START, UNK
from poetgen.generation.beam import beam_search, normaliser
from poetgen.generation.decode import Request, poem_rngs, write
from poetgen.generation.poet import Poet, generate
from poetgen.generation.sampling import scaled, softmax
from poetgen.generation.search import best_branches
from poetgen.generation.stochastic_beam import bounded_gumbels, log1mexp, sample_distinct
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.torch_model import TorchStepper, build
from tests.chance import assert_counts_follow
from tests.command import assert_two_line_error, poetgen
from tests.tiny import tiny_model

SEEDS = st.integers(0, 2**63 - 1)
quick = settings(max_examples=25, deadline=None)


def network_of(arch="gru", seed=0, tokens="日月，"):
    model = tiny_model(arch, 1, seed, tokens)
    # In double precision, so that no two poems are equally likely but for rounding.
    weights = {name: w.astype(np.float64) for name, w in model.weights.items()}
    return NumpyModel(model.config, weights)


def all_poems(network, config, prompt=()):
    """Give every poem that there is, and its log-probability, each read from its beginning."""
    found = {}

    def grow(poem, log_probability):
        if len(poem) == config.max_chars:
            found[tuple(poem)] = log_probability
            return
        logits, _ = network.prime(np.array([START, *poem]), network.start(1))
        logits[0, [PAD, START, UNK]] = -np.inf
        if not poem:
            logits[0, END] = -np.inf
        for token_id, probability in enumerate(softmax(scaled(logits, config))[0].tolist()):
            if probability and token_id == END:
                found[tuple(poem)] = log_probability + math.log(probability)
            elif probability:
                grow([*poem, token_id], log_probability + math.log(probability))

    grow(list(prompt), 0.0)
    assert sum(map(math.exp, found.values())) == pytest.approx(1)
    return found


# The branches of a search.


@quick
@given(
    scores=arrays(np.float64, (3, 5), elements=st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 1.5])),
    num_best=st.integers(1, 20),
)
def test_the_best_branches_are_the_largest_scores_in_order(scores, num_best):
    places = [(-scores[row, i], row, i) for row in range(3) for i in range(5)]
    expected = [(row, i) for score, row, i in sorted(places) if score < np.inf][:num_best]
    assert best_branches(scores, num_best) == expected


# Beam search.

MODEL_ITSELF = SampleConfig(temperature=1, max_chars=4)


@quick
@given(
    arch=st.sampled_from(ARCHS),
    seed=st.integers(0, 10_000),
    length_penalty=st.floats(0, 3),
    prompt=st.lists(st.integers(4, 6), max_size=2),
)
def test_a_beam_as_wide_as_the_space_finds_the_best_of_all_poems(
    arch, seed, length_penalty, prompt
):
    network = network_of(arch, seed)
    poems = all_poems(network, MODEL_ITSELF, prompt)

    def score(poem):
        # A poem that was cut at its largest length has no end token.
        num_choices = len(poem) - len(prompt) + (len(poem) < MODEL_ITSELF.max_chars)
        return poems[poem] / normaliser(num_choices, length_penalty)

    found = beam_search(network, Request(prompt, MODEL_ITSELF), len(poems), length_penalty)
    ids = [tuple(poem.token_ids) for poem in found]
    assert sorted(ids) == sorted(poems)
    best = sorted(map(score, poems), reverse=True)
    np.testing.assert_allclose([score(poem) for poem in ids], best, atol=1e-9)
    for poem in found:
        assert poem.log_probability == pytest.approx(poems[tuple(poem.token_ids)], abs=1e-9)


def test_a_start_of_the_largest_length_is_the_poem():
    request = Request([4, 5, 4, 5], MODEL_ITSELF)
    network = network_of()
    for found in (beam_search(network, request, 3, 0.6), sample_distinct(network, request, 1, 3)):
        assert [(draft.token_ids, draft.is_cut) for draft in found] == [([4, 5, 4, 5], False)]


@quick
@given(seed=st.integers(0, 10_000))
def test_the_end_of_a_poem_counts_unless_it_has_the_largest_length(seed):
    network = network_of("gru", seed)
    request = Request([], MODEL_ITSELF)
    for draft in write(network, request, poem_rngs(seed, 8), scored=True):
        ids, expected = [START, *draft.token_ids, END][: MODEL_ITSELF.max_chars + 1], 0.0
        for place, token_id in enumerate(ids[1:], 1):
            logits, _ = network.prime(np.array(ids[:place]), network.start(1))
            expected += math.log(softmax(logits)[0, token_id])
        assert draft.log_probability == pytest.approx(expected, abs=1e-9)


@quick
@given(
    seed=st.integers(0, 10_000),
    beam=st.integers(1, 7),
    # With a large one, long poems come in among the best late.
    length_penalty=st.sampled_from([0, 0.6, 2, 5]),
)
def test_giving_up_beginnings_loses_no_poem(seed, beam, length_penalty):
    network = network_of("lstm", seed)
    config = SampleConfig(temperature=1, max_chars=9)
    growing, done = [((), 0.0)], []
    for length in range(1, config.max_chars + 1):
        branches = []
        for poem, log_probability in growing:
            logits, _ = network.prime(np.array([START, *poem]), network.start(1))
            logits[0, [PAD, START, UNK]] = -np.inf
            if not poem:
                logits[0, END] = -np.inf
            for token_id, p in enumerate(softmax(logits)[0].tolist()):
                if p:
                    branches.append((poem, token_id, log_probability + math.log(p)))
        growing = []
        for poem, token_id, log_probability in sorted(branches, key=lambda b: -b[2])[:beam]:
            if token_id == END or length == config.max_chars:
                whole = poem if token_id == END else (*poem, token_id)
                done.append((log_probability / normaliser(length, length_penalty), whole))
            else:
                growing.append(((*poem, token_id), log_probability))
    expected = [poem for _, poem in sorted(done, reverse=True)[:beam]]
    found = beam_search(network, Request([], config), beam, length_penalty)
    assert [tuple(poem.token_ids) for poem in found] == expected


@quick
@given(
    arch=st.sampled_from(ARCHS),
    seed=st.integers(0, 10_000),
    penalty=st.sampled_from([None, 1.0, 1.5]),
    length_penalty=st.floats(0, 3),
)
@example(arch="gru", seed=60, penalty=1.5, length_penalty=0)  # just as long as the longest
def test_a_beam_of_one_is_the_greedy_poem(arch, seed, penalty, length_penalty):
    network = network_of(arch, seed)
    config = SampleConfig(temperature=0, repetition_penalty=penalty, max_chars=9)
    (greedy,) = write(network, Request([], config), poem_rngs(0, 1))
    (found,) = beam_search(network, Request([], config), 1, length_penalty)
    assert found[:2] == greedy[:2]


def test_the_normaliser_is_that_of_the_paper():
    assert normaliser(1, 0.6) == 1
    assert normaliser(7, 1) == 2
    assert normaliser(30, 0) == 1
    assert normaliser(25, 0.5) == pytest.approx(math.sqrt(5))


def test_a_larger_length_penalty_never_prefers_shorter_poems():
    for seed in range(8):
        lengths = [
            len(
                beam_search(network_of("gru", seed), Request([], MODEL_ITSELF), 200, alpha)[
                    0
                ].token_ids
            )
            for alpha in (0, 0.5, 1, 2, 4)
        ]
        assert lengths == sorted(lengths)


def test_both_engines_find_the_same_poems():
    model = tiny_model("lstm", 2)
    config = SampleConfig(max_chars=12)
    by_numpy, by_torch = (
        beam_search(network, Request([5], config), 4, 0.6)
        for network in (
            NumpyModel(model.config, model.weights),
            TorchStepper(build(model.config, model.weights)),
        )
    )
    assert [poem.token_ids for poem in by_numpy] == [poem.token_ids for poem in by_torch]


# The repetition penalty, in whole poems.


def test_a_strong_penalty_repeats_no_character_but_marks_and_counts_the_start():
    # A poet without memory, to whom all tokens are equal but the end, which never comes.
    model = tiny_model(tokens="日月山水风云花鸟，。")
    weights = {name: np.zeros_like(w) for name, w in model.weights.items()}
    weights["output_bias"] += 5
    weights["output_bias"][END] = -60
    poet = Poet("equal", model, NumpyModel(model.config, weights))
    config = SampleConfig(temperature=0.1, repetition_penalty=100, max_chars=8)
    poems = generate(model=poet, start="日月", sampling=config, seed=3, num_poems=20)
    repeated_marks = 0
    for poem in (poem.text for poem in poems):
        hanzi = poem.replace("，", "").replace("。", "")
        repeated_marks += len(poem) - len(hanzi) > len(set(poem) - set(hanzi))
        assert len(set(hanzi)) == len(hanzi)
    assert repeated_marks > 0


def test_without_a_penalty_and_with_a_penalty_of_1_poems_are_the_same():
    poet = Poet("tiny", model := tiny_model(), NumpyModel(model.config, model.weights))
    configs = [SampleConfig(repetition_penalty=penalty, max_chars=20) for penalty in (None, 1.0)]
    plain, neutral = (generate(model=poet, sampling=c, seed=5, num_poems=4) for c in configs)
    assert plain == neutral


# Gumbel variables.


def test_log1mexp_keeps_its_digits_at_both_ends():
    found = log1mexp(np.array([0.0, -1e-300, -1e-20, -math.log(2), -50.0, -800.0, -np.inf]))
    expected = [-np.inf, math.log(1e-300), math.log(1e-20), -math.log(2), -math.exp(-50), 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


FINITE = st.floats(-40, 0)


def exactly_bounded(free, largest):
    """Compute equation 10 of Kool et al. 2019 with so many digits that none that counts cancels."""
    with decimal.localcontext(prec=80):
        top, goal = (Decimal(float(value)) for value in (free.max(), largest))
        below = (-goal).exp() - (-top).exp()
        return [
            -math.inf if value == -math.inf else float(-(below + (-Decimal(value)).exp()).ln())
            for value in map(float, free)
        ]


@quick
@given(
    locations=arrays(np.float64, (2, 5), elements=st.one_of(FINITE, st.just(-np.inf))).filter(
        lambda rows: np.isfinite(rows).any(axis=1).all()
    ),
    largest=arrays(np.float64, 2, elements=st.floats(-30, 30)),
    seed=st.integers(0, 1000),
)
@example(
    # With doubles the plain formula gives 13.99997 for the first of the second row.
    locations=np.array([[-np.inf, 0, -np.inf, 0, -np.inf], [-12, -13, *[-np.inf] * 3]]),
    largest=np.array([14.0, 14.0]),
    seed=0,
)
def test_the_largest_child_has_the_value_of_its_parent(locations, largest, seed):
    noise = np.random.default_rng(seed).gumbel(size=locations.shape)
    found = bounded_gumbels(locations, noise, largest)
    np.testing.assert_array_equal(found.max(axis=1), largest)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(locations))
    # The largest child is the one whose free variable is.
    free = locations + noise
    np.testing.assert_array_equal(found[[0, 1], free.argmax(axis=1)], largest)
    exact = [exactly_bounded(*row) for row in zip(free, largest, strict=True)]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12)


def test_bounded_gumbels_stand_values_that_the_plain_formula_does_not():
    locations = np.array([[-1000.0, -2000.0, -np.inf], [0.0, -1e-12, -5000.0]])
    noise = np.array([[1.0, 2.0, 3.0], [-2.0, -2.0, 0.0]])
    largest = np.array([-900.0, 800.0])
    found = bounded_gumbels(locations, noise, largest)
    assert not np.isnan(found).any()
    np.testing.assert_array_equal(found.max(axis=1), largest)
    assert found[0, 2] == -np.inf
    assert np.isfinite(found[:, :2]).all()


def test_children_below_a_gumbel_parent_are_independent_gumbels():
    """Drawing top down gives what drawing every leaf would give."""
    shares = np.array([0.5, 0.3, 0.15, 0.05])
    rng = np.random.default_rng(11)
    num_draws = 20_000
    # The parent's location is log Σ exp = 0.
    parents = rng.gumbel(size=num_draws)
    locations = np.tile(np.log(shares), (num_draws, 1))
    children = bounded_gumbels(locations, rng.gumbel(size=locations.shape), parents)
    # The child with the largest value is each one with its share …
    assert_counts_follow(np.bincount(children.argmax(axis=1), minlength=4), shares)
    # … whatever that value is …
    high = parents > np.median(parents)
    assert_counts_follow(np.bincount(children[high].argmax(axis=1), minlength=4), shares)
    # … each child is Gumbel around its own location: its distribution function is uniform …
    uniform = np.exp(-np.exp(locations - children))
    for child in range(4):
        counts, _ = np.histogram(uniform[:, child], bins=10, range=(0, 1))
        assert_counts_follow(counts, np.full(10, 0.1))
    # … and any two of them are independent.
    for one, other in itertools.combinations(range(4), 2):
        cells = (uniform[:, one] * 4).astype(int) * 4 + (uniform[:, other] * 4).astype(int)
        assert_counts_follow(np.bincount(cells, minlength=16), np.full(16, 1 / 16))


# Sampling without replacement.

SMALL = SampleConfig(temperature=1.2, max_chars=3)


@pytest.fixture(scope="module")
def small():
    """A network with 14 poems, and their probabilities."""
    network = network_of("gru", 5, "日月")
    poems = all_poems(network, SMALL)
    assert len(poems) == 14
    ids = list(poems)
    return network, ids, np.exp([poems[one] for one in ids])


@pytest.fixture(scope="module")
def many_draws(small):
    """Three of the 14 poems, drawn again and again; as indices, shape (2500, 3)."""
    network, ids, _ = small
    return np.array(
        [
            [
                ids.index(tuple(poem.token_ids))
                for poem in sample_distinct(network, Request([], SMALL), seed, 3)
            ]
            for seed in range(2500)
        ]
    )


def test_the_first_poem_is_a_draw_from_the_softmax(small, many_draws):
    _, ids, shares = small
    assert_counts_follow(np.bincount(many_draws[:, 0], minlength=len(ids)), shares)


def test_the_second_is_a_draw_from_what_the_first_left(small, many_draws):
    _, ids, shares = small
    first = int(shares.argmax())
    second = many_draws[many_draws[:, 0] == first, 1]
    rest = np.where(np.arange(len(ids)) == first, 0, shares)
    assert_counts_follow(np.bincount(second, minlength=len(ids)), rest / rest.sum())


def test_each_poem_is_included_as_often_as_theory_says(small, many_draws):
    _, ids, shares = small
    inclusion = np.zeros(len(ids))
    for order in itertools.permutations(range(len(ids)), 3):
        left, probability = 1.0, 1.0
        for poem in order:
            probability *= shares[poem] / left
            left -= shares[poem]
        inclusion[list(order)] += probability
    assert inclusion.sum() == pytest.approx(3)
    found = np.bincount(many_draws.ravel(), minlength=len(ids)) / len(many_draws)
    spread = np.sqrt(inclusion * (1 - inclusion) / len(many_draws))
    assert (np.abs(found - inclusion) < 4 * spread).all()


@quick
@given(seed=SEEDS, num_poems=st.integers(1, 20))
def test_no_poem_is_drawn_twice_and_all_are_drawn_in_the_end(small, seed, num_poems):
    network, ids, shares = small
    found = sample_distinct(network, Request([], SMALL), seed, num_poems)
    assert len({tuple(poem.token_ids) for poem in found}) == len(found) == min(num_poems, 14)
    for poem in found:
        probability = shares[ids.index(tuple(poem.token_ids))]
        assert poem.log_probability == pytest.approx(math.log(probability), abs=1e-9)


@quick
@given(
    arch=st.sampled_from(ARCHS),
    seed=SEEDS,
    fewer=st.integers(1, 5),
    prompt=st.lists(st.integers(4, 6), max_size=3),
)
def test_fewer_poems_of_a_seed_are_the_first_of_more(arch, seed, fewer, prompt):
    network = network_of(arch)
    config = SampleConfig(max_chars=12)
    more = sample_distinct(network, Request(prompt, config), seed, 6)
    found = sample_distinct(network, Request(prompt, config), seed, fewer)
    assert [poem.token_ids for poem in found] == [poem.token_ids for poem in more[:fewer]]
    assert all(poem.token_ids[: len(prompt)] == prompt for poem in more)


@pytest.mark.parametrize(
    "filters",
    [{"top_k": 2}, {"top_p": 0.6}, {"min_p": 0.4}, {"temperature": 0.3}, {"top_k": 1}],
    ids=str,
)
def test_distinct_poems_come_from_the_filtered_distribution(filters):
    network = network_of("lstm", 3)
    config = SampleConfig(**{"temperature": 1, "max_chars": 4, **filters})
    poems = all_poems(network, config)
    found = sample_distinct(network, Request([], config), 1, 1000)
    assert {tuple(poem.token_ids) for poem in found} == set(poems)
    for poem in found:
        expected = poems[tuple(poem.token_ids)]
        assert poem.log_probability == pytest.approx(expected, abs=1e-9)


def test_the_coldest_distinct_poem_is_the_greedy_one():
    network = network_of("rnn", 2)
    config = SampleConfig(temperature=0, max_chars=9)
    (found,) = sample_distinct(network, Request([], config), 8, 1)
    (greedy,) = write(network, Request([], config), poem_rngs(0, 1))
    assert found[:2] == greedy[:2]
    assert found.log_probability == 0


# The command.


def test_ten_distinct_poems_are_ten_poems(tmp_path):
    arguments = ["generate", "--start", "日", "--temp", "0.2", "--seed", "4", "-n", "10"]
    answer = json.loads(poetgen(*arguments, "--distinct", "--json", cwd=tmp_path).stdout)
    assert answer["seed"] == 4
    texts = [poem["text"] for poem in answer["poems"]]
    assert len(set(texts)) == len(texts) == 10
    keys = {"text", "lines", "cut", "log_probability", "score"}
    assert all(set(poem) == keys for poem in answer["poems"])
    few = poetgen(*arguments, "--distinct", "--top-k", "1", cwd=tmp_path)
    assert few.returncode == 0
    assert "Only 1 distinct poem found; 10 requested." in few.stderr
    assert few.stdout.startswith("日")


def test_a_search_needs_no_seed_and_gives_its_best_first(tmp_path):
    arguments = ["generate", "--start", "日", "--beam", "3", "-n", "2", "--json"]
    first, again = (poetgen(*arguments, cwd=tmp_path).stdout for _ in range(2))
    assert first == again
    answer = json.loads(first)
    assert answer["seed"] is None
    assert len(answer["poems"]) == 2
    assert all(poem["log_probability"] < 0 for poem in answer["poems"])


def test_contradictions_are_refused(tmp_path):
    done = poetgen("generate", "--beam", "3", "--temp", "0.5", cwd=tmp_path)
    assert_two_line_error(done, "--beam", "--temp")


def test_a_plain_poem_loads_no_search(tmp_path):
    code = (
        "import sys, poetgen.cli\n"
        "try:\n    poetgen.cli.main()\n"
        "except SystemExit:\n    print([name for name in sys.modules if 'beam' in name])\n"
    )
    command = [sys.executable, "-c", code, "generate", "--start", "日", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
