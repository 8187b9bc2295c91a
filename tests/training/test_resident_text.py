"""A batch cut on the device is the batch cut here."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.vocabulary import PAD
from poetgen.training.batches import Batch
from poetgen.training.resident_text import ResidentText
from tests.tiny import tiny_batch

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=6)


def assert_cut(text, batch):
    inputs, wanted, places = text.read(batch)
    flat = batch.targets.ravel()
    np.testing.assert_array_equal(inputs, batch.inputs)
    np.testing.assert_array_equal(wanted, flat[flat != PAD])
    if places is None:
        assert (flat != PAD).all()
    else:
        np.testing.assert_array_equal(places, np.flatnonzero(flat != PAD))


@given(st.lists(LENGTHS, min_size=1, max_size=3), st.integers(0, 5))
def test_a_resident_text_gives_the_inputs_and_the_targets_that_count(batches, seed):
    text = ResidentText("cpu")
    rng = np.random.default_rng(seed)
    # Of another stream each, the first of them twice.
    drawn = [tiny_batch(lengths, 1000, rng) for lengths in batches]
    for batch in [*drawn, drawn[0]]:
        assert_cut(text, batch)


@given(LENGTHS, st.integers(0, 5))
def test_a_batch_knows_how_many_targets_it_has(lengths, seed):
    batch = tiny_batch(lengths, 1000, np.random.default_rng(seed))
    assert batch.num_targets == np.count_nonzero(batch.targets != PAD)
    assert batch.num_padded == np.count_nonzero(batch.targets == PAD)
    assert batch.targets.shape == batch.inputs.shape == (len(lengths), batch.width)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int64])
def test_ids_of_any_type_keep_their_numbers(dtype):
    stream = np.array([1, 2, np.iinfo(np.uint8).max, 3], dtype)
    assert_cut(ResidentText("cpu"), Batch(stream, np.array([0, 1]), np.array([3, 2])))


def test_the_text_is_brought_to_the_device_once(monkeypatch):
    text = ResidentText("cpu")
    brought = []
    bring = text._bring
    monkeypatch.setattr(
        text, "_bring", lambda numbers: brought.append(len(numbers)) or bring(numbers)
    )
    stream = np.arange(4, 1004, dtype=np.uint16)
    for start in range(0, 900, 100):
        assert_cut(text, Batch(stream, np.array([start, start + 7]), np.array([12, 12])))
    # The stream, and then of every batch the starts and the lengths.
    assert brought == [1000, *[2] * 9]
