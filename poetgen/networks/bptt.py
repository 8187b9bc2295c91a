"""The language model over sequences, with gradients by hand: backpropagation through time.

Arrays are time first, (T, B, …), so that one step is one piece of memory. All products
that do not wait for the step before are done for all steps at once.

Source: Werbos 1990, Backpropagation through time: what it does and how to do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from poetgen.config import ModelConfig
from poetgen.networks.cells import CELLS, Array, Cache, Cell, State
from poetgen.networks.model import Weights
from poetgen.networks.output_layer import (
    cross_entropy,
    logits_backward,
    logits_of,
    score,
    score_backward,
)

Ids = NDArray[np.integer[Any]]
_ROWS = 1024

# One state a layer.
States = list[State]
# What dropout multiplies with: the embedding (T, B, E), then each layer's output (T, B, H).
# None: nothing.
Masks = Sequence[Array | None]


class LayerTape(NamedTuple):
    """What one layer's derivative needs of its way forwards."""

    x: Array | None  # (T, B, E or H); None where the input is one-hot
    outputs: Array  # (T, B, H)
    start: State
    caches: list[Cache]


class Reading(NamedTuple):
    """What reading a batch gives: the last layer's outputs, the last state, the tape."""

    hidden: Array  # (T, B, H), after dropout
    state: States
    tapes: list[LayerTape]


def zero_state(config: ModelConfig, weights: Weights, batch_size: int) -> States:
    """Give the state before the first token: zeros, in the precision of the weights."""
    zeros = np.zeros((batch_size, config.hidden_size), weights["output_bias"].dtype)
    return [(zeros,) * CELLS[config.arch].num_states] * config.num_layers


def draw_masks(
    config: ModelConfig,
    shape: tuple[int, int],
    dropout: float,
    rng: np.random.Generator,
) -> Masks:
    """Draw inverted dropout for a batch of ``shape`` (T, B), where torch has it.

    A one-hot input is left whole: it would lose whole tokens.
    """
    sizes = [config.embedding_dim] + [config.hidden_size] * config.num_layers
    scale = np.float32(1 / (1 - dropout))
    return [
        None
        if dropout == 0 or (config.one_hot and place == 0)
        else (rng.random((*shape, size), np.float32) >= dropout) * scale
        for place, size in enumerate(sizes)
    ]


def read(
    config: ModelConfig,
    weights: Weights,
    inputs: Ids,
    state: States | None = None,
    masks: Masks | None = None,
) -> Reading:
    """Read token ids (B, T) from ``state`` on, or from zeros."""
    cell = CELLS[config.arch]
    ids = inputs.T
    state = zero_state(config, weights, len(inputs)) if state is None else state
    masks = masks or [None] * (config.num_layers + 1)
    x = None if config.one_hot else _dropped(embed(weights, ids), masks[0])
    hidden = state[-1][0]
    last: States = []
    tapes = []
    for layer in range(config.num_layers):
        wx = input_share(weights, layer, ids, x)
        tape, end = _read_layer(cell, wx, *hidden_weights(weights, layer), state[layer], x)
        tapes.append(tape)
        last.append(end)
        x = hidden = _dropped(tape.outputs, masks[layer + 1])
    return Reading(hidden, last, tapes)


@np.errstate(all="ignore")
def losses(
    config: ModelConfig, weights: Weights, inputs: Ids, targets: Ids, pad: int
) -> NDArray[np.float64]:
    """Give the loss in nats of every target (B, T) that is not ``pad``, poem by poem (N,)."""
    hidden = read(config, weights, inputs).hidden.transpose(1, 0, 2)
    present = targets != pad
    rows, wanted = hidden[present], targets[present]
    each = np.empty(len(rows))
    # In parts: the logits of all rows at once may not fit into memory.
    for part in (slice(i, i + _ROWS) for i in range(0, len(rows), _ROWS)):
        logits = logits_of(config, score(config, weights, rows[part]).scores)
        each[part], _ = cross_entropy(logits, wanted[part])
    return each


def loss_and_gradients(
    config: ModelConfig,
    weights: Weights,
    inputs: Ids,
    targets: Ids,
    pad: int,
    state: States | None = None,
    masks: Masks | None = None,
) -> tuple[float, Weights, States]:
    """Read a batch and learn from it.

    Args:
        config: the shape of the model.
        weights: its weights; their precision is that of the gradients.
        inputs: token ids (B, T).
        targets: what follows each of them (B, T); ``pad`` is no target.
        pad: the id of padding.
        state: where to begin, instead of zeros; no gradient flows into it.
        masks: dropout, as ``draw_masks`` gives it.

    Returns:
        The mean loss of a target in nats, its derivative by every weight, and the state
        after the last step.
    """
    masks = masks or [None] * (config.num_layers + 1)
    hidden, last, tapes = read(config, weights, inputs, state, masks)
    targets = targets.T
    present = targets != pad
    chosen = hidden[present]
    scored = score(config, weights, chosen)
    each, d_logits = cross_entropy(logits_of(config, scored.scores), targets[present])
    d_logits /= len(each)
    d_scores = logits_backward(config, scored.scores, d_logits)
    d_chosen, gradients = score_backward(config, weights, chosen, scored.rows, d_scores)
    d_x = np.zeros_like(hidden)
    d_x[present] = d_chosen
    for layer in reversed(range(config.num_layers)):
        d_outputs = _dropped(d_x, masks[layer + 1])
        d_x = _layer_backward(config, weights, layer, tapes[layer], d_outputs, inputs.T, gradients)
    if not config.one_hot:
        d_embedding = _sum_by_id(inputs.T, _dropped(d_x, masks[0]), config.vocab_size)
        # A tied embedding has learned at the output already.
        gradients["embedding.weight"] = d_embedding + gradients.get("embedding.weight", 0)
    return float(each.mean(dtype=np.float64)), gradients, last


def embed(weights: Weights, ids: Ids) -> Array:
    """Look token ids (…) up in the embedding: (…, E)."""
    x: Array = weights["embedding.weight"][ids]
    return x


def input_share(weights: Weights, layer: int, ids: Ids, x: Array | None) -> Array:
    """Give W x + b of a layer (…, G·H) for x (…, E or H), or for ids (…) as one-hot vectors."""
    w = weights[f"rnn.weight_ih_l{layer}"]
    # A one-hot vector picks a column.
    wx: Array = w.T[ids] if x is None else x @ w.T
    wx += weights[f"rnn.bias_ih_l{layer}"]
    return wx


def hidden_weights(weights: Weights, layer: int) -> tuple[Array, Array]:
    """Give U (G·H, H) and b' (G·H,) of a layer."""
    return weights[f"rnn.weight_hh_l{layer}"], weights[f"rnn.bias_hh_l{layer}"]


def _read_layer(
    cell: Cell, wx: Array, u: Array, bias: Array, state: State, x: Array | None
) -> tuple[LayerTape, State]:
    """Step through the inputs' share ``wx`` (T, B, G·H)."""
    outputs = np.empty((*wx.shape[:2], u.shape[1]), wx.dtype)
    tape = LayerTape(x, outputs, state, [])
    for t in range(len(wx)):
        state, cache = cell.step(wx[t], state[0] @ u.T + bias, state)
        tape.caches.append(cache)
        outputs[t] = state[0]
    return tape, state


def _layer_backward(
    config: ModelConfig,
    weights: Weights,
    layer: int,
    tape: LayerTape,
    d_outputs: Array,
    ids: Ids,
    gradients: Weights,
) -> Array:
    """Go back through a layer; add its gradients, and give the derivative by its input."""
    d_wx, d_uh = _through_time(
        CELLS[config.arch], weights[f"rnn.weight_hh_l{layer}"], tape, d_outputs
    )
    before = np.concatenate([tape.start[0][None], tape.outputs[:-1]])
    rows, hidden_rows = _flat(d_wx), _flat(d_uh)
    gradients[f"rnn.weight_hh_l{layer}"] = hidden_rows.T @ _flat(before)
    gradients[f"rnn.bias_ih_l{layer}"] = rows.sum(axis=0)
    gradients[f"rnn.bias_hh_l{layer}"] = hidden_rows.sum(axis=0)
    if tape.x is None:
        gradients[f"rnn.weight_ih_l{layer}"] = _sum_by_id(ids, d_wx, config.vocab_size).T
        return d_wx
    gradients[f"rnn.weight_ih_l{layer}"] = rows.T @ _flat(tape.x)
    d_x: Array = d_wx @ weights[f"rnn.weight_ih_l{layer}"]
    return d_x


def _through_time(cell: Cell, u: Array, tape: LayerTape, d_outputs: Array) -> tuple[Array, Array]:
    """Give the derivatives by W x and by U h of every step, each (T, B, G·H)."""
    shape = (*d_outputs.shape[:2], len(u))
    d_wx, d_uh = np.empty(shape, u.dtype), np.empty(shape, u.dtype)
    d_state: State = tuple(np.zeros_like(part) for part in tape.start)
    for t in reversed(range(len(d_outputs))):
        d_state = (d_state[0] + d_outputs[t], *d_state[1:])
        d_wx[t], d_uh[t], (d_h, *rest) = cell.backward(d_state, tape.caches[t])
        d_state = (d_uh[t] @ u + d_h, *rest)  # type: ignore[arg-type]
    return d_wx, d_uh


def _flat(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _dropped(x: Array, mask: Array | None) -> Array:
    return x if mask is None else x * mask


def _sum_by_id(ids: Ids, values: Array, num_ids: int) -> Array:
    """Add up the values (T, B, N) of each token id; give them as (V, N)."""
    order = np.argsort(ids, axis=None, kind="stable")
    ordered = ids.ravel()[order]
    firsts = np.flatnonzero(np.diff(ordered, prepend=-1))
    sums = np.zeros((num_ids, values.shape[-1]), values.dtype)
    sums[ordered[firsts]] = np.add.reduceat(_flat(values)[order], firsts, axis=0)
    return sums
