"""The model file: one ``.safetensors`` that holds all a poem needs.

Weights are stored as float16. The header holds architecture, vocabulary, script, training
settings, corpus fingerprint and metrics; the whole has a checksum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from poetgen.config import ModelConfig
from poetgen.corpus.vocabulary import NUM_SPECIAL, Vocabulary
from poetgen.errors import ModelError, PoetgenError
from poetgen.networks.half import widened
from poetgen.networks.model import LARGEST_WEIGHT, Model, Weights, weight_shapes
from poetgen.places import MODEL_KEY, SNAPSHOT_SUFFIXES
from poetgen.tensor_file import FileKind, Layout, all_finite, load_tensor_file, save_tensor_file

_KIND = FileKind(key=MODEL_KEY, version=1, noun="model file")
_ADVICE = "Train a model (poetgen train), or name another one with --model."
# What poetgen writes has four; whatever shows a card goes down by calling itself.
_MAX_CARD_LEVELS = 16


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
    save_tensor_file(path, _KIND, weights, card)


def load_model(path: Path) -> Model:
    """Read a model file, or a snapshot of the classic character RNN (``.pkl``).

    Nothing in either is ever executed. Weights come back as float32.

    Raises:
        ModelError: the file is missing, truncated, altered, or no poetgen model.
    """
    if path.suffix in SNAPSHOT_SUFFIXES:
        from poetgen.networks.snapshot import load_snapshot

        return load_snapshot(path)

    def check(card: Mapping[str, Any], layout: Layout) -> None:
        with _unusable(path):
            _check_layout(card, layout)

    weights, card = load_tensor_file(path, _KIND, _ADVICE, check)
    with _unusable(path):
        return _read(card, weights)


@contextmanager
def _unusable(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with the content of a file into one clear error."""
    try:
        yield
    except (KeyError, TypeError, ValueError, PoetgenError) as error:
        why = str(error).removesuffix(".")
        raise ModelError(f"{path} is not a usable model: {why}.", _ADVICE) from error


def _check_layout(card: Mapping[str, Any], layout: Layout) -> None:
    """Hold the types and shapes of the arrays in a file against its card."""
    about = [value for key, value in card.items() if key != "vocabulary"]
    if not _is_shallow(about, _MAX_CARD_LEVELS):
        raise ValueError("its card has too many levels")
    if not isinstance(card["model"], dict) or not isinstance(card["vocabulary"], list):
        raise ValueError("its card is not as poetgen writes it")
    config = _read_config(card["model"])
    shapes = {name: shape for name, (_, shape) in layout.items()}
    # Each layer has weights of its own; a card may claim more layers than one could count.
    if config.num_layers > len(shapes) or shapes != weight_shapes(config):
        raise ValueError("its weights do not fit its architecture")
    if not all(dtype in ("F16", "F32") for dtype, _ in layout.values()):
        raise ValueError("its weights are no floating-point numbers of 16 or 32 bits")
    if NUM_SPECIAL + len(card["vocabulary"]) != config.vocab_size:
        raise ValueError("its vocabulary does not fit its architecture")


def _read(card: dict[str, Any], weights: Weights) -> Model:
    weights = {name: widened(numbers) for name, numbers in weights.items()}
    # Larger ones, which poetgen does not write, would overflow in the products.
    if not all(w.min() >= -LARGEST_WEIGHT and w.max() <= LARGEST_WEIGHT for w in weights.values()):
        raise ValueError("one of its weights is too large, or not a number")
    about = [card[name] for name in ("training", "corpus", "metrics")]
    if not all(isinstance(values, dict) for values in about) or not isinstance(card["script"], str):
        raise ValueError("its card is not as poetgen writes it")
    return Model(
        _read_config(card["model"]),
        Vocabulary(card["vocabulary"], card["tokens"]),
        weights,
        card["script"],
        *about,
    )


def _is_shallow(value: Any, levels: int) -> bool:
    """Return whether lists and dictionaries lie in each other at most ``levels`` deep."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in parts)


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
