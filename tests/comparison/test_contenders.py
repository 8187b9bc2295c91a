"""Names of contenders are read, and refused before any work, whatever is wrong with them."""

import dataclasses

import pytest

from poetgen.comparison.contenders import check_languages, parse_contenders
from poetgen.config import TrainConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import InputError, ModelError, SettingError
from poetgen.networks.model_file import save_model
from poetgen.places import shipped_models
from tests.tiny import tiny_model

COMMON = TrainConfig(hidden_size=12, embedding_dim=7, seed=5)


def parse(*names, given=()):
    return parse_contenders(names, COMMON, given)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A working folder with the models ``one`` and ``two``."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("one", "two")):
        save_model(tiny_model("gru", seed=seed), tmp_path / "models" / f"{name}.safetensors")
    return tmp_path / "models"


def test_architectures_are_named_as_one_likes_and_keep_their_order():
    entrants = parse("lstm", "GRU")
    assert [(entrant.name, entrant.kind) for entrant in entrants] == [
        ("lstm", "trained"),
        ("gru", "trained"),
    ]
    assert [entrant.settings for entrant in entrants] == [
        dataclasses.replace(COMMON, arch="lstm"),
        dataclasses.replace(COMMON, arch="gru"),
    ]


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("lstm:hidden_size=512,num_layers=2", {"hidden_size": 512, "num_layers": 2}),
        ("lstm:hidden-size=512", {"hidden_size": 512}),
        ("lstm:dropout=0,tied=false", {"dropout": 0.0, "tied": False}),
        ("lstm:learning_rate=1e-3,optimizer=sgd", {"learning_rate": 1e-3, "optimizer": "sgd"}),
        ("lstm:grad_clip=none,batching=random", {"grad_clip": None, "batching": "random"}),
    ],
)
def test_a_contender_may_have_settings_of_its_own(name, own):
    one, other = parse(name, "gru")
    assert one.settings == dataclasses.replace(COMMON, arch="lstm", **own)
    assert one.own == set(own)
    assert other.settings == dataclasses.replace(COMMON, arch="gru")
    assert parse(one.name, "gru")[0] == one


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("lstm:hiden_size=5", "hidden_size"),
        ("lstm:hidden_size", "hidden_size=512"),
        ("lstm:", "hidden_size=512"),
        ("lstm:hidden_size=", "hidden_size=512"),
        ("lstm:hidden_size=many", "whole number"),
        ("lstm:hidden_size=0", "from 1"),
        ("lstm:hidden_size=5,hidden-size=6", "twice"),
        ("lstm:tied=perhaps", "True or False"),
        ("lstm:optimizer=magic", "adamw"),
        ("lstm:seed=3", "the same for all"),
        ("lstm:epochs=3", "the same for all"),
    ],
)
def test_wrong_settings_name_the_contender_and_what_is_right(name, word):
    with pytest.raises(SettingError) as caught:
        parse("gru", name)
    assert "lstm" in caught.value.problem
    assert word in caught.value.problem + caught.value.advice


@pytest.mark.parametrize(("name", "order"), [("ngram:3", 3), ("NGRAM:10", 10), ("ngram", 5)])
def test_an_n_gram_has_an_order(name, order):
    (entrant, _) = parse(name, "gru")
    assert (entrant.name, entrant.kind, entrant.order) == (f"ngram:{order}", "ngram", order)


@pytest.mark.parametrize(
    "name", ["ngram:", "ngram:0", "ngram:11", "ngram:-1", "ngram:five", "ngram:²"]
)
def test_an_n_gram_of_no_order_is_refused(name):
    with pytest.raises(InputError, match="is not an n-gram"):
        parse("gru", name)


def test_a_model_is_named_or_given_as_a_file(models):
    path = models / "two.safetensors"
    one, two, tang = parse("one", str(path), "tang")
    assert (one.kind, one.path.resolve()) == ("saved", models / "one.safetensors")
    assert (two.kind, two.path) == ("saved", path)
    assert tang.path == shipped_models() / "tang.safetensors"


@pytest.mark.parametrize(
    "names",
    [
        ["gru", "lstm", "GRU"],
        ["lstm", "lstm:hidden_size=12"],
        ["lstm:num_layers=2,dropout=0", "lstm:dropout=0.0,num-layers=2"],
        ["ngram:5", "gru", "ngram"],
        ["one", "models/one.safetensors"],
    ],
    ids=str,
)
def test_the_same_contender_twice_is_refused_however_it_is_spelled(models, names):
    with pytest.raises(InputError, match="named twice"):
        parse(*names)


@pytest.mark.parametrize("names", [[], ["gru"], ["ngram:5"]], ids=str)
def test_a_comparison_needs_two(names):
    with pytest.raises(InputError, match="needs two contenders"):
        parse(*names)


def test_an_unknown_name_lists_what_there_is(models):
    with pytest.raises(InputError) as caught:
        parse("lstm", "transformer")
    assert "There is no contender transformer" in caught.value.problem
    for word in ("rnn, gru, lstm", "ngram:5", "one", "tang"):
        assert word in caught.value.advice
    with pytest.raises(InputError, match="no contender lsmt") as caught:
        parse("gru", "lsmt")
    assert "Did you mean lstm?" in caught.value.advice


def test_a_file_that_is_not_a_model_is_refused(models):
    (models / "poems.txt").write_text("白日依山尽", encoding="utf-8")
    with pytest.raises(InputError, match="is not a whole model file"):
        parse("gru", str(models / "poems.txt"))
    whole = (models / "one.safetensors").read_bytes()
    (models / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="half"):
        parse("gru", "half")


def test_settings_of_training_are_refused_where_nothing_is_trained(models):
    assert len(parse("one", "ngram:5")) == 2
    with pytest.raises(SettingError, match="--hidden-size does not apply"):
        parse("one", "ngram:5", given={"hidden_size"})
    assert len(parse("one", "gru", given={"hidden_size"})) == 2


def test_contenders_are_of_one_language_and_script():
    tang, wells = Vocabulary("日月山"), Vocabulary("the macin")
    check_languages({"a": tang, "b": tang}, {"a": "simplified", "b": "keep"})
    check_languages({"a": wells, "b": wells}, {})
    check_languages({}, {})
    check_languages({"a": tang, "b": Vocabulary(["明月", "山"], "word")}, {})
    with pytest.raises(InputError, match="a is Chinese, b is of another language"):
        check_languages({"a": tang, "b": wells}, {})
    with pytest.raises(InputError, match="b is Chinese, a is of another language"):
        check_languages({"a": wells, "b": tang}, {})
    with pytest.raises(InputError, match="b has simplified characters, a traditional"):
        check_languages({"a": tang, "b": tang}, {"a": "traditional", "b": "simplified"})
