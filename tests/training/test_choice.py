"""What the choice among drafts needs: made by ``train`` and ``add_choice``."""

import dataclasses

import numpy as np
import pytest

from poetgen.config import PrepareConfig
from poetgen.corpus.corpus import decode_poems
from poetgen.corpus.prepare import build_corpus
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import ModelError, SettingError
from poetgen.networks.model_file import load_model, save_model
from poetgen.training.choice import add_choice, has_choice
from poetgen.training.events import Progress
from poetgen.training.run import train
from tests.runs import TINY
from tests.tiny import tiny_corpus, tiny_model
from tests.verse.samples import lines_in

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def corpus():
    return tiny_corpus(60, seed=8)


def prose(tmp_path, text, name="prose.txt"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return build_corpus([tmp_path / name], "prose", PrepareConfig(format="prose")).corpus


def test_a_training_leaves_what_the_choice_needs(corpus, tmp_path):
    trained = train(corpus, settings=TINY, folder=tmp_path)
    model = load_model(trained.model)
    texts = decode_poems(corpus.splits["train"], corpus.vocabulary)
    assert len(texts) == len(corpus.splits["train"])
    for text, novelty in zip(texts, model.choice.novelty.check(texts), strict=True):
        assert novelty.copied_lines == tuple(lines_in(text))
    # The held-out poems are not in it.
    held_out = decode_poems(corpus.splits["validation"], corpus.vocabulary)
    assert not all(novelty.copied_lines for novelty in model.choice.novelty.check(held_out))


def test_an_interrupted_training_does_not_and_a_resumed_one_does(corpus, tmp_path):
    stopped = train(corpus, name="m", settings=TINY, folder=tmp_path, should_stop=lambda: True)
    assert stopped.reason == "interrupted"
    assert load_model(stopped.model).choice is None
    assert (
        load_model(train(corpus, name="m", folder=tmp_path, resume=True).model).choice is not None
    )


def test_a_run_that_was_killed_before_it_had_its_choice_gets_it(corpus, tmp_path, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("poetgen.training.run.add_choice", killed)
        with pytest.raises(KeyboardInterrupt):
            train(corpus, name="m", settings=TINY, folder=tmp_path)
    events = []
    trained = train(corpus, name="m", folder=tmp_path, resume=True, on_event=events.append)
    assert not any(isinstance(event, Progress) for event in events)
    assert load_model(trained.model).choice is not None
    assert not list(tmp_path.glob("*.checkpoint*"))


def test_prose_and_other_languages_have_nothing_to_choose_by(tmp_path):
    english = prose(tmp_path, "".join(f"It was the best of {n} times.\n" for n in range(90)))
    assert not has_choice(english)
    chinese = "".join(f"天地玄黄，宇宙洪荒，{'日月' * n}盈昃。\n" for n in range(90))
    assert not has_choice(prose(tmp_path, chinese, "chinese.txt"))
    trained = train(english, settings=dataclasses.replace(TINY, epochs=1), folder=tmp_path)
    assert load_model(trained.model).choice is None
    with pytest.raises(SettingError, match="not Chinese verse"):
        add_choice(trained.model, english)


def test_an_older_model_gets_it_and_nothing_else_changes(corpus, tmp_path):
    path = train(corpus, name="new", settings=TINY, folder=tmp_path).model
    new, old = path.read_bytes(), tmp_path / "old.safetensors"
    save_model(dataclasses.replace(load_model(path), choice=None), old)
    notes = []
    assert add_choice(old, corpus, on_note=notes.append) == old
    assert old.read_bytes() == new
    assert notes == []
    add_choice(old, corpus)
    assert old.read_bytes() == new


def test_a_model_of_another_corpus_is_noted_and_one_of_another_script_refused(corpus, tmp_path):
    path = tmp_path / "m.safetensors"
    model = tiny_model()
    save_model(dataclasses.replace(model, script=corpus.script), path)
    add_choice(path, corpus)
    trained = train(tiny_corpus(40, seed=9), settings=TINY, folder=tmp_path).model
    notes = []
    add_choice(trained, corpus, on_note=notes.append)
    assert len(notes) == 1
    assert corpus.fingerprint in notes[0]
    save_model(dataclasses.replace(model, script="traditional"), path)
    before = path.read_bytes()
    with pytest.raises(SettingError, match="traditional"):
        add_choice(path, corpus)
    assert path.read_bytes() == before


def test_only_model_files_of_poetgen_get_it(corpus, tmp_path):
    for name in ("none.safetensors", "snapshot.pkl"):
        with pytest.raises(ModelError):
            add_choice(tmp_path / name, corpus)
    with pytest.raises(ModelError, match="no model"):
        add_choice("no-such-model", corpus)


def test_decoded_poems_are_those_that_were_encoded(corpus):
    poems = corpus.splits["train"]
    for text, ids in zip(decode_poems(poems, corpus.vocabulary), map(list, poems), strict=True):
        assert corpus.vocabulary.encode_text(text) == ids[1:-1]
    few = Vocabulary(corpus.vocabulary.tokens[:5])
    clipped = dataclasses.replace(poems, tokens=np.minimum(poems.tokens, len(few)))
    clipped.tokens[clipped.tokens == len(few)] = 3
    for text, whole in zip(
        decode_poems(clipped, few), decode_poems(poems, corpus.vocabulary), strict=True
    ):
        assert text == "".join(char if char in few else "\ufffd" for char in whole)
