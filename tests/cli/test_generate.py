"""What ``poetgen generate`` prints, called in this process."""

import itertools
import json
import os
import sys

import pytest

from poetgen.cli.generate import compute_without_waiting, generate
from poetgen.config import SampleConfig, SearchConfig
from poetgen.generation.poet import Poet, load_poet
from poetgen.generation.poet import generate as library_generate
from poetgen.networks import products
from poetgen.networks.model_file import save_model
from poetgen.terminal import json_text, visible
from tests.tiny import HANZI, tiny_model


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with one model, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    save_model(tiny_model(), tmp_path / "models/tiny.safetensors")
    return tmp_path


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"as_json": True}])
def test_poems_are_printed_while_they_are_written(options, here, capsys, monkeypatch):
    poet = load_poet("tiny")
    printed = []

    class Slow:
        """A poet who looks at what is printed between two tokens."""

        name, request = poet.name, poet.request
        thought, heading = poet.thought, poet.heading

        def iter_poems(self, *arguments, **options):
            for poem in poet.iter_poems(*arguments, **options):
                printed.append(capsys.readouterr().out)
                yield poem

        def stream(self, *arguments):
            for piece in poet.stream(*arguments):
                printed.append(capsys.readouterr().out)
                yield piece

    with monkeypatch.context() as patch:
        patch.setattr("poetgen.generation.poet.load_poet", lambda *_, **__: Slow())
        generate(start="日", num_poems=3, seed=1, **options)
    printed.append(capsys.readouterr().out)
    assert all(printed[1:])
    generate(start="日", num_poems=3, seed=1, **options)
    assert "".join(printed) == capsys.readouterr().out


def test_a_stream_prints_what_is_printed_without_it(here, capsys):
    said = []
    for stream in (False, True):
        generate(start="日月山水。风云", num_poems=9, seed=1, stream=stream)
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert "日月山水。\n风云" in said[0].out


@pytest.mark.parametrize("num_poems", [1, 3])
def test_poems_make_one_json_object(here, num_poems, capsys):
    save_model(tiny_model(tokens='日月"\n[]'), here / "models/a[]b.safetensors")
    generate(model="a[]b", num_poems=num_poems, seed=2, as_json=True)
    poems = library_generate(model="a[]b", num_poems=num_poems, seed=2, score=True)
    shown = {"model": "a[]b", "seed": 2, "poems": [poem.as_dict() for poem in poems]}
    assert capsys.readouterr().out == json_text(shown) + "\n"


@pytest.mark.parametrize("written", [0, 1, 2])
def test_json_that_is_interrupted_is_an_object_of_what_was_written(
    here, written, capsys, monkeypatch
):
    poems = Poet.iter_poems

    def interrupted(self, *arguments, **options):
        yield from itertools.islice(poems(self, *arguments, **options), written)
        raise KeyboardInterrupt

    monkeypatch.setattr(Poet, "iter_poems", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(num_poems=3, seed=2, as_json=True)
    assert len(json.loads(capsys.readouterr().out)["poems"]) == written


@pytest.mark.parametrize("stream", [False, True])
def test_a_poem_that_is_cut_is_said_to_be(here, stream, capsys):
    sampling = SampleConfig(max_chars=9)
    wanted = {"seed": 1, "num_poems": 20, "sampling": sampling}
    poems = library_generate(**wanted)
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


@pytest.mark.parametrize("cores", [1, 2, 64])
@pytest.mark.parametrize("variable", [None, "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"])
def test_a_single_poem_has_no_threads_that_spin_unless_the_user_says_so(
    variable, cores, monkeypatch
):
    helpers = []
    monkeypatch.setattr(products, "use_second_thread", lambda: helpers.append(1))
    monkeypatch.setattr("poetgen.cli.generate.num_cores", lambda: cores)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # so that whatever is set is taken back at the end
        monkeypatch.delenv(name)
    if variable is not None:
        monkeypatch.setenv(variable, "3")
    compute_without_waiting()  # numpy is here already: it is too late
    before = dict(os.environ)
    assert not helpers
    monkeypatch.delitem(sys.modules, "numpy")
    compute_without_waiting()
    assert len(helpers) == (variable is None and cores > 1)
    assert dict(os.environ) == before | ({} if variable else {"OPENBLAS_NUM_THREADS": "1"})
    assert "OPENBLAS_NUM_THREADS" not in before or variable == "OPENBLAS_NUM_THREADS"


@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("num_poems", [1, 2])
@pytest.mark.parametrize("beam", [None, 2])
def test_only_many_poems_on_many_cores_have_the_threads_of_numpy(
    cores, num_poems, beam, here, monkeypatch
):
    calls = []
    monkeypatch.setattr("poetgen.cli.generate.num_cores", lambda: cores)
    monkeypatch.setattr("poetgen.cli.generate.compute_without_waiting", lambda: calls.append(1))
    search, seed = SearchConfig(beam=beam), None if beam else 1
    generate(num_poems=num_poems, seed=seed, search=search)
    assert bool(calls) == (cores <= 2 or (num_poems == 1 and beam is None))


@pytest.mark.parametrize(("start", "says_so"), [("日", False), ("日月山水花风云雨，", True)])
def test_a_start_that_suits_no_form_is_said_to(start, says_so, capsys):
    generate(start=start, seed=1, model="tang")
    assert ("No form that the model knows suits this start" in capsys.readouterr().err) == says_so
