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


def _zero_state(config: ModelConfig, weights: Weights, batch_size: int) -> States:
    """Return the state before the first token: zeros, in the precision of the weights."""
    zeros = np.zeros((batch_size, config.hidden_size), weights["output_bias"].dtype)
    return [(zeros,) * CELLS[config.arch].num_states] * config.num_layers


def read(
    config: ModelConfig,
    weights: Weights,
    inputs: IntArray,
    state: States | None = None,
    masks: Masks | None = None,
) -> Reading:
    """Return the forward pass over token ids (B, T), from ``state`` or from zeros."""
    step = CELLS[config.arch].step
    ids = inputs.T
    state = _zero_state(config, weights, len(inputs)) if state is None else state
    masks = masks or [None] * (config.num_layers + 1)
    x = None if config.one_hot else dropped(weights["embedding.weight"][ids], masks[0])
    last: States = []
    tapes = []
    for layer, part in enumerate(state):
        wx = _input_product(weights, layer, ids, x)
        tape = LayerTape(x, np.empty((*wx.shape[:2], config.hidden_size), wx.dtype), part, [])
        for t in range(len(wx)):
            part, cache = step(wx[t], _state_product(weights, layer, part), part)
            tape.caches.append(cache)
            tape.outputs[t] = part[0]
        tapes.append(tape)
        last.append(part)
        x = hidden = dropped(tape.outputs, masks[layer + 1])
    return Reading(hidden, last, tapes)


def dropped(x: FloatArray, mask: FloatArray | None) -> FloatArray:
    """Return x after dropout by ``mask``."""
    return x if mask is None else x * mask


def _input_product(weights: Weights, layer: int, ids: IntArray, x: FloatArray | None) -> FloatArray:
    """Return W x + b of a layer (…, G·H) for x (…, E or H), or for ids (…) as one-hot vectors."""
    w = weights[f"rnn.weight_ih_l{layer}"]
    # A one-hot vector selects a column.
    wx: FloatArray = w.T[ids] if x is None else x @ w.T
    wx += weights[f"rnn.bias_ih_l{layer}"]
    return wx


def _state_product(weights: Weights, layer: int, state: State) -> FloatArray:
    """Return U h + b' of a layer, (B, G·H)."""
    uh: FloatArray = state[0] @ weights[f"rnn.weight_hh_l{layer}"].T
    uh += weights[f"rnn.bias_hh_l{layer}"]  # in place: allocating large arrays takes time
    return uh


class NumpyModel:
    """The same network as the torch one, over plain arrays."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        """Use the weights as they are, in their own precision."""
        self.config = config
        self.weights = weights

    def start(self, batch_size: int) -> States:
        """Return the state before the first token: zeros."""
        return _zero_state(self.config, self.weights, batch_size)

    def step(self, token_ids: IntArray, state: States) -> tuple[FloatArray, States]:
        """Read one token of each poem, ids (B,); return logits (B, V) and the next state."""
        step = CELLS[self.config.arch].step
        # Poems of one form often have the same token, a mark, at the same place.
        different, places = np.unique(token_ids, return_inverse=True)
        x = None if self.config.one_hot else self.weights["embedding.weight"][different]
        wx = _input_product(self.weights, 0, different, x)[places]
        new: States = []
        for layer, old in enumerate(state):
            if layer > 0:
                wx = _input_product(self.weights, layer, token_ids, new[-1][0])
            new.append(step(wx, _state_product(self.weights, layer, old), old)[0])
        return self._logits(new[-1][0]), new

    def prime(self, token_ids: IntArray, state: States) -> tuple[FloatArray, States]:
        """Read a text into every state, ids (T,); return the logits (B, V) after its last token."""
        batch_size = len(state[0][0])
        for first in range(0, len(token_ids), _PRIME_STEPS):
            block = token_ids[first : first + _PRIME_STEPS]
            inputs = np.broadcast_to(block, (batch_size, len(block)))
            state = read(self.config, self.weights, inputs, state).state
        # The output layer is most of the work, and only its last row is needed.
        return self._logits(state[-1][0]), state

    def select(self, state: States, rows: IntArray) -> States:
        """Return the states of some poems, in the order given."""
        return [tuple(part[rows] for part in layer) for layer in state]

    @np.errstate(all="ignore")
    def losses(self, inputs: IntArray, targets: IntArray, pad: int) -> NDArray[np.float64]:
        """Return the loss in nats of every target (B, T) that is not ``pad``, row by row (N,)."""
        hidden = read(self.config, self.weights, inputs).hidden.transpose(1, 0, 2)
        present = targets != pad
        rows, wanted = hidden[present], targets[present]
        losses = np.empty(len(rows))
        for part in (slice(i, i + LOSS_ROWS) for i in range(0, len(rows), LOSS_ROWS)):
            losses[part], _ = cross_entropy(self._logits(rows[part]), wanted[part])
        return losses

    def _logits(self, hidden: FloatArray) -> FloatArray:
        return logits_of(self.config, score(self.config, self.weights, hidden).scores)
