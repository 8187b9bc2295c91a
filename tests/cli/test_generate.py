"""What ``poetgen generate`` prints, called in this process."""

import json
import os
import sys

import pytest

from poetgen.cli.generate import _print_json, _print_stream, _take_one_thread, generate
from poetgen.config import SampleConfig
from poetgen.generation.poet import Poem, load_poet
from poetgen.networks.model_file import save_model
from poetgen.terminal import json_text, visible
from poetgen.verse.layout import couplets
from tests.tiny import HANZI, tiny_model


class Page:
    """The part of a poet that lays poems out."""

    lines = staticmethod(couplets)


def grow(text):
    return [Poem(text[: size + 1], is_cut=size + 1 < len(text)) for size in range(len(text))]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with one model, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    save_model(tiny_model(), tmp_path / "models/tiny.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "日月山。水风云。abcdefgh",  # no longer mostly Chinese
        "日月山。水风云。\n花",  # its own line break comes late
        "日月山。abcdef。水风云花鸟春秋。人",  # there and back
        "abc.def",
    ],
)
def test_a_stream_prints_every_character_once_whatever_the_layout(text, capsys):
    poem = _print_stream(grow(text), Page)
    assert poem == Poem(text)
    said = capsys.readouterr().out
    assert said.replace("\n", "") == text.replace("\n", "")


def test_a_stream_whose_layout_stays_is_laid_out_as_the_whole(capsys):
    text = "日月山水。风云花鸟？！春秋人。天"
    _print_stream(grow(text), Page)
    assert capsys.readouterr().out == "\n".join(couplets(text)) + "\n"


@pytest.mark.parametrize("count", [1, 3])
def test_poems_are_printed_one_by_one_and_make_one_object(count, capsys):
    poems = [Poem('日"月\n[]', -1.5, is_cut=True), Poem("山\u202e。"), Poem("水。")][:count]
    head = {"model": "a[]b", "seed": None}
    said = ""
    for poem in _print_json(head, poems, Page):
        said += capsys.readouterr().out
        assert json_text(poem.text) in said
    said += capsys.readouterr().out
    shown = [
        {"text": poem.text, "lines": couplets(poem.text), "cut": poem.is_cut}
        | ({} if poem.log_probability is None else {"log_probability": -1.5})
        for poem in poems
    ]
    assert said == json_text({**head, "poems": shown}) + "\n"


@pytest.mark.parametrize("stream", [False, True])
def test_a_poem_that_is_cut_is_said_to_be(here, stream, capsys):
    sampling = SampleConfig(max_chars=9)
    wanted = {"seed": 1, "num_poems": 20, "sampling": sampling}
    poet = load_poet(here / "models/tiny.safetensors")
    poems = list(poet.iter_poems([], sampling, 1, 20))
    num_cut = sum(poem.is_cut for poem in poems)
    assert 0 < num_cut < 20
    generate(**wanted, stream=stream)
    assert f"--max-chars 9, before the end: {num_cut} of 20 poems." in capsys.readouterr().err
    generate(**wanted, stream=stream, quiet=True)
    assert capsys.readouterr().err == ""
    generate(**wanted, as_json=True)
    shown = json.loads(capsys.readouterr().out)["poems"]
    assert [poem["cut"] for poem in shown] == [poem.is_cut for poem in poems]


def test_the_tokens_of_a_stranger_do_not_command_the_terminal(here, capsys):
    strange = "\r\u202e\u2066\u200b\u2028\u2029"
    save_model(tiny_model(tokens=HANZI[:2] + strange), here / "models/strange.safetensors")
    sampling = SampleConfig(temperature=100)
    for options in ({}, {"stream": True}, {"as_json": True}):
        generate(model="strange", seed=1, num_poems=20, sampling=sampling, **options)
        said = capsys.readouterr().out
        assert visible(said) == said
    texts = "".join(poem["text"] for poem in json.loads(said)["poems"])
    assert set(strange) <= set(texts)


def test_what_is_no_model_is_passed_over_and_named(here, capsys):
    (here / "models/._tiny.safetensors").write_bytes(b"\0\5\x16\7")
    (here / "models/foreign.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    generate(seed=1)
    said = capsys.readouterr()
    assert said.out
    assert "foreign.safetensors" in said.err
    assert "model tiny" in said.err
    assert "._tiny" not in said.err


@pytest.mark.parametrize("told", [None, "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"])
def test_a_single_poem_has_one_thread_unless_the_user_says_otherwise(told, monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # so that whatever is set is taken back at the end
        monkeypatch.delenv(name)
    if told is not None:
        monkeypatch.setenv(told, "3")
    _take_one_thread()  # numpy is here already: it is too late
    before = dict(os.environ)
    monkeypatch.delitem(sys.modules, "numpy")
    _take_one_thread()
    assert dict(os.environ) == before | ({} if told else {"OPENBLAS_NUM_THREADS": "1"})
    assert "OPENBLAS_NUM_THREADS" not in before or told == "OPENBLAS_NUM_THREADS"
