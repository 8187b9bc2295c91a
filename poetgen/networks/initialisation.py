"""Fresh weights in numpy, of the same distributions as torch's."""

from __future__ import annotations

import numpy as np

from poetgen.config import ModelConfig
from poetgen.networks.model import Weights, weight_shapes

# The classic character RNN begins with weights of this spread and no bias.
SMALL = 0.01


def draw_weights(config: ModelConfig, rng: np.random.Generator) -> Weights:
    """Draw the weights of a model that is yet to learn, as float32.

    One-hot models begin with normal weights of spread 0.01 and biases of zero. Others:
    uniform in ±1/√H but for the embedding, which is normal with spread 1/√E, and the bias
    of the output, which is zero.
    """
    return {
        name: _draw(name, shape, config, rng).astype(np.float32)
        for name, shape in weight_shapes(config).items()
    }


def _draw(
    name: str, shape: tuple[int, ...], config: ModelConfig, rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    if name == "output_bias" or (config.one_hot and len(shape) == 1):
        return np.zeros(shape)
    if config.one_hot:
        return rng.normal(0, SMALL, shape)
    if name == "embedding.weight":
        return rng.normal(0, config.embedding_dim**-0.5, shape)
    bound = config.hidden_size**-0.5
    return rng.uniform(-bound, bound, shape)
