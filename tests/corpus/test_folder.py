"""Corpus folders: written whole or not at all, and read only if they are whole."""

import dataclasses
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from poetgen.corpus.folder import load_corpus, save_corpus
from poetgen.errors import CorpusError, ExistsError
from poetgen.places import find_corpus


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def another(corpus, **changes):
    """Return a corpus that differs in its report."""
    report = dataclasses.replace(corpus.report, **(changes or {"read": 999}))
    return dataclasses.replace(corpus, report=report)


def test_a_corpus_is_replaced_only_by_force_and_then_wholly(small_corpus, tmp_path):
    folder = tmp_path / "corpora" / "x"
    save_corpus(small_corpus, folder)
    before = content(folder)
    other = another(small_corpus)
    with pytest.raises(ExistsError, match="already there"):
        save_corpus(other, folder)
    assert content(folder) == before
    save_corpus(other, folder, force=True)
    assert load_corpus(folder).report == other.report
    assert [path.name for path in folder.parent.iterdir()] == ["x"]


def test_not_even_force_takes_what_is_no_corpus(small_corpus, tmp_path):
    folder = tmp_path / "corpora" / "x"
    save_corpus(small_corpus, folder)
    (folder / "notes.txt").write_text("mine")
    before = content(folder)
    with pytest.raises(ExistsError, match=r"notes\.txt"):
        save_corpus(small_corpus, folder, force=True)
    assert content(folder) == before
    file = tmp_path / "corpora" / "y"
    file.write_text("mine")
    with pytest.raises(ExistsError, match="more than a corpus"):
        save_corpus(small_corpus, file, force=True)
    assert file.read_text() == "mine"


def test_a_write_that_fails_leaves_the_old_corpus_and_nothing_beside_it(small_corpus, tmp_path):
    folder = tmp_path / "corpora" / "x"
    save_corpus(small_corpus, folder)
    before = content(folder)
    unwritable = another(small_corpus, read=object())
    with pytest.raises(TypeError):
        save_corpus(unwritable, folder, force=True)
    assert content(folder) == before
    with pytest.raises(TypeError):
        save_corpus(unwritable, folder.parent / "new")
    assert [path.name for path in folder.parent.iterdir()] == ["x"]


@pytest.mark.parametrize(
    "name", ["corpus.json", "train.tokens.npy", "validation.offsets.npy", "test.tokens.npy"]
)
@pytest.mark.parametrize("keep", [None, 7, 100])
def test_a_corpus_with_a_missing_or_cut_file_is_refused(small_corpus, tmp_path, name, keep):
    folder = tmp_path / "cut"
    save_corpus(small_corpus, folder)
    data = (folder / name).read_bytes()
    (folder / name).unlink()
    if keep is not None:
        (folder / name).write_bytes(data[:keep])
    with pytest.raises(CorpusError, match="not a whole corpus") as error:
        load_corpus(folder)
    assert "poetgen prepare SOURCE --name cut --force" in error.value.advice


def test_what_is_no_corpus_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(CorpusError, match="not a whole corpus"):
            load_corpus(folder)


def test_a_corpus_of_another_format_version_is_refused(small_corpus, tmp_path):
    folder = tmp_path / "new"
    save_corpus(small_corpus, folder)
    path = folder / "corpus.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**meta, "format_version": 99}), encoding="utf-8")
    with pytest.raises(CorpusError, match="format version 99"):
        load_corpus(folder)


def test_a_corpus_of_the_version_without_titles_asks_for_another_prepare(small_corpus, tmp_path):
    folder = tmp_path / "old"
    save_corpus(small_corpus, folder)
    for path in folder.glob("*.tsv"):
        path.unlink()
    path = folder / "corpus.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    del meta["about_checksums"]
    path.write_text(json.dumps({**meta, "format_version": 2}), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"format version 2, not 3\..*no titles") as error:
        load_corpus(folder)
    assert error.value.advice == "Prepare it again: poetgen prepare SOURCE --name old --force"
    save_corpus(small_corpus, folder, force=True)
    assert len(load_corpus(folder).about("train")) == len(small_corpus.splits["train"])


def test_what_is_known_about_the_poems_is_read_only_when_it_is_asked_for(
    small_corpus, tmp_path, monkeypatch
):
    save_corpus(small_corpus, tmp_path / "corpora" / "x")
    monkeypatch.chdir(tmp_path)
    loaded = load_corpus("x")
    monkeypatch.chdir("/")
    path = tmp_path / "corpora" / "x" / "validation.about.tsv"
    assert list(loaded.about("validation")) == list(small_corpus.about("validation"))
    path.write_bytes(path.read_bytes().replace("题".encode(), "問".encode(), 1))
    assert load_corpus(path.parent).fingerprint == small_corpus.fingerprint
    with pytest.raises(CorpusError, match=r"validation\.about\.tsv does not match") as error:
        loaded.about("validation")
    assert "poetgen prepare SOURCE --name x --force" in error.value.advice
    path.unlink()
    with pytest.raises(CorpusError, match="not a whole corpus"):
        loaded.about("validation")
    assert len(loaded.about("train")) == len(loaded.splits["train"])


def test_no_pickle_in_a_corpus_is_ever_loaded(small_corpus, tmp_path):
    folder = tmp_path / "pickled"
    save_corpus(small_corpus, folder)
    np.save(folder / "train.offsets.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(CorpusError):
        load_corpus(folder)


class KilledError(BaseException):
    """What a process does after SIGKILL: nothing any more."""


def kill_at(moment, monkeypatch):
    """Let the process end just before its ``moment``-th change of the disk."""
    left = [moment]

    def dying(change):
        def run(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                raise KilledError
            return change(*args, **kwargs)

        return run

    for owner, names in (
        (np, ["save"]),
        (os, ["replace"]),
        (shutil, ["rmtree"]),
        (Path, ["rename", "mkdir", "rmdir", "write_bytes"]),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, dying(getattr(owner, name)))


@pytest.mark.parametrize("is_new", [False, True])
def test_a_prepare_that_is_killed_leaves_a_whole_corpus_and_no_litter(
    small_corpus, tmp_path, monkeypatch, is_new
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # takes most of the time
    folder = tmp_path / "corpora" / "x"
    other = another(small_corpus)
    save_corpus(small_corpus, folder)
    whole = content(folder)
    seen = set()
    for moment in range(100):
        shutil.rmtree(folder)
        if not is_new:
            save_corpus(small_corpus, folder)
        with monkeypatch.context() as patch:
            kill_at(moment, patch)
            try:
                save_corpus(other, folder, force=True)
                break
            except KilledError:
                pass
        if is_new and not folder.exists():
            with pytest.raises(CorpusError) as error:
                find_corpus("x")
            assert ".x" not in error.value.advice
        else:
            assert find_corpus("x").samefile(folder)
            seen.add(load_corpus(folder).report.read)
        save_corpus(small_corpus, folder, force=True)
        assert content(folder) == whole
        assert [path.name for path in folder.parent.iterdir()] == ["x"]
    assert 9 < moment < 99
    assert seen == ({999} if is_new else {999, 60})


def test_of_two_that_prepare_one_new_name_at_once_one_is_told(small_corpus, tmp_path):
    barrier, outcomes = threading.Barrier(2), []

    def save():
        barrier.wait()
        try:
            save_corpus(small_corpus, tmp_path / "corpora" / "x")
            outcomes.append(None)
        except ExistsError as error:
            outcomes.append(error.advice)

    threads = [threading.Thread(target=save) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == ["Give --force to replace it, or another --name.", None]
    assert [path.name for path in (tmp_path / "corpora").iterdir()] == ["x"]
