"""Tensor files: what is saved comes back, and whatever was altered is refused."""

import json
import os
import struct
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.errors import ModelError
from poetgen.tensor_file import FileKind, load_tensor_file, save_tensor_file

KIND = FileKind("poetgen-test", 3, "test file")
ADVICE = "Do it again."
ARRAYS = {
    "b": np.arange(6, dtype=np.float16).reshape(2, 3),
    "a": np.array([1, -2], dtype=np.int64),
    "empty": np.zeros((0, 5), dtype=np.float32),
    "flags": np.array([True, False, True]),
}
VALUES = {"title": "静夜思", "loss": 0.1, "none": None, "list": [1, {"x": "y"}]}
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63),
        st.floats(allow_nan=False),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("ab日", max_size=3), inner, max_size=3),
    ),
    max_leaves=8,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_equal_arrays(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_what_is_saved_comes_back(tmp_path):
    save_tensor_file(tmp_path / "tensors", KIND, ARRAYS, VALUES)
    arrays, values = load_tensor_file(tmp_path / "tensors", KIND, ADVICE)
    assert_equal_arrays(arrays, ARRAYS)
    assert values == VALUES


@given(values=st.dictionaries(st.text("abc日", min_size=1, max_size=4), JSON, max_size=4))
def test_any_json_values_come_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("tensors") / "tensors"
    save_tensor_file(path, KIND, {}, values)
    assert load_tensor_file(path, KIND, ADVICE) == ({}, values)


def test_an_array_that_is_not_contiguous_comes_back_with_its_rows_and_columns(tmp_path):
    arrays = {"t": np.arange(12.0).reshape(3, 4).T, "every other": np.arange(9)[::2]}
    save_tensor_file(tmp_path / "tensors", KIND, arrays, {})
    assert_equal_arrays(load_tensor_file(tmp_path / "tensors", KIND, ADVICE)[0], arrays)


def test_equal_content_gives_equal_bytes_in_whatever_order_it_comes(tmp_path):
    save_tensor_file(tmp_path / "one", KIND, ARRAYS, VALUES)
    backwards = [dict(reversed(mapping.items())) for mapping in (ARRAYS, VALUES)]
    save_tensor_file(tmp_path / "two", KIND, *backwards)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_file_with_an_altered_byte_is_never_loaded(tmp_path):
    path = tmp_path / "tensors"
    save_tensor_file(path, KIND, ARRAYS, VALUES)
    data = path.read_bytes()
    for position in range(len(data)):
        for mask in (1 << position % 8, 0xFF):
            altered = bytearray(data)
            altered[position] ^= mask
            path.write_bytes(altered)
            with pytest.raises(ModelError) as error:
                load_tensor_file(path, KIND, ADVICE)
            # A byte may make the version a newer one, or the key another program's.
            assert error.value.advice == ADVICE or "newer" in error.value.advice


@pytest.mark.parametrize("extra", [b"\0", b"{}", b" " * 8])
def test_a_cut_or_longer_file_is_refused(tmp_path, extra):
    path = tmp_path / "tensors"
    save_tensor_file(path, KIND, ARRAYS, VALUES)
    data = path.read_bytes()
    for damaged in [data[:size] for size in range(0, len(data), 7)] + [data + extra]:
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="not a whole test file"):
            load_tensor_file(path, KIND, ADVICE)


def test_swapped_arrays_and_swapped_values_break_the_checksum(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "tensors"
    arrays = {"a": np.arange(4.0), "b": np.ones(4)}
    save_tensor_file(path, KIND, arrays, {"loss": 3})
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    forgeries = [
        ({"a": arrays["b"], "b": arrays["a"]}, metadata),
        ({"a": arrays["a"].reshape(2, 2), "b": arrays["b"]}, metadata),
        ({"a": arrays["a"]}, metadata),
        ({**arrays, "c": np.zeros(1)}, metadata),
        ({**arrays, "a": arrays["a"].view(np.int64)}, metadata),
        (arrays, {KIND.key: metadata[KIND.key].replace('"loss": 3', '"loss": 2')}),
    ]
    save_file(arrays, path, metadata)
    assert load_tensor_file(path, KIND, ADVICE)[1] == {"loss": 3}
    for forged, header in forgeries:
        save_file(forged, path, header)
        with pytest.raises(ModelError, match="checksum"):
            load_tensor_file(path, KIND, ADVICE)


def test_a_number_format_that_numpy_lacks_is_refused(tmp_path):
    header = {
        "__metadata__": {KIND.key: "{}"},
        "x": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "tensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0\0")
    with pytest.raises(ModelError, match="not a whole test file"):
        load_tensor_file(path, KIND, ADVICE)


def write_header(path, text, size=0):
    """Write a header and nothing after it, in a file that is ``size`` bytes long."""
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    if size:
        os.truncate(path, size)


@contextmanager
def little_memory():
    """Assert that the block allocates only a few megabytes, whatever sizes a file claims."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_a_header_is_bounded_when_it_is_read_and_when_it_is_written(tmp_path):
    path = tmp_path / "tensors"
    path.write_bytes(struct.pack("<Q", 9 * 2**20))
    os.truncate(path, 2**30)
    with little_memory(), pytest.raises(ModelError, match="its header has 9,437,184 bytes"):
        load_tensor_file(path, KIND, ADVICE)
    path.unlink()
    with pytest.raises(ModelError, match="header of more than"):
        save_tensor_file(path, KIND, {}, {"text": "a" * 9 * 2**20})
    assert not path.exists()


def test_the_number_of_arrays_is_bounded(tmp_path):
    entry = {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}
    card = json.dumps({"format_version": 3, "checksum": ""})
    header = {"__metadata__": {KIND.key: card}, **dict.fromkeys(map(str, range(10_001)), entry)}
    write_header(tmp_path / "tensors", json.dumps(header).encode())
    with little_memory(), pytest.raises(ModelError, match="10,001 arrays"):
        load_tensor_file(tmp_path / "tensors", KIND, ADVICE)


def test_arrays_that_do_not_fit_are_not_read(tmp_path):
    def refuse(values, layout):
        assert values == {"step": 3}
        assert layout == {"x": ("F16", (2**29, 1))}
        raise KeyError("nothing fits")

    card = json.dumps({"step": 3, "format_version": 3, "checksum": ""})
    entry = {"dtype": "F16", "shape": [2**29, 1], "data_offsets": [0, 2**30]}
    header = json.dumps({"__metadata__": {KIND.key: card}, "x": entry}).encode()
    write_header(tmp_path / "tensors", header, 8 + len(header) + 2**30)
    with little_memory(), pytest.raises(ModelError, match="nothing fits"):
        load_tensor_file(tmp_path / "tensors", KIND, ADVICE, refuse)


def test_a_file_of_another_kind_or_version_is_refused(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "tensors"
    save_tensor_file(path, FileKind("another", 3, "other file"), ARRAYS, VALUES)
    with pytest.raises(ModelError, match="not a test file of poetgen"):
        load_tensor_file(path, KIND, ADVICE)
    save_tensor_file(path, FileKind(KIND.key, 4, "test file"), ARRAYS, VALUES)
    with pytest.raises(ModelError, match="format version 4; this poetgen reads 3"):
        load_tensor_file(path, KIND, ADVICE)
    # The version is shown before the checksum has been verified, and a terminal obeys escapes.
    save_tensor_file(path, FileKind(KIND.key, "\x1b[2J", "test file"), ARRAYS, VALUES)
    with pytest.raises(ModelError) as caught:
        load_tensor_file(path, KIND, ADVICE)
    assert str(caught.value.problem).isprintable()
    save_file(ARRAYS, path)
    with pytest.raises(ModelError, match="not a test file of poetgen"):
        load_tensor_file(path, KIND, ADVICE)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ModelError, match="There is no test file"):
            load_tensor_file(path, KIND, ADVICE)


def test_values_that_are_not_json_leave_the_old_file(tmp_path):
    path = tmp_path / "tensors"
    save_tensor_file(path, KIND, ARRAYS, VALUES)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_tensor_file(path, KIND, ARRAYS, {"what": object()})
    assert path.read_bytes() == before
    assert names(tmp_path) == ["tensors"]
