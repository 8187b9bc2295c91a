"""Names, and the corpora and models that they lead to."""

import glob
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen import places
from poetgen.errors import CorpusError, InputError, ModelError
from poetgen.tensor_file import FileKind, save_tensor_file


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


def test_a_guess_is_a_known_name_and_never_the_one_that_was_typed():
    known = ["tang", "song", "Few-gru"]
    for typed, guess in {"tnag": "tang", "SONGS": "song", "few_gru": "Few-gru"}.items():
        assert places.did_you_mean(typed, known) == f"Did you mean {guess}? "
    for typed in ("tang", "", "shakespeare", "/a/long/path"):
        assert places.did_you_mean(typed, known) == ""
    assert places.did_you_mean("tang", []) == ""


def test_what_is_here_is_listed_under_the_name_that_finds_it(here):
    touch(places.search_folders("corpora")[1] / "mine" / "corpus.json")
    touch(here / "corpora" / "mine" / "corpus.json")
    touch(here / "corpora" / ".mine.12345678" / "corpus.json")
    touch(here / "models" / "._tang.safetensors")
    touch(here / "models" / "old.safetensors")
    assert list(places.corpora_here()) == ["mine"]
    assert set(places.models_here()) == {"old", *places.SHIPPED_MODELS}
    for name, path in places.corpora_here().items():
        assert places.find_corpus(name) == path
    for name, path in places.models_here().items():
        assert places.find_model(name) == path


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


def test_in_a_checkout_the_models_that_ship_are_not_what_was_trained_last(here, monkeypatch):
    monkeypatch.setattr(places, "shipped_models", lambda: here / "models")
    for name in places.SHIPPED_MODELS[::-1]:
        touch(here / "models" / f"{name}.safetensors")
    assert places.find_model(None).stem == "tang"
    path = here / "models" / "mine.safetensors"
    save_tensor_file(path, FileKind(places.MODEL_KEY, 1, "model file"), {}, {})
    os.utime(path, (1000, 1000))
    assert places.find_model(None).stem == "mine"


def test_without_a_name_the_newest_model_here_is_taken_else_the_shipped(here):
    assert places.find_model(None) == places.shipped_models() / "tang.safetensors"
    assert places.find_model(None, shipped="ci") == places.shipped_models() / "ci.safetensors"
    for age, name in enumerate(["newest", "a", "z"]):
        path = here / "models" / f"{name}.safetensors"
        save_tensor_file(path, FileKind(places.MODEL_KEY, 1, "model file"), {}, {})
        os.utime(path, (1000 - age, 1000 - age))
    os.utime(touch(here / "models" / "z.checkpoint"), (5000, 5000))
    (here / "models" / "folder.safetensors").mkdir()
    assert places.find_model(None).name == "newest.safetensors"
    assert places.find_model(None, shipped="ci").name == "newest.safetensors"
    # Files of other programs, and of the system, are newer.
    foreign = here / "models" / "foreign.safetensors"
    save_tensor_file(foreign, FileKind("other", 1, "other file"), {}, {})
    touch(here / "models" / "._newest.safetensors")
    told = []
    assert places.find_model(None, told.append).name == "newest.safetensors"
    (note,) = told
    assert "foreign.safetensors" in note
    # So are copies that are not at their end.
    whole = (here / "models" / "z.safetensors").read_bytes()
    foreign.unlink()
    for size in (len(whole) - 1, len(whole) // 2, 60, 8):
        (here / "models" / "copy.safetensors").write_bytes(whole[:size])
        told = []
        assert places.find_model(None, told.append).name == "newest.safetensors"
        (note,) = told
        assert "copy.safetensors" in note


def test_a_copy_of_a_model_that_ships_is_not_ones_own(here):
    for name in ("song", "tang"):
        copy = here / "models" / f"{name}.safetensors"
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((places.shipped_models() / copy.name).read_bytes())
    assert places.find_model(None, shipped="ci") == places.shipped_models() / "ci.safetensors"
    # With another name, or with other numbers, it is.
    own = copy.rename(here / "models" / "mine.safetensors")
    assert places.find_model(None, shipped="ci").resolve() == own
    data = bytearray(own.read_bytes())
    data[-1] ^= 1
    own.write_bytes(data)
    tuned = own.rename(copy)
    assert places.find_model(None, shipped="ci").resolve() == tuned


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
    assert "Models here: ci, mine, shakespeare, song, tang." in error.value.advice
    with pytest.raises(ModelError, match="models is a folder, not a model file"):
        places.find_model("models")
    with pytest.raises(ModelError, match="name of the model is empty"):
        places.find_model(" ")


def test_a_free_name_is_one_that_no_file_has_with_any_of_the_suffixes(tmp_path):
    suffixes = (".safetensors", ".checkpoint")
    assert places.free_name(tmp_path, "lstm", suffixes) == "lstm"
    touch(tmp_path / "lstm.safetensors")
    touch(tmp_path / "lstm-2.checkpoint")
    touch(tmp_path / "lstm-3.md")
    assert places.free_name(tmp_path, "lstm", suffixes) == "lstm-3"
    assert places.free_name(tmp_path, "lstm", (".png",)) == "lstm"
