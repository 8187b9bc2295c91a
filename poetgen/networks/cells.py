"""One step of each recurrent cell and its derivative, in numpy, as the equations have it.

The caller computes the matrix products: ``wx`` = W x + b and ``uh`` = U h + b', each
(B, G·H), with the G gates side by side in torch's order, for an input x and an old state h.
The rest of a cell is elementwise. ``step`` returns the new state and a cache of what the
derivative needs. ``backward`` takes the derivatives of the loss by the new state, and
returns those by ``wx``, by ``uh``, and by the old state where it does not pass through ``uh``.

Sources: Elman 1990 (RNN); Hochreiter & Schmidhuber 1997, with the forget gate of Gers et
al. 2000 (LSTM); Cho et al. 2014, in the variant of cuDNN and torch that applies the reset
gate after the hidden product and lets z keep the old state (GRU). Derivatives: the chain
rule, backwards through time (Werbos 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.config import Arch

# (h,), and (h, c) of the LSTM; each (B, H).
State = tuple[FloatArray, ...]
Cache = tuple[FloatArray, ...]
Stepped = tuple[State, Cache]
# By wx, by uh, by the old state; a plain 0 where nothing passes.
Derivatives = tuple[FloatArray, FloatArray, tuple[FloatArray | float, ...]]


def sigmoid(x: FloatArray) -> FloatArray:
    """Return the logistic function of x, in 0…1; written with tanh, which never overflows."""
    y: FloatArray = np.tanh(x * 0.5) * 0.5 + 0.5
    return y


def rnn_step(wx: FloatArray, uh: FloatArray, state: State) -> Stepped:
    """Return h' = tanh(W x + U h)."""
    new: FloatArray = np.tanh(wx + uh)
    return (new,), (new,)


def rnn_backward(d_state: State, cache: Cache) -> Derivatives:
    """Return the derivatives: tanh'(a) = 1 − tanh²(a)."""
    (d_new,), (new,) = d_state, cache
    d_a = d_new * (1 - new * new)
    return d_a, d_a, (0.0,)


def gru_step(wx: FloatArray, uh: FloatArray, state: State) -> Stepped:
    """Return h' = (1 − z) n + z h, with reset gate r, update gate z and candidate n.

    r = σ(W_r x + U_r h), z = σ(W_z x + U_z h), n = tanh(W_n x + r ⊙ (U_n h)).
    """
    (h,) = state
    size = h.shape[-1]
    gates = sigmoid(wx[..., : 2 * size] + uh[..., : 2 * size])
    r, z = gates[..., :size], gates[..., size:]
    uh_n = uh[..., 2 * size :]
    n = np.tanh(wx[..., 2 * size :] + r * uh_n)
    new: FloatArray = (1 - z) * n + z * h
    return (new,), (r, z, n, uh_n, h)


def gru_backward(d_state: State, cache: Cache) -> Derivatives:
    """Return the derivatives: ∂n = (1 − z) ∂h', ∂z = (h − n) ∂h', ∂r = U_n h ∂a_n, z ∂h' to h."""
    (d_new,), (r, z, n, uh_n, h) = d_state, cache
    d_an = d_new * (1 - z) * (1 - n * n)
    d_az = d_new * (h - n) * z * (1 - z)
    d_ar = d_an * uh_n * r * (1 - r)
    d_wx = np.concatenate([d_ar, d_az, d_an], axis=-1)
    d_uh = np.concatenate([d_ar, d_az, d_an * r], axis=-1)
    return d_wx, d_uh, (d_new * z,)


def lstm_step(wx: FloatArray, uh: FloatArray, state: State) -> Stepped:
    """Return h' = o tanh(c') and c' = f c + i g: input i, forget f, candidate g, output o."""
    h, c = state
    size = h.shape[-1]
    a = wx + uh
    i, f, o = sigmoid(a[..., :size]), sigmoid(a[..., size : 2 * size]), sigmoid(a[..., 3 * size :])
    g = np.tanh(a[..., 2 * size : 3 * size])
    new_c: FloatArray = f * c + i * g
    tanh_c = np.tanh(new_c)
    new_h: FloatArray = o * tanh_c
    return (new_h, new_c), (i, f, g, o, c, tanh_c)


def lstm_backward(d_state: State, cache: Cache) -> Derivatives:
    """Return the derivatives: ∂o = tanh(c') ∂h', ∂c' += o (1 − tanh²(c')) ∂h', f ∂c' to c."""
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
    """One architecture; ``gates`` holds the index of each gate in the cache."""

    num_gates: int
    num_states: int
    step: Callable[[FloatArray, FloatArray, State], Stepped]
    backward: Callable[[State, Cache], Derivatives]
    gates: Mapping[str, int]


CELLS: dict[Arch, Cell] = {
    "rnn": Cell(1, 1, rnn_step, rnn_backward, {}),
    "gru": Cell(3, 1, gru_step, gru_backward, {"reset": 0, "update": 1}),
    "lstm": Cell(4, 2, lstm_step, lstm_backward, {"input": 0, "forget": 1, "output": 3}),
}
