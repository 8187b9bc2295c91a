"""What is measured of a contender's poems."""

import os
import sys
from dataclasses import asdict, replace

import pytest

from poetgen.comparison.measuring import cold_seconds, measure_poems, panel_of, starts_for
from poetgen.config import OccasionConfig, SampleConfig, SearchConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import PoetgenError
from poetgen.generation.poet import Poet, generate
from poetgen.networks.model_file import save_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.choice import build_choice
from poetgen.verse.forms import form_of
from poetgen.verse.panel import panel
from poetgen.verse.self_bleu import self_bleu
from tests.scripted import poet_of
from tests.tiny import tiny_model
from tests.verse.samples import chance_poems

CHOICE = build_choice(chance_poems(200, seed=4))


def poet(choice=CHOICE, **options):
    model = replace(tiny_model(**options), choice=choice)
    return Poet("tiny", model, NumpyModel(model.config, model.weights))


def test_poems_are_what_generate_writes_for_each_start_and_seed():
    measured = measure_poems(poet(), ["日", "山月"], [3, 4], num_poems=5)
    assert measured.poems == [
        generate(model=poet(), start=start, seed=seed)[0].text
        for start in ("日", "山月")
        for seed in (3, 4)
    ]
    assert measured.warm_seconds > 0


def test_the_panel_is_of_single_free_drafts_and_held_to_the_index_of_the_model():
    written = generate(
        model=poet(), num_poems=20, sampling=SampleConfig(temperature=0.8),
        search=SearchConfig(best_of=1), occasion=OccasionConfig(untitled=True), seed=3,
    )  # fmt: skip
    texts = [poem.text for poem in written]
    found = panel_of(poet(), 20, 3)
    extra = {"form": found["form"], "self_bleu": self_bleu(texts)}
    assert found == {**asdict(panel(texts, CHOICE)), **extra}
    assert measure_poems(poet(), ["日"], [3], 20).panel == found
    assert panel_of(poet(choice=None), 20, 3, CHOICE) == found


def test_a_model_that_knows_titles_writes_the_panel_without_them():
    assert panel_of(poet(fields=True), 5, 3)["num_poems"] == 5


def test_the_panel_has_no_rules_also_of_a_model_that_thinks_of_forms():
    thinker = poet_of("五绝", index=True)
    (poem,) = generate(model=thinker, seed=1)
    assert form_of(poem.text) == "五绝"
    assert panel_of(thinker, 12, 1)["form"] < 0.5


def test_other_languages_and_models_without_an_index_have_no_panel():
    assert panel_of(poet(choice=None), 5, 1) is None
    assert panel_of(poet(tokens="abc ."), 5, 1) is None
    english = measure_poems(poet(choice=None, tokens="abc ."), ["a"], [1], 5)
    assert english.panel is None
    assert english.poems[0].startswith("a")


def test_starts_are_those_that_all_models_know():
    assert starts_for([Vocabulary("日山月君")], 2) == ["日", "山"]
    assert starts_for([Vocabulary("日山月君"), Vocabulary("君月海")]) == ["月", "君"]
    assert starts_for([Vocabulary("日山月君"), Vocabulary("abc")]) == [""]


def test_a_cold_poem_takes_a_process_of_its_own(tmp_path):
    save_model(tiny_model(), tmp_path / "tiny.safetensors")
    assert 0.02 < cold_seconds(tmp_path / "tiny.safetensors") < 120


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sessions")
def test_an_interrupt_from_the_keyboard_does_not_reach_a_cold_start(tmp_path, monkeypatch):
    sessions, python = tmp_path / "sessions", tmp_path / "python"
    written = f"import os; print(os.getsid(0), file=open({str(sessions)!r}, 'a'))"
    python.write_text(f"#!{sys.executable}\n{written}\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    cold_seconds(tmp_path / "tiny.safetensors")
    assert str(os.getsid(0)) not in sessions.read_text("utf-8").split()


def test_a_model_that_writes_nothing_is_an_error_that_says_why(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(PoetgenError, match=r"bad\.safetensors wrote no poem") as caught:
        cold_seconds(tmp_path / "bad.safetensors")
    assert "bad.safetensors" in caught.value.advice
