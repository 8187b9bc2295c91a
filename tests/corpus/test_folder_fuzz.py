"""Corpus folders that were damaged or made up: the same corpus is loaded, or none."""

import json
import random
from functools import partial
from hashlib import sha256

import numpy as np
import pytest

from poetgen.corpus.corpus import Poems, fingerprint_of
from poetgen.corpus.folder import load_corpus, save_corpus
from poetgen.corpus.split import SPLITS
from poetgen.corpus.vocabulary import (
    END,
    PAD,
    START,
    Vocabulary,
)
from poetgen.errors import CorpusError

ODD = [None, True, -1, 0, 2**70, 1.5, "", "x" * 5000, [], {}, [[]], float("inf"), "word", "日"]
DEEP = b"[" * 200_000


@pytest.fixture
def folder(small_corpus, tmp_path):
    save_corpus(small_corpus, tmp_path / "corpora" / "x")
    return tmp_path / "corpora" / "x"


def flip_bits(data, rng):
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut_or_lengthen(data, rng):
    return data[: rng.randrange(len(data))] if rng.random() < 0.5 else data + rng.randbytes(8)


def write_another_header(data, rng):
    """Promise another type, order or shape than there is, or nothing that makes sense."""
    old, new = rng.choice(
        [
            (b"<u2", b"<i2"),
            (b"<u2", b"|O "),
            (b"<i8", b"<f8"),
            (b"False", b"True "),
            (b",)", b",1"),
            (b"shape", b"shade"),
            (b"(", b"(9"),
            (b"(", b"(((((((("),
            (b"{", b"\x00"),
            (b"\x01\x00v", b"\x03\x00v"),
            (b"\x93NUMPY", b"PK\x03\x04\x00\x00"),
        ]
    )
    return data.replace(old, new, 1)


def edit_json(data, rng):
    """Set one value of corpus.json, however deep in it, to something odd, or drop it."""
    meta = json.loads(data)
    inside, key = meta, rng.choice(list(meta))
    while isinstance(inside[key], dict | list) and inside[key] and rng.random() < 0.6:
        inside = inside[key]
        key = rng.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
    if rng.random() < 0.2:
        del inside[key]
    else:
        inside[key] = rng.choice(ODD)
    if rng.random() < 0.1:
        return DEEP
    return json.dumps(meta).encode()


def outcome(folder):
    """Load a corpus: what it is to those who learn from it, or None for a clear error."""
    try:
        return content_of(load_corpus(folder))
    except CorpusError as error:
        refusal = error
    assert "poetgen prepare SOURCE --name x --force" in refusal.advice
    assert str(folder) in refusal.problem
    assert refusal.problem.isprintable()
    return None


def content_of(loaded):
    return (
        (loaded.vocabulary.tokens, loaded.vocabulary.kind, loaded.script, loaded.is_prose),
        [(poems.tokens.tobytes(), poems.offsets.tobytes()) for poems in loaded.splits.values()],
        [(poems.tokens.dtype, poems.offsets.dtype) for poems in loaded.splits.values()],
        [list(loaded.about(split)) for split in SPLITS],
        loaded.fingerprint,
        (loaded.settings, loaded.min_count, loaded.provenance, loaded.report),
    )


def test_no_damage_gives_another_corpus(folder):
    rng = random.Random(0)
    original = outcome(folder)
    files = sorted(folder.iterdir())
    refused = 0
    for _ in range(120):
        path = rng.choice([*files, folder / "corpus.json"])
        data = path.read_bytes()
        change = rng.choice(
            [flip_bits, cut_or_lengthen, edit_json]
            if path.suffix == ".json"
            else [flip_bits, cut_or_lengthen, write_another_header]
        )
        path.write_bytes(change(data, rng))
        found = outcome(folder)
        assert found in (None, original), (path.name, change.__name__)
        refused += found is None
        path.write_bytes(data)
    assert refused > 90


def test_files_that_are_missing_swapped_or_folders_are_refused(folder):
    files = sorted(folder.iterdir())
    for path, other in zip(files, [*files[1:], files[0]], strict=True):
        data = path.read_bytes()
        path.unlink()
        assert outcome(folder) is None
        path.mkdir()
        assert outcome(folder) is None
        path.rmdir()
        path.write_bytes(other.read_bytes())
        assert outcome(folder) is None
        path.write_bytes(data)


def remade(folder, change_meta=lambda meta: None, **arrays):
    """Write another content into a corpus folder, with the hashes that belong to it."""
    path = folder / "corpus.json"
    meta = json.loads(path.read_bytes())
    meta.pop("checksum", None)
    change_meta(meta)
    splits = {}
    for split in SPLITS:
        parts = []
        for part in ("tokens", "offsets"):
            file = folder / f"{split}.{part}.npy"
            array = arrays.get(f"{split}_{part}", np.load(file))
            np.save(file, array)
            parts.append(array)
        splits[split] = Poems(*parts)
    vocabulary = Vocabulary([str(number) for number in range(3)])
    vocabulary.tokens = tuple(meta["vocabulary"])
    meta["fingerprint"] = fingerprint_of(vocabulary, splits, meta["changed_rules"])
    seal(path, meta)


def seal(path, meta):
    """Write corpus.json with the checksum that belongs to it."""
    as_json = partial(json.dumps, ensure_ascii=False, indent=1, sort_keys=True)
    checksum = sha256(as_json(meta).encode()).hexdigest()[:16]
    path.write_text(as_json({**meta, "checksum": checksum}), encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "token"),
    [(0, 5), (0, PAD), (-1, 5), (-1, START), (1, PAD), (1, END), (2, START), (1, 60_000)],
)
def test_tokens_that_are_no_poems_are_refused_whatever_the_fingerprint(folder, place, token):
    tokens = np.load(folder / "train.tokens.npy")
    tokens[place] = token
    remade(folder, train_tokens=tokens)
    assert outcome(folder) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda offsets: offsets[1:],
        lambda offsets: np.r_[3, offsets[1:]],
        lambda offsets: np.r_[offsets[:-1], offsets[-1] + 1],
        lambda offsets: offsets[:1],
        lambda offsets: np.r_[offsets[:2], offsets[1:]],
        lambda offsets: np.r_[0, 2**62, -(2**62), offsets[3:]],
        lambda offsets: offsets[:, None],
        lambda offsets: offsets.astype(np.float64),
        lambda offsets: offsets.astype(">i8"),
        lambda offsets: offsets[:0],
    ],
)
def test_offsets_that_are_none_are_refused_whatever_the_fingerprint(folder, change):
    remade(folder, train_offsets=change(np.load(folder / "train.offsets.npy")))
    assert outcome(folder) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("rules", "tokens"), "word"),
        (("rules", "script"), 5),
        (("changed_rules", "script"), 5),
        (("changed_rules", "script"), "traditional"),
        (("changed_rules",), []),
        (("rules",), None),
        (("prose",), True),
        (("prose",), 1),
        (("vocabulary",), "日月"),
        (("vocabulary",), []),
        (("vocabulary", 0), "日月"),
        (("vocabulary", 0), "\x1b"),
        (("fingerprint",), None),
        (("about_checksums", "train"), "0123456789abcdef"),
        (("about_checksums",), {}),
    ],
)
def test_fields_are_not_believed_by_themselves(folder, key, value):
    def change(meta):
        *outer, last = key
        for name in outer:
            meta = meta[name]
        meta[last] = value

    remade(folder)
    assert outcome(folder) is not None
    if key == ("fingerprint",):
        path = folder / "corpus.json"
        meta = json.loads(path.read_bytes())
        del meta["checksum"]
        seal(path, {**meta, "fingerprint": None})
    else:
        remade(folder, change)
    assert outcome(folder) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[1:],
        lambda lines: [*lines, "题\t李白\t唐"],
        lambda lines: ["题\t李白", *lines[1:]],
        lambda lines: ["题\t李白\t唐\t", *lines[1:]],
        lambda lines: ["\udcff\t\t", *lines[1:]],
    ],
)
def test_lines_about_poems_that_do_not_fit_are_refused_whatever_the_checksum(folder, change):
    path = folder / "train.about.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    content = "".join(f"{line}\n" for line in change(lines)).encode("utf-8", "surrogateescape")
    path.write_bytes(content)
    checksum = sha256(content).hexdigest()[:16]
    remade(folder, lambda meta: meta["about_checksums"].update(train=checksum))
    assert outcome(folder) is None
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    checksum = sha256(path.read_bytes()).hexdigest()[:16]
    remade(folder, lambda meta: meta["about_checksums"].update(train=checksum))
    assert outcome(folder) is not None


def test_a_doubled_token_asks_for_the_corpus_again_and_not_for_a_model(folder):
    def double(meta):
        meta["vocabulary"][1] = meta["vocabulary"][0]

    remade(folder, double)
    with pytest.raises(CorpusError, match="appears twice") as error:
        load_corpus(folder)
    assert "model" not in error.value.problem + error.value.advice
