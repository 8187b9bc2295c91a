"""The choices of readers, and what is learned from them, held against slow ways."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.corpus.vocabulary import START
from poetgen.generation.occasion import Occasion
from tests.tiny import tiny_model

torch = pytest.importorskip("torch")

from poetgen.networks.torch_model import build  # noqa: E402
from tools.choices import (  # noqa: E402
    CI_FILE,
    FILE,
    Batch,
    Place,
    batches_of,
    log_probabilities,
    ranking_loss,
    read_places,
)
from tools.tune_to_choices import STEP_PLACES, in_steps  # noqa: E402


@pytest.mark.parametrize(("path", "num_places"), [(FILE, 8000), (CI_FILE, 2400)])
def test_each_place_has_six_different_lines_of_one_length(path, num_places):
    places = read_places(path)
    assert len(places) == num_places
    assert len({(p.title, p.form, p.before, p.lines) for p in places}) == len(places)
    for place in places:
        assert len(set(place.lines)) == 6
        assert len(set(map(len, place.lines))) == 1
        assert all(text.startswith(place.before) for text in place.texts)


@given(st.lists(st.integers(1, 64), max_size=30))
def test_a_step_has_enough_places_and_each_batch_is_in_one(sizes):
    batches = [(Batch(range(size), *[torch.zeros(1)] * 2), None, None) for size in sizes]
    steps = [*in_steps(batches)]
    assert [batch for step in steps for batch in step] == batches
    counts = [[len(batch.numbers) for batch, *_ in step] for step in steps]
    assert all(sum(step) >= STEP_PLACES > sum(step[:-1]) for step in counts[:-1])
    assert all(sum(step[:-1]) < STEP_PLACES for step in counts)


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=6))
def test_the_loss_of_an_order_is_that_of_drawing_one_after_the_other(values):
    slow = sum(
        math.log(sum(map(math.exp, values[place:]))) - value for place, value in enumerate(values)
    )
    assert ranking_loss(torch.tensor([values])).item() == pytest.approx(slow, abs=1e-4)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 99))
def test_a_line_is_as_likely_in_a_batch_as_alone(seed):
    known = tiny_model("lstm", tokens="东红风空中月白石，。", fields=True, seed=seed)
    vocabulary, model = known.vocabulary, build(known.config, known.weights)
    lines = ("中月，", "白石，", "东风，", "月白，", "空中，", "风月，")
    places = [
        Place("东", "风", "", lines),
        Place("红", "中", "", lines[::-1]),
        Place("", "中", "月白，", lines),
    ]
    batches = batches_of(places, vocabulary)
    assert sorted(number for batch in batches for number in batch.numbers) == [0, 1, 2]
    assert len(batches) == 2
    for batch in batches:
        found = log_probabilities(model, batch).detach().numpy()
        for number, of_place in zip(batch.numbers, found, strict=True):
            place = places[number]
            said = Occasion(
                vocabulary,
                title=tuple(vocabulary.encode(place.title)),
                form=tuple(vocabulary.encode(place.form)),
            )
            for line, of_line in zip(place.lines, of_place, strict=True):
                ids = [*said.token_ids, START, *vocabulary.encode(place.before + line)]
                logits, _ = model(torch.tensor([ids[:-1]]))
                every = torch.log_softmax(logits[0], -1).detach().numpy()
                each = every[np.arange(len(ids) - 1), ids[1:]]
                assert of_line == pytest.approx(each[-len(of_line) :], abs=1e-5)
