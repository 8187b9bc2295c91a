import dataclasses
import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poetgen.config import ModelConfig, TrainConfig
from poetgen.errors import DeviceError, DivergedError, ModelError
from poetgen.generation.torch_stepper import TorchStepper
from poetgen.networks.model_file import load_model, num_parameters
from poetgen.networks.torch_model import LanguageModel, weights_of
from poetgen.text.corpus import encode_poems
from poetgen.text.vocabulary import END, PAD, UNK, Vocabulary
from poetgen.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from poetgen.training.evaluate import evaluate
from poetgen.training.events import Finished, Progress, Sampled, Started, Validated
from poetgen.training.resuming import load_resumable
from poetgen.training.samples import guess_line, sample_poems
from poetgen.training.schedule import learning_rate_at
from poetgen.training.trainer import Trainer
from tests.tiny import tiny_corpus

TINY = TrainConfig(
    arch="gru",
    device="cpu",
    precision="float32",
    hidden_size=12,
    embedding_dim=7,
    epochs=2,
    batch_tokens=256,
    learning_rate=0.05,
    seed=3,
)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def corpus():
    # Of this seed's poems five are for validation.
    return tiny_corpus(60, seed=8)


def trainer_of(corpus, folder, **changes):
    config = dataclasses.replace(TINY, **changes)
    return Trainer(corpus, config, folder / "m.safetensors", folder / "m.checkpoint")


def assert_equal_weights(found, expected):
    assert found.keys() == expected.keys()
    for name, weights in expected.items():
        np.testing.assert_array_equal(found[name], weights, err_msg=name)


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


@pytest.fixture(scope="module", params=["rnn", "gru", "lstm"])
def told(request, corpus, tmp_path_factory):
    """A trainer that is done, its events, and its weights at each validation."""
    trainer = trainer_of(corpus, tmp_path_factory.mktemp("run"), arch=request.param, epochs=10)
    events, snapshots = [], {}
    for event in trainer.run():
        events.append(event)
        if isinstance(event, Validated):
            snapshots[event.step] = trainer.engine.weights()
    return trainer, events, snapshots


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


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
    assert isinstance(finished, Finished)
    assert len(of_kind(events, Started)) == len(of_kind(events, Finished)) == 1
    assert of_kind(events, Sampled)
    assert finished.reason == "done"
    assert trainer.finished is finished
    assert started.num_parameters == num_parameters(trainer.model_config)
    assert started.resumed_at_step == 0
    assert started.total_steps == 10 * started.steps_per_epoch == finished.step
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
    assert progress[-1].epoch == pytest.approx(10)
    assert all(event.tokens_per_second > 0 for event in progress)


def test_every_epoch_is_validated_and_the_end_too(told):
    _, events, _ = told
    steps = [event.step for event in of_kind(events, Validated)]
    assert steps == sorted(set(steps))
    assert steps[-1] == events[-1].step
    assert len(steps) >= 10


def test_a_validation_is_the_best_if_no_earlier_one_was_as_good(told):
    trainer, events, _ = told
    best = math.inf
    for event in of_kind(events, Validated):
        assert event.is_best == (event.metrics.loss_per_token < best)
        best = min(best, event.metrics.loss_per_token)
    assert trainer.best.loss_per_token == events[-1].best.loss_per_token == best


def test_the_model_file_is_the_model_of_the_best_validation(told):
    trainer, events, snapshots = told
    model = load_model(trainer.model_path)
    best = [event for event in of_kind(events, Validated) if event.is_best][-1]
    half = {name: w.astype(np.float16) for name, w in snapshots[best.step].items()}
    assert_equal_weights(model.weights, half)
    assert model.metrics["validation"] == best.metrics.as_dict()
    assert model.training["step"] == best.step
    assert model.corpus["fingerprint"] == trainer.corpus.fingerprint
    assert model.vocabulary.tokens == trainer.corpus.vocabulary.tokens
    for name, value in dataclasses.asdict(trainer.config).items():
        if name not in ("device", "precision"):
            assert model.training[name] == value, name


def test_a_later_and_worse_model_does_not_replace_the_best(corpus, tmp_path):
    # So fast, so often, on so little: it must unlearn what it knew of other poems.
    trainer = trainer_of(corpus, tmp_path, arch="rnn", learning_rate=0.3, epochs=10)
    validated = of_kind(list(trainer.run()), Validated)
    best = min(validated, key=lambda event: event.metrics.loss_per_token)
    assert best.step < validated[-1].step
    model = load_model(trainer.model_path)
    assert model.training["step"] == best.step
    assert model.metrics["validation"]["loss_per_token"] == best.metrics.loss_per_token


def test_a_finished_run_leaves_the_model_and_no_checkpoint(told):
    trainer, _, _ = told
    assert [path.name for path in trainer.model_path.parent.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("arch", ["gru", "lstm"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(corpus, tmp_path, arch):
    weights = []
    for seed in (3, 3, 4):
        trainer = trainer_of(corpus, tmp_path, arch=arch, seed=seed)
        list(trainer.run())
        weights.append(trainer.engine.weights())
    assert_equal_weights(weights[1], weights[0])
    for name, w in weights[0].items():
        assert not np.array_equal(weights[2][name], w), name


def test_every_training_poem_is_read_once_an_epoch(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, epochs=3)
    seen = []
    hidden = trainer.engine.model.hidden

    def watched(inputs, *state):
        if trainer.engine.model.training:
            # A poem shorter than its neighbours is followed by its end and by padding.
            seen.extend(tuple(i for i in row if i not in (END, PAD)) for row in inputs.tolist())
        return hidden(inputs, *state)

    trainer.engine.model.hidden = watched
    list(trainer.run())
    train = corpus.splits["train"]
    poems = sorted(tuple(train[number][:-1].tolist()) for number in range(len(train)))
    size = len(poems)
    epochs = [seen[first : first + size] for first in range(0, len(seen), size)]
    assert [sorted(epoch) for epoch in epochs] == [poems] * 3
    assert epochs[0] != epochs[1]


def test_a_run_ends_in_its_time_and_leaves_a_model(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, epochs=100_000, max_minutes=0.02)
    began = time.monotonic()
    events = list(trainer.run())
    assert events[-1].reason == "time"
    assert 0.5 < time.monotonic() - began < 10
    assert events[-1].step > 0
    rates = [event.learning_rate for event in of_kind(events, Progress)]
    # The rate has come down by then: the run was planned for its time.
    assert rates[-1] < 0.3 * max(rates)
    assert load_model(trainer.model_path).metrics["validation"] == trainer.best.as_dict()


def test_a_run_of_max_tokens_reads_about_so_many(corpus, tmp_path):
    train = corpus.splits["train"]
    trainer = trainer_of(corpus, tmp_path, epochs=9, max_tokens=3 * train.num_targets)
    epochs = of_kind(list(trainer.run()), Progress)[-1].epoch
    assert epochs == pytest.approx(3)


def test_a_loss_that_is_no_number_is_an_error(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, learning_rate=1e30, grad_clip=None, warmup=0.0)
    with pytest.raises(DivergedError):
        list(trainer.run())


# Interrupted and resumed.


def run_in_parts(corpus, folder, stops, **changes):
    """Train with an interruption after each of the steps ``stops``; give the last trainer."""
    folder.mkdir()
    for number, stop in enumerate([*stops, math.inf]):
        # A new process would know nothing of the old one's random numbers.
        torch.manual_seed(1000 + number)
        trainer = trainer_of(corpus, folder, **changes)
        if number:
            trainer.resume()
        events = list(trainer.run(lambda t=trainer, stop=stop: t.counters.step >= stop))
        assert events[-1].reason == ("done" if stop == math.inf else "interrupted")
        assert stop == math.inf or stop <= events[-1].step < trainer.total_steps
        if number:
            assert 0 < events[0].resumed_at_step < trainer.total_steps
    return trainer


# Between two validations, at a validation, at the end of an epoch and once more, and while
# the state is carried from batch to batch.
@pytest.mark.parametrize(
    ("changes", "stops"),
    [
        ({"epochs": 1, "batch_tokens": 64}, [10]),
        ({"epochs": 1, "batch_tokens": 64}, [11]),
        ({"epochs": 2, "batch_tokens": 256}, [7, 9]),
        ({"epochs": 1, "batching": "sequential", "seq_len": 16, "batch_size": 4}, [10]),
    ],
    ids=["between", "validation", "epoch", "state"],
)
@pytest.mark.parametrize("engine", ["torch", "numpy"])
@pytest.mark.parametrize("arch", ["gru", "lstm"])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    corpus, tmp_path, arch, engine, changes, stops
):
    # Dropout draws random numbers in every step, and they must go on where they stopped.
    settings = {"arch": arch, "engine": engine, "num_layers": 2, "dropout": 0.3, **changes}
    whole = run_in_parts(corpus, tmp_path / "whole", [], **settings)
    parts = run_in_parts(corpus, tmp_path / "parts", stops, **settings)
    assert parts.counters.step == whole.counters.step == whole.total_steps
    assert_equal_weights(parts.engine.weights(), whole.engine.weights())
    files = [load_model(trainer.model_path) for trainer in (parts, whole)]
    assert_equal_weights(files[0].weights, files[1].weights)
    assert files[0].metrics == files[1].metrics


@pytest.fixture
def interrupted(corpus, tmp_path):
    """A run that was stopped on its way; its checkpoint is there."""
    trainer = trainer_of(corpus, tmp_path)
    list(trainer.run(lambda: trainer.counters.step >= 3))
    assert trainer.checkpoint_path.exists()
    return trainer


def test_an_interrupted_run_has_a_model_already(interrupted, corpus):
    model = load_model(interrupted.model_path)
    assert model.vocabulary.tokens == corpus.vocabulary.tokens
    assert model.metrics["validation"] == interrupted.best.as_dict()


def test_the_settings_of_an_interrupted_run_are_in_its_checkpoint(interrupted):
    assert load_resumable(interrupted.checkpoint_path) == interrupted.config


def test_a_run_from_before_a_setting_was_there_goes_on_with_its_default(interrupted, corpus):
    # What the checkpoints of the first poetgen hold of settings.
    model = ("arch", "vocab_size", "embedding_dim", "hidden_size", "num_layers")
    later = ("engine", "own_output", "one_hot", "output", "softmax_temperature", "gumbel_tau",
             "optimizer", "schedule", "grad_clip_value")  # fmt: skip
    path = interrupted.checkpoint_path
    checkpoint = load_checkpoint(path)
    values = {**checkpoint.values, "counters": {**checkpoint.values["counters"]}}
    values["model"] = {name: values["model"][name] for name in model}
    values["training"] = {n: v for n, v in values["training"].items() if n not in later}
    del values["counters"]["smooth_loss"]
    save_checkpoint(Checkpoint(checkpoint.arrays, values), path)
    assert load_resumable(path) == interrupted.config
    trainer = trainer_of(corpus, path.parent)
    trainer.resume()
    assert trainer.counters.step == interrupted.counters.step
    assert list(trainer.run())[-1].reason == "done"


def test_a_run_is_not_resumed_on_a_changed_corpus(interrupted, corpus, tmp_path):
    other = tiny_corpus(61, seed=8)
    trainer = trainer_of(other, tmp_path)
    with pytest.raises(ModelError) as caught:
        trainer.resume()
    assert corpus.fingerprint in caught.value.problem
    assert other.fingerprint in caught.value.problem


@pytest.mark.parametrize(
    "changes",
    [
        {"arch": "lstm"},
        {"hidden_size": 13},
        {"num_layers": 2},
        {"own_output": True},
        {"engine": "numpy"},
        {"optimizer": "sgd"},
    ],
    ids=str,
)
def test_a_run_is_not_resumed_with_a_model_of_another_shape(interrupted, corpus, tmp_path, changes):
    with pytest.raises(ModelError):
        trainer_of(corpus, tmp_path, **changes).resume()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_a_damaged_checkpoint_is_refused(interrupted, corpus, tmp_path, damage):
    path = interrupted.checkpoint_path
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-50] ^= 4
    path.write_bytes(data[: {"cut": len(data) - 1, "empty": 0}.get(damage, len(data))])
    if damage == "gone":
        path.unlink()
    with pytest.raises(ModelError):
        trainer_of(corpus, tmp_path).resume()
    with pytest.raises(ModelError):
        load_resumable(path)


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
        TorchStepper(random_model(vocabulary)), encode_poems(["ab a"], vocabulary), vocabulary
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
        assert any(poem.startswith(line.rstrip("＿")) for poem in poems)


def test_a_guess_is_the_likeliest_character_after_the_real_ones(corpus):
    model = random_model(corpus.vocabulary).eval()
    vocabulary = corpus.vocabulary
    line, guess = guess_line(TorchStepper(model), corpus, 0)
    poem = corpus.splits["validation"][0].astype(np.int64)
    assert vocabulary.decode(poem[1 : len(line) + 1].tolist()) == line.rstrip("＿")
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


# Devices.


def test_a_device_that_is_not_there_is_refused_and_cpu_is_named(corpus, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has cuda")
    with pytest.raises(DeviceError) as caught:
        trainer_of(corpus, tmp_path, device="cuda")
    assert "cuda" in caught.value.problem
    assert "cpu" in caught.value.advice
    assert list(tmp_path.iterdir()) == []
