"""A race that was interrupted, wherever that was, ends as one that was not."""

import dataclasses
import importlib
import json
import re

import pytest

from poetgen.comparison import schedule
from poetgen.comparison.race import compare
from poetgen.comparison.state import load_state
from poetgen.errors import InputError, SettingError
from poetgen.training.events import Progress, Started, Trained
from poetgen.training.numpy_engine import NumpyEngine
from tests.comparison.races import SETTINGS, run_race, runs_of
from tests.tiny import tiny_corpus

pytestmark = pytest.mark.usefixtures("one_thread")

NUMPY = dataclasses.replace(SETTINGS, engine="numpy", checkpoint_seconds=0.0)
NAMES = ["rnn", "gru:dropout=0.2", "lstm"]


@pytest.fixture(scope="module")
def corpus():
    return tiny_corpus(60, seed=8)


def race(corpus, folder, **options):
    names = options.pop("names", NAMES)
    settings = options.pop("settings", NUMPY)
    return run_race(names, corpus, folder, settings, options.pop("budget", 1500), **options)


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """A race that was not interrupted."""
    verdict, _ = race(corpus, tmp_path_factory.mktemp("whole") / "r", seeds=2)
    return verdict


def models_in(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


def timeless(verdict):
    """What a verdict says, without what the clock says."""
    return [
        [
            (
                *(run.seed, run.status, run.reason, run.tokens, run.steps, run.figures, run.model),
                *(run.epochs, run.training_perplexity),
                [(point.tokens, point.perplexity) for point in run.curve],
            )
            for run in contender.runs
        ]
        for contender in verdict.contenders
    ]


def test_the_same_race_twice_leaves_the_same_bytes(whole, corpus, tmp_path):
    again, _ = race(corpus, tmp_path / "r", seeds=2)
    assert len(models_in(whole.folder)) == 6
    assert models_in(again.folder) == models_in(whole.folder)
    assert timeless(again) == timeless(whole)


@pytest.mark.parametrize("begun", [1, 2, 4, 6])
@pytest.mark.parametrize("inside", [False, True])
def test_a_race_that_was_stopped_goes_on_byte_for_byte(whole, corpus, tmp_path, begun, inside):
    num_begun, is_inside = 0, False

    def look(name, event):
        nonlocal num_begun, is_inside
        num_begun += isinstance(event, Started)
        is_inside = isinstance(event, Progress)

    def stop():
        return num_begun >= begun and is_inside == inside

    folder = tmp_path / "r"
    compare(
        NAMES, num_samples=5, corpus=corpus, budget=1500, settings=NUMPY, folder=folder, seeds=2,
        on_event=look, should_stop=stop,
    )  # fmt: skip
    resumed, events = race(corpus, folder, seeds=2, resume=True)
    assert sum(isinstance(event, Started) for one in events.values() for event in one) <= 7 - begun
    assert models_in(folder) == models_in(whole.folder)
    assert timeless(resumed) == timeless(whole)
    assert not list(folder.glob("*.checkpoint*"))


def test_a_race_of_torch_that_was_stopped_goes_on_byte_for_byte(corpus, tmp_path):
    settings = dataclasses.replace(NUMPY, engine="torch")
    steps = []

    def look(name, event):
        steps.extend([name] if isinstance(event, Progress) else [])

    compare(
        NAMES[:2], corpus=corpus, budget=4000, settings=settings, folder=tmp_path / "r",
        num_samples=5, on_event=look, should_stop=lambda: "gru:dropout=0.2" in steps,
    )  # fmt: skip
    assert (tmp_path / "r" / "gru-dropout-0.2.checkpoint").exists()
    options = {"names": NAMES[:2], "budget": 4000, "settings": settings}
    resumed, _ = race(corpus, tmp_path / "r", resume=True, **options)
    whole, _ = race(corpus, tmp_path / "s", **options)
    assert models_in(resumed.folder) == models_in(whole.folder)
    assert timeless(resumed) == timeless(whole)


class Killed(BaseException):
    """What nothing catches, as little as a kill."""


@pytest.mark.parametrize("step", [1, 7, 15, 40])
def test_a_race_that_was_killed_in_a_step_goes_on_byte_for_byte(
    whole, corpus, tmp_path, monkeypatch, step
):
    steps = []
    train_step = NumpyEngine.train_step

    def killed(engine, batch, rate):
        steps.append(1)
        if len(steps) == step:
            raise Killed
        return train_step(engine, batch, rate)

    monkeypatch.setattr(NumpyEngine, "train_step", killed)
    with pytest.raises(Killed):
        race(corpus, tmp_path / "r", seeds=2)
    resumed, _ = race(corpus, tmp_path / "r", seeds=2, resume=True)
    assert models_in(tmp_path / "r") == models_in(whole.folder)
    assert timeless(resumed) == timeless(whole)


@pytest.mark.parametrize("part", ["judge", "measure_poems", "save_verdict", "save_state"])
@pytest.mark.parametrize("call", [1, 3])
def test_a_race_that_was_killed_between_runs_goes_on_byte_for_byte(
    whole, corpus, tmp_path, monkeypatch, part, call
):
    calls = []
    work = getattr(schedule, part)

    def killed(*arguments):
        calls.append(1)
        # The first call of save_state begins the race: before it there is none.
        if len(calls) == call + (part == "save_state"):
            raise Killed
        return work(*arguments)

    monkeypatch.setattr(schedule, part, killed)
    with pytest.raises(Killed):
        race(corpus, tmp_path / "r", seeds=2)
    monkeypatch.setattr(schedule, part, work)
    resumed, _ = race(corpus, tmp_path / "r", seeds=2, resume=True)
    assert models_in(tmp_path / "r") == models_in(whole.folder)
    assert timeless(resumed) == timeless(whole)


def test_a_finished_race_is_resumed_without_training(whole, corpus):
    before = models_in(whole.folder)
    resumed, events = race(corpus, whole.folder, seeds=2, resume=True)
    assert not events
    assert timeless(resumed) == timeless(whole)
    assert models_in(whole.folder) == before


def test_seeds_and_contenders_may_be_added(whole, corpus, tmp_path):
    folder = tmp_path / "r"
    race(corpus, folder, names=NAMES[:2], equal="tokens")
    wider, events = race(corpus, folder, seeds=2, resume=True, equal="tokens")
    trained = [type(event) for one in events.values() for event in one].count(Trained)
    assert trained == 6 - 2
    straight, _ = race(corpus, tmp_path / "s", seeds=2, equal="tokens")
    assert timeless(wider) == timeless(straight)
    assert models_in(folder) == models_in(straight.folder)


def test_what_has_failed_is_tried_again_and_what_has_diverged_is_not(corpus, tmp_path, monkeypatch):
    settings = dataclasses.replace(
        NUMPY, optimizer="sgd", grad_clip=0.0, schedule="constant", warmup=0.0
    )
    names = ["gru", "rnn:learning_rate=1e+30", "lstm:learning_rate=0.1"]

    def fail(engine, batch, rate):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(NumpyEngine, "train_step", fail)
        failed, _ = race(corpus, tmp_path / "r", names=[names[0], names[2]], settings=settings)
    assert {run.status for run in failed.all_runs} == {"failed"}
    verdict, events = race(corpus, tmp_path / "r", names=names, settings=settings, resume=True)
    assert list(events) == names
    statuses = {name: run.status for name, run in runs_of(verdict).items()}
    assert statuses[names[1]] == "diverged"
    assert statuses[names[2]] == "done"
    again, events = race(corpus, tmp_path / "r", names=names, settings=settings, resume=True)
    assert names[1] not in events
    assert timeless(again)[1] == timeless(verdict)[1]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"budget": 1600}, "--budget 1500, not with --budget 1600"),
        ({"settings": dataclasses.replace(NUMPY, dropout=0.1)}, "rnn was begun with --dropout"),
        ({"settings": dataclasses.replace(NUMPY, hidden_size=40)}, "--hidden-size"),
        ({"settings": dataclasses.replace(NUMPY, seed=6)}, "--seed 5, not with --seed 6"),
    ],
)
def test_a_race_goes_on_with_its_own_settings_only(whole, corpus, options, word):
    before = {path.name: path.read_bytes() for path in whole.folder.iterdir()}
    with pytest.raises(SettingError, match=word):
        race(corpus, whole.folder, seeds=2, resume=True, **options)
    assert {path.name: path.read_bytes() for path in whole.folder.iterdir()} == before


def test_what_is_no_race_is_not_resumed(whole, corpus, tmp_path):
    with pytest.raises(InputError, match="no race to resume"):
        race(corpus, tmp_path / "r", resume=True)
    assert not list(tmp_path.iterdir())
    with pytest.raises(SettingError, match="--force"):
        race(corpus, whole.folder, resume=True, force=True)
    with pytest.raises(InputError, match="another corpus"):
        race(tiny_corpus(60, seed=9), whole.folder, seeds=2, resume=True)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"corpus": 1}', '{"corpus": "x", "on": "y", "runs": [{}]}', "[" * 9999]
)
def test_a_damaged_state_is_refused(corpus, tmp_path, text):
    race(corpus, tmp_path / "r", names=NAMES[:2], budget=300)
    (tmp_path / "r" / "race.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"race\.json cannot be used"):
        race(corpus, tmp_path / "r", names=NAMES[:2], budget=300, resume=True)


def test_figures_are_measured_again_where_the_text_is_another(whole, corpus, tmp_path):
    folder = tmp_path / "r"
    first, _ = race(corpus, folder, names=NAMES[:2], budget=300)
    state = json.loads((folder / "race.json").read_text(encoding="utf-8"))
    state["on"] = "another text"
    for begun in state["runs"]:
        begun["run"]["figures"]["loss_per_token"] = 99.0
    (folder / "race.json").write_text(json.dumps(state), encoding="utf-8")
    again, events = race(corpus, folder, names=NAMES[:2], budget=300, resume=True)
    assert not events
    assert timeless(again) == timeless(first)


# Another race in the same folder.


def stop_in(contender):
    """Options of a race that is stopped in the training of a contender."""
    begun = []
    return {
        "on_event": lambda name, event: begun.extend([name] * isinstance(event, Progress)),
        "should_stop": lambda: contender in begun,
    }


def stopped(corpus, folder, contender, settings, **options):
    compare(
        NAMES[:2], num_samples=5, corpus=corpus, budget=1500, settings=settings, folder=folder,
        **stop_in(contender), **options,
    )  # fmt: skip


@pytest.mark.parametrize("kill", [False, True])
def test_a_race_never_goes_on_from_the_checkpoints_of_another(corpus, tmp_path, monkeypatch, kill):
    other = dataclasses.replace(NUMPY, embedding_dim=9)
    folder = tmp_path / "r"
    stopped(corpus, folder, NAMES[1], NUMPY)
    assert list(folder.glob("gru*.checkpoint"))
    stopped(corpus, folder, NAMES[0], other, force=True)
    if kill:  # when the run of the new race is begun, and nothing of it is written yet

        def killed(corpus, files, settings, **options):
            if settings.arch == "gru":
                raise Killed
            return train_run(corpus, files, settings, **options)

        train_run = schedule.train_run
        with monkeypatch.context() as patch:
            patch.setattr(schedule, "train_run", killed)
            with pytest.raises(Killed):
                race(corpus, folder, names=NAMES[:2], settings=other, resume=True)
    race(corpus, folder, names=NAMES[:2], settings=other, resume=True)
    race(corpus, tmp_path / "s", names=NAMES[:2], settings=other)
    assert models_in(folder) == models_in(tmp_path / "s")


def test_a_run_that_fails_at_once_has_nothing_of_an_earlier_one(corpus, tmp_path, monkeypatch):
    race(corpus, tmp_path / "r", names=NAMES[:2])

    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("poetgen.training.trainer.make_engine", fail)
    verdict, _ = race(corpus, tmp_path / "r", names=NAMES[:2], force=True)
    for run in verdict.all_runs:
        assert (run.status, run.model, list(run.curve)) == ("failed", "", [])
        assert run.training_perplexity is None


def test_a_race_for_time_gives_later_runs_the_share_of_the_first(corpus, tmp_path):
    options = {"names": NAMES[:2], "budget": None, "equal": "time"}
    race(corpus, tmp_path / "r", max_minutes=0.01, **options)
    for _ in range(2):  # also if it was resumed before
        for minutes, seeds in ((0.01, 2), (0.03, 1)):
            wanted = f"--max-minutes {0.01 * seeds:g}$"
            with pytest.raises(SettingError) as caught:
                race(
                    corpus, tmp_path / "r", max_minutes=minutes, seeds=seeds, resume=True, **options
                )
            assert re.search(wanted, caught.value.advice)
        race(corpus, tmp_path / "r", max_minutes=0.01, resume=True, **options)
    wider, events = race(corpus, tmp_path / "r", max_minutes=0.02, seeds=2, resume=True, **options)
    assert {
        event.name for one in events.values() for event in one if isinstance(event, Started)
    } == {
        "rnn-seed-6",
        "gru-dropout-0.2-seed-6",
    }
    assert {one.settings.max_minutes for one in load_state(tmp_path / "r").runs} == {0.005}
    assert {run.status for run in wider.all_runs} == {"time"}


# The end of a run.


@pytest.mark.parametrize(
    ("part", "call"),
    [
        ("poetgen.training.run.add_choice", 1),
        ("poetgen.comparison.schedule.save_state", 3),  # the race begins, a run begins, it ends
        ("poetgen.comparison.one_run.save_model", 1),
        ("poetgen.comparison.one_run.delete_checkpoints", 2),  # those of other races are the first
    ],
)
def test_a_race_that_was_killed_at_the_end_of_a_run_has_lost_no_training(
    whole, corpus, tmp_path, monkeypatch, part, call
):
    module, _, name = part.rpartition(".")
    work = getattr(importlib.import_module(module), name)
    calls = []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return work(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(part, killed)
        with pytest.raises(Killed):
            race(corpus, tmp_path / "r", seeds=2)
    resumed, events = race(corpus, tmp_path / "r", seeds=2, resume=True)
    begun = [event for event in events[NAMES[0]] if isinstance(event, Started)]
    for first_seed in begun[:-1]:
        assert first_seed.resumed_at_step == whole.all_runs[0].steps
    assert models_in(tmp_path / "r") == models_in(whole.folder)
    assert timeless(resumed) == timeless(whole)
    assert not list((tmp_path / "r").glob("*.checkpoint*"))
