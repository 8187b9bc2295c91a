"""One step of each recurrent cell and its derivative, in numpy, as the equations have it.

The matrix products are the caller's: ``wx`` = W x + b and ``uh`` = U h + b', each
(B, G·H), stack the G gates in torch's order, for an input x and an old state h. What is
left of a cell is elementwise. ``step`` gives the new state and a cache, which is what the
derivative needs of the way there. ``backward`` takes the derivatives of the loss by the
new state, and gives those by ``wx``, by ``uh``, and by the old state where it does not
pass through ``uh``.

Sources: Elman 1990 (RNN); Hochreiter & Schmidhuber 1997, with the forget gate of Gers et
al. 2000 (LSTM); Cho et al. 2014, in the variant of cuDNN and torch that applies the reset
gate after the hidden product and lets z keep the old state (GRU). Derivatives: the chain
rule, backwards through time (Werbos 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from poetgen.config import Arch

Array = NDArray[np.floating[Any]]
# (h,), and (h, c) of the LSTM; each (B, H).
State = tuple[Array, ...]
Cache = tuple[Array, ...]
Stepped = tuple[State, Cache]
# By wx, by uh, by the old state; a plain 0 where nothing passes.
Derivatives = tuple[Array, Array, tuple[Array | float, ...]]


def sigmoid(x: Array) -> Array:
    """Squash to 0…1; written with tanh, which never overflows."""
    y: Array = np.tanh(x * 0.5) * 0.5 + 0.5
    return y


def rnn_step(wx: Array, uh: Array, state: State) -> Stepped:
    """Elman's cell: h' = tanh(W x + U h)."""
    new: Array = np.tanh(wx + uh)
    return (new,), (new,)


def rnn_backward(d_state: State, cache: Cache) -> Derivatives:
    """∂tanh(a) = 1 − tanh²(a)."""
    (d_new,), (new,) = d_state, cache
    d_a = d_new * (1 - new * new)
    return d_a, d_a, (0.0,)


def gru_step(wx: Array, uh: Array, state: State) -> Stepped:
    """Reset r, update z, candidate n: h' = (1 − z) n + z h.

    r = σ(W_r x + U_r h), z = σ(W_z x + U_z h), n = tanh(W_n x + r ⊙ (U_n h)).
    """
    (h,) = state
    size = h.shape[-1]
    gates = sigmoid(wx[..., : 2 * size] + uh[..., : 2 * size])
    r, z = gates[..., :size], gates[..., size:]
    uh_n = uh[..., 2 * size :]
    n = np.tanh(wx[..., 2 * size :] + r * uh_n)
    new: Array = (1 - z) * n + z * h
    return (new,), (r, z, n, uh_n, h)


def gru_backward(d_state: State, cache: Cache) -> Derivatives:
    """∂n = (1 − z) ∂h', ∂z = (h − n) ∂h', ∂r = U_n h ∂a_n, and z ∂h' straight to h."""
    (d_new,), (r, z, n, uh_n, h) = d_state, cache
    d_an = d_new * (1 - z) * (1 - n * n)
    d_az = d_new * (h - n) * z * (1 - z)
    d_ar = d_an * uh_n * r * (1 - r)
    d_wx = np.concatenate([d_ar, d_az, d_an], axis=-1)
    d_uh = np.concatenate([d_ar, d_az, d_an * r], axis=-1)
    return d_wx, d_uh, (d_new * z,)


def lstm_step(wx: Array, uh: Array, state: State) -> Stepped:
    """Input i, forget f, candidate g, output o: c' = f c + i g, h' = o tanh(c')."""
    h, c = state
    size = h.shape[-1]
    a = wx + uh
    i, f, o = sigmoid(a[..., :size]), sigmoid(a[..., size : 2 * size]), sigmoid(a[..., 3 * size :])
    g = np.tanh(a[..., 2 * size : 3 * size])
    new_c: Array = f * c + i * g
    tanh_c = np.tanh(new_c)
    new_h: Array = o * tanh_c
    return (new_h, new_c), (i, f, g, o, c, tanh_c)


def lstm_backward(d_state: State, cache: Cache) -> Derivatives:
    """∂o = tanh(c') ∂h', ∂c' += o (1 − tanh²(c')) ∂h', then i, f, g, and f ∂c' to c."""
    (d_h, d_c), (i, f, g, o, c, tanh_c) = d_state, cache
    d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
    d_a = np.concatenate(
        [
            d_c * g * i * (1 - i),
            d_c * c * f * (1 - f),
            d_c * i * (1 - g * g),
            d_h * tanh_c * o * (1 - o),
        ],
        axis=-1,
    )
    return d_a, d_a, (0.0, d_c * f)


class Cell(NamedTuple):
    """One architecture."""

    num_gates: int
    num_states: int
    step: Callable[[Array, Array, State], Stepped]
    backward: Callable[[State, Cache], Derivatives]
    # Where each gate stands in the cache.
    gates: Mapping[str, int]


CELLS: dict[Arch, Cell] = {
    "rnn": Cell(1, 1, rnn_step, rnn_backward, {}),
    "gru": Cell(3, 1, gru_step, gru_backward, {"reset": 0, "update": 1}),
    "lstm": Cell(4, 2, lstm_step, lstm_backward, {"input": 0, "forget": 1, "output": 3}),
}
