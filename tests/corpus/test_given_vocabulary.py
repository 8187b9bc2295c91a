"""``prepare --vocabulary``: the vocabulary of another corpus, or of a model."""

import dataclasses

import numpy as np
import pytest

from poetgen.config import PrepareConfig
from poetgen.corpus.corpus import changed_rules, decode_poems
from poetgen.corpus.folder import load_corpus
from poetgen.corpus.prepare import build_corpus, prepare
from poetgen.corpus.vocabulary import NUM_SPECIAL, UNK
from poetgen.errors import CorpusError, ModelError, SettingError
from poetgen.networks.model_file import save_model
from tests.synthetic import CHARACTERS, write_poems
from tests.tiny import HANZI, MARKS, tiny_model


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Poems, in a working folder of this test's own."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "poems.txt"
    write_poems(path, num_poems=60, seed=3)
    return path


@pytest.fixture
def model(source):
    """A model file ``models/known``, which has some of the characters of the poems."""
    path = source.parent / "models" / "known.safetensors"
    path.parent.mkdir()
    save_model(tiny_model(fields=True), path)
    return path


def prepared(source, name, **settings):
    return prepare(source, name=name, settings=PrepareConfig(**settings)).corpus


@pytest.mark.parametrize("by", ["name", "path"])
def test_the_vocabulary_of_a_model_is_taken_as_it_is(source, model, by):
    given = {"name": "known", "path": str(model)}[by]
    counted = build_corpus([source], "counted").corpus
    corpus = prepared(source, "mine", vocabulary=given)
    assert corpus.vocabulary.tokens == tuple(HANZI + MARKS)
    assert corpus.vocabulary.fields == ()
    assert corpus.settings.vocabulary == given
    for split, poems in corpus.splits.items():
        texts = decode_poems(counted.splits[split], counted.vocabulary)
        known = {*HANZI, *MARKS}
        assert decode_poems(poems, corpus.vocabulary) == [
            "".join(char if char in known else "\ufffd" for char in text) for text in texts
        ]
    unknown = np.count_nonzero(corpus.splits["train"].tokens == UNK)
    share = corpus.report.unknown_share["train"]
    assert share == unknown / corpus.splits["train"].num_targets > 0
    # What is saved is what is loaded.
    loaded = load_corpus("mine")
    assert loaded.fingerprint == corpus.fingerprint
    assert loaded.settings == corpus.settings
    assert loaded.vocabulary.tokens == corpus.vocabulary.tokens


def test_the_vocabulary_of_a_corpus_is_taken_before_that_of_a_model(source, model):
    large = prepared(source, "known")
    write_poems(source.parent / "few.txt", num_poems=9, seed=4)
    corpus = prepared(source.parent / "few.txt", "few", vocabulary="known")
    assert corpus.vocabulary.tokens == large.vocabulary.tokens
    assert corpus.report.distinct_tokens <= len(corpus.vocabulary.tokens)
    assert corpus.splits["train"].tokens.max() < NUM_SPECIAL + len(large.vocabulary.tokens)
    assert {*corpus.vocabulary.tokens} == {*CHARACTERS, *"，。"}


def test_it_is_a_rule_of_the_corpus_and_a_default_one_is_none(source):
    counted = prepared(source, "counted")
    same = prepared(source, "same", vocabulary="counted")
    assert same.vocabulary.tokens == counted.vocabulary.tokens
    assert same.fingerprint != counted.fingerprint
    assert changed_rules(same.settings, same.is_prose) == {"vocabulary": "counted"}
    assert changed_rules(counted.settings, counted.is_prose) == {}


def test_a_given_vocabulary_and_a_counted_one_exclude_each_other(source, model):
    with pytest.raises(SettingError, match="--vocabulary and --min-count"):
        prepared(source, "mine", vocabulary="known", min_count=2)
    assert not (source.parent / "corpora").exists()


def test_what_is_missing_or_damaged_is_an_error_before_anything_is_read(source, model):
    absent = source.parent / "absent.txt"
    with pytest.raises(SettingError, match="--vocabulary nobody is neither") as caught:
        prepared(absent, "mine", vocabulary="nobody")
    assert "known" in caught.value.advice
    model.write_bytes(model.read_bytes()[:-3000])
    with pytest.raises(ModelError, match="known"):
        prepared(absent, "mine", vocabulary="known")
    (source.parent / "corpora" / "broken").mkdir(parents=True)
    (source.parent / "corpora" / "broken" / "corpus.json").write_text("{}")
    with pytest.raises(CorpusError, match="broken"):
        prepared(absent, "mine", vocabulary="broken")


@pytest.mark.parametrize(
    ("settings", "advice"),
    [({"script": "traditional"}, "--script simplified"), ({"tokens": "word"}, "--tokens char")],
)
def test_another_script_and_other_tokens_are_refused(source, model, settings, advice):
    with pytest.raises(SettingError, match="known knows simplified chars") as caught:
        prepared(source, "mine", vocabulary="known", **settings)
    assert advice in caught.value.advice


def test_a_vocabulary_that_knows_nothing_is_refused(source, model):
    save_model(dataclasses.replace(tiny_model(tokens="龘鱻囍")), model)
    with pytest.raises(SettingError, match="nothing of the vocabulary of known"):
        prepared(source, "mine", vocabulary="known")
