"""A race is fair, says what each contender really had, and loses nothing."""

import dataclasses
import json
import math
from statistics import fmean

import pytest

from poetgen.comparison import contenders, schedule
from poetgen.comparison.race import compare
from poetgen.comparison.results import Comparison
from poetgen.config import ARCHS, TrainConfig
from poetgen.corpus.corpus import decode_poems
from poetgen.errors import (
    DeviceError,
    DivergedError,
    ExistsError,
    InputError,
    PromptError,
    SettingError,
)
from poetgen.networks.model import num_parameters
from poetgen.networks.model_file import load_model, save_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.torch_model import LanguageModel
from poetgen.training.engine import Engine
from poetgen.training.evaluation import evaluate
from poetgen.training.events import Progress, Started, Trained, Validated
from poetgen.training.numpy_engine import NumpyEngine
from tests.comparison.races import BUDGET, SETTINGS, run_race, runs_of
from tests.synthetic import write_poems
from tests.tiny import tiny_corpus, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

NUMPY = dataclasses.replace(SETTINGS, engine="numpy")


@pytest.fixture(scope="module")
def corpus():
    return tiny_corpus(60, seed=8)


@pytest.fixture(scope="module")
def race(corpus, tmp_path_factory):
    """A race of all three: its verdict, the batches of each contender, and its events."""
    folder = tmp_path_factory.mktemp("race") / "reports"
    batches = {arch: [] for arch in ARCHS}
    summed_loss = LanguageModel.summed_loss

    def watched(model, inputs, wanted, places=None, state=None):
        # A small model tries bfloat16 before; it knows eight tokens.
        if model.config.vocab_size > 8:
            batches[model.config.arch].append((inputs.tolist(), wanted.tolist()))
        return summed_loss(model, inputs, wanted, places, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LanguageModel, "summed_loss", watched)
        verdict, events = run_race(ARCHS, corpus, folder, start="日")
    return verdict, batches, events


@pytest.fixture(scope="module")
def verdict(race):
    return race[0]


def test_every_contender_sees_the_same_batches_in_the_same_order(race, verdict):
    _, batches, _ = race
    assert len(batches["rnn"]) > 5
    assert batches["rnn"] == batches["gru"] == batches["lstm"]
    assert {run.steps for run in verdict.all_runs} == {len(batches["rnn"])}


def test_every_run_has_the_budget_and_says_what_it_had(race, verdict):
    _, batches, events = race
    for name, run in runs_of(verdict).items():
        tokens = [len(wanted) for _, wanted in batches[name]]
        assert run.tokens == sum(tokens)
        assert abs(run.tokens - BUDGET) <= max(tokens)
        assert (run.status, run.reason) == ("done", "")
        started, *_, trained = events[name]
        assert isinstance(started, Started)
        assert isinstance(trained, Trained)
        assert (run.device, run.precision) == (started.device, started.precision)
        assert run.threads == started.num_threads > 0
        assert 0 < run.train_seconds == trained.train_seconds < run.total_seconds
        assert run.total_seconds == trained.elapsed_seconds
        assert run.epochs == run.steps / started.steps_per_epoch


def test_windows_that_leave_out_the_end_of_the_text_have_the_budget_too(corpus, tmp_path):
    # An eighth of the text is left out of each epoch.
    windows = dataclasses.replace(SETTINGS, batching="sequential", batch_size=9, seq_len=37)
    budget = 20 * corpus.splits["train"].num_targets
    verdict, _ = run_race(["rnn", "gru"], corpus, tmp_path / "race", windows, budget=budget)
    for run in verdict.all_runs:
        assert budget <= run.tokens < budget + 9 * 37


def test_training_perplexity_is_that_of_the_steps_of_the_last_epoch(corpus, tmp_path):
    # One strip of text, so that the steps of an epoch are many and the same for all.
    windows = dataclasses.replace(SETTINGS, batching="sequential", batch_size=1, seq_len=20)
    verdict, events = run_race(["rnn", "gru"], corpus, tmp_path / "race", windows, budget=4000)
    for name, run in runs_of(verdict).items():
        started, *progress = [e for e in events[name] if isinstance(e, Started | Progress)]
        ends = [0, *(event.step for event in progress)]
        losses = [
            event.loss
            for event, begin in zip(progress, ends, strict=False)
            for _ in range(begin, event.step)
        ]
        # Counted in tens, from the end.
        first = run.steps - started.steps_per_epoch
        first -= first % 10
        expected = math.exp(fmean(losses[first:]))
        assert run.training_perplexity == pytest.approx(expected, rel=1e-9)


def test_less_than_an_epoch_has_no_training_perplexity(corpus, tmp_path):
    verdict, _ = run_race(["rnn", "gru"], corpus, tmp_path / "race", budget=600)
    assert {run.training_perplexity for run in verdict.all_runs} == {None}


def test_the_curve_has_every_validation(race, verdict):
    _, _, events = race
    for name, run in runs_of(verdict).items():
        measured = [event for event in events[name] if isinstance(event, Validated)]
        assert [(point.tokens, point.perplexity) for point in run.curve] == [
            (event.num_tokens, event.metrics.perplexity_per_token) for event in measured
        ]
        assert run.curve[-1].tokens == run.tokens
        seconds = [point.seconds for point in run.curve]
        assert seconds == sorted(seconds)
        assert seconds[-1] <= run.total_seconds + 0.001


def test_a_contender_says_what_its_model_is_worth(verdict, corpus):
    for contender in verdict.contenders:
        (run,) = contender.runs
        path = verdict.folder / run.model
        model = load_model(path)
        assert model.config.arch == contender.name
        assert model.config == contender.shape
        assert num_parameters(model.config) == contender.num_parameters
        assert path.stat().st_size == contender.num_bytes
        again = evaluate(
            NumpyModel(model.config, model.weights),
            corpus.splits["validation"],
            corpus.vocabulary,
        )
        assert run.figures.loss_per_token == pytest.approx(again.loss_per_token, rel=1e-5)
        assert run.figures.perplexity_per_token == pytest.approx(
            math.exp(run.figures.loss_per_token)
        )
        assert contender.tokens_per_second == pytest.approx(run.tokens / run.train_seconds)
        assert len(contender.poems) == 1
        assert contender.poems[0].startswith("日")
        assert contender.warm_seconds > 0


def test_a_verdict_says_on_what_and_with_what_it_was_reached(verdict, corpus):
    assert isinstance(verdict, Comparison)
    assert (verdict.corpus, verdict.fingerprint) == (corpus.name, corpus.fingerprint)
    assert verdict.on_validation
    assert "validation" in verdict.on
    assert (verdict.equal, list(verdict.seeds), verdict.starts) == ("parameters", [5], ["日"])
    assert "2,000 training tokens for each run, about as many parameters as" in verdict.budget
    assert len(verdict.differences) == 3
    shown = {contender.name: contender.settings for contender in verdict.contenders}
    assert shown["lstm"] == {
        "batch_tokens": 256,
        "device": "cpu",
        "embedding_dim": 7,
        "hidden_size": 12,
    }
    assert shown["rnn"]["hidden_size"] > shown["gru"]["hidden_size"] > 12


def test_a_race_leaves_models_metrics_and_a_report_and_no_checkpoints(verdict):
    left = {path.name for path in verdict.folder.iterdir()}
    assert left >= {"race.json", "report.json", "report.md"}
    assert {name for name in left if name.startswith(ARCHS)} == {
        f"{arch}{suffix}" for arch in ARCHS for suffix in (".safetensors", ".metrics.jsonl")
    }
    assert not [name for name in left if "checkpoint" in name or "lock" in name]


def test_the_report_is_what_the_verdict_says(verdict):
    report = json.loads((verdict.folder / "report.json").read_text(encoding="utf-8"))
    plain = json.loads(json.dumps(verdict.as_dict()))
    assert {name: report[name] for name in plain} == plain


def test_without_a_start_all_contenders_get_the_same_ones(corpus, tmp_path):
    verdict, _ = run_race(["rnn", "gru"], corpus, tmp_path / "r", budget=500)
    assert len(verdict.starts) > 1
    for contender in verdict.contenders:
        for start, poem in zip(verdict.starts, contender.poems, strict=True):
            assert poem.startswith(start)


def test_seeds_repeat_every_contender_and_the_first_is_that_of_the_settings(corpus, tmp_path):
    verdict, _ = run_race(["rnn", "gru"], corpus, tmp_path / "r", NUMPY, budget=600, seeds=3)
    alone, _ = run_race(["gru", "rnn"], corpus, tmp_path / "s", NUMPY, budget=600)
    assert list(verdict.seeds) == [5, 6, 7]
    for contender in verdict.contenders:
        assert [run.seed for run in contender.runs] == [5, 6, 7]
        losses = [run.figures.loss_per_token for run in contender.runs]
        assert len(set(losses)) == 3
        assert len({run.model for run in contender.runs}) == 3
        assert losses[0] == runs_of(alone)[contender.name].figures.loss_per_token
    (difference,) = verdict.differences
    assert difference.p_value is not None


def test_the_time_is_that_of_the_whole_race_and_tokens_are_those_really_trained(corpus, tmp_path):
    names = ["rnn", "gru", "lstm"]
    settings = dataclasses.replace(NUMPY, hidden_size=40)
    verdict, events = run_race(
        names, corpus, tmp_path / "r", settings, budget=10**8, max_minutes=0.02
    )
    for name, run in runs_of(verdict).items():
        assert (run.status, run.reason) == ("time", "")
        assert 0 < run.tokens == events[name][-1].num_tokens < 10**7
        assert run.figures is not None
    assert "0.02 minutes for the whole race" in verdict.budget
    assert not list(verdict.folder.glob("*.checkpoint*"))


def test_a_race_for_time_has_no_budget_of_tokens(corpus, tmp_path):
    verdict, _ = run_race(
        ["rnn", "gru"], corpus, tmp_path / "r", NUMPY, None, equal="time", max_minutes=0.01
    )
    assert verdict.equal == "time"
    assert "0.3 seconds for each run" in verdict.budget
    assert {run.status for run in verdict.all_runs} == {"time"}


def test_equal_operations_give_a_cheaper_cell_more_tokens(corpus, tmp_path):
    settings = dataclasses.replace(NUMPY, hidden_size=30)
    verdict, _ = run_race(["lstm", "rnn"], corpus, tmp_path / "r", settings, 800, equal="flops")
    ended = runs_of(verdict)
    assert ended["rnn"].tokens > 1.3 * ended["lstm"].tokens


def test_saved_models_are_judged_without_training(corpus, tmp_path):
    trained, _ = run_race(["rnn", "gru"], corpus, tmp_path / "r", NUMPY, budget=600)
    files = [str(trained.folder / run.model) for run in trained.all_runs]
    verdict, again = run_race([*files, "lstm"], corpus, tmp_path / "s", NUMPY, budget=600)
    assert list(again) == ["lstm"]
    judged = runs_of(verdict)
    for file, run in zip(files, trained.all_runs, strict=True):
        assert judged[file].figures == run.figures
        assert (judged[file].status, judged[file].tokens) == ("done", 0)
    alone, none = run_race(files, corpus, tmp_path / "t", TrainConfig(), budget=None)
    assert not none
    assert (alone.equal, alone.budget, alone.seeds) == (None, "", [])


def test_models_of_one_run_are_compared_text_by_text(corpus, tmp_path):
    write_poems(tmp_path / "poems.txt", 60, seed=9)
    names = ["rnn", "gru", "ngram:2"]
    options = {"settings": NUMPY, "budget": 600, "on": tmp_path / "poems.txt"}
    verdict, _ = run_race(names, corpus, tmp_path / "r", **options)
    assert len(verdict.differences) == 3
    for difference in verdict.differences:
        assert 0 <= difference.p_value <= 1
        assert difference.is_of_models
    resumed, events = run_race(names, corpus, tmp_path / "r", resume=True, **options)
    assert not events
    assert resumed.differences == verdict.differences
    assert [run.figures for run in resumed.all_runs] == [run.figures for run in verdict.all_runs]


def test_a_saved_model_is_read_once_to_check_it_and_once_to_measure_it(
    corpus, tmp_path, monkeypatch
):
    paths = [tmp_path / f"{number}.safetensors" for number in (1, 2)]
    for number, path in enumerate(paths):
        save_model(tiny_model("gru", tokens="".join(corpus.vocabulary.tokens), seed=number), path)
    names = [str(path) for path in paths]
    read = []
    for module in (contenders, schedule):

        def load(path, module=module):
            read.append((module, str(path)))
            return load_model(path)

        monkeypatch.setattr(module, "load_model", load)
    settings = TrainConfig()
    entrants = contenders.parse_contenders(names, settings, ())
    verdict, _ = run_race(entrants, corpus, tmp_path / "r", settings, budget=None)
    assert read == [(module, name) for module in (contenders, schedule) for name in names]
    assert all(one.poems for one in verdict.contenders)


# What fails.


def failing(monkeypatch, arch, error, at=3):
    """Let the training of an architecture raise ``error`` at a step."""
    train_step = NumpyEngine.train_step
    steps = []

    def step(engine: Engine, batch, rate):
        if engine.network().config.arch == arch:
            steps.append(1)
            if len(steps) == at:
                raise error
        return train_step(engine, batch, rate)

    monkeypatch.setattr(NumpyEngine, "train_step", step)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (DivergedError("The loss is NaN.", "Lower it."), "diverged", "The loss is NaN."),
        (SettingError("It is wrong.", "Right it."), "failed", "It is wrong."),
        (MemoryError(), "failed", "There is not enough memory."),
        (
            OSError(28, "No space left", "gru.x"),
            "failed",
            "The system says: No space left (gru.x).",
        ),
        (ZeroDivisionError("division by zero"), "failed", "ZeroDivisionError: division by zero."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_contender_that_fails_stands_with_its_reason_and_the_others_go_on(
    corpus, tmp_path, monkeypatch, error, status, reason
):
    failing(monkeypatch, "gru", error)
    told = []
    verdict, _ = run_race(
        ["rnn", "gru", "lstm"], corpus, tmp_path / "r", NUMPY,
        on_failure=lambda name, error: told.append((name, error)),
    )  # fmt: skip
    ended = runs_of(verdict)
    assert (ended["gru"].status, ended["gru"].reason) == (status, reason)
    assert ended["gru"].figures is None
    assert all(contender.num_parameters > 0 for contender in verdict.contenders)
    assert told == [("gru", error)]
    for name in ("rnn", "lstm"):
        assert ended[name].status == "done"
        assert ended[name].figures is not None
    report = json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
    assert [one["runs"][0]["status"] for one in report["contenders"]] == ["done", status, "done"]


def test_a_run_that_diverges_says_what_it_had(corpus, tmp_path):
    settings = dataclasses.replace(
        NUMPY, optimizer="sgd", learning_rate=1e30, grad_clip=0.0, schedule="constant", warmup=0.0
    )
    verdict, _ = run_race(["rnn", "gru:learning_rate=0.1"], corpus, tmp_path / "r", settings)
    diverged, good = verdict.all_runs
    assert diverged.status == "diverged"
    assert "NaN or infinite" in diverged.reason
    assert (diverged.device, diverged.precision) == ("cpu", good.precision)
    assert (good.status, diverged.figures) == ("done", None)
    assert not list(verdict.folder.glob("*.checkpoint*"))


def test_what_has_finished_is_in_the_report_before_the_next_begins(corpus, tmp_path):
    seen = []

    def look(name, event):
        if isinstance(event, Started):
            report = json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
            seen.append([one["runs"][0]["reason"] for one in report["contenders"]])

    verdicts = []
    compare_options = {"corpus": corpus, "budget": 500, "settings": NUMPY}
    compare(
        ["rnn", "gru"], folder=tmp_path / "r", on_event=look, on_verdict=verdicts.append,
        num_samples=5, **compare_options,
    )  # fmt: skip
    assert seen == [["It was not begun.", "It was not begun."], ["", "It was not begun."]]
    assert [len(one.contenders[0].figures) for one in verdicts] == [0, 1, 1]
    assert [len(one.contenders[1].figures) for one in verdicts] == [0, 0, 1]


def test_an_interrupted_contender_stands_with_what_it_had(corpus, tmp_path):
    events = {}

    def stop():
        return any(isinstance(event, Progress) for event in events.get("gru", []))

    verdict = compare(
        ["rnn", "gru", "lstm"], num_samples=5, corpus=corpus, budget=BUDGET, settings=SETTINGS,
        folder=tmp_path / "r", should_stop=stop,
        on_event=lambda name, event: events.setdefault(name, []).append(event),
    )  # fmt: skip
    ended = runs_of(verdict)
    assert list(events) == ["rnn", "gru"]
    assert ended["rnn"].status == "done"
    assert (ended["gru"].status, ended["gru"].reason) == ("interrupted", "")
    assert 0 < ended["gru"].steps < ended["rnn"].steps
    assert 0 < ended["gru"].tokens < ended["rnn"].tokens
    assert (ended["lstm"].status, ended["lstm"].reason) == ("interrupted", "It was not begun.")
    assert (tmp_path / "r" / "gru.checkpoint").exists()


# What is refused before any training.


@pytest.mark.parametrize(
    ("contenders", "options", "error", "word"),
    [
        (["gru"], {}, InputError, "two"),
        (["gru", "transformer"], {}, InputError, "transformer"),
        (["gru", "lstm"], {"budget": 0}, SettingError, "--budget 0"),
        (["gru", "lstm"], {"seeds": 0}, SettingError, "--seeds 0"),
        (["gru", "lstm"], {"start": "龘"}, PromptError, "龘"),
        (["gru", "lstm"], {"start": 200 * "日"}, SettingError, "200 characters"),
        (["gru", "lstm:init=tang"], {}, SettingError, "init"),
        (["gru", "lstm:batching=sequential,batch_size=9999"], {}, SettingError, "one batch"),
        (["gru", "lstm:engine=numpy,precision=bfloat16"], {}, SettingError, "numpy"),
        (["gru", "lstm:device=mps"], {}, DeviceError, "mps"),
    ],
    ids=str,
)
def test_wrong_use_is_found_before_anything_is_written(
    corpus, tmp_path, contenders, options, error, word
):
    with pytest.raises(error) as caught:
        run_race(contenders, corpus, tmp_path / "r", **options)
    assert word in caught.value.problem + caught.value.advice
    assert not list(tmp_path.iterdir())


def test_without_training_there_is_no_budget(corpus, tmp_path):
    for number in (1, 2):
        save_model(tiny_model("gru", seed=number), tmp_path / f"{number}.safetensors")
    models = [str(tmp_path / f"{number}.safetensors") for number in (1, 2)]
    with pytest.raises(SettingError, match="no budget"):
        run_race(models, corpus, tmp_path / "r", TrainConfig(), budget=100)


def test_a_model_of_another_language_is_refused(corpus, tmp_path):
    english = tiny_model("gru", tokens="the quickbrown")
    save_model(english, tmp_path / "english.safetensors")
    with pytest.raises(InputError, match="another language"):
        run_race(["gru", str(tmp_path / "english.safetensors")], corpus, tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_folder_that_exists_is_used_only_by_force(corpus, tmp_path):
    with pytest.raises(ExistsError):
        run_race(["rnn", "gru"], corpus, tmp_path)
    assert not list(tmp_path.iterdir())
    verdict, _ = run_race(["rnn", "gru"], corpus, tmp_path, budget=500, force=True)
    assert verdict.folder == tmp_path


# On what all are judged.


def test_architectures_models_and_n_grams_stand_in_one_list(corpus, tmp_path):
    trained, _ = run_race(["rnn", "gru"], corpus, tmp_path / "r", NUMPY, budget=600)
    model = str(trained.folder / "gru.safetensors")
    notes = []
    verdict, _ = run_race(
        ["ngram:2", model, "lstm", "ngram:3"], corpus, tmp_path / "s", NUMPY, budget=600,
        on_note=notes.append,
    )  # fmt: skip
    assert [contender.kind for contender in verdict.contenders] == [
        *("ngram", "saved", "trained", "ngram"),
    ]
    for contender in verdict.contenders:
        (figures,) = contender.figures
        assert figures.num_tokens == corpus.splits["validation"].num_targets
        assert contender.num_parameters > 0
        assert (contender.shape is None) == (contender.kind == "ngram")
        assert len(contender.poems) == len(verdict.starts)
    assert [note.partition(" on ")[0] for note in notes] == [
        *("Measuring ngram:2", f"Measuring {model}", "Measuring ngram:3"),
        "Measuring lstm, seed 5,",
    ]
    # One that is trained alone has no other to be as large as.
    assert verdict.equal == "tokens"


def test_all_are_judged_on_the_text_that_is_given(corpus, tmp_path):
    poems = tmp_path / "poems.txt"
    learned = decode_poems(corpus.splits["train"], corpus.vocabulary)[:4]
    new = ["龙山秋月白，水远雁声寒。", "月花夜远江湖水，日人心去来归君。"]
    lines = [f"题:{poem}" for poem in (*learned, *new)]
    poems.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # A model that does not name its corpus.
    save_model(tiny_model(), tmp_path / "nameless.safetensors")
    names = ["rnn", "ngram:2", str(tmp_path / "nameless.safetensors")]
    told = []
    verdict, _ = run_race(
        names, corpus, tmp_path / "r", NUMPY, budget=600, on=poems, on_note=told.append
    )
    (note,) = verdict.notes
    assert "does not say from which corpus" in note
    assert note in told
    assert note in (tmp_path / "r" / "report.md").read_text("utf-8")
    assert verdict.on == f"{poems}: 2 poems (left out: 4 in training)"
    assert not verdict.on_validation
    for contender in verdict.contenders:
        (figures,) = contender.figures
        assert figures.num_tokens == sum(len(poem) + 1 for poem in new)
        assert figures.unknown_share > 0


def test_a_text_that_cannot_be_read_is_found_before_any_training(corpus, tmp_path):
    (tmp_path / "empty.txt").write_bytes(b"")
    for on in (tmp_path / "empty.txt", tmp_path / "nothing.txt", "no-such-corpus"):
        with pytest.raises(InputError):
            run_race(["rnn", "gru"], corpus, tmp_path / "r", NUMPY, on=on)
    assert not (tmp_path / "r").exists()


def test_judging_that_fails_leaves_the_training_to_be_judged_again(corpus, tmp_path, monkeypatch):
    told = []

    def fail(model, texts):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(schedule, "judge", fail)
        verdict, _ = run_race(
            ["rnn", "gru"], corpus, tmp_path / "r", NUMPY, budget=600,
            on_failure=lambda name, error: told.append(name),
        )  # fmt: skip
    assert told == ["rnn", "gru"]
    assert {(run.status, run.reason) for run in verdict.all_runs} == {
        ("failed", "There is not enough memory.")
    }
    assert all(run.tokens for run in verdict.all_runs)
    options = {"settings": NUMPY, "budget": 600, "resume": True}
    with monkeypatch.context() as patch:  # once more
        patch.setattr(schedule, "judge", fail)
        _, events = run_race(["rnn", "gru"], corpus, tmp_path / "r", **options)
    assert not events
    again, events = run_race(["rnn", "gru"], corpus, tmp_path / "r", **options)
    assert not events
    assert {run.status for run in again.all_runs} == {"done"}


def test_a_model_that_is_gone_before_it_was_judged_is_trained_again(corpus, tmp_path, monkeypatch):
    def fail(model, texts):
        raise MemoryError

    options = {"settings": NUMPY, "budget": 600}
    with monkeypatch.context() as patch:
        patch.setattr(schedule, "judge", fail)
        run_race(["rnn", "gru"], corpus, tmp_path / "r", **options)
    (tmp_path / "r" / "gru.safetensors").unlink()
    again, events = run_race(["rnn", "gru"], corpus, tmp_path / "r", resume=True, **options)
    assert list(events) == ["gru"]
    assert {run.status for run in again.all_runs} == {"done"}
