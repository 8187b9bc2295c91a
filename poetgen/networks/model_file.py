"""The model file: one ``.safetensors`` that holds all a poem needs.

Weights are stored as float16. The header holds architecture, vocabulary, script, training
settings, corpus fingerprint and metrics; the whole is sealed with a checksum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from poetgen.config import ModelConfig
from poetgen.errors import ModelError, PoetgenError
from poetgen.networks.cells import CELLS
from poetgen.places import SNAPSHOT_SUFFIXES
from poetgen.sealed import Arrays, Kind, all_finite, load_sealed, save_sealed
from poetgen.text.vocabulary import Vocabulary

Weights = Arrays

_KIND = Kind(key="poetgen", version=1, noun="model file")
_ADVICE = "Train a model (poetgen train), or name another one with --model."


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
    gates = CELLS[config.arch].num_gates
    v, e, h = config.vocab_size, config.embedding_dim, config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    if not config.one_hot:
        shapes["embedding.weight"] = (v, e)
    for layer in range(config.num_layers):
        shapes[f"rnn.weight_ih_l{layer}"] = (gates * h, e if layer == 0 else h)
        shapes[f"rnn.weight_hh_l{layer}"] = (gates * h, h)
        shapes[f"rnn.bias_ih_l{layer}"] = (gates * h,)
        shapes[f"rnn.bias_hh_l{layer}"] = (gates * h,)
    if config.tied:
        shapes["projection.weight"] = (e, h)
    else:
        shapes["output.weight"] = (v, h)
    shapes["output_bias"] = (v,)
    return shapes


def num_parameters(config: ModelConfig) -> int:
    """Count the weights of a model; the tied embedding counts once."""
    return sum(int(np.prod(shape)) for shape in weight_shapes(config).values())


def save_model(model: Model, path: Path) -> None:
    """Write a model file whole or not at all, weights as float16.

    Raises:
        ModelError: a weight is too large for that, or no number.
    """
    with np.errstate(over="ignore"):
        weights: Weights = {name: w.astype(np.float16) for name, w in model.weights.items()}
    if not all_finite(weights):
        raise ModelError(
            f"The model has weights that {path} cannot hold.", "Train with a smaller rate."
        )
    card = {
        "model": asdict(model.config),
        "tokens": model.vocabulary.kind,
        "script": model.script,
        "training": dict(model.training),
        "corpus": dict(model.corpus),
        "metrics": dict(model.metrics),
        "vocabulary": list(model.vocabulary.tokens),
    }
    save_sealed(path, _KIND, weights, card)


def load_model(path: Path) -> Model:
    """Read a model file, or a snapshot of the classic character RNN (``.pkl``).

    Nothing in either is ever executed. Weights come back as float32.

    Raises:
        ModelError: the file is missing, truncated, altered, or no poetgen model.
    """
    if path.suffix in SNAPSHOT_SUFFIXES:
        from poetgen.networks.char_rnn_snapshot import load_snapshot

        return load_snapshot(path)
    weights, card = load_sealed(path, _KIND, _ADVICE)
    try:
        return _read(card, weights)
    except (KeyError, TypeError, ValueError, PoetgenError) as error:
        raise ModelError(f"{path} is not a usable model: {error}.", _ADVICE) from error


def _read(card: dict[str, Any], weights: Weights) -> Model:
    if not isinstance(card["model"], dict) or not isinstance(card["vocabulary"], list):
        raise ValueError("its card is not as poetgen writes it")
    config = _read_config(card["model"])
    # Each layer has weights of its own; a card may claim more layers than one could count.
    if config.num_layers > len(weights):
        raise ValueError("its weights do not fit its architecture")
    shapes = {name: w.shape for name, w in weights.items()}
    if shapes != weight_shapes(config):
        raise ValueError("its weights do not fit its architecture")
    if not all(w.dtype in (np.float16, np.float32) for w in weights.values()):
        raise ValueError("its weights are no floating-point numbers of 16 or 32 bits")
    if not all_finite(weights):
        raise ValueError("one of its weights is not a number")
    about = [card[name] for name in ("training", "corpus", "metrics")]
    if not all(isinstance(values, dict) for values in about) or not isinstance(card["script"], str):
        raise ValueError("its card is not as poetgen writes it")
    vocabulary = Vocabulary(card["vocabulary"], card["tokens"])
    if len(vocabulary) != config.vocab_size:
        raise ValueError("its vocabulary does not fit its architecture")
    return Model(
        config,
        vocabulary,
        {name: w.astype(np.float32) for name, w in weights.items()},
        card["script"],
        *about,
    )


def _read_config(values: dict[str, Any]) -> ModelConfig:
    """Build a configuration of which every value has the type that is declared."""
    hints = get_type_hints(ModelConfig)
    for name, value in values.items():
        hint = hints[name]
        choices = get_args(hint)
        # In JSON, 1 is a fine 1.0; but True is no 1, and 1.0 units are none.
        fits = (
            value in choices if choices else type(value) in {hint, int if hint is float else hint}
        )
        if not fits:
            raise ValueError(f"{name} cannot be {value!r}")
    return ModelConfig(**values)
