"""Recurrent layers for a CPU, with gradients by hand.

torch has one fused kernel there, for the LSTM, and its way back is slow; GRU and RNN walk
through autograd step by step, with a product for the weights' gradient at every step. Here
the products that do not wait for the step before are done for all steps at once, both ways,
and the matrix of those that do is put into order once for all steps. The elementwise part
of a derivative is precomputed for all steps, too, so that a step backwards is little more
than its product.

Arrays are time first, (T, B, …), as in ``bptt``, whose equations these are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from poetgen.networks.torch_linear import fill_up, packs, product_with

# (h,), and (h, c) of the LSTM.
_State = tuple[Tensor, ...]
_Multiply = Callable[[Tensor], Tensor]
# The derivative by the output of a sigmoid or a tanh, in one pass.
_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward
_MINUS_ONE = torch.tensor(-1.0)


def _times(matrix: Tensor, num_rows: int) -> _Multiply:
    """Return x ↦ x matrixᵀ: in the precision of the matrix, and given in that of x."""
    product = product_with(matrix, num_rows)
    return lambda x: product(x).to(x.dtype)


def _rnn_forward(wx: Tensor, times_u: _Multiply, bias: Tensor, state: _State) -> _State:
    """Step by h' = tanh(W x + U h + b')."""
    states = _room_for(wx, state[0])
    wx += bias
    for a, old, new in zip(wx, states[:-1], states[1:], strict=True):
        torch.tanh(a.add_(times_u(old)), out=new)
    return (states,)


def _rnn_backward(
    d_outputs: Tensor, d_state: _State, times_u: _Multiply, states: Tensor
) -> tuple[Tensor, Tensor, _State]:
    (d_h,) = d_state
    slopes = 1 - states[1:] ** 2
    d_a = torch.empty_like(slopes)
    for t in reversed(range(len(d_a))):
        torch.mul(d_outputs[t] + d_h, slopes[t], out=d_a[t])
        d_h = times_u(d_a[t])
    return d_a, d_a, (d_h,)


def _gru_forward(wx: Tensor, times_u: _Multiply, bias: Tensor, state: _State) -> _State:
    """Step by h' = (1 − z) n + z h; ``wx`` becomes r, z and n, side by side."""
    size = state[0].shape[1]
    states = _room_for(wx, state[0])
    uh_n = torch.empty_like(states[1:])
    wx[..., : 2 * size] += bias[: 2 * size]
    for gates, old, new, uh_new in zip(wx, states[:-1], states[1:], uh_n, strict=True):
        uh = times_u(old)
        gates[:, : 2 * size].add_(uh[:, : 2 * size]).sigmoid_()
        r, z, n = gates.chunk(3, dim=1)
        torch.add(uh[:, 2 * size :], bias[2 * size :], out=uh_new)
        n.addcmul_(r, uh_new).tanh_()
        torch.lerp(n, old, z, out=new)
    return states, wx, uh_n


def _gru_backward(
    d_outputs: Tensor,
    d_state: _State,
    times_u: _Multiply,
    states: Tensor,
    gates: Tensor,
    uh_n: Tensor,
) -> tuple[Tensor, Tensor, _State]:
    """All derivatives of a step are multiples of ∂h', by ``slopes`` (T, B, 3, H)."""
    (d_h,) = d_state
    r, z, n = gates.chunk(3, dim=2)
    by_an = _tanh_backward(1 - z, n)
    by_ar = _sigmoid_backward(by_an * uh_n, r)
    by_az = _sigmoid_backward(states[:-1] - n, z)
    slopes = torch.stack([by_ar, by_az, by_an * r], dim=2)
    d_new = torch.empty_like(uh_n)
    d_uh = torch.empty_like(slopes)
    for t in reversed(range(len(d_uh))):
        torch.add(d_outputs[t], d_h, out=d_new[t])
        torch.mul(slopes[t], d_new[t][:, None], out=d_uh[t])
        d_h = torch.addcmul(times_u(d_uh[t].flatten(1)), d_new[t], z[t])
    d_wx = torch.stack([d_uh[:, :, 0], d_uh[:, :, 1], d_new * by_an], dim=2)
    return d_wx.flatten(2), d_uh.flatten(2), (d_h,)


def _lstm_forward(wx: Tensor, times_u: _Multiply, bias: Tensor, state: _State) -> _State:
    """Step by c' = f c + i g and h' = o tanh(c'); ``wx`` becomes i, f, g and o, side by side.

    tanh(x) is 2 σ(2 x) − 1 here: torch's sigmoid takes a sixth of the time of its tanh. For
    x near zero that loses digits, but fewer than products in bfloat16 have lost before.
    """
    states, cells = (_room_for(wx, first) for first in state)
    tanh_c = torch.empty_like(cells[1:])
    wx += bias
    parts = wx.chunk(4, dim=2)
    for gates, i, f, g, o, h, new_h, c, new_c, squashed in zip(
        *(wx, *parts, states[:-1], states[1:], cells[:-1], cells[1:], tanh_c), strict=True
    ):
        gates += times_u(h)
        g *= 2
        gates.sigmoid_()
        _twice_less_one(g)
        torch.mul(f, c, out=new_c).addcmul_(i, g)
        _twice_less_one(torch.mul(new_c, 2, out=squashed).sigmoid_())
        torch.mul(o, squashed, out=new_h)
    return states, wx, cells, tanh_c


def _twice_less_one(x: Tensor) -> None:
    """Put 2 x − 1 in the place of x, in one pass."""
    torch.add(_MINUS_ONE, x, alpha=2, out=x)


def _lstm_backward(
    d_outputs: Tensor,
    d_state: _State,
    times_u: _Multiply,
    states: Tensor,
    gates: Tensor,
    cells: Tensor,
    tanh_c: Tensor,
) -> tuple[Tensor, Tensor, _State]:
    """The derivatives by i, f and g are multiples of ∂c', that by o of ∂h'."""
    d_h, d_c = d_state[0], d_state[1].clone()
    i, f, g, o = gates.chunk(4, dim=2)
    # Multiples at first, (T, B, 4, H), and the derivatives themselves step by step.
    d_a = gates.new_empty(*gates.shape[:2], 4, gates.shape[2] // 4)
    _sigmoid_backward(g, i, grad_input=d_a[:, :, 0])
    _sigmoid_backward(cells[:-1], f, grad_input=d_a[:, :, 1])
    _tanh_backward(i, g, grad_input=d_a[:, :, 2])
    _sigmoid_backward(tanh_c, o, grad_input=d_a[:, :, 3])
    by_c = _tanh_backward(o, tanh_c)
    steps = zip(d_outputs, d_a, d_a[:, :, :3], d_a[:, :, 3], by_c, f, strict=True)
    for d_output, d_gates, by_dc, by_dh, slope, f_t in reversed(list(steps)):
        d_h = d_output + d_h
        d_c.addcmul_(d_h, slope)
        by_dc *= d_c[:, None]
        by_dh *= d_h
        d_c *= f_t
        d_h = times_u(d_gates.flatten(1))
    flat = d_a.flatten(2)
    return flat, flat, (d_h, d_c)


def _room_for(wx: Tensor, first: Tensor) -> Tensor:
    """Return room for the states (T + 1, B, H) of all steps, the first one in its place."""
    states = wx.new_empty(len(wx) + 1, *first.shape)
    states[0] = first
    return states


class _Cell(NamedTuple):
    # Of the inputs' share (T, B, G·H), which may be overwritten, the product with U, b' and
    # the first state: all hidden states (T + 1, B, H), and what else the way back needs.
    # What follows h in the state comes third.
    forward: Callable[[Tensor, _Multiply, Tensor, _State], _State]
    # Of the derivatives by the outputs and by the last state, the product with Uᵀ and all
    # of that: those by the inputs' share, by U h + b', and by the first state.
    backward: Callable[..., tuple[Tensor, Tensor, _State]]


_RNN = _Cell(_rnn_forward, _rnn_backward)
_GRU = _Cell(_gru_forward, _gru_backward)
_LSTM = _Cell(_lstm_forward, _lstm_backward)


class _Layer(torch.autograd.Function):
    """One layer over all steps: outputs (T, B, H) and the last state, each part (B, H)."""

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
        *state: Tensor,
    ) -> tuple[Tensor, ...]:
        """Read x (T, B, E or H) from a state; the products are in ``dtype``."""
        with torch.autocast(x.device.type, enabled=False):
            w, u = w.to(dtype), u.to(dtype)
            rows = _rows(x, dtype)
            # Narrow or wide, what comes of it is as wide as the bias.
            wx = _first(product_with(w, len(rows))(rows), x) + bias_w
            saved = cell.forward(wx, _times(u, x.shape[1]), bias_u, state)
        ctx.cell = cell
        ctx.save_for_backward(rows, w, u, *saved)
        lasts = [saved[0], *saved[2 : 1 + len(state)]]
        return saved[0][1:], *(states[-1].clone() for states in lasts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, *d_last: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives by everything that ``forward`` was given."""
        x, w, u, *saved = ctx.saved_tensors
        times_u = _times(u.T, d_outputs.shape[1])
        d_wx, d_uh, d_state = ctx.cell.backward(d_outputs, d_last, times_u, *saved)
        wide = d_wx.dtype
        rows_wx = _rows(d_wx, w.dtype)
        rows_uh = rows_wx if d_uh is d_wx else _rows(d_uh, u.dtype)
        d_x = _first(product_with(w.T, len(rows_wx))(rows_wx), d_wx).to(wide)
        d_w = (rows_wx.T @ x).to(wide)
        d_u = (rows_uh.T @ _rows(saved[0][:-1], u.dtype)).to(wide)
        d_bias_w = d_wx.sum(dim=(0, 1))
        d_bias_u = d_bias_w if d_uh is d_wx else d_uh.sum(dim=(0, 1))
        return None, None, d_x, d_w, d_u, d_bias_w, d_bias_u, *d_state


def _rows(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the rows of all steps, x (T, B, ·) as (N, ·), in ``dtype`` and filled up."""
    return fill_up(x.flatten(0, 1).to(dtype))


def _first(rows: Tensor, like: Tensor) -> Tensor:
    """Return the rows that were there before they were filled up, as (T, B, ·)."""
    num_steps, batch_size, _ = like.shape
    return rows[: num_steps * batch_size].view(num_steps, batch_size, -1)


def _read(
    layers: nn.RNNBase, cell: _Cell, inputs: Tensor, state: _State | None
) -> tuple[Tensor, _State]:
    """Do what ``layers`` do, batch first: (B, T, E) to outputs (B, T, H) and states (L, B, H)."""
    device = inputs.device.type
    lower = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if lower else inputs.dtype
    weights = layers.all_weights
    wide = weights[0][0].dtype
    if state is None:
        shape = (layers.num_layers, len(inputs), layers.hidden_size)
        zeros = torch.zeros(shape, dtype=wide, device=inputs.device)
        state = (zeros, zeros) if cell is _LSTM else (zeros,)
    x = inputs.transpose(0, 1).to(wide).contiguous()
    lasts = []
    for number, of_layer in enumerate(weights):
        if number:
            x = F.dropout(x, layers.dropout, layers.training)
        first = [part[number].to(wide) for part in state]
        x, *last = _Layer.apply(cell, dtype, x, *of_layer, *first)  # type: ignore[no-untyped-call]
        lasts.append(last)
    return x.transpose(0, 1), tuple(torch.stack(parts) for parts in zip(*lasts, strict=True))


def _by_hand(inputs: Tensor) -> bool:
    # Only where it is quicker: cuDNN has kernels for all, and reading alone needs no gradients.
    return inputs.device.type == "cpu" and torch.is_grad_enabled()


def lstm_by_hand(inputs: Tensor) -> bool:
    """Return whether the LSTM by hand is the quicker one.

    In float32, and in reading, oneDNN's is. In bfloat16 its way back is slow, and where the
    CPU has no instructions for bfloat16 it does not exist.
    """
    lower = inputs.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return lower and (torch.is_grad_enabled() or not packs(torch.get_autocast_dtype("cpu")))


class RNN(nn.RNN):
    """torch's RNN, quicker on a CPU."""

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read (B, T, E); return outputs (B, T, H) and the last states (L, B, H)."""
        if not _by_hand(inputs):
            return super().forward(inputs, state)
        outputs, (last,) = _read(self, _RNN, inputs, None if state is None else (state,))
        return outputs, last


class GRU(nn.GRU):
    """torch's GRU, quicker on a CPU."""

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read (B, T, E); return outputs (B, T, H) and the last states (L, B, H)."""
        if not _by_hand(inputs):
            return super().forward(inputs, state)
        outputs, (last,) = _read(self, _GRU, inputs, None if state is None else (state,))
        return outputs, last


class LSTM(nn.LSTM):
    """torch's LSTM, quicker on a CPU."""

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Read (B, T, E); return outputs (B, T, H) and the last h and c, each (L, B, H)."""
        if not lstm_by_hand(inputs):
            return super().forward(inputs, state)
        outputs, (h, c) = _read(self, _LSTM, inputs, state)
        return outputs, (h, c)
