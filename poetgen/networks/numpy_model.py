"""The language model in numpy: enough to recite, and quick to start."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.config import ModelConfig
from poetgen.networks.cells import Array, gru_step, lstm_step, rnn_step
from poetgen.networks.model_file import Weights

# One pair (h, c) a layer, each (B, H); c is unused but by the LSTM.
NumpyState = list[tuple[Array, Array]]
# Steps whose input products are held at once: a file may be longer than memory is wide.
_BLOCK_STEPS = 256


class NumpyModel:
    """The same network as the torch one, over plain arrays."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        """Take the weights as they are, in their own precision."""
        self.config = config
        self.weights = weights

    def start(self, batch_size: int) -> NumpyState:
        """Give the state before the first token: zeros."""
        dtype = self.weights["embedding.weight"].dtype
        zeros = np.zeros((batch_size, self.config.hidden_size), dtype)
        return [(zeros, zeros) for _ in range(self.config.num_layers)]

    def step(
        self, token_ids: NDArray[np.integer[Any]], state: NumpyState
    ) -> tuple[Array, NumpyState]:
        """Read one token of each poem, ids (B,); give logits (B, V) and the next state."""
        hidden, state = self._read(token_ids, state)
        return self._logits(hidden), state

    def prime(
        self, token_ids: NDArray[np.integer[Any]], state: NumpyState
    ) -> tuple[Array, NumpyState]:
        """Read a text into every state, ids (T,); give the logits (B, V) after its last token.

        Layer by layer: what the inputs of all T steps contribute is one product, so that
        only the product with the hidden state is left to be done step by step.
        """
        for first in range(0, len(token_ids), _BLOCK_STEPS):
            x: Array = self.weights["embedding.weight"][token_ids[first : first + _BLOCK_STEPS]]
            x = x[:, None]  # (T, 1, E): all poems read the same; above, (T, B, H)
            read: NumpyState = []
            for layer, (h, c) in enumerate(state):
                steps = []
                flat = x.reshape(x.shape[0] * x.shape[1], x.shape[2])
                for wx in self._input_product(layer, flat).reshape(len(x), x.shape[1], -1):
                    h, c = self._cell(layer, wx, h, c)
                    steps.append(h)
                x = np.stack(steps)
                read.append((h, c))
            state = read
        # The output layer is most of the work, and only its last row is wanted.
        return self._logits(state[-1][0]), state

    def select(self, state: NumpyState, rows: NDArray[np.integer[Any]]) -> NumpyState:
        """Keep only some of the poems, in the order given."""
        return [(h[rows], c[rows]) for h, c in state]

    def _read(
        self, token_ids: NDArray[np.integer[Any]], state: NumpyState
    ) -> tuple[Array, NumpyState]:
        x: Array = self.weights["embedding.weight"][token_ids]
        new: NumpyState = []
        for layer, (h, c) in enumerate(state):
            x, c = self._cell(layer, self._input_product(layer, x), h, c)
            new.append((x, c))
        return x, new

    def _input_product(self, layer: int, x: Array) -> Array:
        w, bias = self.weights[f"rnn.weight_ih_l{layer}"], self.weights[f"rnn.bias_ih_l{layer}"]
        product: Array = x @ w.T
        product += bias
        return product

    def _cell(self, layer: int, wx: Array, h: Array, c: Array) -> tuple[Array, Array]:
        u, bias = self.weights[f"rnn.weight_hh_l{layer}"], self.weights[f"rnn.bias_hh_l{layer}"]
        if self.config.arch == "lstm":
            return lstm_step(wx, h, c, u, bias)
        return (gru_step if self.config.arch == "gru" else rnn_step)(wx, h, u, bias), c

    def _logits(self, hidden: Array) -> Array:
        w = self.weights
        projected = hidden @ w["projection.weight"].T
        logits: Array = projected @ w["embedding.weight"].T
        logits += w["output_bias"]  # in place: for many poems this is a large array
        return logits
