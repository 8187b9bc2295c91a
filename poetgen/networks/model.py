"""A trained model as plain data, and which weights an architecture has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poetgen.config import ModelConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.networks.cells import CELLS
from poetgen.tensor_file import Arrays

Weights = Arrays

# The largest number of a float16, in which weights are stored. No product of numbers up to
# it overflows in a network that fits into a memory.
LARGEST_WEIGHT = 65504.0


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model, ready for either engine."""

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
