"""Whole poems in batches: none lost, none cut, and little padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.corpus import Poems
from poetgen.corpus.vocabulary import END, NUM_SPECIAL, PAD, START
from poetgen.training.batches import Batch, assemble, iter_batches, plan_batches
from tests.real_data import needs_tang
from tests.tiny import tiny_batch

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=30).map(np.array)
BUDGETS = st.integers(2, 120)
SEEDS = st.one_of(st.none(), st.integers(0, 5))


def rng_of(seed):
    return None if seed is None else np.random.default_rng(seed)


def poems_of(lengths, seed=0):
    """Poems of so many steps each; a poem of ``n`` steps has ``n - 1`` tokens between its ends."""
    rng = np.random.default_rng(seed)
    poems = [[START, *rng.integers(NUM_SPECIAL, 50, n - 1).tolist(), END] for n in lengths]
    offsets = np.cumsum([0] + [len(poem) for poem in poems])
    return poems, Poems(np.array([i for p in poems for i in p], np.uint16), offsets)


def naive_assemble(poems, indices):
    width = max(len(poems[i]) for i in indices) - 1
    inputs = np.full((len(indices), width), PAD)
    targets = np.full((len(indices), width), PAD)
    for row, i in enumerate(indices):
        for t in range(len(poems[i])):
            if t < width:
                inputs[row, t] = poems[i][t]
            if t > 0:
                targets[row, t - 1] = poems[i][t]
    return inputs, targets


def naive_plan(lengths, batch_tokens):
    """In order of length, add poem after poem while all of them, padded, fit the budget."""
    groups = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if groups and lengths[i] * (len(groups[-1]) + 1) <= batch_tokens:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


@given(LENGTHS, BUDGETS, SEEDS)
def test_every_poem_is_in_exactly_one_batch(lengths, batch_tokens, seed):
    plan = plan_batches(lengths, batch_tokens, rng_of(seed))
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))


@given(LENGTHS, BUDGETS, SEEDS)
def test_no_batch_is_over_its_budget_unless_it_is_one_poem(lengths, batch_tokens, seed):
    for indices in plan_batches(lengths, batch_tokens, rng_of(seed)):
        assert len(indices) == 1 or len(indices) * max(lengths[indices]) <= batch_tokens


@given(LENGTHS, BUDGETS)
def test_the_plan_for_evaluation_is_the_greedy_one_by_length(lengths, batch_tokens):
    plan = plan_batches(lengths, batch_tokens, None)
    assert [indices.tolist() for indices in plan] == naive_plan(lengths.tolist(), batch_tokens)


@given(LENGTHS, BUDGETS, st.integers(0, 5))
def test_chance_moves_poems_and_batches_but_not_the_sizes_of_batches(lengths, batch_tokens, seed):
    shapes = [
        sorted((len(indices), max(lengths[indices])) for indices in plan)
        for plan in (
            plan_batches(lengths, batch_tokens, None),
            plan_batches(lengths, batch_tokens, np.random.default_rng(seed)),
        )
    ]
    assert shapes[0] == shapes[1]


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    lengths = np.random.default_rng(0).integers(5, 30, 200)

    def plan(seed):
        return [indices.tolist() for indices in plan_batches(lengths, 100, rng_of(seed))]

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
    # Poems of one length change places, and batches of one length do not stand together.
    assert sorted(map(sorted, plan(1))) != sorted(map(sorted, plan(2)))
    firsts = [int(lengths[indices[0]]) for indices in plan(1)]
    assert firsts != sorted(firsts)


@given(LENGTHS, st.data())
def test_assemble_agrees_with_a_loop_over_poems_and_steps(lengths, data):
    poems, packed = poems_of(lengths)
    indices = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=7))
    batch = assemble(packed, np.array(indices))
    inputs, targets = naive_assemble(poems, indices)
    np.testing.assert_array_equal(batch.targets, targets)
    np.testing.assert_array_equal(batch.inputs, inputs)
    assert batch.inputs.dtype == batch.targets.dtype == np.int64


def test_the_target_of_a_step_is_the_input_of_the_next():
    _, packed = poems_of([3, 5, 1])
    batch = assemble(packed, np.array([2, 0, 1]))
    assert batch.inputs.shape == batch.targets.shape == (3, 5)
    np.testing.assert_array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    assert batch.inputs[:, 0].tolist() == [START] * 3
    assert batch.targets[0].tolist() == [END, PAD, PAD, PAD, PAD]


@given(LENGTHS, BUDGETS, SEEDS)
def test_one_pass_predicts_every_token_of_every_poem_once(lengths, batch_tokens, seed):
    poems, packed = poems_of(lengths)
    seen = [
        row[row != PAD].tolist()
        for batch in iter_batches(packed, batch_tokens, rng_of(seed))
        for row in batch.targets
    ]
    assert sorted(seen) == sorted(poem[1:] for poem in poems)
    assert sum(map(len, seen)) == packed.num_targets == packed.lengths.sum()


def test_a_poem_longer_than_the_budget_is_a_batch_of_its_own_and_whole():
    poems, packed = poems_of([4, 90, 4])
    batches = list(iter_batches(packed, 8))
    assert [batch.targets.shape for batch in batches] == [(2, 4), (1, 90)]
    assert batches[1].targets[0].tolist() == poems[1][1:]


def test_a_split_without_poems_gives_no_batch():
    empty = Poems(np.zeros(0, np.uint16), np.zeros(1, np.int64))
    assert list(iter_batches(empty, 100)) == []


@needs_tang
@pytest.mark.parametrize("seed", [None, 0])
def test_less_than_two_percent_of_the_tang_batches_is_padding(tang_corpus, seed):
    train = tang_corpus.splits["train"]
    steps = targets = num_poems = 0
    for batch in iter_batches(train, 2048, rng_of(seed)):
        assert batch.targets.size <= 2048 or len(batch.targets) == 1
        steps += batch.targets.size
        targets += int(np.count_nonzero(batch.targets != PAD))
        num_poems += len(batch.targets)
    assert num_poems == len(train)
    assert targets == train.num_targets
    assert 1 - targets / steps < 0.02


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 5))
def test_a_batch_knows_how_many_targets_it_has(lengths, seed):
    batch = tiny_batch(lengths, 1000, np.random.default_rng(seed))
    assert batch.num_targets == np.count_nonzero(batch.targets != PAD)
    assert batch.num_padded == np.count_nonzero(batch.targets == PAD)
    assert batch.targets.shape == batch.inputs.shape == (len(lengths), batch.width)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int64])
def test_ids_of_any_type_keep_their_numbers(dtype):
    largest = np.iinfo(np.uint8).max
    stream = np.array([1, 2, largest, 3], dtype)
    inputs, targets = Batch(stream, np.array([0, 1]), np.array([3, 2])).read()
    # The last token of a row is an input, too, if a longer row makes room for it.
    assert inputs.tolist() == [[1, 2, largest], [2, largest, 3]]
    assert targets.tolist() == [[2, largest, 3], [largest, 3, PAD]]
