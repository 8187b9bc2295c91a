"""One step of each recurrent cell, in numpy, as the equations have it.

``x`` is the input (B, E), ``h`` the hidden state (B, H). The weights stack the gates in
torch's order, so that W is (G·H, E) and U is (G·H, H) with G gates. The input's share,
W x + b, is computed by the caller and arrives as ``wx`` (B, G·H).

Sources: Elman 1990 (RNN); Hochreiter & Schmidhuber 1997, with the forget gate of Gers et
al. 2000 (LSTM); Cho et al. 2014, in the variant of cuDNN and torch that applies the reset
gate after the hidden product (GRU).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def sigmoid(x: Array) -> Array:
    """Squash to 0…1; written with tanh, which never overflows."""
    y: Array = np.tanh(x * 0.5) * 0.5 + 0.5
    return y


def rnn_step(wx: Array, h: Array, u: Array, bias: Array) -> Array:
    """Elman's cell: h' = tanh(W x + U h + b)."""
    new: Array = np.tanh(wx + h @ u.T + bias)
    return new


def gru_step(wx: Array, h: Array, u: Array, bias: Array) -> Array:
    """Reset r, update z, candidate n: h' = (1 − z) n + z h.

    r = σ(W_r x + U_r h), z = σ(W_z x + U_z h), n = tanh(W_n x + r ⊙ (U_n h)).
    """
    size = h.shape[-1]
    uh = h @ u.T + bias
    gates = sigmoid(wx[..., : 2 * size] + uh[..., : 2 * size])
    r, z = gates[..., :size], gates[..., size:]
    n = np.tanh(wx[..., 2 * size :] + r * uh[..., 2 * size :])
    new: Array = (1 - z) * n + z * h
    return new


def lstm_step(wx: Array, h: Array, c: Array, u: Array, bias: Array) -> tuple[Array, Array]:
    """Input i, forget f, candidate g, output o: c' = f c + i g, h' = o tanh(c')."""
    size = h.shape[-1]
    a = wx + h @ u.T + bias
    i, f, o = sigmoid(a[..., :size]), sigmoid(a[..., size : 2 * size]), sigmoid(a[..., 3 * size :])
    g = np.tanh(a[..., 2 * size : 3 * size])
    new_c: Array = f * c + i * g
    new_h: Array = o * np.tanh(new_c)
    return new_h, new_c
