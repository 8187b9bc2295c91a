"""Initial weights in numpy, of the same distributions as torch's."""

from __future__ import annotations

import numpy as np

from poetgen.config import ModelConfig
from poetgen.networks.model import Weights, weight_shapes

# The standard deviation of char-rnn's initial weights.
SMALL = 0.01


def draw_weights(config: ModelConfig, rng: np.random.Generator) -> Weights:
    """Return initial weights, as float32.

    One-hot models start with normal weights of standard deviation 0.01 and biases of zero.
    Others: uniform in ±1/√H, except for the embedding, which is normal with standard
    deviation 1/√E, and the output bias, which is zero.
    """
    bound = config.hidden_size**-0.5
    weights: Weights = {}
    for name, shape in weight_shapes(config).items():
        if name == "output_bias" or (config.one_hot and len(shape) == 1):
            drawn = np.zeros(shape)
        elif config.one_hot:
            drawn = rng.normal(0, SMALL, shape)
        elif name == "embedding.weight":
            drawn = rng.normal(0, config.embedding_dim**-0.5, shape)
        else:
            drawn = rng.uniform(-bound, bound, shape)
        weights[name] = drawn.astype(np.float32)
    return weights
