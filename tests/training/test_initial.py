"""``--init``: a training that goes on from a model, on another corpus."""

import dataclasses
import math

import numpy as np
import pytest

from poetgen.config import TrainConfig
from poetgen.corpus.corpus import decode_poems, encode_poems
from poetgen.corpus.vocabulary import FIELDS, NUM_SPECIAL
from poetgen.errors import ModelError, SettingError
from poetgen.networks.model_file import load_model, save_model
from poetgen.training.checkpoint import load_checkpoint
from poetgen.training.events import Note, Progress, Validated
from poetgen.training.initial import begin_from, in_vocabulary, with_shape_of
from poetgen.training.run import train
from poetgen.training.run_files import RunFiles
from poetgen.verse.choice import build_choice
from tests.runs import TINY, assert_equal_weights, of_kind
from tests.synthetic import TITLED
from tests.tiny import tiny_model, tiny_weights, titled_corpus

pytestmark = pytest.mark.usefixtures("one_thread")

NEW = "鹤松"
SHAPE = {"arch": "lstm", "hidden_size": 11, "embedding_dim": 5, "num_layers": 2}


@pytest.fixture(scope="module")
def corpus():
    return titled_corpus(60, seed=1)


@pytest.fixture(scope="module")
def other():
    """A corpus that lacks two characters of the first one, and has two that are new."""
    return titled_corpus(60, seed=2, characters=TITLED[:-2] + NEW)


@pytest.fixture(scope="module")
def first(corpus, tmp_path_factory):
    """A trained model with fields."""
    settings = dataclasses.replace(TINY, epochs=1, **SHAPE)
    folder = tmp_path_factory.mktemp("first")
    return train(corpus, name="first", settings=settings, folder=folder).model


@pytest.fixture(scope="module")
def without_fields(corpus, tmp_path_factory):
    settings = dataclasses.replace(TINY, epochs=1, fields=False, **SHAPE)
    folder = tmp_path_factory.mktemp("alone")
    return train(corpus, name="alone", settings=settings, folder=folder).model


def go_on(corpus, first, folder, should_stop=lambda: False, **changes):
    """Train with ``--init``; return the result and the events."""
    events = []
    # Nothing of the shape is asked for, and so it is the model's.
    shape = {field: getattr(TrainConfig(), field) for field in SHAPE}
    settings = dataclasses.replace(TINY, **{**shape, "init": str(first), "epochs": 1, **changes})
    trained = train(
        corpus,
        name="next",
        settings=settings,
        folder=folder,
        on_event=events.append,
        should_stop=should_stop,
    )
    return trained, events


# What is taken over.


@pytest.mark.parametrize("tied", [True, False])
def test_known_tokens_keep_their_weights_and_new_ones_are_unlikely(first, other, tied):
    model = load_model(first)
    config = dataclasses.replace(model.config, tied=tied)
    model = dataclasses.replace(model, config=config, weights=tiny_weights(config))
    begin = begin_from(model, other, TrainConfig())
    old, new = model.vocabulary, begin.corpus.vocabulary
    assert new.tokens == (
        *old.tokens,
        *(token for token in other.vocabulary.tokens if token in NEW),
    )
    assert begin.num_new == len(NEW)
    assert new.fields == FIELDS
    rng = np.random.default_rng(0)
    drawn = {
        name: rng.normal(size=(len(new), *w.shape[1:])).astype(np.float32)
        for name, w in model.weights.items()
    }
    weights = begin.weights(drawn)
    assert weights.keys() == model.weights.keys()
    places = [*range(NUM_SPECIAL), *new.encode(old.tokens), *map(new.field_id, FIELDS)]
    by_token = {"embedding.weight", "output_bias", *(() if tied else ("output.weight",))}
    for name, found in weights.items():
        known = found[places] if name in by_token else found
        np.testing.assert_array_equal(known, model.weights[name], err_msg=name)
    added = new.encode(NEW)
    for token in added:
        for name in by_token - {"output_bias"}:
            np.testing.assert_array_equal(weights[name][token], drawn[name][token])
        assert weights["output_bias"][token] == model.weights["output_bias"][NUM_SPECIAL:].min()


def test_a_corpus_in_another_vocabulary_has_the_same_poems(first, other):
    vocabulary = begin_from(load_model(first), other, TrainConfig()).corpus.vocabulary
    moved = in_vocabulary(other, vocabulary)
    assert moved.fingerprint == other.fingerprint
    for split, poems in other.splits.items():
        texts = decode_poems(poems, other.vocabulary)
        assert decode_poems(moved.splits[split], vocabulary) == texts
        expected = encode_poems(texts, vocabulary)
        np.testing.assert_array_equal(moved.splits[split].tokens, expected.tokens)
        assert moved.splits[split].tokens.dtype == expected.tokens.dtype


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_the_first_validation_is_that_of_the_model_itself(first, corpus, tmp_path, engine):
    trained, events = go_on(corpus, first, tmp_path, engine=engine)
    assert of_kind(events, Note)[0].text.endswith("It knows all characters of titled.")
    model = load_model(first)
    (begun, *_) = of_kind(events, Validated)
    assert begun.step == 0
    assert begun.is_best
    # Weights are stored as float16.
    for found, expected in (
        (begun.metrics, model.validation),
        (begun.given, model.validation_given),
    ):
        assert found.loss_per_token == pytest.approx(expected.loss_per_token, rel=1e-3)
        assert found.num_tokens == expected.num_tokens
    assert trained.best.loss_per_token <= begun.metrics.loss_per_token
    assert load_model(trained.model).vocabulary.tokens == model.vocabulary.tokens


def test_a_training_of_no_steps_is_the_model(first, corpus, tmp_path):
    trained, _ = go_on(corpus, first, tmp_path, should_stop=lambda: True)
    assert trained.step == 0
    assert_equal_weights(load_model(trained.model).weights, load_model(first).weights)


def test_the_shape_the_record_and_the_rate_are_those_of_the_beginning(first, other, tmp_path):
    trained, events = go_on(other, first, tmp_path, learning_rate=None)
    model = load_model(trained.model)
    assert {name: getattr(model.config, name) for name in SHAPE} == SHAPE
    assert len(model.vocabulary) == len(load_model(first).vocabulary) + len(NEW)
    assert model.training["init"] == str(first)
    assert model.training["learning_rate"] == trained.settings.learning_rate == 5e-4
    assert max(event.learning_rate for event in of_kind(events, Progress)) <= 5e-4
    note = events[0]
    assert isinstance(note, Note)
    assert (
        note.text
        == f"Beginning with the model {first}. Characters of titled that are new to it: 2."
    )


@pytest.mark.parametrize("name", ["arch", "hidden_size", "tied"])
def test_another_shape_than_the_model_has_is_refused(first, corpus, tmp_path, name):
    value = {"arch": "gru", "hidden_size": 12, "tied": False}[name]
    with pytest.raises(SettingError) as caught:
        go_on(corpus, first, tmp_path, **{name: value})
    flag = "--" + name.replace("_", "-")
    assert f"{first} has {flag}" in caught.value.problem
    assert f"Leave {flag} out" in caught.value.advice
    # What is asked for may be what the model has.
    settings = dataclasses.replace(TINY, init=str(first), **SHAPE)
    assert with_shape_of(settings, load_model(first), {name}).arch == SHAPE["arch"]


def test_a_default_that_is_asked_for_is_another_shape_too(first, corpus):
    with pytest.raises(SettingError, match="--hidden-size 11, not 768"):
        with_shape_of(TrainConfig(init="first"), load_model(first), {"hidden_size"})


@pytest.mark.parametrize("change", [{"script": "traditional"}, {"tokens": "word"}])
def test_another_script_or_other_tokens_are_refused(first, corpus, tmp_path, change):
    settings = dataclasses.replace(corpus.settings, **change)
    vocabulary = corpus.vocabulary
    if "tokens" in change:
        vocabulary = type(vocabulary)(vocabulary.tokens, "word")
    changed = dataclasses.replace(corpus, settings=settings, vocabulary=vocabulary)
    with pytest.raises(SettingError, match="The model knows simplified chars, the corpus has"):
        go_on(changed, first, tmp_path)


def test_a_model_that_is_missing_is_an_error_before_any_work(corpus, tmp_path):
    with pytest.raises(ModelError, match="There is no model nobody"):
        train(
            corpus,
            settings=dataclasses.replace(TINY, init="nobody"),
            folder=tmp_path / "models",
            on_event=lambda event: pytest.fail(str(event)),
        )
    assert not list(tmp_path.iterdir())


def test_a_model_may_go_on_under_its_own_name(first, corpus, tmp_path):
    path = tmp_path / "next.safetensors"
    path.write_bytes(first.read_bytes())
    settings = TrainConfig(init=str(path), device="cpu", epochs=1)
    trained = train(corpus, name="next", settings=settings, folder=tmp_path, force=True)
    assert trained.reason == "done"
    assert load_model(path).training["init"] == str(path)


# One-hot models, and fields.


@pytest.fixture
def one_hot(corpus, tmp_path):
    settings = dataclasses.replace(TINY, epochs=1, one_hot=True, tied=False, fields=False)
    return train(corpus, name="one-hot", settings=settings, folder=tmp_path / "first").model


def test_a_one_hot_model_goes_on_without_new_tokens_only(one_hot, corpus, other, tmp_path):
    with pytest.raises(SettingError, match="one-hot and cannot learn"):
        go_on(other, one_hot, tmp_path)
    trained, _ = go_on(corpus, one_hot, tmp_path)
    model = load_model(trained.model)
    assert model.config == load_model(one_hot).config
    # The marks of fields would be new tokens.
    assert model.vocabulary.fields == ()
    assert not model.training["fields"]


def test_a_model_without_fields_learns_them(without_fields, corpus, tmp_path):
    trained, events = go_on(corpus, without_fields, tmp_path)
    model, before = load_model(trained.model), load_model(without_fields)
    assert before.vocabulary.fields == ()
    assert model.vocabulary.fields == FIELDS
    begun = of_kind(events, Validated)[0]
    assert begun.given is not None
    # The marks take a little of the probability of everything else.
    loss = before.validation.loss_per_token
    assert loss < begun.metrics.loss_per_token < loss + math.log(1.5)


@pytest.mark.parametrize("how", ["flag", "prose", "untitled"])
def test_a_model_with_fields_keeps_them_where_none_are_learned(first, corpus, tmp_path, how):
    changes = {}
    if how == "flag":
        changes = {"fields": False}
    elif how == "prose":
        changes = {"batching": "sequential", "seq_len": 16, "batch_size": 4}
    else:
        report = dataclasses.replace(corpus.report, num_titled=0, num_authored=0)
        corpus = dataclasses.replace(corpus, report=report)
    trained, events = go_on(corpus, first, tmp_path, **changes)
    model = load_model(trained.model)
    assert model.config == load_model(first).config
    assert model.vocabulary.fields == FIELDS
    assert model.training["fields"] == (how == "untitled")
    assert (of_kind(events, Validated)[0].given is None) == (how != "untitled")


# Interrupted.


def stopping_after(num_steps):
    """A ``should_stop`` that is asked before every few steps."""
    asked = []

    def should_stop():
        asked.append(None)
        return len(asked) > num_steps

    return should_stop


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_an_interrupted_training_ends_with_the_same_bytes_though_the_model_is_gone(
    first, other, tmp_path, engine
):
    settings = {"engine": engine, "epochs": 2, "dropout": 0.3, "batch_tokens": 128}
    whole, _ = go_on(other, first, tmp_path / "whole", **settings)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(first.read_bytes())
    stopped, _ = go_on(other, copy, tmp_path / "parts", stopping_after(3), **settings)
    assert stopped.reason == "interrupted"
    assert 0 < stopped.step < whole.step
    copy.unlink()
    resumed = train(other, name="next", folder=tmp_path / "parts", resume=True)
    assert (resumed.step, resumed.best) == (whole.step, whole.best)
    models = [load_model(trained.model) for trained in (resumed, whole)]
    assert_equal_weights(models[0].weights, models[1].weights)
    assert models[0].vocabulary.tokens == models[1].vocabulary.tokens
    assert models[0].validation_given == models[1].validation_given
    found, expected = (model.choice.as_arrays() for model in models)
    assert_equal_weights(found, expected)


def test_a_training_goes_on_from_the_model_that_it_was_begun_with(first, other, tmp_path):
    stopped, _ = go_on(other, first, tmp_path, stopping_after(1))
    assert stopped.reason == "interrupted"
    again = {"name": "next", "folder": tmp_path, "resume": True}
    with pytest.raises(SettingError, match=r"begun with --init .*first.*, not with --init other"):
        train(other, settings=TrainConfig(init="other"), **again)
    assert train(other, settings=TrainConfig(init=str(first)), **again).reason == "done"


def test_a_training_that_is_killed_before_its_first_validation_makes_up_for_it(
    first, other, tmp_path
):
    whole, events = go_on(other, first, tmp_path / "whole")

    class KilledError(Exception):
        pass

    def kill(event):
        if isinstance(event, Note):
            return
        raise KilledError

    settings = dataclasses.replace(
        TINY, **{f: getattr(TrainConfig(), f) for f in SHAPE}, init=str(first), epochs=1
    )
    folder = tmp_path / "killed"
    with pytest.raises(KilledError):
        train(other, name="next", settings=settings, folder=folder, on_event=kill)
    assert load_checkpoint(RunFiles(folder, "next").checkpoint).state.counters.step == 0
    seen = []
    resumed = train(other, name="next", folder=folder, resume=True, on_event=seen.append)
    steps = [[e.step for e in of_kind(these, Validated)] for these in (seen, events)]
    assert steps[0] == steps[1]
    assert steps[0][0] == 0
    assert resumed.best == whole.best


# What it must not copy.


def poems_of(corpus):
    return decode_poems(corpus.splits["train"], corpus.vocabulary)


def copied(model, texts):
    return [bool(novelty.copied_lines) for novelty in model.choice.novelty.check(texts)]


def test_lines_of_both_corpora_are_known_as_copied(first, corpus, tmp_path):
    few = titled_corpus(9, seed=5)
    trained, events = go_on(few, first, tmp_path)
    model = load_model(trained.model)
    assert all(copied(model, poems_of(corpus)))
    assert all(copied(model, poems_of(few)))
    # The index of the model alone does not know the new poems.
    assert not all(copied(load_model(first), poems_of(few)))
    assert len(of_kind(events, Note)) == 1
    assert model.choice.novelty.lines.bits.size == load_model(first).choice.novelty.lines.bits.size


def test_a_small_corpus_does_not_replace_what_an_index_knows_of_verse(first, tmp_path):
    chars = [chr(0x4E00 + number) for number in range(100)]
    rng = np.random.default_rng(0)
    # Each poem has characters of one of five subjects.
    subjects = [chars[i : i + 20] for i in range(0, 100, 20)]
    lines = [["".join(rng.choice(subjects[i % 5], 5)) for _ in range(4)] for i in range(300)]
    large = build_choice(["，".join(poem) + "。" for poem in lines])
    assert len(large.thread.keys) > 100
    few = titled_corpus(9, seed=5)
    small = build_choice(poems_of(few))
    model = load_model(first)
    for name, choice, kept in (("large", large, large), ("small", model.choice, small)):
        path = tmp_path / f"{name}.safetensors"
        save_model(dataclasses.replace(model, choice=choice), path)
        trained, _ = go_on(few, path, tmp_path / name)
        found = load_model(trained.model).choice
        assert found.log_probs == kept.log_probs
        np.testing.assert_array_equal(found.thread.keys, kept.thread.keys)


def test_an_interrupted_training_does_not_forget_what_it_must_not_copy(first, corpus, tmp_path):
    few = titled_corpus(9, seed=5)
    settings = {"epochs": 9, "batch_tokens": 128, "learning_rate": 1e-4}
    stopped, _ = go_on(few, first, tmp_path, stopping_after(1), **settings)
    assert (stopped.reason, stopped.best is None) == ("interrupted", False)
    # At once: the model can be used before it is trained to its end.
    assert all(copied(load_model(stopped.model), [*poems_of(corpus), *poems_of(few)]))
    resumed = train(few, name="next", folder=tmp_path, resume=True)
    assert resumed.best.loss_per_token < stopped.best.loss_per_token
    assert all(copied(load_model(resumed.model), [*poems_of(corpus), *poems_of(few)]))


def test_too_many_poems_for_the_index_are_noted_and_get_their_own(first, tmp_path):
    many = titled_corpus(200, seed=6)
    trained, events = go_on(many, first, tmp_path)
    assert all(copied(load_model(trained.model), poems_of(many)))
    _, note = of_kind(events, Note)
    assert "titled has too many poems for the index of" in note.text


def test_a_model_without_an_index_may_go_on(first, other, tmp_path):
    path = tmp_path / "bare.safetensors"
    save_model(dataclasses.replace(load_model(first), choice=None), path)
    trained, events = go_on(other, path, tmp_path)
    assert all(copied(load_model(trained.model), poems_of(other)))
    assert len(of_kind(events, Note)) == 1


def test_a_model_of_another_kind_of_text_is_no_beginning(corpus, tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(dataclasses.replace(tiny_model(), script="keep"), path)
    with pytest.raises(SettingError, match="knows keep chars"):
        go_on(corpus, path, tmp_path)
