"""Weights in 8 bits: how wrong they are, and that a file keeps them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from poetgen.errors import ModelError
from poetgen.networks.compact import SCALE, compact, restore, restored_layout
from poetgen.networks.model_file import load_model, load_model_header, save_model
from poetgen.tensor_file import save_tensor_file
from tests.tiny import tiny_model

WEIGHTS = arrays.arrays(
    np.float32, (3, 5), elements=st.floats(-60_000, 60_000, width=32, allow_subnormal=False)
)


@given(WEIGHTS)
def test_a_weight_is_wrong_by_at_most_half_a_step_of_its_row(weights):
    (restored,) = restore(compact({"w": weights})).values()
    steps = np.abs(weights).max(axis=1, keepdims=True) / 127
    assert (np.abs(restored - weights) <= steps / 2 * (1 + 1e-5) + 1e-37).all()


@given(WEIGHTS)
def test_what_is_compact_stays_as_it_is(weights):
    once = restore(compact({"w": weights}))
    np.testing.assert_array_equal(restore(compact(once))["w"], once["w"])


@pytest.mark.parametrize("shape", [(1, 3), (127, 5), (128, 1), (300, 7), (0, 4)])
def test_each_row_is_its_numbers_times_its_scale_and_lies_column_by_column(shape):
    rng = np.random.default_rng(3)
    numbers = rng.integers(-127, 128, shape, dtype=np.int8)
    scales = rng.random((shape[0], 1), dtype=np.float32)
    (restored,) = restore({"w": numbers, SCALE + "w": scales}).values()
    np.testing.assert_array_equal(restored, numbers * scales)
    assert restored.dtype == np.float32
    assert restored.flags.f_contiguous


def test_vectors_are_not_made_compact():
    found = compact({"b": np.array([0.5, 3.0], np.float32), "w": np.zeros((2, 3), np.float32)})
    assert {name: array.dtype.name for name, array in found.items()} == {
        "b": "float16",
        "w": "int8",
        SCALE + "w": "float32",
    }
    assert not restore(found)["w"].any()


@pytest.mark.parametrize("arch", ["rnn", "gru", "lstm"])
def test_a_model_file_of_8_bits_is_half_as_large_and_stays_the_same(arch, tmp_path):
    model = tiny_model(arch, 2, tokens="".join(map(chr, range(0x4E00, 0x4E00 + 900))))
    paths = [tmp_path / name for name in ("wide.safetensors", "small.safetensors")]
    save_model(model, paths[0])
    save_model(dataclasses.replace(model, storage="int8"), paths[1])
    loaded = load_model(paths[1])
    assert loaded.storage == "int8" == load_model_header(paths[1]).storage
    save_model(loaded, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == paths[1].read_bytes()
    headers = [int.from_bytes(path.read_bytes()[:8], "little") for path in paths]
    wide, small = (
        path.stat().st_size - header for path, header in zip(paths, headers, strict=True)
    )
    # Seven numbers to a row are few: the scales are a third of them.
    assert small < 0.85 * wide
    for name, w in model.weights.items():
        np.testing.assert_allclose(loaded.weights[name], w, atol=np.abs(w).max() / 250)


@pytest.mark.parametrize(
    "layout",
    [
        {"w": ("I8", (3, 2))},
        {"w": ("I8", (3, 2)), SCALE + "w": ("F32", (2, 1))},
        {"w": ("I8", (3, 2)), SCALE + "w": ("F16", (3, 1))},
        {"w": ("F16", (3, 2)), SCALE + "w": ("F32", (3, 1))},
        {SCALE + "w": ("F32", (3, 1))},
    ],
)
def test_matrices_and_scales_that_do_not_belong_together_are_refused(layout):
    with pytest.raises(ValueError, match="w has no"):
        restored_layout(layout)


def test_a_scale_that_is_infinite_is_refused(tmp_path, monkeypatch):
    model = dataclasses.replace(tiny_model(), storage="int8")

    def spoilt(path, kind, weights, header):
        weights = {
            name: np.full_like(array, np.inf) if name.startswith(SCALE) else array
            for name, array in weights.items()
        }
        save_tensor_file(path, kind, weights, header)

    monkeypatch.setattr("poetgen.networks.model_file.save_tensor_file", spoilt)
    save_model(model, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match="too large or NaN"):
        load_model(tmp_path / "m.safetensors")
