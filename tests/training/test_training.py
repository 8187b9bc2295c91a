import dataclasses
import io
import itertools
import math
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from poetgen.cli.display import TrainingDisplay
from poetgen.comparison.race import compare
from poetgen.config import ModelConfig, PrepareConfig, TrainConfig
from poetgen.corpus.corpus import encode_poems
from poetgen.corpus.prepare import build_corpus
from poetgen.corpus.vocabulary import END, PAD, START, UNK, Vocabulary
from poetgen.errors import DeviceError
from poetgen.networks.model import CorpusRef, num_parameters
from poetgen.networks.model_file import load_model
from poetgen.networks.torch_model import LanguageModel, TorchStepper, weights_of
from poetgen.training import evaluation as evaluation_module
from poetgen.training.evaluation import evaluate, guess_line, sample_poems
from poetgen.training.events import Progress, Sampled, Started, Trained, Validated
from poetgen.training.progress import learning_rate_at
from tests.runs import assert_equal_weights, events_of, of_kind, trainer_of
from tests.tiny import tiny_corpus

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def corpus():
    # Of this seed's poems five are for validation.
    return tiny_corpus(60, seed=8)


# The learning rate.

SHARES = st.floats(0, 1)
WARMUPS = st.floats(0.01, 0.9)


@given(progress=SHARES, warmup=SHARES, peak=st.floats(1e-6, 10))
def test_the_learning_rate_lies_between_a_hundredth_of_its_peak_and_the_peak(
    progress, warmup, peak
):
    assert 0.01 * peak * (1 - 1e-9) <= learning_rate_at(progress, peak, warmup) <= peak


@given(warmup=WARMUPS, shares=st.tuples(SHARES, SHARES))
def test_the_learning_rate_rises_in_warmup_and_falls_after_it(warmup, shares):
    low, high = sorted(shares)
    rising = [learning_rate_at(share * warmup, 1.0, warmup) for share in (low, high)]
    after = [warmup + share * (1 - warmup) for share in (low, high)]
    falling = [learning_rate_at(progress, 1.0, warmup) for progress in after]
    assert rising[0] <= rising[1]
    assert falling[0] >= falling[1]


@given(warmup=WARMUPS)
def test_the_learning_rate_is_at_its_peak_after_warmup_and_at_a_hundredth_in_the_end(warmup):
    assert learning_rate_at(warmup, 3.0, warmup) == pytest.approx(3)
    assert learning_rate_at(warmup / 2, 3.0, warmup) == pytest.approx(1.5)
    assert learning_rate_at((1 + warmup) / 2, 3.0, warmup) == pytest.approx(3 * 1.01 / 2)
    assert learning_rate_at(1.0, 3.0, warmup) == pytest.approx(0.03)


@given(progress=SHARES, warmup=SHARES)
def test_a_constant_rate_rises_as_the_other_and_then_stays(progress, warmup):
    rate = learning_rate_at(progress, 3.0, warmup, "constant")
    assert rate == (learning_rate_at(progress, 3.0, warmup) if progress < warmup else 3)


def test_a_run_without_warmup_begins_at_the_peak():
    assert learning_rate_at(0.0, 3.0, 0.0) == 3


# A run from beginning to end.

EPOCHS = 15


@pytest.fixture(scope="module", params=["rnn", "gru", "lstm"])
def told(request, corpus, tmp_path_factory):
    """A trainer that is done, its events, and its weights at each validation."""
    trainer = trainer_of(corpus, tmp_path_factory.mktemp("run"), arch=request.param, epochs=EPOCHS)
    events, snapshots = [], {}

    def watch(event):
        events.append(event)
        if isinstance(event, Validated):
            snapshots[event.step] = trainer.engine.weights()

    assert trainer.run(watch) is events[-1]
    return trainer, events, snapshots


def test_the_loss_falls(told):
    _, events, _ = told
    losses = [event.loss for event in of_kind(events, Progress)]
    assert losses[-1] < losses[0] - 0.3
    validated = of_kind(events, Validated)
    assert min(event.metrics.loss_per_token for event in validated) < losses[0] - 0.3


def test_events_arrive_in_order(told):
    trainer, events, _ = told
    started, finished = events[0], events[-1]
    assert isinstance(started, Started)
    assert isinstance(finished, Trained)
    assert len(of_kind(events, Started)) == len(of_kind(events, Trained)) == 1
    assert of_kind(events, Sampled)
    assert finished.reason == "done"
    assert started.num_parameters == num_parameters(trainer.model_config)
    assert started.resumed_at_step == 0
    assert started.total_steps == EPOCHS * started.steps_per_epoch == finished.step
    # What is said of a step is said when it is done.
    last = 0
    for event in events[1:-1]:
        if isinstance(event, Progress):
            assert event.step > last
            last = event.step
        else:
            assert event.step == last
    assert last == finished.step


def test_progress_counts_up_to_the_whole(told):
    _, events, _ = told
    progress = of_kind(events, Progress)
    for name in ("step", "epoch", "fraction_done", "elapsed_seconds"):
        values = [getattr(event, name) for event in progress]
        assert values == sorted(values), name
    assert progress[-1].fraction_done == 1
    assert progress[-1].epoch == pytest.approx(EPOCHS)
    assert all(event.tokens_per_second > 0 for event in progress)


def test_every_epoch_is_validated_and_the_end_too(told):
    _, events, _ = told
    steps = [event.step for event in of_kind(events, Validated)]
    assert steps == sorted(set(steps))
    assert steps[-1] == events[-1].step
    assert len(steps) >= EPOCHS


def test_a_validation_is_the_best_if_no_earlier_one_was_as_good(told):
    trainer, events, _ = told
    best = math.inf
    for event in of_kind(events, Validated):
        assert event.is_best == (event.metrics.loss_per_token < best)
        best = min(best, event.metrics.loss_per_token)
    assert trainer.best.loss_per_token == events[-1].best.loss_per_token == best


def test_the_model_file_is_the_model_of_the_best_validation(told):
    trainer, events, snapshots = told
    model = load_model(trainer.files.model)
    best = [event for event in of_kind(events, Validated) if event.is_best][-1]
    half = {name: w.astype(np.float16) for name, w in snapshots[best.step].items()}
    assert_equal_weights(model.weights, half)
    assert model.validation == best.metrics
    assert model.training["step"] == best.step
    assert model.corpus == CorpusRef(trainer.corpus.name, trainer.corpus.fingerprint)
    assert model.vocabulary.tokens == trainer.corpus.vocabulary.tokens
    assert model.training["batching"] == "poems"
    for name, value in dataclasses.asdict(trainer.config).items():
        if name not in ("device", "precision", "batching"):
            assert model.training[name] == value, name


def test_a_later_and_worse_model_does_not_replace_the_best(corpus, tmp_path, monkeypatch):
    # How a run unlearns depends on rounding; what its validations say is given here.
    losses = itertools.chain([3.0, 2.0, 2.5, 2.0], itertools.repeat(9.0))
    measure = evaluation_module.evaluate

    def scripted(*arguments):
        return dataclasses.replace(measure(*arguments), loss_per_token=next(losses))

    monkeypatch.setattr(evaluation_module, "evaluate", scripted)
    trainer = trainer_of(corpus, tmp_path, epochs=2)
    kept, validated = {}, []

    def watch(event):
        if isinstance(event, Validated):
            validated.append(event)
            kept[event.step] = trainer.engine.weights()

    trainer.run(watch)
    assert [step for step, event in enumerate(validated) if event.is_best] == [0, 1]
    assert len(validated) >= 4
    best = validated[1]
    model = load_model(trainer.files.model)
    assert model.training["step"] == best.step
    assert model.validation == best.metrics
    half = {name: w.astype(np.float16) for name, w in kept[best.step].items()}
    assert_equal_weights(model.weights, half)


def test_a_finished_run_leaves_its_checkpoints_to_who_saves_what_follows(told):
    trainer, _, _ = told
    left = {path.name for path in trainer.files.folder.iterdir()}
    assert left == {"m.safetensors", "m.metrics.jsonl", "m.checkpoint", "m.checkpoint.previous"}


@pytest.mark.parametrize("arch", ["gru", "lstm"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(corpus, tmp_path, arch):
    weights = []
    for seed in (3, 3, 4):
        trainer = trainer_of(corpus, tmp_path, arch=arch, seed=seed)
        events_of(trainer)
        weights.append(trainer.engine.weights())
    assert_equal_weights(weights[1], weights[0])
    for name, w in weights[0].items():
        assert not np.array_equal(weights[2][name], w), name


def test_every_training_poem_is_read_once_an_epoch(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, epochs=3)
    seen = []

    def watch(embedding, inputs):
        if embedding.training:
            # A poem may follow keywords; one shorter than its neighbours is followed by its end
            # and by padding.
            rows = [row[row.index(START) :] for row in inputs[0].tolist()]
            seen.extend(tuple(i for i in row if i not in (END, PAD)) for row in rows)

    trainer.engine.model.embedding.register_forward_pre_hook(watch)
    events_of(trainer)
    train = corpus.splits["train"]
    poems = sorted(tuple(train[number][:-1].tolist()) for number in range(len(train)))
    size = len(poems)
    epochs = [seen[first : first + size] for first in range(0, len(seen), size)]
    assert [sorted(epoch) for epoch in epochs] == [poems] * 3
    assert epochs[0] != epochs[1]


def test_a_run_ends_in_its_time_and_leaves_a_model(corpus, tmp_path, monkeypatch):
    # A clock that goes on by a hundredth of a second whenever somebody looks at it.
    ticks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) / 100)
    trainer = trainer_of(corpus, tmp_path, epochs=100_000, max_minutes=0.1)
    events = events_of(trainer)
    assert events[-1].reason == "time"
    assert 5 < events[-1].elapsed_seconds < 7
    assert events[-1].step > 0
    rates = [event.learning_rate for event in of_kind(events, Progress)]
    # The rate has come down by then: the run was planned for its time.
    assert rates[-1] < 0.3 * max(rates)
    assert load_model(trainer.files.model).validation == trainer.best


def test_a_run_of_max_tokens_reads_about_so_many(corpus, tmp_path):
    train = corpus.splits["train"]
    trainer = trainer_of(corpus, tmp_path, epochs=9, max_tokens=3 * train.num_targets)
    epochs = of_kind(events_of(trainer), Progress)[-1].epoch
    assert epochs == pytest.approx(3)


# Measuring.


def naive_losses(model, poems):
    """Give (target, loss in nats) of every token, one poem after the other."""
    pairs = []
    for number in range(len(poems)):
        ids = torch.from_numpy(poems[number].astype(np.int64))
        with torch.no_grad():
            logits, _ = model(ids[None, :-1])
        log_probabilities = torch.log_softmax(logits[0].double(), dim=-1)
        for place, target in enumerate(ids[1:].tolist()):
            pairs.append((target, -float(log_probabilities[place, target])))
    return pairs


def random_model(vocabulary, arch="lstm"):
    torch.manual_seed(8)
    config = ModelConfig(
        arch=arch, vocab_size=len(vocabulary), embedding_dim=7, hidden_size=12, num_layers=2
    )
    model = LanguageModel(config, dropout=0.5)
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(0, 0.8)
    return model


def test_perplexities_are_those_of_each_poem_read_alone():
    vocabulary = Vocabulary("日月山水，。")
    texts = ["日月，山水。", "龘月，鱻。", "水", "，。", "山山山，龘日日。日月日，水水水。"]
    poems = encode_poems(texts, vocabulary)
    model = random_model(vocabulary)
    found = evaluate(TorchStepper(model), poems, vocabulary)
    pairs = naive_losses(model.eval(), poems)
    # Unknown characters are hanzi that the model failed to know.
    hanzi = {UNK, *vocabulary.encode("日月山水")}
    all_losses = [loss for _, loss in pairs]
    hanzi_losses = [loss for target, loss in pairs if target in hanzi]
    assert found.num_tokens == len(all_losses) == sum(len(text) + 1 for text in texts)
    assert found.num_hanzi == len(hanzi_losses) == sum(c not in "，。" for c in "".join(texts))
    mean = sum(all_losses) / len(all_losses)
    assert found.loss_per_token == pytest.approx(mean, rel=1e-5)
    assert found.perplexity_per_token == pytest.approx(math.exp(mean), rel=1e-5)
    per_hanzi = math.exp(sum(hanzi_losses) / len(hanzi_losses))
    assert found.perplexity_per_hanzi == pytest.approx(per_hanzi, rel=1e-5)
    assert abs(per_hanzi - math.exp(mean)) > 0.1


def test_a_validation_in_training_is_that_of_each_poem_read_alone(told):
    trainer, events, _ = told
    pairs = naive_losses(trainer.engine.model.eval(), trainer.corpus.splits["validation"])
    mean = sum(loss for _, loss in pairs) / len(pairs)
    assert of_kind(events, Validated)[-1].metrics.loss_per_token == pytest.approx(mean, rel=1e-5)


def test_a_text_without_hanzi_has_no_perplexity_per_hanzi():
    vocabulary = Vocabulary("ab ")
    found = evaluate(
        TorchStepper(random_model(vocabulary)), encode_poems(["ab x"], vocabulary), vocabulary
    )
    assert found.perplexity_per_hanzi is None
    assert found.num_tokens == 5


@pytest.mark.parametrize("training", [True, False])
def test_measuring_leaves_the_model_as_it_was(corpus, training):
    model = random_model(corpus.vocabulary).train(training)
    before, state = weights_of(model), torch.get_rng_state()
    evaluate(TorchStepper(model), corpus.splits["validation"], corpus.vocabulary)
    assert model.training == training
    assert_equal_weights(weights_of(model), before)
    assert torch.equal(torch.get_rng_state(), state)


# What a learner sees.


def test_a_guess_has_one_character_for_each_of_its_line(corpus):
    model = random_model(corpus.vocabulary)
    validation = corpus.splits["validation"]
    poems = [corpus.vocabulary.decode(validation[n].tolist()) for n in range(len(validation))]
    for number in range(12):
        line, guess = guess_line(TorchStepper(model), corpus, number)
        assert len(line) == len(guess) > 0
        assert any(poem.startswith("".join(line).rstrip("＿")) for poem in poems)


def test_a_guess_is_the_likeliest_character_after_the_real_ones(corpus):
    model = random_model(corpus.vocabulary).eval()
    vocabulary = corpus.vocabulary
    line, guess = guess_line(TorchStepper(model), corpus, 0)
    poem = corpus.splits["validation"][0].astype(np.int64)
    assert vocabulary.decode(poem[1 : len(line) + 1].tolist()) == "".join(line).rstrip("＿")
    model.eval()
    for place, shown in enumerate(guess):
        with torch.no_grad():
            logits, _ = model(torch.from_numpy(poem[None, : place + 1]))
        likeliest = vocabulary.decode([int(logits[0, -1].argmax())])
        assert shown == (likeliest or "＿")


def test_samples_begin_with_the_fixed_starts_that_the_corpus_knows(corpus):
    model = random_model(corpus.vocabulary)
    poems = sample_poems(TorchStepper(model), corpus, seed=5)
    known = [start for start in "日红山夜湖海月君" if start in corpus.vocabulary]
    assert len(known) > 3
    assert [poem[0] for poem in poems] == known
    assert sample_poems(TorchStepper(model), corpus, seed=5) == poems


@pytest.fixture(scope="module")
def words():
    """A corpus of words, with marks and several lines to a poem."""
    things = ("balloons", "man", "time", "door", "lamp", "fire", "house", "tree", "sea", "sun")
    who = ("he", "she", "we", "they")
    poems = [f"But before the {a},\n{b} (the {a}) rose!" for a in things for b in who]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "words.txt").write_text("\n\n".join(poems), encoding="utf-8")
        source = [Path(folder) / "words.txt"]
        corpus = build_corpus(source, "words", PrepareConfig(tokens="word")).corpus
    # Too short for windows.
    return dataclasses.replace(corpus, is_prose=False)


def shown(events, **terminal):
    """What the display shows of events, on a terminal or elsewhere, colours left out."""
    console = Console(file=io.StringIO(), width=100, highlight=False, **terminal)
    with TrainingDisplay(console) as display:
        for event in events:
            display.show(event)
    return re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())


@pytest.mark.parametrize("terminal", [{"force_terminal": True}, {}], ids=["terminal", "pipe"])
def test_words_are_shown_as_a_printer_sets_them(words, tmp_path, terminal):
    started, *events = events_of(trainer_of(words, tmp_path, max_tokens=100))
    sample = of_kind(events, Sampled)[-1]
    assert len(sample.line) == len(sample.guess)
    assert {"But", "before", "the", ",", "\n", "("} <= set(sample.line)
    thing = sample.line[3]
    perfect = shown([started, dataclasses.replace(sample, guess=sample.line)], **terminal)
    assert perfect.count(f"But before the {thing}, ") == 2
    assert perfect.count(f"(the {thing}) rose!") == 2


def test_a_race_on_words_is_shown_too(words, tmp_path):
    settings = TrainConfig(hidden_size=8, embedding_dim=4, device="cpu")
    events = []
    comparison = compare(
        ["gru", "rnn"], corpus=words, budget=100, settings=settings, start="But",
        folder=tmp_path / "race", on_event=lambda _, event: events.append(event),
    )  # fmt: skip
    assert "But before the" in shown(events, force_terminal=True)
    assert all(poem.startswith("But") for one in comparison.contenders for poem in one.poems)


# Devices.


def test_a_device_that_is_not_there_is_refused_and_cpu_is_named(corpus, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has cuda")
    with pytest.raises(DeviceError) as caught:
        trainer_of(corpus, tmp_path, device="cuda")
    assert "cuda" in caught.value.problem
    assert "cpu" in caught.value.advice
    assert list(tmp_path.iterdir()) == []
