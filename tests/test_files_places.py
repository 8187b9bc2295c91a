"""Files that are whole or not there, names that lead to them, and seals that hold."""

import errno
import glob
import json
import os
import stat
import struct
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen import places
from poetgen.errors import CorpusError, InputError, ModelError
from poetgen.files import sync, write_text, write_whole
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


# Files


def test_a_file_is_written_whole_into_folders_that_were_not_there(tmp_path):
    path = tmp_path / "a" / "b" / "poem.txt"
    write_text(path, "床前\n明月光\n")
    assert path.read_bytes() == "床前\n明月光\n".encode()
    assert names(path.parent) == ["poem.txt"]


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError(), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_file(tmp_path, error):
    path = tmp_path / "poem.txt"
    write_text(path, "old")

    def fail(temporary):
        temporary.write_text("half of the n")
        raise error

    for target in (path, tmp_path / "new.txt"):
        with pytest.raises(type(error)):
            write_whole(target, fail)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["poem.txt"]


def test_text_that_utf8_cannot_write_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "poem.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "poem.txt", "new \ud800")
    assert (tmp_path / "poem.txt").read_text() == "old"
    assert names(tmp_path) == ["poem.txt"]


def test_while_a_file_is_written_the_old_one_is_in_its_place(tmp_path):
    path = tmp_path / "poem.txt"
    write_text(path, "old")
    during = []

    def write(temporary):
        temporary.write_text("new")
        during.append((path.read_text(), temporary.parent, temporary.name.startswith(".")))

    write_whole(path, write)
    # The same folder, so that the move is one step; hidden, so that no search finds half.
    assert during == [("old", tmp_path, True)]
    assert path.read_text() == "new"


def test_a_target_that_is_a_folder_is_left_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_text(tmp_path / "folder", "new")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes of this kind")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_finished_file_has_the_permissions_that_the_user_asks_for(tmp_path, mask):
    old = os.umask(mask)
    try:
        write_text(tmp_path / "poem.txt", "日")
        assert os.umask(mask) == mask
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "poem.txt").stat().st_mode) == 0o666 & ~mask


def test_sync_reaches_files_and_folders_and_complains_of_what_is_missing(tmp_path):
    write_text(tmp_path / "poem.txt", "日")
    sync(tmp_path / "poem.txt")
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "nothing")


# Places


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, and an empty data folder of a user on every system."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for variable in ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA", "APPDATA", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    return tmp_path / "here"


def touch(path, data="{}"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data)
    return path


@pytest.mark.parametrize("name", ["tang", "my-poems_2", "poet.tang.0", "唐诗三百首", "कविता"])
def test_a_plain_name_is_accepted_as_it_is_and_found_again(here, name):
    assert places.check_name(name) == name
    model = touch(here / "models" / f"{name}.safetensors")
    assert places.find_model(name).resolve() == model
    corpus = touch(here / "corpora" / name / "corpus.json").parent
    assert places.find_corpus(name).resolve() == corpus


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".tang", "-f", "a/b", "/tang", "..\\up", "c:x", "a\0", "a*", "a\nb"]
)
def test_a_name_that_would_leave_its_folder_or_hide_is_refused(name):
    with pytest.raises(InputError, match="cannot be used as a name"):
        places.check_name(name)


@pytest.mark.parametrize("name", ["a b", " ", "x[v2]y", "a'b", "a$b", "a~", "日\u200b", "a\ud800"])
def test_a_name_that_something_could_read_otherwise_is_refused(name):
    with pytest.raises(InputError, match="cannot be used as a name"):
        places.check_name(name)


@pytest.mark.parametrize("name", ["v1.safetensors", "old.pkl", "old.pickle"])
def test_a_name_that_ends_like_a_model_file_is_refused_for_it_would_be_a_path(here, name):
    touch(here / "models" / f"{name}.safetensors")
    with pytest.raises(ModelError):
        places.find_model(name)
    with pytest.raises(InputError) as error:
        places.check_name(name)
    assert error.value.advice.endswith(f"--name {name.partition('.')[0]}")


@given(st.text())
def test_any_text_has_a_plain_name_unless_nothing_is_left(text):
    name = places.plain_name(text)
    assert places.plain_name(name) == name == glob.escape(name)
    assert not set(name) & set(" \t\n'\"$&;|<>()[]{}*?!#~`\\\\/")
    if name and not name.endswith((".safetensors", ".pkl", ".pickle")):
        assert places.check_name(name) == name


def test_a_corpus_here_goes_before_one_of_the_same_name_in_the_data_folder(here):
    folders = places.search_folders("corpora")
    assert not folders[0].is_absolute()
    user = touch(folders[1] / "tang" / "corpus.json").parent
    assert places.find_corpus("tang") == user
    own = touch(here / "corpora" / "tang" / "corpus.json").parent
    assert places.find_corpus("tang").resolve() == own


def test_a_folder_without_corpus_json_is_no_corpus_of_that_name(here):
    (here / "corpora" / "tang").mkdir(parents=True)
    with pytest.raises(CorpusError, match="no prepared corpus tang"):
        places.find_corpus("tang")


def test_a_corpus_may_be_named_by_its_path(here):
    folder = touch(here / "elsewhere" / "mine" / "corpus.json").parent
    for text in ("elsewhere/mine", "./elsewhere/mine", str(folder)):
        assert places.find_corpus(text).resolve() == folder


def test_a_name_is_no_path_and_a_path_is_no_name(here):
    touch(here / "mine" / "corpus.json")
    touch(here / "corpora" / "tang" / "corpus.json")
    for text in ("mine", "./tang"):
        with pytest.raises(CorpusError):
            places.find_corpus(text)


def test_a_missing_corpus_lists_those_that_are_there(here):
    touch(here / "corpora" / "song" / "corpus.json")
    touch(places.search_folders("corpora")[1] / "ci" / "corpus.json")
    with pytest.raises(CorpusError) as error:
        places.find_corpus("tang")
    assert "Prepared here: ci, song. " in error.value.advice
    assert error.value.advice.endswith("poetgen prepare FILE_OR_FOLDER --name tang")


def test_a_model_is_found_here_then_in_the_data_folder_then_among_the_shipped(
    here, tmp_path, monkeypatch
):
    shipped = touch(tmp_path / "shipped" / "mine.safetensors")
    monkeypatch.setattr(places, "shipped_models", lambda: tmp_path / "shipped")
    assert places.find_model("mine") == shipped
    user = touch(places.search_folders("models")[1] / "mine.safetensors")
    assert places.find_model("mine") == user
    own = touch(here / "models" / "mine.safetensors")
    assert places.find_model("mine").resolve() == own


def test_without_a_name_the_newest_model_here_is_taken_else_the_shipped(here):
    assert places.find_model(None) == places.shipped_models() / "tang.safetensors"
    for age, name in enumerate(["newest", "a", "z"]):
        path = here / "models" / f"{name}.safetensors"
        save_tensor_file(path, FileKind(places.MODEL_KEY, 1, "model file"), ARRAYS, VALUES)
        os.utime(path, (1000 - age, 1000 - age))
    os.utime(touch(here / "models" / "z.checkpoint"), (5000, 5000))
    (here / "models" / "folder.safetensors").mkdir()
    assert places.find_model(None).name == "newest.safetensors"
    # Files of other programs, and of the system, are newer.
    foreign = here / "models" / "foreign.safetensors"
    save_tensor_file(foreign, FileKind("other", 1, "other file"), ARRAYS, VALUES)
    touch(here / "models" / "._newest.safetensors")
    told = []
    assert places.find_model(None, told.append).name == "newest.safetensors"
    (note,) = told
    assert "foreign.safetensors" in note


def test_a_model_may_be_named_by_its_path(here):
    path = touch(here / "mine.safetensors")
    assert places.find_model("mine.safetensors").resolve() == path
    assert places.find_model(str(path)) == path
    with pytest.raises(ModelError, match="no model mine"):
        places.find_model("mine")


def test_a_missing_model_lists_those_that_are_there(here):
    touch(here / "models" / "mine.safetensors")
    for text in ("nobody", "./nobody.safetensors", "models/nobody"):
        with pytest.raises(ModelError) as error:
            places.find_model(text)
        assert "mine" in error.value.advice
    touch(here / "models" / "._mine.safetensors")
    touch(here / "README.md")
    with pytest.raises(ModelError, match=r"README\.md is not a model file") as error:
        places.find_model("README.md")
    assert "Models here: mine, tang." in error.value.advice


def test_a_free_name_is_one_that_no_file_has_with_any_of_the_suffixes(tmp_path):
    suffixes = (".safetensors", ".checkpoint")
    assert places.free_name(tmp_path, "lstm", suffixes) == "lstm"
    touch(tmp_path / "lstm.safetensors")
    touch(tmp_path / "lstm-2.checkpoint")
    touch(tmp_path / "lstm-3.md")
    assert places.free_name(tmp_path, "lstm", suffixes) == "lstm-3"
    assert places.free_name(tmp_path, "lstm", (".png",)) == "lstm"


# Seals


def test_a_sealed_file_gives_back_what_was_put_in(tmp_path):
    save_tensor_file(tmp_path / "sealed", KIND, ARRAYS, VALUES)
    arrays, values = load_tensor_file(tmp_path / "sealed", KIND, ADVICE)
    assert_equal_arrays(arrays, ARRAYS)
    assert values == VALUES


@given(values=st.dictionaries(st.text("abc日", min_size=1, max_size=4), JSON, max_size=4))
def test_any_json_values_come_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("sealed") / "sealed"
    save_tensor_file(path, KIND, {}, values)
    assert load_tensor_file(path, KIND, ADVICE) == ({}, values)


def test_an_array_that_is_not_contiguous_comes_back_with_its_rows_and_columns(tmp_path):
    arrays = {"t": np.arange(12.0).reshape(3, 4).T, "every other": np.arange(9)[::2]}
    save_tensor_file(tmp_path / "sealed", KIND, arrays, {})
    assert_equal_arrays(load_tensor_file(tmp_path / "sealed", KIND, ADVICE)[0], arrays)


def test_equal_content_gives_equal_bytes_in_whatever_order_it_comes(tmp_path):
    save_tensor_file(tmp_path / "one", KIND, ARRAYS, VALUES)
    backwards = [dict(reversed(mapping.items())) for mapping in (ARRAYS, VALUES)]
    save_tensor_file(tmp_path / "two", KIND, *backwards)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_altered_byte_in_a_sealed_file_is_never_loaded(tmp_path):
    path = tmp_path / "sealed"
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
    path = tmp_path / "sealed"
    save_tensor_file(path, KIND, ARRAYS, VALUES)
    data = path.read_bytes()
    for damaged in [data[:size] for size in range(0, len(data), 7)] + [data + extra]:
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="not a whole test file"):
            load_tensor_file(path, KIND, ADVICE)


def test_exchanged_arrays_and_exchanged_values_break_the_seal(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "sealed"
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


def test_numbers_of_a_kind_that_numpy_has_not_are_refused(tmp_path):
    header = {
        "__metadata__": {KIND.key: "{}"},
        "x": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "sealed"
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
    """See to it that no more than a few megabytes are taken, whatever a file promises."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_a_header_is_bounded_when_it_is_read_and_when_it_is_written(tmp_path):
    path = tmp_path / "sealed"
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
    write_header(tmp_path / "sealed", json.dumps(header).encode())
    with little_memory(), pytest.raises(ModelError, match="10,001 arrays"):
        load_tensor_file(tmp_path / "sealed", KIND, ADVICE)


def test_arrays_that_do_not_fit_are_not_read(tmp_path):
    def refuse(values, layout):
        assert values == {"step": 3}
        assert layout == {"x": ("F16", (2**29, 1))}
        raise KeyError("nothing fits")

    card = json.dumps({"step": 3, "format_version": 3, "checksum": ""})
    entry = {"dtype": "F16", "shape": [2**29, 1], "data_offsets": [0, 2**30]}
    header = json.dumps({"__metadata__": {KIND.key: card}, "x": entry}).encode()
    write_header(tmp_path / "sealed", header, 8 + len(header) + 2**30)
    with little_memory(), pytest.raises(ModelError, match="nothing fits"):
        load_tensor_file(tmp_path / "sealed", KIND, ADVICE, refuse)


def test_a_file_of_another_kind_or_version_is_refused(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "sealed"
    save_tensor_file(path, FileKind("another", 3, "other file"), ARRAYS, VALUES)
    with pytest.raises(ModelError, match="not a test file of poetgen"):
        load_tensor_file(path, KIND, ADVICE)
    save_tensor_file(path, FileKind(KIND.key, 4, "test file"), ARRAYS, VALUES)
    with pytest.raises(ModelError, match="format version 4; this poetgen reads 3"):
        load_tensor_file(path, KIND, ADVICE)
    # A version is told before the checksum is looked at, and a terminal obeys what it is told.
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


def test_values_that_are_no_json_leave_the_old_file(tmp_path):
    path = tmp_path / "sealed"
    save_tensor_file(path, KIND, ARRAYS, VALUES)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_tensor_file(path, KIND, ARRAYS, {"what": object()})
    assert path.read_bytes() == before
    assert names(tmp_path) == ["sealed"]


def test_a_full_disk_is_told_with_the_file_that_has_no_room(tmp_path):
    def fill(temporary):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(tmp_path / "m.safetensors", fill)
    assert caught.value.filename == str(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())
