"""``poetgen train CORPUS --index MODEL``: what a model lacks is added to it."""

import dataclasses

import pytest

from poetgen.corpus.folder import save_corpus
from poetgen.networks.model_file import load_model, save_model
from tests.command import assert_two_line_error, poetgen
from tests.tiny import tiny_corpus, tiny_model


@pytest.fixture
def folder(tmp_path):
    corpus = tiny_corpus(60, seed=8)
    save_corpus(corpus, tmp_path / "corpora" / "tiny")
    (tmp_path / "models").mkdir()
    model = dataclasses.replace(tiny_model(), script=corpus.script)
    save_model(model, tmp_path / "models" / "old.safetensors")
    return tmp_path


def test_a_model_without_an_index_gets_one(folder):
    path = folder / "models" / "old.safetensors"
    assert load_model(path).choice is None
    done = poetgen("train", "tiny", "--index", "old", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Wrote the index of tiny into models/old.safetensors." in done.stderr
    assert load_model(path).choice is not None
    assert [file.name for file in (folder / "models").iterdir()] == ["old.safetensors"]


@pytest.mark.parametrize("flag", [("--name", "m"), ("--resume",), ("--force",), ("--tensorboard",)])
def test_what_is_for_training_does_not_go_with_it(folder, flag):
    before = (folder / "models" / "old.safetensors").read_bytes()
    done = poetgen("train", "tiny", "--index", "old", *flag, cwd=folder)
    assert_two_line_error(done, "--index trains nothing")
    assert (folder / "models" / "old.safetensors").read_bytes() == before
