"""Gradients of the numpy language model, by backpropagation through time.

Arrays are time first, (T, B, …), as in the forward pass.

Source: Werbos 1990, Backpropagation through time: what it does and how to do it.
"""

from __future__ import annotations

import numpy as np

from poetgen.arrays import FloatArray, IntArray
from poetgen.config import ModelConfig
from poetgen.networks.cells import CELLS, Cell, State
from poetgen.networks.model import Weights
from poetgen.networks.numpy_model import LayerTape, Masks, NumpyModel, States, dropped
from poetgen.networks.output_layer import (
    cross_entropy,
    logits_backward,
    logits_of,
    score,
    score_backward,
)


def draw_masks(
    config: ModelConfig,
    shape: tuple[int, int],
    dropout: float,
    rng: np.random.Generator,
) -> Masks:
    """Draw inverted dropout for a batch of ``shape`` (T, B), in the places where torch has it.

    A one-hot input is not dropped: it would lose whole tokens.
    """
    sizes = [config.embedding_dim] + [config.hidden_size] * config.num_layers
    scale = np.float32(1 / (1 - dropout))
    return [
        None
        if dropout == 0 or (config.one_hot and place == 0)
        else (rng.random((*shape, size), np.float32) >= dropout) * scale
        for place, size in enumerate(sizes)
    ]


def loss_and_gradients(
    model: NumpyModel,
    inputs: IntArray,
    targets: IntArray,
    pad: int,
    state: States | None = None,
    masks: Masks | None = None,
) -> tuple[float, Weights, States]:
    """Return the mean loss of a target in nats, its derivatives, and the last state.

    Args:
        model: its weights; the derivatives by them have their names and their precision.
        inputs: token ids (B, T).
        targets: the id after each of them (B, T), or ``pad`` where none counts.
        pad: the id of padding.
        state: the state to start from, instead of zeros; no gradient flows into it.
        masks: dropout, from ``draw_masks``.
    """
    config, weights = model.config, model.weights
    masks = masks or [None] * (config.num_layers + 1)
    hidden, last, tapes = model.read(inputs, state, masks)
    ids, targets = inputs.T, targets.T
    present = targets != pad
    chosen = hidden[present]
    scores, rows = score(config, weights, chosen)
    losses, d_logits = cross_entropy(logits_of(config, scores), targets[present])
    d_logits /= len(losses)
    d_scores = logits_backward(config, scores, d_logits)
    d_chosen, gradients = score_backward(config, weights, chosen, rows, d_scores)
    d_x = np.zeros_like(hidden)
    d_x[present] = d_chosen
    for layer in reversed(range(config.num_layers)):
        d_outputs = dropped(d_x, masks[layer + 1])
        d_x, of_layer = _layer_backward(model, layer, tapes[layer], ids, d_outputs)
        gradients |= of_layer
    if not config.one_hot:
        d_embedding = _sum_by_id(ids, dropped(d_x, masks[0]), config.vocab_size)
        # A tied embedding has a gradient from the output layer, too.
        gradients["embedding.weight"] = d_embedding + gradients.get("embedding.weight", 0)
    return float(losses.mean(dtype=np.float64)), gradients, last


def _layer_backward(
    model: NumpyModel, layer: int, tape: LayerTape, ids: IntArray, d_outputs: FloatArray
) -> tuple[FloatArray, Weights]:
    """Return the derivatives by a layer's input and by its weights, given those by its outputs."""
    w, u = (model.weights[f"rnn.weight_{kind}_l{layer}"] for kind in ("ih", "hh"))
    d_wx, d_uh = _through_time(CELLS[model.config.arch], u, tape, d_outputs)
    before = np.concatenate([tape.start[0][None], tape.outputs[:-1]])
    rows, hidden_rows = _flat(d_wx), _flat(d_uh)
    gradients = {
        f"rnn.weight_ih_l{layer}": _sum_by_id(ids, d_wx, model.config.vocab_size).T
        if tape.x is None
        else rows.T @ _flat(tape.x),
        f"rnn.weight_hh_l{layer}": hidden_rows.T @ _flat(before),
        f"rnn.bias_ih_l{layer}": rows.sum(axis=0),
        f"rnn.bias_hh_l{layer}": hidden_rows.sum(axis=0),
    }
    return d_wx if tape.x is None else d_wx @ w, gradients


def _through_time(
    cell: Cell, u: FloatArray, tape: LayerTape, d_outputs: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the derivatives by W x and by U h of every step, each (T, B, G·H)."""
    shape = (*d_outputs.shape[:2], len(u))
    d_wx, d_uh = np.empty(shape, u.dtype), np.empty(shape, u.dtype)
    d_state: State = tuple(np.zeros_like(part) for part in tape.start)
    for t in reversed(range(len(d_outputs))):
        d_state = (d_state[0] + d_outputs[t], *d_state[1:])
        d_wx[t], d_uh[t], (d_h, *rest) = cell.backward(d_state, tape.caches[t])
        d_state = (d_uh[t] @ u + d_h, *rest)  # type: ignore[arg-type]
    return d_wx, d_uh


def _flat(x: FloatArray) -> FloatArray:
    return x.reshape(-1, x.shape[-1])


def _sum_by_id(ids: IntArray, values: FloatArray, num_ids: int) -> FloatArray:
    """Return, (V, N), the sums of the values (T, B, N) of each token id."""
    order = np.argsort(ids, axis=None, kind="stable")
    ordered = ids.ravel()[order]
    firsts = np.flatnonzero(np.diff(ordered, prepend=-1))
    sums = np.zeros((num_ids, values.shape[-1]), values.dtype)
    sums[ordered[firsts]] = np.add.reduceat(_flat(values)[order], firsts, axis=0)
    return sums
