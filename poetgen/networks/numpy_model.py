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
        """Read a text into every state, ids (T,); give the logits after its last token."""
        hidden = state[-1][0]
        for token_id in token_ids:
            hidden, state = self._read(np.full(len(hidden), token_id), state)
        # The output layer is most of the work, and only its last row is wanted.
        return self._logits(hidden), state

    def select(self, state: NumpyState, rows: NDArray[np.integer[Any]]) -> NumpyState:
        """Keep only some of the poems, in the order given."""
        return [(h[rows], c[rows]) for h, c in state]

    def _read(
        self, token_ids: NDArray[np.integer[Any]], state: NumpyState
    ) -> tuple[Array, NumpyState]:
        w = self.weights
        x: Array = w["embedding.weight"][token_ids]
        new: NumpyState = []
        for layer, (h, c) in enumerate(state):
            wx = x @ w[f"rnn.weight_ih_l{layer}"].T + w[f"rnn.bias_ih_l{layer}"]
            u, bias = w[f"rnn.weight_hh_l{layer}"], w[f"rnn.bias_hh_l{layer}"]
            if self.config.arch == "lstm":
                x, c = lstm_step(wx, h, c, u, bias)
            else:
                x = (gru_step if self.config.arch == "gru" else rnn_step)(wx, h, u, bias)
            new.append((x, c))
        return x, new

    def _logits(self, hidden: Array) -> Array:
        w = self.weights
        projected = hidden @ w["projection.weight"].T
        logits: Array = projected @ w["embedding.weight"].T + w["output_bias"]
        return logits
