"""Recurrent layers for training on a CPU, with gradients by hand.

torch has one fused kernel for the LSTM there, and none for the others: its GRU and RNN walk
through autograd step by step, with a product for the weights' gradient at every step. Here
the products that do not wait for the step before are done for all steps at once, both ways.
The elementwise part of a derivative is precomputed for all steps, too, so that a step
backwards is little more than its product.

Arrays are time first, (T, B, …), as in ``bptt``, whose equations these are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    """Multiply in the precision of ``matrix``, and give the product in that of ``x``."""
    return (x.to(matrix.dtype) @ matrix).to(x.dtype)


def _rnn_forward(wx: Tensor, u: Tensor, bias: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    """Step by h' = tanh(W x + U h + b')."""
    states = wx.new_empty(len(wx) + 1, *h.shape)
    states[0] = h
    wx += bias
    for a, old, new in zip(wx, states[:-1], states[1:], strict=True):
        torch.tanh(a.add_(_times(old, u.T)), out=new)
    return (states,)


def _rnn_backward(
    d_outputs: Tensor, d_h: Tensor, u: Tensor, states: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    slopes = 1 - states[1:] ** 2
    d_a = torch.empty_like(slopes)
    for t in reversed(range(len(d_a))):
        torch.mul(d_outputs[t] + d_h, slopes[t], out=d_a[t])
        d_h = _times(d_a[t], u)
    return d_a, d_a, d_h


def _gru_forward(wx: Tensor, u: Tensor, bias: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    """Step by h' = (1 − z) n + z h; ``wx`` becomes r, z and n, side by side."""
    size = h.shape[1]
    states = wx.new_empty(len(wx) + 1, *h.shape)
    states[0] = h
    uh_n = torch.empty_like(states[1:])
    wx[..., : 2 * size] += bias[: 2 * size]
    for gates, old, new, uh_new in zip(wx, states[:-1], states[1:], uh_n, strict=True):
        uh = _times(old, u.T)
        gates[:, : 2 * size].add_(uh[:, : 2 * size]).sigmoid_()
        r, z, n = gates.chunk(3, dim=1)
        torch.add(uh[:, 2 * size :], bias[2 * size :], out=uh_new)
        n.addcmul_(r, uh_new).tanh_()
        torch.lerp(n, old, z, out=new)
    return states, wx, uh_n


def _gru_backward(
    d_outputs: Tensor, d_h: Tensor, u: Tensor, states: Tensor, gates: Tensor, uh_n: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """All derivatives of a step are multiples of ∂h', by ``slopes`` (T, B, 3, H)."""
    r, z, n = gates.chunk(3, dim=2)
    by_an = (1 - z) * (1 - n * n)
    by_ar = by_an * uh_n * (r - r * r)
    by_az = (states[:-1] - n) * (z - z * z)
    slopes = torch.stack([by_ar, by_az, by_an * r], dim=2)
    d_new = torch.empty_like(uh_n)
    d_uh = torch.empty_like(slopes)
    for t in reversed(range(len(d_uh))):
        torch.add(d_outputs[t], d_h, out=d_new[t])
        torch.mul(slopes[t], d_new[t][:, None], out=d_uh[t])
        d_h = torch.addcmul(_times(d_uh[t].flatten(1), u), d_new[t], z[t])
    d_wx = torch.stack([d_uh[:, :, 0], d_uh[:, :, 1], d_new * by_an], dim=2)
    return d_wx.flatten(2), d_uh.flatten(2), d_h


class _Cell(NamedTuple):
    # Of the inputs' share (T, B, G·H), which may be overwritten, U, b' and the first state:
    # all states (T + 1, B, H), and what else the way back needs.
    forward: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]
    # Of the derivatives by the outputs and by the last state, U and all of that: those by
    # the inputs' share, by U h + b', and by the first state.
    backward: Callable[..., tuple[Tensor, Tensor, Tensor]]


_RNN = _Cell(_rnn_forward, _rnn_backward)
_GRU = _Cell(_gru_forward, _gru_backward)


class _Layer(torch.autograd.Function):
    """One layer over all steps: outputs (T, B, H) and the last state (B, H)."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: _Cell,
        dtype: torch.dtype,
        x: Tensor,
        w: Tensor,
        u: Tensor,
        bias_w: Tensor,
        bias_u: Tensor,
        h: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Read x (T, B, E or H) from the state h (B, H); the products are in ``dtype``."""
        with torch.autocast(x.device.type, enabled=False):
            w, u = w.to(dtype), u.to(dtype)
            wx = _times(x.flatten(0, 1), w.T).add_(bias_w).view(*x.shape[:2], -1)
            saved = cell.forward(wx, u, bias_u, h)
        ctx.cell = cell
        ctx.save_for_backward(x, w, u, *saved)
        return saved[0][1:], saved[0][-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_last: Tensor) -> tuple[Tensor | None, ...]:
        """Give the derivatives by everything that ``forward`` was given."""
        x, w, u, *saved = ctx.saved_tensors
        d_wx, d_uh, d_h = ctx.cell.backward(d_outputs, d_last, u, *saved)
        d_w, d_bias_w = _by_weights(d_wx, x, w.dtype)
        d_u, d_bias_u = _by_weights(d_uh, saved[0][:-1], u.dtype)
        return None, None, _times(d_wx, w), d_w, d_u, d_bias_w, d_bias_u, d_h


def _by_weights(d_product: Tensor, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Give the derivatives by a matrix and its bias, of their product with x for all steps."""
    rows = d_product.flatten(0, 1)
    product = rows.to(dtype).T @ x.flatten(0, 1).to(dtype)
    return product.to(rows.dtype), rows.sum(dim=0)


def _read(
    layers: nn.RNNBase, cell: _Cell, inputs: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Do what ``layers`` do, batch first: (B, T, E) to outputs (B, T, H) and states (L, B, H)."""
    device = inputs.device.type
    lower = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if lower else inputs.dtype
    weights = layers.all_weights
    wide = weights[0][0].dtype
    if state is None:
        shape = (layers.num_layers, len(inputs), layers.hidden_size)
        state = torch.zeros(shape, dtype=wide, device=inputs.device)
    x = inputs.transpose(0, 1).to(wide).contiguous()
    last = []
    for number, (of_layer, h) in enumerate(zip(weights, state, strict=True)):
        if number:
            x = F.dropout(x, layers.dropout, layers.training)
        w, u, bias_w, bias_u = of_layer
        x, h = _Layer.apply(cell, dtype, x, w, u, bias_w, bias_u, h.to(wide))  # type: ignore[no-untyped-call]
        last.append(h)
    return x.transpose(0, 1), torch.stack(last)


def _by_hand(x: Tensor) -> bool:
    # Only where it is quicker: cuDNN has kernels for all, and reading alone needs no gradients.
    return x.device.type == "cpu" and torch.is_grad_enabled()


class RNN(nn.RNN):
    """torch's RNN, quicker to train on a CPU."""

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read (B, T, E); give outputs (B, T, H) and the last states (L, B, H)."""
        if _by_hand(inputs):
            return _read(self, _RNN, inputs, state)
        return super().forward(inputs, state)


class GRU(nn.GRU):
    """torch's GRU, quicker to train on a CPU."""

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read (B, T, E); give outputs (B, T, H) and the last states (L, B, H)."""
        if _by_hand(inputs):
            return _read(self, _GRU, inputs, state)
        return super().forward(inputs, state)
