"""Snapshots of the classic character RNN: what they say is what the model does."""

import os
import pickle
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import NUM_SPECIAL, START
from poetgen.errors import ModelError
from poetgen.generation.poet import generate
from poetgen.networks.model_file import load_model, save_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.torch_model import TorchStepper, build
from poetgen.places import find_model
from tests.foreign.hostile import Reduced

H = 5
TOKENS = "日月，\n a"
V = len(TOKENS)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


def snapshot(seed=0, **changes):
    """What a course's script would pickle."""
    rng = np.random.default_rng(seed)
    parts = {
        "Wxh": rng.normal(size=(H, V)),
        "Whh": rng.normal(size=(H, H)),
        "Why": rng.normal(size=(V, H)),
        "bh": rng.normal(size=(H, 1)),
        "by": rng.normal(size=(V, 1)),
        "char_to_ix": {token: number for number, token in enumerate(TOKENS)},
        "ix_to_char": dict(enumerate(TOKENS)),
    }
    return {name: value for name, value in {**parts, **changes}.items() if value is not None}


def naive_logits(parts, text):
    """The classic's own loop: y after each character, from an empty state on."""
    h = np.zeros((H, 1))
    found = []
    for char in text:
        x = np.zeros((V, 1))
        x[TOKENS.index(char)] = 1
        h = np.tanh(parts["Wxh"] @ x + parts["Whh"] @ h + parts["bh"])
        found.append((parts["Why"] @ h + parts["by"])[:, 0])
    return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "epoch_9.pkl"


def written(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def assert_is_the_classic(model, parts):
    text = "日，月a \n日"
    assert model.vocabulary.tokens == tuple(TOKENS)
    for network in (
        NumpyModel(model.config, model.weights),
        TorchStepper(build(model.config, model.weights)),
    ):
        state = network.start(1)
        # A text begins with our start token, which the classic does not have.
        before, state = network.step(np.array([START]), state)
        np.testing.assert_allclose(before[0, NUM_SPECIAL:], parts["by"][:, 0], rtol=1e-5)
        for token_id, expected in zip(
            model.vocabulary.encode(text), naive_logits(parts, text), strict=True
        ):
            logits, state = network.step(np.array([token_id]), state)
            np.testing.assert_allclose(logits[0, NUM_SPECIAL:], expected, rtol=1e-4, atol=1e-5)
            # It knows no special tokens, so it never writes one.
            assert logits[0, :NUM_SPECIAL].max() < expected.min() - 1000


@protocols
def test_the_logits_are_those_of_the_classic_network(path, protocol):
    assert_is_the_classic(load_model(written(path, snapshot(), protocol)), snapshot())


@protocols
def test_keys_and_characters_may_be_bytes_and_numbers_numpys(path, protocol):
    parts = {name.encode(): value for name, value in snapshot(ix_to_char=None).items()}
    parts[b"char_to_ix"] = {token.encode(): np.int64(number) for number, token in enumerate(TOKENS)}
    assert_is_the_classic(load_model(written(path, parts, protocol)), snapshot())


@pytest.mark.parametrize("kind", ["<f4", ">f8", "F", "flat", "memories", "one table"])
def test_types_orders_and_further_entries_do_not_matter(path, kind):
    parts = snapshot()
    if kind in ("<f4", ">f8"):
        parts |= {name: parts[name].astype(kind) for name in ("Wxh", "Whh", "Why", "bh", "by")}
    elif kind == "F":
        parts["Wxh"] = np.asfortranarray(parts["Wxh"])
    elif kind == "flat":
        parts |= {name: parts[name].ravel() for name in ("bh", "by")}
    elif kind == "memories":
        parts |= {f"m{name}": np.zeros_like(parts[name]) for name in ("Wxh", "Whh", "Why")}
        parts |= {"smooth_loss": np.float64(40.5), "n": 3, "p": [1, 2], 7: None, "hprev": None}
    else:
        del parts["char_to_ix"]
    assert_is_the_classic(load_model(written(path, parts)), snapshot())


def test_a_snapshot_writes_and_is_a_model_like_any_other(path, tmp_path):
    written(path, snapshot())
    assert find_model(str(path)) == path
    (poem,) = generate(model=path, start="日", sampling=SampleConfig(max_chars=40), seed=3)
    assert poem.text.startswith("日")
    assert len(poem.text) == 40
    save_model(load_model(path), tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    state = NumpyModel(again.config, again.weights).start(1)
    _, [(h,)] = NumpyModel(again.config, again.weights).step(np.array([START]), state)
    assert not h.any()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"Wxh": None}, "no array of numbers Wxh"),
        ({"by": None}, "no array of numbers by"),
        ({"Whh": "text"}, "no array of numbers Whh"),
        ({"Whh": np.array(["a"])}, "no array of numbers Whh"),
        ({"Whh": np.zeros((H, H), complex)}, "no array of numbers Whh"),
        ({"Whh": np.zeros((H, H, 1))}, "Whh has the shape"),
        ({"Wxh": np.zeros((0, V))}, "Wxh has the shape"),
        ({"Why": np.zeros((H, V))}, "Why has the shape"),
        ({"bh": np.zeros(V)}, "bh has the shape"),
        ({"bh": np.zeros((1, H))}, "bh has the shape"),
        ({"by": np.full((V, 1), np.nan)}, "NaN, infinite or above 65,504"),
        ({"Wxh": np.full((H, V), 1e300)}, "NaN, infinite or above 65,504"),
        ({"Why": np.full((V, H), 1e30)}, "NaN, infinite or above 65,504"),
        ({"char_to_ix": None, "ix_to_char": None}, "no table"),
        ({"char_to_ix": [1]}, "not a dictionary"),
        ({"char_to_ix": {"日": 0}}, "contradict"),
        ({"char_to_ix": None, "ix_to_char": {0: "日"}}, f"number {V} characters"),
        ({"char_to_ix": dict.fromkeys(TOKENS, 1), "ix_to_char": None}, "one character"),
        ({"char_to_ix": dict.fromkeys(TOKENS, True), "ix_to_char": None}, "not an integer"),
        ({"char_to_ix": None, "ix_to_char": dict.fromkeys(range(V), "日")}, "twice"),
        ({"char_to_ix": None, "ix_to_char": dict.fromkeys(range(V), 3.5)}, "one character"),
        ({"char_to_ix": {b"\xff": 0}, "ix_to_char": None}, "decode"),
    ],
    ids=str,
)
def test_what_is_not_a_snapshot_is_refused_by_what_is_wrong(path, changes, problem):
    with pytest.raises(ModelError) as caught:
        load_model(written(path, snapshot(**changes)))
    assert str(path) in caught.value.problem
    assert problem in caught.value.problem
    assert "Wxh" in caught.value.advice


@pytest.mark.parametrize("content", [[], "Wxh", 3, None, np.zeros(3), {}], ids=str)
def test_anything_else_is_refused(path, content):
    with pytest.raises(ModelError):
        load_model(written(path, content))


# Hostile.


HOSTILE = {
    "system": lambda: Reduced(os.system, ("touch harmed",)),
    "popen": lambda: Reduced(subprocess.Popen, (["touch", "harmed"],)),
    "eval": lambda: Reduced(eval, ("open('harmed', 'w')",)),
    "exec": lambda: Reduced(exec, ("open('harmed', 'w')",)),
    "open": lambda: Reduced(open, ("harmed", "w")),
    "import": lambda: Reduced(__import__, ("antigravity",)),
    "pickle": lambda: Reduced(pickle.loads, (pickle.dumps(Reduced(os.system, ("touch harmed",))),)),
    "zeros": lambda: Reduced(np.zeros, (10**12,)),
    "bytearray": lambda: Reduced(bytearray, (10**12,)),
    "load": lambda: Reduced(np.load, ("harmed",)),
}


@protocols
@pytest.mark.parametrize("place", ["value", "key table", "array", "alone"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_snapshot_is_refused_in_two_lines_and_does_nothing(
    path, tmp_path, monkeypatch, name, place, protocol
):
    monkeypatch.chdir(tmp_path)
    evil = HOSTILE[name]()
    content = {
        "value": snapshot(hidden=evil),
        "key table": snapshot(char_to_ix={"日": [evil]}),
        "array": snapshot(Wxh=np.array([evil], dtype=object)),
        "alone": evil,
    }[place]
    written(path, content, protocol)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert "plain data" in caught.value.problem
    assert os.listdir(tmp_path) == [path.name]


def test_the_command_line_refuses_it_in_two_lines(path, tmp_path):
    written(path, snapshot(hidden=Reduced(os.system, ("touch harmed",))))
    done = subprocess.run(
        [sys.executable, "-m", "poetgen", "generate", "--model", path.name],
        cwd=tmp_path, capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert done.stderr.startswith("Error: epoch_9.pkl")
    assert os.listdir(tmp_path) == [path.name]


def test_bytes_that_are_named_again_and_again_do_not_fill_the_memory(path):
    size = 60_000
    # One string in the memo, and for every call a few bytes that turn it into bytes anew.
    body = b"\x80\x02X" + struct.pack("<I", size) + bytes(size) + b"q\x00"
    body += b"c_codecs\nencode\nq\x01]("
    body += b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R" * 2_000 + b"e."
    path.write_bytes(body)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="more memory than it brings"):
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 40 * len(body)
    finally:
        tracemalloc.stop()


def test_deep_nesting_neither_crashes_nor_builds(path):
    for data in (b"]" * 200_000 + b"a" * 199_999 + b".", b"(" * 300_000 + b"t" * 300_000 + b"."):
        path.write_bytes(data)
        with pytest.raises(ModelError):
            load_model(path)


@given(cut=st.integers(0, 3000), flip=st.integers(0, 3000), bit=st.integers(0, 7))
def test_a_damaged_snapshot_is_refused_or_harmless(tmp_path_factory, cut, flip, bit):
    data = bytearray(pickle.dumps(snapshot(), 2))
    data[flip % len(data)] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(data[: max(1, len(data) - cut % 40)] if cut % 2 else data)
    try:
        model = load_model(path)
    except ModelError:
        return
    assert np.isfinite(model.weights["output.weight"]).all()


def test_a_snapshot_that_would_fill_the_memory_is_not_read(path):
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelError, match="more than"):
        load_model(path)


def test_a_missing_snapshot_and_a_folder_are_refused(tmp_path):
    (tmp_path / "folder.pkl").mkdir()
    for name in ("absent.pkl", "folder.pkl"):
        with pytest.raises(ModelError, match="There is no snapshot"):
            load_model(tmp_path / name)
