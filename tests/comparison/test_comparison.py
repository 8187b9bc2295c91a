import dataclasses
import json

import pytest

from poetgen.comparison.race import compare, parse_contenders
from poetgen.comparison.report import columns, save_report
from poetgen.config import ARCHS, TrainConfig
from poetgen.errors import ExistsError, InputError, SettingError
from poetgen.networks.model import num_parameters
from poetgen.networks.model_file import load_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.torch_model import LanguageModel
from poetgen.training.evaluation import evaluate
from poetgen.training.events import Progress, Started, Trained
from poetgen.verse.layout import couplets
from tests.tiny import tiny_corpus

BUDGET = 2000
SETTINGS = TrainConfig(hidden_size=12, embedding_dim=7, batch_tokens=256, device="cpu", seed=5)


pytestmark = pytest.mark.usefixtures("one_thread")


def run_race(contenders, corpus, folder, settings=SETTINGS, budget=BUDGET, **options):
    """Run a race; its comparison, and the events of each contender."""
    events = {}
    comparison = compare(
        contenders, corpus=corpus, budget=budget, settings=settings, folder=folder,
        on_event=lambda name, event: events.setdefault(name, []).append(event), **options,
    )  # fmt: skip
    return comparison, events


@pytest.fixture(scope="module")
def corpus():
    return tiny_corpus(60, seed=8)


@pytest.fixture(scope="module")
def race(corpus, tmp_path_factory):
    """A race of all three: its comparison, the batches of each contender, and its events."""
    folder = tmp_path_factory.mktemp("race") / "reports"
    batches = {arch: [] for arch in ARCHS}
    summed_loss = LanguageModel.summed_loss

    def watched(model, inputs, wanted, places=None, state=None):
        # A small model tries bfloat16 before; it knows other tokens.
        if model.config.vocab_size == len(corpus.vocabulary.with_fields()):
            batches[model.config.arch].append((inputs.tolist(), wanted.tolist()))
        return summed_loss(model, inputs, wanted, places, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LanguageModel, "summed_loss", watched)
        comparison, events = run_race(ARCHS, corpus, folder, start="日")
    return comparison, batches, events


@pytest.fixture(scope="module")
def results(race):
    return race[0].results


def test_contenders_are_named_as_one_likes_and_keep_their_order():
    assert parse_contenders(["lstm", "GRU"]) == ["lstm", "gru"]
    assert parse_contenders(["Rnn"]) == ["rnn"]


@pytest.mark.parametrize("names", [["lstm", "transformer"], ["gru", "lstm", "GRU"], [""]], ids=str)
def test_unknown_and_repeated_contenders_are_refused_by_name(names):
    with pytest.raises(InputError) as caught:
        parse_contenders(names)
    assert names[-1].lower() in caught.value.problem


def test_one_contender_may_be_a_word_and_a_budget_is_at_least_one_token(corpus, tmp_path):
    with pytest.raises(InputError, match="There is no architecture transformer"):
        compare("transformer", corpus=corpus, folder=tmp_path / "r")
    with pytest.raises(SettingError, match="--budget 0"):
        compare("gru", corpus=corpus, budget=0, folder=tmp_path / "r")
    with pytest.raises(SettingError, match="begin anew"):
        compare("gru", corpus=corpus, settings=TrainConfig(init="tang"), folder=tmp_path / "r")
    assert not list(tmp_path.iterdir())


def test_every_contender_sees_the_same_batches_in_the_same_order(race, results):
    _, batches, _ = race
    assert len(batches["rnn"]) > 5
    assert batches["rnn"] == batches["gru"] == batches["lstm"]
    assert {result.num_steps for result in results} == {len(batches["rnn"])}


def test_every_contender_has_the_budget_and_no_more_than_a_batch_beyond(race):
    _, batches, _ = race
    tokens = [len(wanted) for _, wanted in batches["gru"]]
    assert abs(sum(tokens) - BUDGET) <= max(tokens)


def test_a_contender_reports_the_events_of_its_training(race):
    _, _, events = race
    assert list(events) == list(ARCHS)
    for of_contender in events.values():
        assert isinstance(of_contender[0], Started)
        assert any(isinstance(event, Progress) for event in of_contender)
        assert isinstance(of_contender[-1], Trained)


def test_a_result_says_what_its_model_is_worth(race, corpus, results):
    for result in results:
        model = load_model(race[0].folder / result.model)
        assert model.config.arch == result.arch == result.name
        assert num_parameters(model.config) == result.num_parameters
        # What "auto" came to.
        assert result.device == model.training["device"]
        # Measured again from the file, whose weights have three digits.
        network = NumpyModel(model.config, model.weights)
        again = evaluate(network, corpus.splits["validation"], corpus.vocabulary)
        assert result.val_loss == pytest.approx(again.loss_per_token, rel=2e-3)
        assert result.perplexity_per_token == pytest.approx(again.perplexity_per_token, rel=1e-2)
        assert result.perplexity_per_hanzi == pytest.approx(again.perplexity_per_hanzi, rel=1e-2)
        assert result.tokens_per_second > 0


def test_seconds_of_training_go_with_the_tokens_and_all_seconds_are_more(race, results):
    _, batches, events = race
    for result in results:
        num_tokens = sum(len(wanted) for _, wanted in batches[result.arch])
        assert result.train_seconds * result.tokens_per_second == pytest.approx(num_tokens)
        assert (
            result.train_seconds < result.total_seconds == events[result.arch][-1].elapsed_seconds
        )
        cells = columns(result)
        assert cells["train s"] == f"{result.train_seconds:.1f}"
        assert cells["total s"] == f"{result.total_seconds:.1f}"


def test_a_race_leaves_models_metrics_and_a_report_and_no_checkpoints(race):
    assert {path.name for path in race[0].folder.iterdir()} == {
        "report.md",
        "results.json",
        *(f"{arch}{suffix}" for arch in ARCHS for suffix in (".safetensors", ".metrics.jsonl")),
    }


def test_poems_begin_as_asked(results):
    assert all(result.poem.startswith("日") for result in results)


def test_without_a_start_a_contender_writes_freely(corpus, tmp_path):
    comparison, _ = run_race(["rnn"], corpus, tmp_path / "r", budget=500, start="")
    assert comparison.results[0].poem


def test_the_same_race_twice_has_the_same_outcome(results, corpus, tmp_path):
    comparison, _ = run_race(["gru"], corpus, tmp_path / "r", start="日")
    timeless = [
        dataclasses.replace(result, train_seconds=0, total_seconds=0, tokens_per_second=0)
        for result in (results[1], comparison.results[0])
    ]
    assert timeless[0] == timeless[1]


def test_an_interrupted_contender_ends_the_race_without_a_result(corpus, tmp_path):
    events = {}

    def stop():
        return any(isinstance(event, Progress) for event in events.get("gru", []))

    comparison = compare(
        ["rnn", "gru", "lstm"], corpus=corpus, budget=BUDGET, settings=SETTINGS,
        folder=tmp_path / "r", should_stop=stop,
        on_event=lambda name, event: events.setdefault(name, []).append(event),
    )  # fmt: skip
    assert [result.name for result in comparison.results] == ["rnn"]
    assert list(events) == ["rnn", "gru"]
    assert events["gru"][-1].reason == "interrupted"
    assert 0 < events["gru"][-1].step < events["gru"][0].total_steps


def test_a_contender_whose_time_is_up_has_a_result(corpus, tmp_path):
    settings = dataclasses.replace(SETTINGS, max_minutes=0.01)
    comparison, events = run_race(["gru"], corpus, tmp_path / "r", settings, budget=10**8)
    assert events["gru"][-1].reason == "time"
    assert [result.name for result in comparison.results] == ["gru"]


def test_a_folder_that_exists_is_used_only_by_force(corpus, tmp_path):
    with pytest.raises(ExistsError):
        run_race(["rnn"], corpus, tmp_path)
    assert not list(tmp_path.iterdir())
    comparison, _ = run_race(["rnn"], corpus, tmp_path, budget=500, force=True)
    assert comparison.folder == tmp_path


def test_the_report_holds_every_result_for_programs(race, results, corpus):
    report = json.loads((race[0].folder / "results.json").read_text(encoding="utf-8"))
    assert report["contenders"] == [dataclasses.asdict(result) for result in results]
    assert report["settings"] == dataclasses.asdict(SETTINGS)
    assert report["budget"] == BUDGET
    assert report["corpus"] == {"name": corpus.name, "fingerprint": corpus.fingerprint}


def test_the_report_holds_every_result_for_people(race, results, corpus):
    text = (race[0].folder / "report.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(results)
    assert len({row.count("|") for row in rows}) == 1
    assert corpus.fingerprint in text
    for row, result in zip(rows[2:], results, strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[0] == result.name
        assert f"{result.num_parameters:,}" in cells
        assert f"{result.perplexity_per_token:.2f}" in cells
        assert f"{result.perplexity_per_hanzi:.1f}" in cells
        for couplet in couplets(result.poem):
            assert couplet in text


def test_a_report_on_a_text_without_hanzi_shows_a_dash(race, results, tmp_path):
    result = dataclasses.replace(results[0], perplexity_per_hanzi=None)
    save_report(dataclasses.replace(race[0], results=[result], folder=tmp_path))
    assert (tmp_path / "report.md").read_text(encoding="utf-8").count("| – |") == 1
    report = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert report["contenders"][0]["perplexity_per_hanzi"] is None
