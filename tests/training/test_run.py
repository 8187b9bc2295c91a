"""The library function ``train``: what it returns, leaves, refuses and resumes."""

import dataclasses

import pytest

from poetgen.corpus.folder import save_corpus
from poetgen.errors import CorpusError, ExistsError, ModelError, SettingError
from poetgen.networks.model_file import load_model
from poetgen.training.checkpoint import load_checkpoint
from poetgen.training.events import Note, Progress, Started, Trained, Validated
from poetgen.training.run import train
from poetgen.training.run_files import RunFiles
from tests.runs import TINY, of_kind
from tests.tiny import tiny_corpus

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def corpus():
    return tiny_corpus(60, seed=8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, so that ./corpora and ./models are this test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stop_after(num_steps):
    """A listener and its ``should_stop``: True once so many steps were reported."""
    steps = []

    def listen(event):
        if isinstance(event, Progress):
            steps.append(event.step)

    return listen, lambda: bool(steps) and steps[-1] >= num_steps


def test_a_training_returns_its_last_event_and_leaves_its_model(folder, corpus):
    events = []
    trained = train(corpus, settings=TINY, on_event=events.append)
    assert isinstance(trained, Trained)
    assert trained is events[-1]
    assert isinstance(events[0], Started)
    assert (trained.name, trained.reason) == ("tiny-gru", "done")
    model = load_model(trained.model)
    assert model.config == trained.shape == trained.settings.shape(len(model.vocabulary))
    assert model.vocabulary.tokens == corpus.vocabulary.tokens
    assert model.validation == trained.best
    assert {path.name for path in (folder / "models").iterdir()} == {
        "tiny-gru.safetensors",
        "tiny-gru.metrics.jsonl",
    }


def test_a_corpus_may_be_a_name_a_folder_or_loaded(folder, corpus):
    save_corpus(corpus, folder / "corpora" / "tiny")
    settings = dataclasses.replace(TINY, epochs=1)
    models = [
        load_model(train(given, name=f"m{number}", settings=settings).model)
        for number, given in enumerate(["tiny", folder / "corpora" / "tiny", corpus])
    ]
    for model in models[1:]:
        assert model.corpus == models[0].corpus
        for name, weights in models[0].weights.items():
            assert (model.weights[name] == weights).all()
    with pytest.raises(CorpusError, match="There is no prepared corpus other"):
        train("other", settings=settings)


def test_a_name_that_is_taken_is_numbered_or_refused(folder, corpus):
    settings = dataclasses.replace(TINY, epochs=1)
    assert [train(corpus, settings=settings).name for _ in range(2)] == ["tiny-gru", "tiny-gru-2"]
    before = (folder / "models/tiny-gru.safetensors").read_bytes()
    with pytest.raises(ExistsError):
        train(corpus, name="tiny-gru", settings=settings)
    assert (folder / "models/tiny-gru.safetensors").read_bytes() == before
    other = dataclasses.replace(settings, seed=4)
    train(corpus, name="tiny-gru", settings=other, force=True)
    assert (folder / "models/tiny-gru.safetensors").read_bytes() != before


def test_two_that_write_one_model_at_a_time_are_not_possible(folder, corpus):
    with RunFiles(folder / "models", "m").held(), pytest.raises(ExistsError, match="at this"):
        train(corpus, name="m", settings=TINY)


def test_a_run_that_stopped_resumes_with_its_own_settings(folder, corpus):
    whole = train(corpus, name="whole", settings=TINY)
    listen, should_stop = stop_after(3)
    stopped = train(corpus, name="parts", settings=TINY, on_event=listen, should_stop=should_stop)
    assert stopped.reason == "interrupted"
    # The default settings ask for nothing else.
    resumed = train(corpus, name="parts", resume=True)
    assert resumed.settings == whole.settings
    assert resumed.step == whole.step
    assert resumed.best == whole.best


def test_only_what_does_not_change_the_computation_may_change_on_resume(folder, corpus):
    listen, should_stop = stop_after(1)
    train(corpus, name="m", settings=TINY, on_event=listen, should_stop=should_stop)
    with pytest.raises(SettingError, match="--dropout"):
        train(corpus, name="m", settings=dataclasses.replace(TINY, dropout=0.1), resume=True)
    # The default is a request, too, if the caller says so.
    with pytest.raises(SettingError, match=r"--hidden-size 12, not with --hidden-size 768"):
        train(corpus, name="m", given={"hidden_size"}, resume=True)
    state = load_checkpoint(RunFiles(folder / "models", "m").checkpoint).state
    resumed = train(
        corpus, name="m", settings=dataclasses.replace(TINY, max_minutes=9.0), resume=True
    )
    assert resumed.settings == dataclasses.replace(state.training, max_minutes=9.0)


def test_there_must_be_something_to_resume(folder, corpus):
    with pytest.raises(ModelError, match="There is no run m to resume"):
        train(corpus, name="m", resume=True)
    train(corpus, name="m", settings=dataclasses.replace(TINY, epochs=1))
    with pytest.raises(ModelError, match="finished"):
        train(corpus, name="m", resume=True)
    with pytest.raises(SettingError):
        train(corpus, name="m", resume=True, force=True)


def test_what_a_resumed_run_has_lost_is_noted(folder, corpus):
    listen, should_stop = stop_after(1)
    train(corpus, name="m", settings=TINY, on_event=listen, should_stop=should_stop)
    RunFiles(folder / "models", "m").metrics.unlink()
    events = []
    train(corpus, name="m", resume=True, on_event=events.append)
    (note,) = of_kind(events, Note)
    assert "m.metrics.jsonl is missing" in note.text
    assert of_kind(events, Validated)


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_a_model_is_stored_in_the_format_that_is_asked_for(folder, corpus, storage):
    settings = dataclasses.replace(TINY, epochs=1, storage=storage)
    model = load_model(train(corpus, settings=settings).model)
    assert model.storage == model.training["storage"] == storage
    # The index that is added at the end changes nothing of it.
    assert model.choice is not None
