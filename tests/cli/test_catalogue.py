"""The lists of what can be fetched and what is here, and the guess at a mistyped name."""

import json

import pytest

from poetgen.networks.model_file import load_model, save_model
from poetgen.places import NAMED_CORPORA, SHIPPED_MODELS, shipped_models
from tests.command import assert_two_line_error, poetgen
from tests.synthetic import write_poems
from tests.tiny import tiny_model


@pytest.fixture
def here(tmp_path):
    """A folder with a corpus ``few``, a damaged one, a model ``mine`` and a truncated one."""
    write_poems(tmp_path / "poems.txt", 60)
    assert poetgen("prepare", "poems.txt", "--name", "few", cwd=tmp_path).returncode == 0
    (tmp_path / "corpora/broken").mkdir()
    (tmp_path / "corpora/broken/corpus.json").write_text("{")
    save_model(tiny_model("gru"), tmp_path / "models/mine.safetensors")
    whole = (tmp_path / "models/mine.safetensors").read_bytes()
    (tmp_path / "models/cut.safetensors").write_bytes(whole[:99])
    return tmp_path


def at_home(folder):
    return {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_DATA_HOME": str(folder / "data")}


def row_of(shown, name):
    (row,) = [line for line in shown.splitlines() if line.split()[:1] == [name]]
    return row


def test_prepare_lists_named_corpora_and_others(here):
    done = poetgen("prepare", "--list", cwd=here, **at_home(here))
    assert (done.returncode, done.stderr) == (0, "")
    assert all("to be fetched" in row_of(done.stdout, name) for name in NAMED_CORPORA)
    assert "57,607" in row_of(done.stdout, "tang")
    assert "25.6 MB" in row_of(done.stdout, "tang")
    few = row_of(done.stdout, "few")
    assert few.split()[1] == "60"
    assert few.endswith("prepared: corpora/few")
    assert "cannot be used: corpora/broken is not a whole corpus" in done.stdout
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


def test_prepare_lists_what_is_fetched_and_prepared(here):
    from poetgen.fetching.pinned import load_pinned

    cache = here / "cache/poetgen/corpora/tang"
    cache.mkdir(parents=True)
    files = load_pinned("tang").files
    for number, file in enumerate(files):
        (cache / file.name).write_bytes(bytes(file.num_bytes - (number == 0)))
    shown = poetgen("prepare", "--list", cwd=here, **at_home(here)).stdout
    assert "fetched in part: 25.2 MB" in row_of(shown, "tang")
    (cache / files[0].name).write_bytes(bytes(files[0].num_bytes))
    shown = poetgen("prepare", "--list", cwd=here, **at_home(here)).stdout
    assert row_of(shown, "tang").endswith(" fetched")
    assert poetgen("prepare", "poems.txt", "--name", "tang", cwd=here).returncode == 0
    shown = poetgen("prepare", "--list", cwd=here, **at_home(here)).stdout
    assert row_of(shown, "tang").endswith("prepared: 60 kept, in corpora/tang")


def test_inspect_without_a_name_lists_models_and_corpora(here):
    done = poetgen("inspect", cwd=here, **at_home(here))
    assert (done.returncode, done.stderr) == (0, "")
    mine = row_of(done.stdout, "mine")
    assert "gru 1 × 12" in mine
    assert mine.endswith(" models")
    shipped = load_model(shipped_models() / "tang.safetensors").validation
    tang = row_of(done.stdout, "tang")
    assert f"{shipped.perplexity_per_token:.2f}" in tang
    assert f"{shipped.perplexity_per_hanzi:.1f}" in tang
    assert tang.endswith(" shipped")
    assert "cannot be used: models/cut.safetensors" in row_of(done.stdout, "cut")
    assert row_of(done.stdout, "few").endswith("corpora/few")
    assert "cannot be used: corpora/broken" in row_of(done.stdout, "broken")
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


def test_json_has_what_the_tables_have(here):
    found = json.loads(poetgen("inspect", "--json", cwd=here, **at_home(here)).stdout)
    models = {model["name"]: model for model in found["models"]}
    corpora = {corpus["name"]: corpus for corpus in found["corpora"]}
    assert models.keys() == {"cut", "mine", *SHIPPED_MODELS}
    assert corpora.keys() == {"broken", "few"}
    assert models["tang"]["arch"] == "lstm"
    assert models["mine"]["perplexity_per_token"] is None
    assert models["tang"]["num_parameters"] == 7_723_673
    assert "not a whole model file" in models["cut"]["problem"]
    assert "not a whole corpus" in corpora["broken"]["problem"]
    assert corpora["few"]["num_poems"] == corpora["few"]["num_titled"] == 60
    assert corpora["few"]["folder"] == "corpora/few"


def test_the_list_reads_neither_weights_nor_tokens(here):
    for path in here.glob("corpora/few/*.npy"):
        path.write_bytes(b"")
    path = here / "models/mine.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    shown = poetgen("inspect", cwd=here, **at_home(here)).stdout
    assert "cannot be used" not in row_of(shown, "few")
    assert "cannot be used" not in row_of(shown, "mine")
    # Whoever uses them finds out.
    assert poetgen("inspect", "mine", cwd=here).returncode == 2


def test_an_empty_folder_says_how_to_get_a_corpus(tmp_path):
    done = poetgen("inspect", cwd=tmp_path, **at_home(tmp_path))
    assert "poetgen prepare --list" in done.stdout
    assert row_of(done.stdout, "tang")


def test_text_needs_the_name_of_a_model(tmp_path):
    done = poetgen("inspect", "--text", "日", cwd=tmp_path)
    assert_two_line_error(done, "need a model", "poetgen inspect MODEL")


def test_a_card_has_no_settings_without_effect(tmp_path):
    shown = poetgen("inspect", "tang", cwd=tmp_path).stdout
    training = row_of(shown, "training")
    for name in ("seq_len", "batch_size"):
        assert name not in training
    assert "batch_tokens 2,048" in training
    # The record itself stays whole.
    card = json.loads(poetgen("inspect", "tang", "--json", cwd=tmp_path).stdout)
    assert card["training"]["seq_len"] == 64


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (["train", "tnag"], "Did you mean tang?"),
        (["train", "fewe"], "Did you mean few?"),
        (["generate", "--model", "tnag"], "Did you mean tang?"),
        (["inspect", "mien"], "Did you mean mine?"),
        (["prepare", "sogn"], "Did you mean song?"),
        (["compare", "lstm", "gru", "--corpus", "tnag"], "Did you mean tang?"),
    ],
)
def test_a_mistyped_name_is_guessed(here, words, guess):
    done = poetgen(*words, cwd=here, **at_home(here))
    assert_two_line_error(done, guess)


@pytest.mark.parametrize("corpus", [[], ["--corpus", "nothing-like-it"]])
def test_compare_lists_what_is_prepared_and_how_to_choose_it(here, corpus):
    done = poetgen("compare", "lstm", "gru", *corpus, cwd=here, **at_home(here))
    assert_two_line_error(done, "few", "--corpus NAME")
    assert "Did you mean" not in done.stderr


def test_the_table_of_compare_has_no_padding_in_a_pipe(here):
    size = ["--hidden-size", "8", "--embedding-dim", "6", "--engine", "numpy", "--budget", "300"]
    done = poetgen("compare", "lstm", "gru", "--corpus", "few", *size, cwd=here)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["lstm", "gru"]
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())
