"""The language model in numpy, token by token: enough to recite, and quick to start."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.config import ModelConfig
from poetgen.networks import bptt
from poetgen.networks.bptt import States, embed, hidden_weights, input_share, zero_state
from poetgen.networks.cells import CELLS, Array
from poetgen.networks.model import Weights
from poetgen.networks.output_layer import logits_of, score

Ids = NDArray[np.integer[Any]]

# Steps that are read at once: a file may be longer than memory is wide.
_BLOCK_STEPS = 256


class NumpyModel:
    """The same network as the torch one, over plain arrays."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        """Take the weights as they are, in their own precision."""
        self.config = config
        self.weights = weights

    def start(self, batch_size: int) -> States:
        """Give the state before the first token: zeros."""
        return zero_state(self.config, self.weights, batch_size)

    def step(self, token_ids: Ids, state: States) -> tuple[Array, States]:
        """Read one token of each poem, ids (B,); give logits (B, V) and the next state."""
        hidden, state = self._read(token_ids, state)
        return self._logits(hidden), state

    def prime(self, token_ids: Ids, state: States) -> tuple[Array, States]:
        """Read a text into every state, ids (T,); give the logits (B, V) after its last token.

        Layer by layer: what the inputs of all steps contribute is one product, so that only
        the product with the hidden state is left to be done step by step.
        """
        batch_size = len(state[0][0])
        for first in range(0, len(token_ids), _BLOCK_STEPS):
            block = token_ids[first : first + _BLOCK_STEPS]
            inputs = np.broadcast_to(block, (batch_size, len(block)))
            state = bptt.read(self.config, self.weights, inputs, state).state
        # The output layer is most of the work, and only its last row is wanted.
        return self._logits(state[-1][0]), state

    def select(self, state: States, rows: Ids) -> States:
        """Keep only some of the poems, in the order given."""
        return [tuple(part[rows] for part in layer) for layer in state]

    def losses(self, inputs: Ids, targets: Ids, pad: int) -> NDArray[np.float64]:
        """Give the loss in nats of every target (B, T) that is not ``pad``, (N,)."""
        return bptt.losses(self.config, self.weights, inputs, targets, pad)

    def _read(self, token_ids: Ids, state: States) -> tuple[Array, States]:
        step = CELLS[self.config.arch].step
        # Poems of one form often have the same token, a mark, at the same place.
        different, places = np.unique(token_ids, return_inverse=True)
        x = None if self.config.one_hot else embed(self.weights, different)
        wx = input_share(self.weights, 0, different, x)[places]
        new: States = []
        for layer, old in enumerate(state):
            if layer > 0:
                wx = input_share(self.weights, layer, token_ids, new[-1][0])
            u, bias = hidden_weights(self.weights, layer)
            uh = old[0] @ u.T
            uh += bias  # in place, as with all large arrays: new memory takes its time
            new.append(step(wx, uh, old)[0])
        return new[-1][0], new

    def _logits(self, hidden: Array) -> Array:
        return logits_of(self.config, score(self.config, self.weights, hidden).scores)
