"""Model files from strangers: whatever is done to one, it loads as it was saved or not at all."""

import json
import random
import resource
import struct
import time

import numpy as np
import pytest
from safetensors.numpy import load, save

from poetgen.config import ModelConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import ModelError
from poetgen.networks.model import Model
from poetgen.networks.model_file import load_model, save_model
from poetgen.tensor_file import FileKind, save_tensor_file
from poetgen.verse.choice import build_choice
from tests.tiny import tiny_weights

KIND = FileKind(key="poetgen", version=1, noun="model file")
HUGE = [2**31, 2**40, 2**63 - 1, 2**64, 10**30, -1, 0]
ODD = [None, True, -1, 0, 2**40, 1.5, "", "x" * 5000, [], {}, [[]], float("inf"), "\x1b[2J", "日"]
DTYPES = ["F64", "F32", "F16", "BF16", "I8", "I64", "U16", "BOOL", "F8_E4M3", "Q9"]


def tiny_file(path):
    """Save the smallest model; return its bytes."""
    config = ModelConfig(arch="gru", vocab_size=7, embedding_dim=2, hidden_size=3)
    choice = build_choice(["白日依山尽，黄河入海流。"] * 6)
    save_model(Model(config, Vocabulary("日月，"), tiny_weights(config), choice=choice), path)
    return path.read_bytes()


def flip_bits(data, rng):
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8, 64])):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut(data, rng):
    return data[: rng.randrange(len(data))]


def lengthen(data, rng):
    return data + rng.randbytes(rng.choice([1, 8, 1000]))


def move(data, rng):
    """Put a piece of the file somewhere else."""
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    to = rng.randrange(len(data))
    return data[:to] + data[a:b] + data[to + (b - a) :]


def header_of(data):
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def with_header(header, body):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(text)) + text + body


def declare_sizes(data, rng):
    """Let the header promise other sizes, shapes, types and places."""
    header, body = header_of(data)
    name = rng.choice([name for name in header if name != "__metadata__"])
    entry = header[name]
    what = rng.choice(["shape", "dtype", "data_offsets"])
    if what == "dtype":
        entry["dtype"] = rng.choice(DTYPES)
    elif entry[what]:
        entry[what][rng.randrange(len(entry[what]))] = rng.choice(HUGE)
    return with_header(header, body)


def declare_header(data, rng):
    """Let the first eight bytes promise another length of header."""
    return struct.pack("<Q", rng.choice([0, 1, 2**20, 2**40, 2**63, 2**64 - 1])) + data[8:]


def spoil_json(data, rng):
    header, body = header_of(data)
    text = bytearray(json.dumps(header, ensure_ascii=False).encode())
    if rng.random() < 0.3:
        text[:0] = rng.choice([b"[" * 100_000, b"{" * 100_000, b'"', b"\xff", b"1e999999"])
    for _ in range(rng.randrange(1, 4)):
        text[rng.randrange(len(text))] = rng.randrange(256)
    return with_header(bytes(text), body)


def spoil_card(data, rng):
    """Change the text in the header and leave the checksum as it is."""
    header, body = header_of(data)
    card = header["__metadata__"]["poetgen"]
    place = rng.randrange(len(card))
    header["__metadata__"]["poetgen"] = card[:place] + rng.choice('019{[,"日') + card[place + 1 :]
    return with_header(header, body)


def with_new_checksum(data, rng, path):
    """Change weights or card in a way that makes no sense, under a checksum that is right."""
    header, _ = header_of(data)
    card = json.loads(header["__metadata__"]["poetgen"])
    del card["checksum"], card["format_version"]
    arrays = load(data)
    where = rng.choice(["weights", "shape", "dtype", "model", "vocabulary", "card", "gone"])
    name = rng.choice(sorted(arrays))
    if where == "weights":
        name = rng.choice([name for name in sorted(arrays) if arrays[name].dtype == np.float16])
        arrays[name] = arrays[name].copy()
        arrays[name].flat[rng.randrange(arrays[name].size)] = rng.choice([np.nan, np.inf, -np.inf])
    elif where == "shape":
        arrays[name] = rng.choice([arrays[name][:-1], arrays[name][None], arrays[name].ravel()[:1]])
    elif where == "dtype":
        arrays[name] = arrays[name].astype(rng.choice([np.int8, np.float64, np.uint16, np.bool_]))
    elif where == "model":
        card["model"][rng.choice(sorted(card["model"]))] = rng.choice([*ODD, 2**70])
    elif where == "vocabulary":
        tokens = card["vocabulary"]
        tokens[rng.randrange(len(tokens))] = rng.choice([*ODD[:-1], tokens[0], "\x07", "\x9b"])
        rng.shuffle(tokens)
    elif where == "card":
        card[rng.choice(sorted(card))] = rng.choice(ODD)
    else:
        rng.choice([arrays, card]).pop(name, card.pop("vocabulary", None))
    save_tensor_file(path, KIND, arrays, card)
    return path.read_bytes()


BLIND = [flip_bits, cut, lengthen, move, declare_sizes, declare_header, spoil_json, spoil_card]


def fuzz(path, count, seed):
    """Load ``count`` mutants; return how many of each kind were refused, and how many harmless."""
    saved = tiny_file(path)
    original = load_model(path)
    whole = path.with_name("whole.safetensors")
    rng = random.Random(seed)
    refused, harmless = {}, {}
    for _ in range(count):
        how = rng.choice([*BLIND, with_new_checksum])
        mutant = how(saved, rng, whole) if how is with_new_checksum else how(saved, rng)
        path.write_bytes(mutant)
        # CPU time: the machine may be busy with something else.
        began, before = time.process_time(), peak_bytes()
        model = load_or_none(path)
        assert time.process_time() - began < 1
        assert peak_bytes() - before < len(mutant) + 200e6
        counts = refused if model is None else harmless
        counts[how.__name__] = counts.get(how.__name__, 0) + 1
        if model is not None:
            assert_same_model(model, original, how)
    return refused, harmless


def load_or_none(path):
    """Load a model; any error but the one with two lines is a failure."""
    try:
        return load_model(path)
    except ModelError:
        return None


def peak_bytes():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def assert_same_model(model, original, how):
    """What loads has the saved numbers; with a valid checksum the card may be another."""
    assert model.weights.keys() == original.weights.keys()
    for name, weights in original.weights.items():
        np.testing.assert_array_equal(model.weights[name], weights, err_msg=name)
    if how is not with_new_checksum:
        assert model == original or (model.config, model.vocabulary.tokens) == (
            original.config,
            original.vocabulary.tokens,
        )


@pytest.mark.parametrize("seed", [1, 2])
def test_no_mutant_loads_with_other_numbers(tmp_path, seed):
    refused, _ = fuzz(tmp_path / "model.safetensors", 400, seed)
    assert set(refused) == {how.__name__ for how in [*BLIND, with_new_checksum]}


@pytest.mark.long
def test_none_of_twenty_thousand_mutants_loads_with_other_numbers(tmp_path, capsys):
    refused, harmless = fuzz(tmp_path / "model.safetensors", 20_000, 0)
    with capsys.disabled():
        print(f"\n20,000 mutants: refused {refused}, the same as before {harmless}")
    assert sum(refused.values()) + sum(harmless.values()) == 20_000


def test_the_mutations_do_change_files(tmp_path):
    saved = tiny_file(tmp_path / "model.safetensors")
    rng = random.Random(0)
    for how in BLIND:
        assert sum(how(saved, rng) != saved for _ in range(20)) > 10, how.__name__
    assert save(load(saved)) != saved
