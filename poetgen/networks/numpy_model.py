"""The language model in numpy, forward: sequences at once, and token by token.

Sequences are time first, (T, B, …), so that one step is contiguous in memory. Products that
do not depend on the step before are computed for all steps at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import FloatArray, IntArray
from poetgen.config import ModelConfig
from poetgen.networks.cells import CELLS, Cache, State
from poetgen.networks.model import Weights
from poetgen.networks.output_layer import cross_entropy, logits_of, score
from poetgen.networks.products import rows_times

# One state for each layer.
States = list[State]
# What dropout multiplies by: the embedding (T, B, E), then each layer's output (T, B, H).
# None: nothing.
Masks = Sequence[FloatArray | None]

# Rows whose logits are computed at once; those of a whole split may not fit into memory.
LOSS_ROWS = 1024
# Steps that are read at once; a prompt may be a long file.
_PRIME_STEPS = 256


class LayerTape(NamedTuple):
    """What the derivative of one layer needs of its forward pass."""

    x: FloatArray | None  # (T, B, E or H); None where the input is one-hot
    outputs: FloatArray  # (T, B, H)
    start: State
    caches: list[Cache]


class Reading(NamedTuple):
    """The forward pass over a batch: the last layer's outputs, the last state, the tape."""

    hidden: FloatArray  # (T, B, H), after dropout
    state: States
    tapes: list[LayerTape]


class NumpyModel:
    """The same network as the torch one, over plain arrays."""

    num_starts = 1

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        """Use the weights as they are, in their own precision."""
        self.config = config
        self.weights = weights

    def start(self, batch_size: int) -> States:
        """Return the state before the first token: zeros, in the precision of the weights."""
        zeros = np.zeros((batch_size, self.config.hidden_size), self.weights["output_bias"].dtype)
        return [(zeros,) * CELLS[self.config.arch].num_states] * self.config.num_layers

    def step(self, token_ids: IntArray, state: States) -> tuple[FloatArray, States]:
        """Read one token of each poem, ids (B,); return logits (B, V) and the next state."""
        step = CELLS[self.config.arch].step
        # Poems of one form often have the same token, a mark, at the same place.
        different, places = np.unique(token_ids, return_inverse=True)
        embedding = self.weights.get("embedding.weight")
        x = None if embedding is None else embedding[different]
        wx = self._input_product(0, different, x)[places]
        new: States = []
        for layer, old in enumerate(state):
            if layer > 0:
                wx = self._input_product(layer, token_ids, new[-1][0])
            new.append(step(wx, self._state_product(layer, old), old)[0])
        return self._logits(new[-1][0]), new

    def prime(self, token_ids: IntArray, state: States) -> tuple[FloatArray, States]:
        """Read a text into every state, ids (T,); return the logits (B, V) after its last token."""
        batch_size = len(state[0][0])
        for first in range(0, len(token_ids), _PRIME_STEPS):
            block = token_ids[first : first + _PRIME_STEPS]
            state = self.read(np.broadcast_to(block, (batch_size, len(block))), state).state
        # The output layer is most of the work, and only its last row is needed.
        return self._logits(state[-1][0]), state

    def select(self, state: States, rows: IntArray) -> States:
        """Return the states of some poems, in the order given."""
        return [tuple(part[rows] for part in layer) for layer in state]

    def join(self, states: Sequence[States]) -> States:
        """Return the states of several batches as those of one."""
        return [
            tuple(map(np.concatenate, zip(*parts, strict=True)))
            for parts in zip(*states, strict=True)
        ]

    @np.errstate(all="ignore")
    def losses(self, inputs: IntArray, targets: IntArray, pad: int) -> NDArray[np.float64]:
        """Return the loss in nats of every target (B, T) that is not ``pad``, row by row (N,)."""
        hidden = self.read(inputs).hidden.transpose(1, 0, 2)
        present = targets != pad
        rows, wanted = hidden[present], targets[present]
        losses = np.empty(len(rows))
        for part in (slice(i, i + LOSS_ROWS) for i in range(0, len(rows), LOSS_ROWS)):
            losses[part], _ = cross_entropy(self._logits(rows[part]), wanted[part])
        return losses

    def read(
        self, inputs: IntArray, state: States | None = None, masks: Masks | None = None
    ) -> Reading:
        """Return the forward pass over token ids (B, T), from ``state`` or from zeros."""
        step = CELLS[self.config.arch].step
        ids = inputs.T
        masks = masks or [None] * (self.config.num_layers + 1)
        embedding = self.weights.get("embedding.weight")
        x = None if embedding is None else dropped(embedding[ids], masks[0])
        last: States = []
        tapes = []
        for layer, part in enumerate(state or self.start(len(inputs))):
            wx = self._input_product(layer, ids, x)
            outputs = np.empty((*ids.shape, self.config.hidden_size), wx.dtype)
            tapes.append(LayerTape(x, outputs, part, []))
            for t in range(len(wx)):
                part, cache = step(wx[t], self._state_product(layer, part), part)
                tapes[-1].caches.append(cache)
                outputs[t] = part[0]
            last.append(part)
            x = hidden = dropped(outputs, masks[layer + 1])
        return Reading(hidden, last, tapes)

    def _input_product(self, layer: int, ids: IntArray, x: FloatArray | None) -> FloatArray:
        """Return W x + b (…, G·H) for x (…, E or H), or for ids (…) as one-hot vectors."""
        w = self.weights[f"rnn.weight_ih_l{layer}"]
        # A one-hot vector selects a column.
        wx: FloatArray = w.T[ids] if x is None else rows_times(x, w)
        wx += self.weights[f"rnn.bias_ih_l{layer}"]
        return wx

    def _state_product(self, layer: int, state: State) -> FloatArray:
        """Return U h + b', (B, G·H)."""
        uh = rows_times(state[0], self.weights[f"rnn.weight_hh_l{layer}"])
        uh += self.weights[f"rnn.bias_hh_l{layer}"]  # in place: allocation takes its time
        return uh

    def _logits(self, hidden: FloatArray) -> FloatArray:
        return logits_of(self.config, score(self.config, self.weights, hidden)[0])


def dropped(x: FloatArray, mask: FloatArray | None) -> FloatArray:
    """Return x after dropout by ``mask``."""
    return x if mask is None else x * mask
