"""The model file: one ``.safetensors`` that holds all a poem needs.

Weights are stored as float16. The header's metadata has one JSON text under ``poetgen``:
architecture, vocabulary, script, training settings, corpus fingerprint, metrics, and a
SHA-256 over everything, because the container itself has no checksum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.config import ModelConfig
from poetgen.errors import ModelError, PoetgenError
from poetgen.files import write_whole
from poetgen.text.vocabulary import Vocabulary

FORMAT_VERSION = 1
SUFFIX = ".safetensors"

Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model as plain data, ready for either engine."""

    config: ModelConfig
    vocabulary: Vocabulary
    weights: Weights
    script: str = "keep"
    training: Mapping[str, Any] = field(default_factory=dict)
    corpus: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name every weight of a model and its shape.

    The names and the order of the gates are torch's: LSTM i, f, g, o; GRU r, z, n.
    """
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[config.arch]
    v, e, h = config.vocab_size, config.embedding_dim, config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (v, e)}
    for layer in range(config.num_layers):
        shapes[f"rnn.weight_ih_l{layer}"] = (gates * h, e if layer == 0 else h)
        shapes[f"rnn.weight_hh_l{layer}"] = (gates * h, h)
        shapes[f"rnn.bias_ih_l{layer}"] = (gates * h,)
        shapes[f"rnn.bias_hh_l{layer}"] = (gates * h,)
    shapes["projection.weight"] = (e, h)
    shapes["output_bias"] = (v,)
    return shapes


def num_parameters(config: ModelConfig) -> int:
    """Count the weights of a model; the tied embedding counts once."""
    return sum(int(np.prod(shape)) for shape in weight_shapes(config).values())


def save_model(model: Model, path: Path) -> None:
    """Write a model file whole or not at all, weights as float16."""
    from safetensors.numpy import save

    weights = {name: w.astype(np.float16) for name, w in sorted(model.weights.items())}
    card = {
        "format_version": FORMAT_VERSION,
        "model": asdict(model.config),
        "tokens": "char",
        "script": model.script,
        "training": dict(model.training),
        "corpus": dict(model.corpus),
        "metrics": dict(model.metrics),
        "vocabulary": list(model.vocabulary.tokens),
    }
    card["checksum"] = _checksum(card, weights)
    data = save(weights, {"poetgen": json.dumps(card, ensure_ascii=False, sort_keys=True)})
    write_whole(path, lambda temporary: temporary.write_bytes(data))


def load_model(path: Path) -> Model:
    """Read a model file; nothing in it is ever executed.

    Weights come back as float32.

    Raises:
        ModelError: the file is missing, truncated, altered, or no poetgen model.
    """
    from safetensors import SafetensorError, safe_open

    advice = "Train a model (poetgen train), or name another one with --model."
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.", advice)
    try:
        with safe_open(path, framework="numpy") as file:
            card = json.loads((file.metadata() or {})["poetgen"])
            weights = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        raise ModelError(f"{path} is not a whole poetgen model file: {error}.", advice) from error
    try:
        return _read(card, weights)
    except (KeyError, TypeError, ValueError, AttributeError, PoetgenError) as error:
        raise ModelError(f"{path} is damaged: {error}.", advice) from error


def _read(card: dict[str, Any], weights: Weights) -> Model:
    if card["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format version {card['format_version']}, not {FORMAT_VERSION}")
    if card.pop("checksum") != _checksum(card, weights):
        raise ValueError("its checksum does not match its content")
    config = ModelConfig(**card["model"])
    shapes = {name: w.shape for name, w in weights.items()}
    if shapes != weight_shapes(config):
        raise ValueError("its weights do not fit its architecture")
    vocabulary = Vocabulary(card["vocabulary"])
    if len(vocabulary) != config.vocab_size:
        raise ValueError("its vocabulary does not fit its architecture")
    return Model(
        config,
        vocabulary,
        {name: w.astype(np.float32) for name, w in weights.items()},
        card["script"],
        card["training"],
        card["corpus"],
        card["metrics"],
    )


def _checksum(card: Mapping[str, Any], weights: Weights) -> str:
    digest = hashlib.sha256(json.dumps(card, ensure_ascii=False, sort_keys=True).encode())
    for name in sorted(weights):
        w = weights[name]
        digest.update(f"{name} {w.dtype} {w.shape}".encode())
        digest.update(np.ascontiguousarray(w))
    return digest.hexdigest()
