"""A run loses nothing: interrupted, killed or damaged, it goes on as if it had not been."""

import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from poetgen.corpus.vocabulary import FIELDS
from poetgen.errors import DamagedError, DivergedError, ExistsError, InputError, ModelError
from poetgen.files import unfinished, write_whole
from poetgen.networks.model_file import load_model, save_model
from poetgen.tensor_file import FileKind, load_tensor_file, save_tensor_file
from poetgen.training import evaluation as evaluation_module
from poetgen.training.checkpoint import (
    KIND,
    load_checkpoint,
    save_checkpoint,
    use_latest,
)
from poetgen.training.events import Progress, SetBack, Validated
from poetgen.training.progress import DataOrder
from poetgen.training.run_files import RunFiles
from tests.runs import TINY, assert_equal_weights, events_of, kill_after, of_kind, trainer_of
from tests.tiny import tiny_corpus, titled_corpus

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def corpus():
    # Of this seed's poems five are for validation.
    return tiny_corpus(60, seed=8)


def resumed(corpus, folder, **changes):
    """A trainer that stands where the checkpoint in ``folder`` was written."""
    trainer = trainer_of(corpus, folder, **changes)
    trainer.resume(load_checkpoint(trainer.files.checkpoint))
    return trainer


def run_in_parts(corpus, folder, stops, **changes):
    """Train with an interruption after each of the steps ``stops``; give the last trainer."""
    folder.mkdir()
    for number, stop in enumerate([*stops, math.inf]):
        # A new process would know nothing of the old one's random numbers.
        torch.manual_seed(1000 + number)
        trainer = (resumed if number else trainer_of)(corpus, folder, **changes)
        events = events_of(trainer, lambda t=trainer, stop=stop: t.counters.step >= stop)
        assert events[-1].reason == ("done" if stop == math.inf else "interrupted")
        assert stop == math.inf or stop <= events[-1].step < trainer.total_steps
        if number:
            assert 0 < events[0].resumed_at_step < trainer.total_steps
    return trainer


def metrics_of(files):
    """The records of a run, all of one run, without what varies by nature."""
    records = [json.loads(line) for line in files.metrics.read_text("utf-8").splitlines()]
    assert len({record.pop("run") for record in records}) == 1
    assert all(record.pop("clock")["elapsed_seconds"] > 0 for record in records)
    return records


# Between two validations, at a validation, at the end of an epoch and once more, and while
# the state is carried from batch to batch.
@pytest.mark.parametrize(
    ("changes", "stops"),
    [
        ({"epochs": 1, "batch_tokens": 64}, [10]),
        ({"epochs": 1, "batch_tokens": 64}, [11]),
        ({"epochs": 2, "batch_tokens": 256}, [7, 9]),
        ({"epochs": 1, "batching": "sequential", "seq_len": 16, "batch_size": 4}, [10]),
        ({"epochs": 1, "batch_tokens": 64, "average_steps": 30}, [10]),
    ],
    ids=["between", "validation", "epoch", "state", "average"],
)
@pytest.mark.parametrize("engine", ["torch", "numpy"])
@pytest.mark.parametrize("arch", ["rnn", "gru", "lstm"])
def test_a_resumed_run_ends_as_an_uninterrupted_one(corpus, tmp_path, arch, engine, changes, stops):
    # Dropout draws random numbers in every step, and they must go on where they stopped.
    settings = {"arch": arch, "engine": engine, "num_layers": 2, "dropout": 0.3, **changes}
    whole = run_in_parts(corpus, tmp_path / "whole", [], **settings)
    parts = run_in_parts(corpus, tmp_path / "parts", stops, **settings)
    assert parts.counters.step == whole.counters.step == whole.total_steps
    assert_equal_weights(parts.engine.weights(), whole.engine.weights())
    files = [load_model(trainer.files.model) for trainer in (parts, whole)]
    assert_equal_weights(files[0].weights, files[1].weights)
    assert files[0].validation == files[1].validation
    assert files[0].config == files[1].config
    assert files[0].vocabulary.tokens == files[1].vocabulary.tokens
    assert metrics_of(parts.files) == metrics_of(whole.files)


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_a_resumed_run_with_fields_ends_as_an_uninterrupted_one(tmp_path, engine):
    corpus = titled_corpus(60, seed=1)
    settings = {"engine": engine, "dropout": 0.3, "epochs": 2, "batch_tokens": 256}
    whole = run_in_parts(corpus, tmp_path / "whole", [], **settings)
    # In the first epoch and, with fields that are drawn anew, in the second one.
    per_epoch = whole.order.steps_per_epoch
    parts = run_in_parts(corpus, tmp_path / "parts", [per_epoch - 2, per_epoch + 3], **settings)
    assert parts.config.fields
    assert parts.counters.step == whole.counters.step
    assert_equal_weights(parts.engine.weights(), whole.engine.weights())
    files = [load_model(trainer.files.model) for trainer in (parts, whole)]
    assert files[0].validation_given == files[1].validation_given is not None
    assert files[0].vocabulary.fields == files[1].vocabulary.fields == FIELDS
    assert metrics_of(parts.files) == metrics_of(whole.files)


def test_the_metrics_are_what_the_events_told(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path)
    events = events_of(trainer)
    records = metrics_of(trainer.files)
    validated = [record for record in records if "validation" in record]
    assert [record["step"] for record in validated] == [e.step for e in of_kind(events, Validated)]
    assert validated[-1]["validation"] == dataclasses.asdict(of_kind(events, Validated)[-1].metrics)
    losses = [record for record in records if "loss" in record]
    assert [record["step"] for record in losses[:-1]] == list(range(10, losses[-1]["step"], 10))
    assert losses[-1]["step"] == trainer.total_steps
    progress = of_kind(events, Progress)
    assert losses[-1]["learning_rate"] == progress[-1].learning_rate
    low, high = (f(event.loss for event in progress) for f in (min, max))
    assert all(low <= record["loss"] <= high for record in losses)


def test_what_is_planned_by_the_epoch_does_not_depend_on_where_a_run_goes_on():
    corpus = tiny_corpus(60, seed=8)
    settings = {"batching": "sequential", "seq_len": 16, "batch_size": 1}
    config = dataclasses.replace(TINY, epochs=12, **settings)
    walker, courses = DataOrder(corpus, config), []
    while walker.counters.epoch < config.epochs:
        if walker.counters.next_batch == 0:
            courses.append(DataOrder(corpus, config))
            courses[-1].go_to(dataclasses.replace(walker.counters), walker.total_steps)
        walker.advance(walker.next_batch())
    # Epochs begin at other places, and some of them are shorter.
    assert len({len(course.batches) for course in courses}) > 1
    assert len({course.steps_per_epoch for course in courses}) == 1


def test_a_run_that_has_no_time_leaves_a_model_all_the_same(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, max_minutes=0.0)
    assert events_of(trainer)[-1].step == 0
    assert load_model(trainer.files.model).validation == trainer.best


@pytest.fixture
def interrupted(corpus, tmp_path):
    """A run that was stopped on its way; its checkpoint is there."""
    trainer = trainer_of(corpus, tmp_path, batch_tokens=64)
    events_of(trainer, lambda: trainer.counters.step >= 3)
    assert trainer.files.checkpoint.exists()
    return trainer


def go_on(interrupted, corpus, **changes):
    return resumed(corpus, interrupted.files.folder, **{"batch_tokens": 64, **changes})


def test_an_interrupted_run_has_a_model_already(interrupted, corpus):
    model = load_model(interrupted.files.model)
    assert model.vocabulary.tokens == corpus.vocabulary.tokens
    # It was not measured: whoever stops a run does not want to wait.
    assert model.validation is None
    assert interrupted.best is None


def test_the_settings_of_an_interrupted_run_are_in_its_checkpoint(interrupted):
    assert load_checkpoint(interrupted.files.checkpoint).state.training == interrupted.config


def test_a_run_from_before_a_setting_was_there_goes_on_with_its_default(corpus, tmp_path):
    interrupted = trainer_of(corpus, tmp_path, batch_tokens=64, fields=False)
    events_of(interrupted, lambda: interrupted.counters.step >= 3)
    # What the checkpoints of the first poetgen hold of settings.
    model = ("arch", "vocab_size", "embedding_dim", "hidden_size", "num_layers")
    later = ("engine", "tied", "one_hot", "output", "softmax_temperature", "gumbel_tau",
             "optimizer", "schedule", "grad_clip_value", "patience",
             "checkpoint_seconds", "init", "fields")  # fmt: skip
    counted = ("step", "epoch", "next_batch", "num_tokens", "num_padded", "elapsed_seconds",
               "train_seconds", "best_loss")  # fmt: skip
    arrays, values = load_tensor_file(interrupted.files.checkpoint, KIND, "")
    values["model"] = {name: values["model"][name] for name in model}
    values["training"] = {n: v for n, v in values["training"].items() if n not in later}
    values["counters"] = {name: values["counters"][name] for name in counted}
    for name in ("corpus_name", "processes", "run", "tokens", "token_fields"):
        del values[name]
    save_tensor_file(interrupted.files.checkpoint, KIND, arrays, values)
    # The model and the metrics of that time did not name their run either.
    model = load_model(interrupted.files.model)
    save_model(dataclasses.replace(model, training={}), interrupted.files.model)
    records = metrics_of(interrupted.files)
    interrupted.files.metrics.write_text("".join(f"{json.dumps(r)}\n" for r in records), "utf-8")
    assert load_checkpoint(interrupted.files.checkpoint).state.training == interrupted.config
    trainer = go_on(interrupted, corpus, fields=False)
    assert trainer.counters.step == interrupted.counters.step
    assert events_of(trainer)[-1].reason == "done"


def test_a_run_is_not_resumed_on_a_changed_corpus(interrupted, corpus):
    other = tiny_corpus(61, seed=8)
    with pytest.raises(ModelError, match="changed") as caught:
        go_on(interrupted, other)
    assert corpus.fingerprint in caught.value.problem
    assert other.fingerprint in caught.value.problem


@pytest.mark.parametrize(
    "changes",
    [
        {"arch": "lstm"},
        {"hidden_size": 13},
        {"num_layers": 2},
        {"tied": False},
        {"engine": "numpy"},
        {"optimizer": "sgd"},
    ],
    ids=str,
)
def test_a_run_is_not_resumed_with_a_model_of_another_shape(interrupted, corpus, changes):
    with pytest.raises(ModelError):
        go_on(interrupted, corpus, **changes)


def test_a_best_model_that_is_gone_is_written_again(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path)
    events_of(trainer, lambda: trainer.best is not None)
    trainer.files.model.unlink()
    again = trainer_of(corpus, tmp_path)
    (remark,) = again.resume(load_checkpoint(again.files.checkpoint))
    assert "m.safetensors is missing" in remark
    events_of(again)
    assert load_model(again.files.model).validation == again.best


# Damage.


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == "flip":
        data[-50] ^= 4
    path.write_bytes(data[: {"cut": len(data) - 1, "empty": 0}.get(how, len(data))])
    if how == "gone":
        path.unlink()


@pytest.mark.parametrize("how", ["cut", "flip", "empty", "gone"])
def test_of_a_damaged_checkpoint_the_previous_one_is_used(interrupted, corpus, how):
    files = interrupted.files
    expected = load_checkpoint(files.previous).state.counters.step
    damage(files.checkpoint, how)
    checkpoint, remark = use_latest(files, lambda checkpoint: checkpoint)
    assert checkpoint.state.counters.step == expected
    assert str(files.checkpoint) in remark
    # It is the latest from now on: the next save must not put the damaged one in its place.
    assert use_latest(files, lambda checkpoint: checkpoint)[1] is None
    trainer = trainer_of(corpus, files.folder, batch_tokens=64)
    trainer.resume(checkpoint)
    assert events_of(trainer)[-1].reason == "done"


@pytest.mark.parametrize("how", ["cut", "flip", "empty", "gone"])
def test_two_damaged_checkpoints_are_refused(interrupted, how):
    files = interrupted.files
    damage(files.checkpoint, how)
    files.previous.write_bytes(b"nothing")
    with pytest.raises(ModelError) as caught:
        use_latest(files, lambda checkpoint: checkpoint)
    assert "m.checkpoint" in caught.value.problem
    assert "previous" not in caught.value.problem


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_a_crash_while_saving_leaves_a_whole_checkpoint(interrupted, corpus, monkeypatch, moment):
    files = interrupted.files
    num_tokens = load_checkpoint(files.checkpoint).state.counters.num_tokens
    replace, calls = os.replace, []

    def crash(source, target):
        calls.append(target)
        if len(calls) == {"before": 1, "between": 2}.get(moment):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", crash)
    checkpoint = load_checkpoint(files.checkpoint)
    checkpoint.state.counters.num_tokens += 1
    if moment == "after":
        save_checkpoint(checkpoint, files)
    else:
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(checkpoint, files)
    monkeypatch.undo()
    found = use_latest(files, lambda checkpoint: checkpoint)[0].state.counters.num_tokens
    assert found == num_tokens + (moment == "after")


def test_half_a_line_of_metrics_is_cut_off(interrupted, corpus):
    with interrupted.files.metrics.open("a") as file:
        file.write('{"step": 3, "lo')
    trainer = go_on(interrupted, corpus)
    events_of(trainer)
    whole = trainer_of(corpus, interrupted.files.folder, batch_tokens=64)
    events_of(whole)
    assert metrics_of(trainer.files) == metrics_of(whole.files)


# Content that is odd, though nothing is damaged.


@pytest.fixture(scope="module", params=["numpy", "torch"])
def stopped(request, corpus, tmp_path_factory):
    """A run that stopped within a strip, when it had a best model."""
    trainer = trainer_of(
        corpus, tmp_path_factory.mktemp("run"), engine=request.param, arch="lstm",
        batching="sequential", seq_len=8, batch_size=4,
    )  # fmt: skip
    events_of(trainer, lambda: trainer.counters.step > trainer.order.steps_per_epoch + 3)
    assert trainer.best is not None
    return trainer


def save_changed(path, change):
    """Change the values of a checkpoint and save it with a valid checksum."""
    arrays, values = load_tensor_file(path, KIND, "")
    change(values)
    save_tensor_file(path, KIND, arrays, values)


def stand_at_latest(files, corpus):
    """The step that a run of these files goes on from, and what is said if it is the previous."""

    def stand_at(checkpoint):
        trainer = trainer_of(corpus, files.folder, checkpoint.state.training)
        trainer.resume(checkpoint)
        return trainer.counters.step

    return use_latest(files, stand_at)


def test_odd_arrays_are_damage(stopped, corpus):
    checkpoint = load_checkpoint(stopped.files.checkpoint)
    trainer = trainer_of(corpus, stopped.files.folder, stopped.config)
    trainer.resume(checkpoint)
    arrays = checkpoint.arrays
    assert any(name.startswith("state.") for name in arrays)
    odd = [{**arrays, name: np.zeros(3, np.float32)} for name in ("more", "state.7.0", "model.x")]
    for name, array in arrays.items():
        odd.append({other: arrays[other] for other in arrays if other != name})
        others = (array[..., None], np.concatenate([array, array]), array[:0], array > 0)
        odd += [{**arrays, name: other} for other in others]
    for changed in odd:
        with pytest.raises(DamagedError, match=r"m\.checkpoint is damaged"):
            trainer.resume(dataclasses.replace(checkpoint, arrays=changed))


def test_an_array_with_a_number_that_is_none_is_damage(stopped, tmp_path):
    arrays, values = load_tensor_file(stopped.files.checkpoint, KIND, "")
    name = next(name for name in arrays if "optimizer" in name and arrays[name].dtype.kind == "f")
    arrays[name].flat[0] = math.nan
    save_tensor_file(tmp_path / "m.checkpoint", KIND, arrays, values)
    with pytest.raises(DamagedError, match="NaN"):
        load_checkpoint(tmp_path / "m.checkpoint")


def test_a_random_state_that_is_none_is_damage(stopped, corpus):
    checkpoint = load_checkpoint(stopped.files.checkpoint)
    name = {"numpy": "optimizer.num_steps", "torch": "random.0.cpu"}[stopped.config.engine]
    arrays = {**checkpoint.arrays, name: ~np.zeros_like(checkpoint.arrays[name])}
    with pytest.raises(DamagedError):
        trainer_of(corpus, stopped.files.folder, stopped.config).resume(
            dataclasses.replace(checkpoint, arrays=arrays)
        )


def places_of(values, *before):
    """Every value of a checkpoint, by the names that lead to it."""
    for name, value in values.items():
        yield (*before, name)
        if isinstance(value, dict):
            yield from places_of(value, *before, name)


@pytest.mark.parametrize("stopped", ["numpy"], indirect=True)
def test_odd_values_are_damage_or_refused(stopped, corpus, monkeypatch):
    arrays, values = load_tensor_file(stopped.files.checkpoint, KIND, "")
    held = json.dumps(values)
    counted = {("total_steps",), *(("counters", name) for name in values["counters"])}
    # These may be as large as they like.
    free = {"num_tokens", "num_padded", "elapsed_seconds", "train_seconds", "window_loss",
            "window_steps", "smooth_loss", "num_worse", "num_setbacks", "rate_factor"}  # fmt: skip
    for place in [*places_of(values), ("counters", "luck")]:
        for value in ("text", [0], -5, 10**30, *[10**9] * (place in counted)):
            changed = parent = json.loads(held)
            for name in place[:-1]:
                parent = parent[name]
            parent[place[-1]] = value
            monkeypatch.setattr(
                "poetgen.training.checkpoint.load_tensor_file", lambda *_, v=changed: (arrays, v)
            )
            try:
                checkpoint = load_checkpoint(stopped.files.checkpoint)
                settings = checkpoint.state.training
                trainer_of(corpus, stopped.files.folder, settings).resume(checkpoint)
            except DamagedError:
                pass
            except InputError:
                assert place not in counted, (place, value)
            else:
                is_possible = value == 10**9 and place[-1] in free
                assert place not in counted or is_possible, (place, value)


@pytest.mark.parametrize(("name", "value"), [("step", "text"), ("step", 10**9), ("luck", 3)])
def test_of_an_odd_checkpoint_the_previous_one_is_used(interrupted, corpus, name, value):
    files = interrupted.files
    expected = load_checkpoint(files.previous).state.counters.step
    save_changed(files.checkpoint, lambda values: values["counters"].update({name: value}))
    step, remark = stand_at_latest(files, corpus)
    assert step == expected
    assert "m.checkpoint is damaged" in remark
    assert stand_at_latest(files, corpus) == (expected, None)


@pytest.mark.parametrize("where", [[], ["training"]], ids=["value", "setting"])
def test_what_a_newer_poetgen_wrote_is_refused_and_not_replaced(interrupted, corpus, where):
    files = interrupted.files

    def add(values):
        for name in where:
            values = values[name]
        values["tempo"] = 3

    save_changed(files.checkpoint, add)
    before = files.checkpoint.read_bytes(), files.previous.read_bytes()
    with pytest.raises(ModelError, match=r"another version of poetgen.*'tempo'"):
        stand_at_latest(files, corpus)
    assert (files.checkpoint.read_bytes(), files.previous.read_bytes()) == before


def test_a_checkpoint_of_a_newer_format_is_refused_and_not_replaced(interrupted, corpus):
    files = interrupted.files
    arrays, values = load_tensor_file(files.checkpoint, KIND, "")
    save_tensor_file(files.checkpoint, dataclasses.replace(KIND, version=2), arrays, values)
    before = files.checkpoint.read_bytes(), files.previous.read_bytes()
    with pytest.raises(ModelError, match="version 2") as caught:
        stand_at_latest(files, corpus)
    assert "upgrade" in caught.value.advice
    assert (files.checkpoint.read_bytes(), files.previous.read_bytes()) == before


# Files of several runs.


@pytest.mark.parametrize("kept", ["model", "metrics"])
def test_the_checkpoint_of_another_run_is_refused(interrupted, corpus, tmp_path, kept):
    other = trainer_of(corpus, tmp_path / "other", batch_tokens=64, seed=4)
    events_of(other, lambda: other.counters.step >= 10)
    shutil.copy(other.files.checkpoint, interrupted.files.checkpoint)
    # One of the two is enough to tell.
    {"model": interrupted.files.metrics, "metrics": interrupted.files.model}[kept].unlink()
    before = interrupted.files.checkpoint.read_bytes()
    with pytest.raises(ModelError, match=r"run.*m\.checkpoint") as caught:
        go_on(interrupted, corpus, seed=4)
    assert "move the other one away" in caught.value.advice
    assert interrupted.files.checkpoint.read_bytes() == before


@pytest.fixture
def measured(corpus, tmp_path):
    """A run that was stopped when it had a best model."""
    trainer = trainer_of(corpus, tmp_path / "measured", batch_tokens=64)
    events_of(trainer, lambda: trainer.counters.step > 20)
    assert trainer.best is not None
    return trainer


@pytest.mark.parametrize("what", ["other run", "no run", "earlier", "newer format"])
def test_a_model_that_is_not_the_best_of_this_run_is_refused(measured, corpus, tmp_path, what):
    path = measured.files.model
    model = load_model(path)
    if what == "other run":
        other = trainer_of(corpus, tmp_path / "other")
        events_of(other, lambda: other.best is not None)
        shutil.copy(other.files.model, path)
    elif what == "no run":
        save_model(dataclasses.replace(model, training={}), path)
    elif what == "earlier":
        loss = model.validation.loss_per_token + 0.1
        validation = dataclasses.replace(model.validation, loss_per_token=loss)
        save_model(dataclasses.replace(model, validation=validation), path)
    else:
        kind = FileKind(key="poetgen", version=2, noun="model file")
        save_tensor_file(
            path, kind, *load_tensor_file(path, dataclasses.replace(kind, version=1), "")
        )
    before = path.read_bytes()
    with pytest.raises(ModelError, match=r"m\.safetensors"):
        go_on(measured, corpus)
    assert path.read_bytes() == before


def test_a_model_that_was_saved_when_the_run_was_killed_is_its_own(corpus, tmp_path, monkeypatch):
    trainer = trainer_of(corpus, tmp_path)

    def kill(model, path):
        save_model(model, path)
        raise KeyboardInterrupt

    monkeypatch.setattr("poetgen.training.trainer.save_model", kill)
    with pytest.raises(KeyboardInterrupt):
        events_of(trainer)
    monkeypatch.undo()
    again = trainer_of(corpus, tmp_path)
    assert again.resume(load_checkpoint(again.files.checkpoint)) == []
    assert again.best is None
    assert events_of(again)[-1].reason == "done"


def test_a_damaged_best_model_is_written_again(measured, corpus):
    path = measured.files.model
    data = bytearray(path.read_bytes())
    data[-400:] = bytes(400)
    path.write_bytes(data)
    trainer = trainer_of(corpus, measured.files.folder, batch_tokens=64)
    (remark,) = trainer.resume(load_checkpoint(measured.files.checkpoint))
    assert "m.safetensors is damaged" in remark
    assert events_of(trainer)[-1].reason == "done"
    assert load_model(path).validation == trainer.best


# Metrics.


def test_damaged_lines_of_the_metrics_are_told_and_the_others_are_kept(measured, corpus):
    files = measured.files
    lines = files.metrics.read_bytes().splitlines()
    assert len(lines) > 3
    bad = [
        b'{"step": 1, "loss": \xff}',
        b"[1]",
        b'{"step": "1"}',
        b"null",
        b"\x00" * 9,
        b"[" * 9999,
    ]
    files.metrics.write_bytes(
        b"\n".join([*lines[:1], *bad, b"", *lines[1:]]) + b'\n{"step": 3, "lo'
    )
    trainer = trainer_of(corpus, files.folder, batch_tokens=64)
    (remark,) = trainer.resume(load_checkpoint(files.checkpoint))
    assert str(files.metrics) in remark
    assert remark.endswith(f" {len(bad)}.")
    kill_after(trainer, lambda event: True)
    assert files.metrics.read_bytes().splitlines() == lines


def test_metrics_that_are_gone_are_told(measured, corpus):
    measured.files.metrics.unlink()
    trainer = trainer_of(corpus, measured.files.folder, batch_tokens=64)
    (remark,) = trainer.resume(load_checkpoint(measured.files.checkpoint))
    assert "m.metrics.jsonl is missing" in remark
    events_of(trainer)
    assert metrics_of(trainer.files)[0]["step"] > measured.counters.step


# A loss that is NaN or infinite.


def test_a_loss_that_is_no_number_is_an_error_in_the_end(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, learning_rate=1e30, grad_clip=None, warmup=0.0)
    with pytest.raises(DivergedError):
        trainer.run()
    # Nothing NaN or infinite was ever saved.
    checkpoint = load_checkpoint(trainer.files.checkpoint)
    assert all(np.isfinite(array).all() for array in checkpoint.arrays.values())
    assert checkpoint.state.counters.num_setbacks == 3


@pytest.mark.parametrize("batch_tokens", [512, 100_000])
@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_a_run_whose_last_step_spoils_it_is_not_finished(corpus, tmp_path, engine, batch_tokens):
    # So few steps that only the validation can tell.
    settings = {"learning_rate": 1e38, "warmup": 0.0, "epochs": 1, "batch_tokens": batch_tokens}
    trainer = trainer_of(corpus, tmp_path, engine=engine, **settings)
    events = []
    with pytest.raises(DivergedError) as caught:
        trainer.run(events.append)
    assert not of_kind(events, Validated)
    assert "best" not in caught.value.advice
    assert load_checkpoint(trainer.files.checkpoint).state.counters.step == 0


def test_a_run_whose_time_is_up_ends_though_its_last_validation_was_quick(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, epochs=9, max_minutes=60.0)
    # Until one is measured, a validation is expected to take longer than the run may.
    read = trainer.timer.read
    trainer.timer.read = lambda counters: read(counters)._replace(
        limit=3600.0 if counters.validated_step >= 0 or not counters.step else 1e-9
    )
    events = events_of(trainer)
    assert events[-1].reason == "time"
    assert len(of_kind(events, Validated)) == 1


def test_a_validation_that_is_no_number_is_a_set_back(corpus, tmp_path, monkeypatch):
    measure, calls = evaluation_module.evaluate, []

    def fail_at_the_end(*arguments):
        calls.append(trainer.counters.step)
        metrics = measure(*arguments)
        bad = calls.count(trainer.total_steps) == 1 and calls[-1] == trainer.total_steps
        return dataclasses.replace(metrics, loss_per_token=math.nan) if bad else metrics

    monkeypatch.setattr(evaluation_module, "evaluate", fail_at_the_end)
    trainer = trainer_of(corpus, tmp_path)
    events = events_of(trainer)
    (setback,) = of_kind(events, SetBack)
    assert setback.failed_step == trainer.total_steps > setback.step
    assert events[-1].reason == "done"
    assert calls.count(trainer.total_steps) == 2
    assert all(math.isfinite(e.metrics.loss_per_token) for e in of_kind(events, Validated))
    assert load_model(trainer.files.model).validation == trainer.best


@pytest.mark.parametrize("engine", ["torch", "numpy"])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_step_that_fails_is_not_taken(corpus, tmp_path, engine, what):
    trainer = trainer_of(corpus, tmp_path, engine=engine)
    batch = trainer.order.next_batch()
    # The loss, or only its gradient, is infinite for these weights.
    arrays = trainer.engine.snapshot()
    names = {"torch": "model.output_bias", "numpy": "weights"}
    changed = arrays[names[engine]].copy()
    changed[-1 if engine == "torch" else slice(None)] = np.nan if what == "loss" else 1e19
    if what == "gradient":
        # Weights so large that their products overflow on the way back.
        arrays = {n: a * np.float32(1e19) if "weight" in n else a for n, a in arrays.items()}
    else:
        arrays[names[engine]] = changed
    trainer.engine.restore(arrays)
    before = trainer.engine.weights()
    assert not math.isfinite(float(trainer.engine.train_step(batch, 0.1)))
    assert_equal_weights(trainer.engine.weights(), before)


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_a_run_that_diverges_once_goes_back_and_on_with_half_the_rate(corpus, tmp_path, engine):
    trainer = trainer_of(corpus, tmp_path, engine=engine, checkpoint_seconds=0.0, epochs=4)
    train_step, rates = trainer.engine.train_step, []

    def fail_once(batch, rate):
        rates.append(rate)
        return math.nan if len(rates) == 25 else train_step(batch, rate)

    trainer.engine.train_step = fail_once
    events = events_of(trainer)
    (setback,) = of_kind(events, SetBack)
    assert setback.step < 25 <= setback.failed_step
    assert setback.rate_factor == trainer.counters.rate_factor == 0.5
    assert events[-1].reason == "done"
    assert events[-1].step == trainer.total_steps
    steps = [record["step"] for record in metrics_of(trainer.files) if "loss" in record]
    assert steps == sorted(set(steps))
    # The step that failed was taken again.
    assert rates[setback.failed_step + 24 - setback.step] == pytest.approx(rates[24] / 2)


# Patience, clocks, locks.


def test_a_run_ends_when_it_gets_no_better(corpus, tmp_path):
    settings = {"arch": "rnn", "learning_rate": 0.3, "epochs": 40, "patience": 3}
    events = events_of(trainer_of(corpus, tmp_path, **settings))
    validated = of_kind(events, Validated)
    assert events[-1].reason == "patience"
    assert [event.is_best for event in validated[-4:]] == [True, False, False, False]
    assert not any(
        not one.is_best and not two.is_best and not three.is_best
        for one, two, three in zip(validated[:-3], validated[1:-2], validated[2:-1], strict=True)
    )


def test_a_run_killed_after_its_last_validation_ends_there_when_it_goes_on(corpus, tmp_path):
    settings = {"arch": "rnn", "learning_rate": 0.3, "epochs": 40, "patience": 3}
    whole = trainer_of(corpus, tmp_path / "whole", **settings)
    ended = events_of(whole)[-1]
    killed = trainer_of(corpus, tmp_path / "killed", **settings)
    kill_after(killed, lambda event: isinstance(event, Validated) and event.step == ended.step)
    last = events_of(resumed(corpus, tmp_path / "killed", **settings))[-1]
    assert (last.reason, last.step) == (ended.reason, ended.step) == ("patience", ended.step)
    assert metrics_of(killed.files) == metrics_of(whole.files)


def test_the_last_step_is_validated_once_even_if_the_run_is_killed_after_that(corpus, tmp_path):
    # 39 steps, validated after every 19, and so once more at the end.
    settings = {"batch_tokens": 64, "epochs": 1}
    trainer = trainer_of(corpus, tmp_path, **settings)
    assert trainer.total_steps % (trainer.order.steps_per_epoch // 2)
    kill_after(trainer, lambda e: isinstance(e, Validated) and e.step == trainer.total_steps)
    again = resumed(corpus, tmp_path, **settings)
    events = events_of(again)
    assert not of_kind(events, Validated)
    assert events[-1].reason == "done"
    steps = [record["step"] for record in metrics_of(trainer.files) if "validation" in record]
    assert steps == sorted(set(steps))


def test_a_run_killed_at_its_end_whose_model_is_gone_measures_and_saves_it_again(corpus, tmp_path):
    trainer = trainer_of(corpus, tmp_path, epochs=1)
    kill_after(trainer, lambda e: isinstance(e, Validated) and e.step == trainer.total_steps)
    trainer.files.model.unlink()
    again = resumed(corpus, tmp_path, epochs=1)
    assert [event.is_best for event in of_kind(events_of(again), Validated)] == [True]
    assert_equal_weights(again.engine.weights(), trainer.engine.weights())
    assert load_model(again.files.model).validation == trainer.best


def test_setting_the_clock_changes_nothing(corpus, tmp_path, monkeypatch):
    plain = trainer_of(corpus, tmp_path / "plain")
    events_of(plain)
    real, calls = time.time, []

    def jumping():
        calls.append(None)
        return real() + (1e8 if len(calls) % 2 else -1e8)

    monkeypatch.setattr(time, "time", jumping)
    trainer = trainer_of(corpus, tmp_path / "jumps", max_minutes=5.0)
    events = events_of(trainer)
    assert events[-1].reason == "done"
    assert 0 < events[-1].elapsed_seconds < 1e7
    assert trainer.counters.step == plain.counters.step


HOLD = """
import sys
from pathlib import Path
from poetgen.training.run_files import RunFiles
with RunFiles(Path(sys.argv[1]), "m").held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_trainings_on_one_name_are_one_too_many(tmp_path):
    files = RunFiles(tmp_path, "m")
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ExistsError, match=r"m\.safetensors"), files.held():
            pass
        with RunFiles(tmp_path, "another").held():
            pass
    finally:
        other.kill()
        other.wait()
        other.stdin.close()
        other.stdout.close()
    # The dead hold nothing, although their lock file is still there.
    assert files.lock.exists()
    with files.held():
        pass
    assert not files.lock.exists()


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path):
    files = RunFiles(tmp_path, "m")
    mine = [f".m{suffix}.a_c.part" for suffix in (".checkpoint", ".safetensors", ".metrics.jsonl")]
    others = [".mm.checkpoint.abc.part", ".m-0.5.checkpoint.abc.part", ".m.x.checkpoint.abc.part"]
    others += [".m.checkpoint.checkpoint.abc.part", "m.checkpoint.abc.part"]
    for name in (*mine, *others):
        (tmp_path / name).write_text("half")
    with files.held():
        assert {path.name for path in tmp_path.iterdir()} == {*others, files.lock.name}


def test_what_is_half_written_is_known_by_its_name(tmp_path):
    path = tmp_path / "a [1].b.c"

    def write(temporary):
        assert unfinished(path) == [temporary]
        assert unfinished(tmp_path / "a [1].b") == []
        temporary.write_text("whole")

    write_whole(path, write)
    assert unfinished(path) == []
