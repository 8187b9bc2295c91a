"""Trainings at the same time find what trainings one after the other find."""

import dataclasses
import multiprocessing

import pytest

from poetgen.comparison import schedule, workers
from poetgen.comparison.results import Run
from poetgen.comparison.state import load_state
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
    ended = runs_of(verdict)
    assert (ended[names[0]].status, ended[names[1]].status) == ("diverged", "done")
    assert told == [(names[0], ended[names[0]].reason)]
    assert isinstance(events[names[0]][0], Note)


@pytest.mark.usefixtures("two_gpus")
def test_a_worker_that_is_killed_is_one_run_that_failed(corpus, tmp_path):
    killed, told = [], []

    def kill_gru():
        for process in multiprocessing.active_children():
            begun = (tmp_path / "r" / f"{process.name}.checkpoint").exists()
            if process.name == "gru" and begun and not killed:
                killed.append(process.kill())
        return False

    verdict, _ = run_race(
        ["gru", "rnn", "lstm"], corpus, tmp_path / "r", NUMPY, 60_000, workers=2,
        on_failure=lambda name, error: told.append(name), should_stop=kill_gru,
    )  # fmt: skip
    assert killed
    assert told == ["gru"]
    assert [run.status for run in verdict.all_runs] == ["failed", "done", "done"]
    assert "killed" in verdict.all_runs[0].reason
    resumed, events = run_race(
        ["gru", "rnn", "lstm"], corpus, tmp_path / "r", NUMPY, 60_000, workers=2, resume=True
    )
    assert list(events) == ["gru"]
    assert {run.status for run in resumed.all_runs} == {"done"}


@pytest.mark.usefixtures("two_gpus")
def test_a_run_begins_when_there_is_a_worker_for_it_and_gets_its_time_then(
    corpus, tmp_path, monkeypatch
):
    seen = []

    def train_together(corpus, jobs, num_workers, should_stop):
        for job in jobs:
            begun = [one.contender for one in load_state(tmp_path / "r").runs]
            seen.append((begun, job.settings.max_minutes))
            yield job, Run(job.settings.seed, "failed", "why", total_seconds=600)

    monkeypatch.setattr(schedule, "train_together", train_together)
    run_race(["gru", "rnn", "lstm"], corpus, tmp_path / "r", NUMPY, workers=2, max_minutes=60)
    # Ten minutes of one worker are five of two.
    assert [begun for begun, _ in seen] == [["gru"], ["gru", "rnn"], ["gru", "rnn", "lstm"]]
    assert [minutes for _, minutes in seen] == pytest.approx([30, 55, 50])


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
