"""Trainings at the same time find what trainings one after the other find."""

import dataclasses

import pytest

from poetgen.comparison import workers
from poetgen.errors import SettingError
from poetgen.training.events import Note
from tests.comparison.races import SETTINGS, run_race, runs_of
from tests.tiny import tiny_corpus

NUMPY = dataclasses.replace(SETTINGS, engine="numpy", checkpoint_seconds=0.0)
NAMES = ["rnn", "gru"]


@pytest.fixture(scope="module")
def corpus():
    return tiny_corpus(60, seed=8)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(workers, "num_gpus", lambda: 2)


def models_in(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


@pytest.mark.usefixtures("two_gpus")
def test_two_workers_find_what_one_does(corpus, tmp_path):
    one, _ = run_race(NAMES, corpus, tmp_path / "one", NUMPY, 600, seeds=2)
    two, events = run_race(NAMES, corpus, tmp_path / "two", NUMPY, 600, seeds=2, workers=2)
    assert models_in(tmp_path / "two") == models_in(tmp_path / "one")
    assert [run.figures for run in two.all_runs] == [run.figures for run in one.all_runs]
    assert [run.tokens for run in two.all_runs] == [run.tokens for run in one.all_runs]
    assert [event.text for event in events["gru"]] == [
        f"gru, seed {run.seed}: {run.tokens:,} tokens, done." for run in two.contenders[1].runs
    ]


@pytest.mark.usefixtures("two_gpus")
def test_workers_stop_and_go_on(corpus, tmp_path):
    budget = 30_000
    begun = [tmp_path / "r" / f"{name}.checkpoint" for name in NAMES]
    stopped, _ = run_race(
        NAMES, corpus, tmp_path / "r", NUMPY, budget, workers=2,
        should_stop=lambda: all(path.exists() for path in begun),
    )  # fmt: skip
    assert {run.status for run in stopped.all_runs} == {"interrupted"}
    resumed, _ = run_race(NAMES, corpus, tmp_path / "r", NUMPY, budget, workers=2, resume=True)
    assert {run.status for run in resumed.all_runs} == {"done"}
    run_race(NAMES, corpus, tmp_path / "s", NUMPY, budget)
    assert models_in(tmp_path / "r") == models_in(tmp_path / "s")


@pytest.mark.usefixtures("two_gpus")
def test_a_worker_that_fails_leaves_the_others_alone(corpus, tmp_path):
    names = ["gru:learning_rate=1e+30", "rnn:learning_rate=0.1"]
    settings = dataclasses.replace(
        NUMPY, optimizer="sgd", grad_clip=0.0, schedule="constant", warmup=0.0
    )
    told = []
    verdict, events = run_race(
        names, corpus, tmp_path / "r", settings, workers=2,
        on_failure=lambda name, error: told.append((name, error.problem)),
    )  # fmt: skip
    runs = runs_of(verdict)
    assert (runs[names[0]].status, runs[names[1]].status) == ("diverged", "done")
    assert told == [(names[0], runs[names[0]].reason)]
    assert isinstance(events[names[0]][0], Note)


@pytest.mark.parametrize("found", [0, 1, 3])
def test_workers_need_a_gpu_each(corpus, tmp_path, monkeypatch, found):
    monkeypatch.setattr(workers, "num_gpus", lambda: found)
    with pytest.raises(SettingError, match=f"found {found}"):
        run_race(NAMES, corpus, tmp_path / "r", NUMPY, workers=found + 2)
    with pytest.raises(SettingError, match="--workers 0"):
        run_race(NAMES, corpus, tmp_path / "r", NUMPY, workers=0)
    assert not list(tmp_path.iterdir())


def test_gpus_are_those_that_are_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,1")
    assert workers.visible_gpus(2) == ["4", "7"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert workers.visible_gpus(3) == ["0", "1", "2"]
