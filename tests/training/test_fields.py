"""Training with authors, keywords, titles and forms: what is read, measured and kept."""

import dataclasses
import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from poetgen.cli.display import TrainingDisplay
from poetgen.corpus.occasions import occasions_of
from poetgen.corpus.vocabulary import FIELDS, PAD, START
from poetgen.inspection.report import card
from poetgen.networks.model import Metrics
from poetgen.networks.model_file import load_model, load_model_header, save_model
from poetgen.tensor_file import load_tensor_file, save_tensor_file
from poetgen.training.batches import with_fields
from poetgen.training.checkpoint import KIND, load_checkpoint
from poetgen.training.evaluation import Validation, evaluate
from poetgen.training.events import Validated
from poetgen.training.progress import DataOrder
from poetgen.training.run import train
from tests.runs import TINY, assert_equal_weights, events_of, of_kind, trainer_of
from tests.synthetic import TITLED
from tests.tiny import tiny_corpus, tiny_model, titled_corpus

pytestmark = pytest.mark.usefixtures("one_thread")

GIVEN = "validation_given_title_and_author"


@pytest.fixture(scope="module")
def corpus():
    return titled_corpus(120, seed=1)


@pytest.fixture(scope="module", params=["torch", "numpy"])
def told(request, corpus, tmp_path_factory):
    """A trainer that is done, and its events."""
    folder = tmp_path_factory.mktemp("run")
    trainer = trainer_of(corpus, folder, engine=request.param, epochs=5)
    return trainer, events_of(trainer)


def order_of(corpus, **changes):
    config = dataclasses.replace(TINY, **changes)
    return DataOrder(with_fields(corpus, config), config)


def rows_of(batches):
    """The sequences of an epoch, in the order in which they are read."""
    rows = []
    for batch in batches:
        inputs, targets = batch.read()
        for read, wanted in zip(inputs, targets, strict=True):
            length = int((wanted != PAD).sum())
            rows.append([*read[:length].tolist(), int(wanted[length - 1])])
    return rows


# What is read.


def test_an_epoch_is_a_function_of_its_number_and_the_seed(corpus):
    one, two = (order_of(corpus) for _ in range(2))
    while one.counters.epoch == 0:
        one.advance(one.next_batch())
    two.go_to(dataclasses.replace(one.counters), one.total_steps)
    second = rows_of(one.batches)
    assert second == rows_of(two.batches)
    assert second != rows_of(order_of(corpus).batches)
    assert second != rows_of(order_of(corpus, seed=4).batches)


def test_every_poem_is_read_once_an_epoch_after_its_fields_or_alone(corpus):
    vocabulary = corpus.vocabulary.with_fields()
    rows = rows_of(order_of(corpus).batches)
    poems = [row[row.index(START) :] for row in rows]
    assert sorted(poems) == sorted(poem.tolist() for poem in corpus.splits["train"])
    firsts = {row[0] for row in rows}
    assert firsts == {START, *map(vocabulary.field_id, FIELDS)}


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_a_corpus_without_titles_trains_as_without_fields(tmp_path, engine):
    corpus = tiny_corpus(60, seed=8)
    report = dataclasses.replace(corpus.report, num_titled=0, num_authored=0)
    corpus = dataclasses.replace(corpus, report=report)
    trainers = []
    for fields in (True, False):
        folder = tmp_path / str(fields)
        trainer = trainer_of(corpus, folder, engine=engine, epochs=1, fields=fields)
        trainers.append(trainer)
        events = events_of(trainer)
        assert not trainer.config.fields
        assert not trainer.corpus.vocabulary.fields
        assert not any(event.given for event in of_kind(events, Validated))
    assert_equal_weights(*(trainer.engine.weights() for trainer in trainers))
    first, second = (load_model(trainer.files.model) for trainer in trainers)
    assert first.validation == second.validation
    # Nothing but the identifiers of the runs, and the time, differs.
    varying = {"run", "elapsed_seconds"}
    records = [{k: v for k, v in m.training.items() if k not in varying} for m in (first, second)]
    assert records[0] == records[1]


def test_windows_know_no_fields(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, batching="random", seq_len=16, batch_size=4)
    assert not trainer.corpus.vocabulary.fields
    assert not trainer.config.fields


# What is measured.


class Frequencies:
    """A network that ignores what came before: its loss depends on the target alone."""

    def losses(self, inputs, targets, pad):
        wanted = targets[targets != pad]
        return np.log(wanted + 2.0)


def test_what_is_given_is_not_measured(corpus):
    vocabulary = corpus.vocabulary.with_fields()
    poems = corpus.splits["train"]
    found = occasions_of(poems, corpus.about("train"), vocabulary)
    alone = evaluate(Frequencies(), poems, vocabulary)
    rng = np.random.default_rng(0)
    for given in (found.given("author", "title", "form"), found.join(found.draw(rng))):
        assert len(given.tokens) > len(poems.tokens)
        measured = evaluate(Frequencies(), given, vocabulary)
        assert (measured.num_tokens, measured.num_hanzi) == (alone.num_tokens, alone.num_hanzi)
        assert measured.num_tokens == poems.num_targets
        assert measured.loss_per_token == pytest.approx(alone.loss_per_token, rel=1e-12)
        assert measured.perplexity_per_hanzi == pytest.approx(alone.perplexity_per_hanzi)


class Counting(Frequencies):
    """Counts the targets that it is asked for, and what it reads."""

    def __init__(self):
        self.num_read = 0

    def losses(self, inputs, targets, pad):
        self.num_read += int((inputs != pad).sum())
        return super().losses(inputs, targets, pad)


def test_only_what_may_be_the_best_is_measured_twice(corpus):
    data = dataclasses.replace(corpus, vocabulary=corpus.vocabulary.with_fields())
    validation = Validation(data, fields=True)
    network = Counting()
    metrics, given = validation.measure(network, math.inf, lambda: None)
    assert network.num_read >= validation.num_targets > 2 * data.splits["validation"].num_targets
    assert given.num_tokens == metrics.num_tokens
    for best_loss in (metrics.loss_per_token, 0.0):
        assert validation.measure(Counting(), best_loss, lambda: None) == (metrics, None)
    alone = Validation(data, fields=False)
    assert alone.measure(Counting(), math.inf, lambda: None) == (metrics, None)
    assert alone.num_targets == data.splits["validation"].num_targets


def test_a_best_model_is_measured_with_title_and_author_too(told, corpus):
    trainer, events = told
    validated = of_kind(events, Validated)
    assert {event.is_best for event in validated} >= {True}
    for event in validated:
        assert (event.given is not None) == event.is_best
    best = [event for event in validated if event.is_best][-1]
    # The best is chosen by the poem alone.
    assert best.metrics.loss_per_token == min(e.metrics.loss_per_token for e in validated)
    model = load_model(trainer.files.model)
    assert model.validation == best.metrics == trainer.best
    assert model.validation_given == best.given
    assert best.given.num_tokens == best.metrics.num_tokens
    assert best.given.loss_per_token != best.metrics.loss_per_token
    lines = trainer.files.metrics.read_text("utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if "validation" in record]
    for record, event in zip(records, validated, strict=True):
        given = None if event.given is None else dataclasses.asdict(event.given)
        assert record.get(GIVEN) == given


def test_a_model_that_is_measured_again_has_the_same_figures(told, corpus):
    trainer, _ = told
    # The last model is not always the best.
    vocabulary = trainer.corpus.vocabulary
    found = occasions_of(corpus.splits["validation"], corpus.about("validation"), vocabulary)
    given = evaluate(trainer.engine, found.given("author", "title"), vocabulary)
    validation = Validation(trainer.corpus, fields=True)
    assert validation.measure(trainer.engine, math.inf, lambda: None)[1] == given


def test_the_progress_says_both_perplexities():
    metrics = Metrics(math.log(71.7), 71.7, 161.3, 100, 80)
    given = Metrics(math.log(58.2), 58.2, 131.25, 100, 80)
    shown = io.StringIO()
    display = TrainingDisplay(Console(file=shown, width=200))
    display.show(Validated(3, metrics, True, given))
    display.show(Validated(4, metrics, False))
    first, second = shown.getvalue().splitlines()
    assert first == (
        "step 3: validation perplexity 71.70 per token, 161.3 per hanzi; with title and author "
        "58.20 per token, 131.2 per hanzi (best so far, kept)"
    )
    assert second == "step 4: validation perplexity 71.70 per token, 161.3 per hanzi"


# What is kept.


def test_a_model_keeps_what_was_measured_with_title_and_author(tmp_path):
    given = Metrics(1.0, math.e, None, 7, 0)
    model = dataclasses.replace(tiny_model(fields=True), validation_given=given)
    path = tmp_path / "m.safetensors"
    save_model(model, path)
    again = load_model(path)
    assert again.validation_given == load_model_header(path).validation_given == given
    assert again.validation is None
    assert again.vocabulary.fields == FIELDS
    assert card("m", again)["metrics"] == {GIVEN: dataclasses.asdict(given)}
    content = path.read_bytes()
    save_model(again, path)
    assert path.read_bytes() == content
    save_model(tiny_model(), path)
    assert load_model(path).validation_given is None
    assert card("m", load_model(path))["metrics"] == {}


def test_a_training_leaves_a_model_that_knows_fields(corpus, tmp_path):
    trained = train(corpus, settings=dataclasses.replace(TINY, epochs=1), folder=tmp_path)
    model = load_model(trained.model)
    assert model.vocabulary.fields == FIELDS
    assert set(model.vocabulary.tokens) == {*TITLED, *"，。"}
    assert model.training["fields"]
    assert model.choice is not None
    alone = dataclasses.replace(TINY, epochs=1, fields=False)
    model = load_model(train(corpus, settings=alone, folder=tmp_path).model)
    assert model.vocabulary.fields == ()
    assert not model.training["fields"]
    assert model.validation_given is None


def test_a_checkpoint_from_before_fields_goes_on_without(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, batch_tokens=64, fields=False)
    events_of(trainer, lambda: trainer.counters.step >= 3)
    path = trainer.files.checkpoint
    arrays, values = load_tensor_file(path, KIND, "")
    for name in ("fields", "init"):
        del values["training"][name]
    for name in ("tokens", "token_fields"):
        del values[name]
    save_tensor_file(path, KIND, arrays, values)
    assert not load_checkpoint(path).state.training.fields
    trained = train(corpus, name="m", folder=tmp_path, resume=True)
    assert trained.reason == "done"
    assert load_model(trained.model).vocabulary.fields == ()
