import dataclasses
import json
import math
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from poetgen.config import ARCHS, ModelConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import ModelError
from poetgen.networks.model import CorpusRef, Metrics, Model
from poetgen.networks.model_file import load_model, load_model_header, save_model, widen
from poetgen.tensor_file import FileKind, save_tensor_file
from poetgen.training.checkpoint import load_checkpoint
from poetgen.verse.choice import build_choice
from tests.tiny import tiny_model, tiny_weights
from tests.verse.samples import chance_poems

# Any JSON a trainer might write beside the weights. Surrogates are not text, and a control
# character is not a token.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=9
)
CARDS = st.dictionaries(
    TEXTS, st.one_of(st.none(), st.booleans(), st.integers(), TEXTS, st.floats(allow_nan=False))
)
METRICS = Metrics(3.25, 25.75, None, 4, 0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(path):
    """The smallest model file, as bytes; ``path`` holds it."""
    config = ModelConfig(arch="rnn", vocab_size=6, embedding_dim=2, hidden_size=3)
    model = Model(config, Vocabulary("日，"), tiny_weights(config), validation=METRICS)
    save_model(model, path)
    return path.read_bytes()


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("arch", ARCHS)
def test_a_model_comes_back_as_it_was_but_for_float16(arch, num_layers, path):
    model = dataclasses.replace(
        tiny_model(arch, num_layers),
        training={"arch": arch, "learning_rate": 4e-3, "grad_clip": None},
        corpus=CorpusRef("唐", "abc"),
        validation=METRICS,
        extra={
            "corpus": {"licence": "MIT"},
            "metrics": {"test": {"loss_per_token": 3}},
            "validation": {"bits_per_token": 4.5},
        },
    )
    save_model(model, path)
    loaded = load_model(path)
    for name in ("config", "script", "training", "corpus", "validation", "extra"):
        assert getattr(loaded, name) == getattr(model, name), name
    assert loaded.vocabulary.tokens == model.vocabulary.tokens
    assert loaded.weights.keys() == model.weights.keys()
    for name, weights in model.weights.items():
        assert loaded.weights[name].dtype == np.float32
        half = weights.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(loaded.weights[name], half, err_msg=name)


@settings(max_examples=30, deadline=None)
@given(card=CARDS, tokens=st.sets(TEXTS.filter(bool), min_size=1, max_size=6))
def test_any_vocabulary_and_any_card_survive_the_file(card, tokens, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    model = tiny_model(tokens="".join(chr(0x4E00 + i) for i in range(len(tokens))))
    model = dataclasses.replace(model, vocabulary=Vocabulary(sorted(tokens)), training=card)
    save_model(model, path)
    loaded = load_model(path)
    assert loaded.vocabulary.tokens == tuple(sorted(tokens))
    assert loaded.training == card


def test_what_the_choice_among_drafts_needs_comes_back_as_it_was(path, tmp_path):
    model = dataclasses.replace(tiny_model(), choice=build_choice(chance_poems(200)))
    save_model(model, path)
    loaded = load_model(path)
    arrays = model.choice.as_arrays()
    for name, array in loaded.choice.as_arrays().items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    assert loaded.weights.keys() == model.weights.keys()
    assert load_model_header(path).choice is None
    save_model(loaded, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    save_model(dataclasses.replace(loaded, choice=None), path)
    assert load_model(path).choice is None


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("choice.kinds", None),
        ("choice.more", np.zeros(3, np.uint8)),
        ("choice.chars", np.zeros(3, np.float16)),
        ("choice.chars", np.array([97] * 90, np.uint32)),
        ("choice.log_probs", np.full(90, np.nan, np.float16)),
        ("choice.log_probs", np.full(91, -1, np.float16)),
        ("choice.kinds", np.zeros((90, 17), np.int8)),
        ("choice.thread_gaps", np.zeros(4, np.uint8)),
        ("choice.pairs", np.zeros((2, 2), np.uint8)),
    ],
    ids=str,
)
def test_a_damaged_index_is_refused_with_its_model(name, array, path):
    model = dataclasses.replace(tiny_model(), choice=build_choice(chance_poems(200)))
    arrays = {name: w.astype(np.float16) for name, w in model.weights.items()}
    arrays |= {f"choice.{part}": array for part, array in model.choice.as_arrays().items()}
    kind, card = FileKind(key="poetgen", version=1, noun="model file"), _card(model)
    save_tensor_file(path, kind, arrays, card)
    load_model(path)
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    save_tensor_file(path, kind, arrays, card)
    with pytest.raises(ModelError, match="not a usable model"):
        load_model(path)


def test_saving_twice_gives_the_same_bytes(saved, path, tmp_path):
    model = load_model(path)
    backwards = dict(reversed(model.weights.items()))
    save_model(dataclasses.replace(model, weights=backwards), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved


def test_what_a_file_says_beyond_what_poetgen_knows_is_saved_again(path, tmp_path):
    model = tiny_model("rnn", tokens="日月，")
    kind = FileKind(key="poetgen", version=1, noun="model file")
    about = {
        "corpus": {"name": "tang", "fingerprint": "5a", "licence": "MIT"},
        "metrics": {
            "validation": {**dataclasses.asdict(METRICS), "bits_per_token": 4.5},
            "test": {"loss_per_token": "?"},
        },
    }
    half = {name: w.astype(np.float16) for name, w in model.weights.items()}
    save_tensor_file(path, kind, half, _card(model, **about))
    loaded = load_model(path)
    assert (loaded.corpus, loaded.validation) == (CorpusRef("tang", "5a"), METRICS)
    save_model(loaded, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_every_truncation_is_refused(saved, path):
    for length in range(len(saved)):
        path.write_bytes(saved[:length])
        with pytest.raises(ModelError):
            load_model(path)


def test_every_byte_with_a_flipped_bit_is_refused(saved, path):
    rng = np.random.default_rng(0)
    accepted = []
    for place, bit in enumerate(rng.integers(0, 8, len(saved)).tolist()):
        damaged = bytearray(saved)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            load_model(path)
        except ModelError:
            continue
        accepted.append((place, bit))
    assert accepted == []


def test_bytes_after_the_end_are_refused(saved, path):
    path.write_bytes(saved + b"\x00")
    with pytest.raises(ModelError):
        load_model(path)


def _without(weights, name):
    return {key: value for key, value in weights.items() if key != name}


@pytest.mark.parametrize(
    "change",
    [
        lambda w: {**w, "rnn.weight_ih_l0": w["rnn.weight_ih_l0"].T},
        lambda w: {**w, "output_bias": w["output_bias"][:-1]},
        lambda w: {**w, "embedding.weight": w["embedding.weight"][:-1]},
        lambda w: {**w, "rnn.weight_ih_l7": w["rnn.weight_ih_l0"]},
        lambda w: _without(w, "rnn.bias_hh_l1"),
    ],
    ids=["transposed", "short bias", "short embedding", "one too many", "one missing"],
)
def test_weights_that_do_not_fit_the_architecture_are_refused(change, path):
    model = tiny_model("lstm", 2)
    save_model(dataclasses.replace(model, weights=change(model.weights)), path)
    with pytest.raises(ModelError, match="weights do not fit"):
        load_model(path)


def test_weights_of_another_architecture_are_refused(path):
    gru, lstm = tiny_model("gru"), tiny_model("lstm")
    save_model(dataclasses.replace(gru, weights=lstm.weights), path)
    with pytest.raises(ModelError):
        load_model(path)


@pytest.mark.parametrize("tokens", ["日月", "日月，。"])
def test_a_vocabulary_of_another_size_is_refused(tokens, path):
    model = tiny_model(tokens="日月，")
    save_model(dataclasses.replace(model, vocabulary=Vocabulary(tokens)), path)
    with pytest.raises(ModelError, match="vocabulary does not fit"):
        load_model(path)


def deep_card(levels):
    """Put a dictionary into a dictionary into …"""
    card = {}
    for _ in range(levels):
        card = {"in": card}
    return card


def _card(written, **changes):
    card = {
        "model": dataclasses.asdict(written.config),
        "tokens": "char",
        "script": "keep",
        "training": {},
        "corpus": {},
        "metrics": {},
        "vocabulary": list(written.vocabulary.tokens),
    }
    return {**card, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"vocabulary": ["日", "日", "，"]},
        {"vocabulary": ["日", "", "，"]},
        {"vocabulary": None},
        {"vocabulary": ["日", 7, "，"]},
        {"vocabulary": ["日", "\x1b[2J", "，"]},
        {"vocabulary": {"日": 1, "月": 2, "，": 3}},
        {"vocabulary": "日月，"},
        {"tokens": "syllable"},
        {"script": None},
        {"training": []},
        {"metrics": "good"},
        {"metrics": {"validation": 5}},
        {"metrics": {"validation": {"loss_per_token": 3.25}}},
        {"metrics": {"validation": {**dataclasses.asdict(METRICS), "num_tokens": "many"}}},
        {"metrics": {"validation": {**dataclasses.asdict(METRICS), "loss_per_token": math.nan}}},
        {"corpus": "tang"},
        {"corpus": {"name": "tang"}},
        {"corpus": {"name": "tang", "fingerprint": None}},
        {"model": {"arch": "rnn", "vocab_size": 7, "num_layers": 10**15}},
        {"model": {"arch": "rnn", "vocab_size": 7, "output": "hardmax"}},
        {"model": {"arch": "rnn", "vocab_size": 7, "embedding_dim": 7.0, "hidden_size": 12}},
        {"model": {"arch": "rnn", "vocab_size": 7, "num_layers": True}},
        {"model": {"arch": "transformer", "vocab_size": 7}},
        {"model": {"arch": "rnn", "vocab_size": 0}},
        {"model": {"arch": "rnn", "heads": 8}},
        {"model": {"arch": "rnn", "vocab_size": "many"}},
        {"model": None},
        {"model": {"arch": "rnn", "vocab_size": 7, "gumbel_tau": 10**400}},
        {"model": {"arch": "rnn", "vocab_size": 7, "softmax_temperature": 1e308}},
        {"metrics": deep_card(500)},
        {"tokens": deep_card(500)},
        {"model": {"arch": deep_card(500)}},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_well_written_card_that_makes_no_sense_is_refused(changes, path):
    model = tiny_model("rnn", tokens="日月，")
    kind = FileKind(key="poetgen", version=1, noun="model file")
    save_tensor_file(path, kind, model.weights, _card(model))
    load_model(path)
    save_tensor_file(path, kind, model.weights, _card(model, **changes))
    with pytest.raises(ModelError):
        load_model(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_neither_read_nor_written(bad, path):
    model = tiny_model("rnn", tokens="日月，")
    weights = {name: w.copy() for name, w in model.weights.items()}
    weights["output_bias"][2] = bad
    kind = FileKind(key="poetgen", version=1, noun="model file")
    save_tensor_file(path, kind, weights, _card(model))
    with pytest.raises(ModelError, match="NaN"):
        load_model(path)
    path.unlink()
    with pytest.raises(ModelError):
        save_model(dataclasses.replace(model, weights=weights), path)
    weights["output_bias"][2] = 1e6  # more than a float16 can hold
    with pytest.raises(ModelError):
        save_model(dataclasses.replace(model, weights=weights), path)
    assert not path.exists()


def test_every_number_of_16_bits_is_widened_exactly():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(4, -1)
    wide = widen(halves)
    finite = np.isfinite(halves)
    assert wide.dtype == np.float32
    exact = halves[finite].astype(np.float32)
    np.testing.assert_array_equal(wide[finite].view(np.int32), exact.view(np.int32))
    assert (np.abs(wide[~finite]) >= 65_536).all()
    np.testing.assert_array_equal(np.signbit(wide), np.signbit(halves))


def test_weights_that_would_overflow_in_a_product_are_refused(path):
    model = tiny_model("rnn", tokens="日月，")
    weights = {name: w.copy() for name, w in model.weights.items()}
    for size, fits in ((65_504, True), (1e30, False)):
        weights["output_bias"][2] = -size
        save_tensor_file(path, FileKind("poetgen", 1, "model file"), weights, _card(model))
        if fits:
            load_model(path)
    with pytest.raises(ModelError, match="too large"):
        load_model(path)


def test_a_sparse_file_of_another_shape_is_refused_before_it_is_read(path):
    config = ModelConfig(arch="rnn", vocab_size=7, embedding_dim=2, hidden_size=3)
    model = Model(config, Vocabulary("日月，"), tiny_weights(config))
    save_model(model, path)
    header_bytes = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + header_bytes])
    place = 0
    for name, entry in header.items():
        if name != "__metadata__":
            entry["shape"][0] *= 10**7
            size = 2 * int(np.prod(entry["shape"]))
            entry["data_offsets"] = [place, place := place + size]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + place)
    tracemalloc.start()
    with pytest.raises(ModelError, match="weights do not fit"):
        load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.bool_, np.uint8])
def test_weights_of_another_type_are_refused(dtype, path):
    model = tiny_model("rnn", tokens="日月，")
    weights = {name: w.astype(dtype) for name, w in model.weights.items()}
    save_tensor_file(
        path, FileKind(key="poetgen", version=1, noun="model file"), weights, _card(model)
    )
    with pytest.raises(ModelError, match="floating-point"):
        load_model(path)


def test_a_newer_format_is_refused_and_both_versions_are_named(path):
    model = tiny_model("rnn", tokens="日月，")
    kind = FileKind(key="poetgen", version=73, noun="model file")
    save_tensor_file(path, kind, model.weights, _card(model))
    with pytest.raises(ModelError, match=r"73.*\b1\b"):
        load_model(path)


def test_files_of_other_programs_are_refused(path, tmp_path):
    path.write_bytes(os.urandom(300))
    with pytest.raises(ModelError):
        load_model(path)
    save_file({"embedding.weight": np.zeros((3, 2), np.float32)}, path)
    with pytest.raises(ModelError):
        load_model(path)
    for absent in (tmp_path, tmp_path / "nothing.safetensors"):
        with pytest.raises(ModelError, match="no model file"):
            load_model(absent)


def test_a_checkpoint_is_no_model_and_a_model_no_checkpoint(saved, path, tmp_path):
    with pytest.raises(ModelError):
        load_checkpoint(path)
    kind = FileKind(key="poetgen-checkpoint", version=1, noun="checkpoint")
    save_tensor_file(tmp_path / "run.checkpoint", kind, {"x": np.arange(3)}, {"step": 3})
    with pytest.raises(ModelError, match="not a model file"):
        load_model(tmp_path / "run.checkpoint")


def test_a_failed_save_leaves_the_old_file_and_no_debris(saved, path):
    model = load_model(path)
    with pytest.raises(TypeError):
        save_model(dataclasses.replace(model, training={"loss": object()}), path)
    assert path.read_bytes() == saved
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("arch", ARCHS)
def test_a_header_is_the_model_without_its_weights(arch, path):
    model = dataclasses.replace(
        tiny_model(arch, 2),
        training={"arch": arch},
        corpus=CorpusRef("唐", "abc"),
        validation=METRICS,
        extra={"metrics": {"test": {"loss_per_token": 3}}},
    )
    save_model(model, path)
    header, whole = load_model_header(path), load_model(path)
    assert header.vocabulary.tokens == whole.vocabulary.tokens
    changes = {"weights": {}, "vocabulary": header.vocabulary}
    assert header == dataclasses.replace(whole, **changes)


def test_a_header_that_does_not_fit_its_weights_is_refused_without_reading_them(saved, path):
    for length in (0, 7, 99, len(saved) - 1):
        path.write_bytes(saved[:length])
        with pytest.raises(ModelError, match="not a whole model file"):
            load_model_header(path)
    # A weight that was altered is found only by who reads it.
    path.write_bytes(saved[:-1] + bytes([saved[-1] ^ 1]))
    assert load_model_header(path).config.hidden_size == 3
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)
