"""The library: ``generate``, ``load_poet`` and the pieces of a poem that is being written."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.config import SampleConfig, SearchConfig
from poetgen.corpus.vocabulary import END, Vocabulary
from poetgen.errors import DeviceError, ModelError, PromptError, SettingError
from poetgen.generation.poet import Poet, generate, load_poet
from poetgen.generation.settings import check_settings
from poetgen.networks.model_file import save_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.layout import couplets
from tests.tiny import HANZI, tiny_model

SEEDS = st.integers(0, 2**63 - 1)
WORDS = ["the", "cat", "sat", ",", ".", "(", ")", "\n", "don't", "日", "，"]


def poet_of(model):
    return Poet("tiny", model, NumpyModel(model.config, model.weights))


@pytest.fixture(scope="module")
def poet():
    """A poet whose poems end now and then, so that their lengths differ."""
    model = tiny_model("gru", 2)
    model.weights["output_bias"][END] += 2
    return poet_of(model)


@pytest.fixture(scope="module")
def wordy():
    """A poet whose tokens are words."""
    model = tiny_model(tokens=WORDS)
    return poet_of(dataclasses.replace(model, vocabulary=Vocabulary(WORDS, "word")))


@pytest.fixture
def path(tmp_path):
    """The file of a poet."""
    save_model(tiny_model("lstm"), tmp_path / "models/mine.safetensors")
    return tmp_path / "models/mine.safetensors"


# Poems.


def test_a_model_may_be_named_or_be_a_path_or_a_poet(path, monkeypatch):
    monkeypatch.chdir(path.parent.parent)
    options = {"start": "日", "num_poems": 3, "seed": 5}
    expected = generate(model=load_poet(path), **options)
    for model in (None, "mine", str(path), path):
        assert generate(model=model, **options) == expected
        assert load_poet(model).name == "mine"
    with pytest.raises(ModelError):
        generate(model="yours")


def test_without_a_seed_one_is_drawn_and_writes_the_same_poems_again(poet):
    one, other = (generate(model=poet, num_poems=3) for _ in range(2))
    (seed,) = {poem.seed for poem in one}
    assert generate(model=poet, num_poems=3, seed=seed) == one
    assert {poem.seed for poem in other} != {seed}


@given(seed=SEEDS, start=st.text(HANZI, max_size=3), distinct=st.booleans())
def test_what_json_says_of_a_poem(poet, seed, start, distinct):
    options = {"sampling": SampleConfig(max_chars=12), "search": SearchConfig(distinct=distinct)}
    for poem in generate(model=poet, start=start, num_poems=2, seed=seed, **options):
        values = poem.as_dict()
        assert poem.seed == seed
        assert values["text"] == poem.text
        assert values["lines"] == couplets(poem.text)
        assert values["cut"] == poem.is_cut
        assert ("log_probability" in values) == distinct
        assert values.get("log_probability") == poem.log_probability


def test_a_search_needs_no_seed(poet):
    (poem,) = generate(model=poet, search=SearchConfig(beam=3))
    assert poem.seed is None
    assert poem.log_probability < 0


def test_a_file_that_holds_the_start_is_not_counted(poet, tmp_path):
    (tmp_path / "start.txt").write_text("日月山水\n", encoding="utf-8")
    short, long = SampleConfig(max_chars=3), SampleConfig(max_chars=7)
    from_file = generate(model=poet, start=tmp_path / "start.txt", sampling=short, seed=1)
    assert from_file == generate(model=poet, start="日月山水", sampling=long, seed=1)
    with pytest.raises(SettingError, match="has 4 characters"):
        generate(model=poet, start="日月山水", sampling=short)
    with pytest.raises(PromptError):
        generate(model=poet, start=tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("sampling", "search", "num_poems", "stream", "words"),
    [
        ({}, {"beam": 3, "distinct": True}, 1, False, ["--beam", "--distinct"]),
        ({}, {"beam": 3}, 1, True, ["--beam", "--stream"]),
        ({}, {"distinct": True}, 1, True, ["--distinct", "--stream"]),
        ({"temperature": 0.5}, {"beam": 3}, 1, False, ["--beam", "--temp"]),
        ({"min_p": 0.5}, {"beam": 3}, 1, False, ["--beam", "--min-p"]),
        ({}, {"beam": 3}, 4, False, ["--beam 4"]),
        ({}, {"length_penalty": 1.0}, 1, False, ["--length-penalty", "--beam"]),
        ({"temperature": 0}, {"distinct": True}, 2, False, ["--temp"]),
        ({}, {}, 0, False, ["-n 0"]),
    ],
    ids=str,
)
def test_contradictions_are_refused_before_a_model_is_looked_for(
    sampling, search, num_poems, stream, words
):
    settings = {"sampling": SampleConfig(**sampling), "search": SearchConfig(**search)}
    with pytest.raises(SettingError) as caught:
        check_settings(**settings, num_poems=num_poems, stream=stream)
    for word in words:
        assert word in f"{caught.value.problem} {caught.value.advice}"
    if not stream:
        with pytest.raises(SettingError):
            generate(model="nobody", **settings, num_poems=num_poems)


def test_settings_that_do_not_contradict_each_other_are_accepted():
    plain = SampleConfig()
    check_settings(plain, SearchConfig(), 9, stream=True)
    check_settings(plain, SearchConfig(beam=3, length_penalty=2), 3)
    check_settings(SampleConfig(repetition_penalty=2), SearchConfig(beam=3), 1)
    check_settings(SampleConfig(temperature=0), SearchConfig(distinct=True), 1)


# Pieces.


@given(seed=SEEDS, number=st.integers(0, 4), start=st.text(HANZI, max_size=3))
def test_the_pieces_of_a_stream_are_the_start_and_then_the_tokens_of_the_poem(
    poet, seed, number, start
):
    request = poet.request(start, SampleConfig(temperature=0.9, max_chars=20))
    pieces = list(poet.stream(request, seed, number))
    whole = list(poet.iter_poems(request, 5, seed))[number]
    tokens = pieces[1:] if start else pieces
    assert "".join(pieces) == whole.text
    assert "".join(pieces[: len(pieces) - len(tokens)]) == start
    assert [len(token) for token in tokens[:-1]] == [1] * len(tokens[:-1])
    assert (pieces[-1] == "") != whole.is_cut


@given(seed=SEEDS, start=st.lists(st.sampled_from(WORDS), max_size=4))
def test_words_are_spelled_one_by_one_as_all_together(wordy, seed, start):
    request = wordy.request(" ".join(start), SampleConfig(temperature=2, max_chars=20))
    (poem,) = wordy.iter_poems(request, 1, seed)
    assert "".join(wordy.stream(request, seed)) == poem.text


# A poet from a file.


def test_a_poet_from_a_file_writes_like_the_model_that_was_saved(path):
    model = tiny_model("lstm")
    rounded = {name: w.astype(np.float16).astype(np.float32) for name, w in model.weights.items()}
    options = {"num_poems": 3, "seed": 5, "sampling": SampleConfig(temperature=1, max_chars=20)}
    expected = generate(model=poet_of(dataclasses.replace(model, weights=rounded)), **options)
    for device in ("auto", "cpu"):
        assert generate(model=path, device=device, **options) == expected


def test_a_device_that_is_not_there_is_refused_and_the_others_are_named(path):
    import torch

    absent = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(DeviceError) as caught:
        load_poet(path, device=absent)
    assert "cpu" in caught.value.advice


def test_files_that_are_passed_over_are_noted(path, monkeypatch):
    monkeypatch.chdir(path.parent.parent)
    path.with_name("foreign.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    notes = []
    assert load_poet(on_note=notes.append).name == "mine"
    assert len(notes) == 1
    assert "foreign.safetensors" in notes[0]


@pytest.mark.parametrize("seed", [-1, 1.5, "7"])
def test_a_seed_is_a_whole_number_of_at_least_zero(seed):
    with pytest.raises(SettingError, match="seed"):
        generate(seed=seed)
