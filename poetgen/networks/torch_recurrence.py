"""RNN, GRU and LSTM layers for torch, with hand-written backward passes for a CPU.

torch has one fused CPU kernel, for the LSTM, and its backward pass is slow; GRU and RNN go
through autograd step by step, with a product for the weights' gradient at every step. Here
the products that do not depend on the step before are computed for all steps at once, in
both directions, and the matrix of those that do is packed once for all steps. The elementwise
part of a derivative is precomputed for all steps, too, so that a step backward is little more
than its product.

Arrays are time first, (T, B, …), as in ``bptt``, whose equations these are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from poetgen.networks.torch_linear import can_pack, packed_linear, pad_rows, product_dtype

# (h,), and (h, c) of the LSTM; each (B, H), and of all layers (L, B, H).
TorchState = tuple[Tensor, ...]
_Multiply = Callable[[Tensor], Tensor]
# The derivative by the input of a sigmoid or a tanh, given its output, in one pass.
_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward
_MINUS_ONE = torch.tensor(-1.0)


def _multiply_by(matrix: Tensor, num_rows: int) -> _Multiply:
    """Return x ↦ x Aᵀ: computed in the precision of A, and returned in that of x."""
    linear = packed_linear(matrix, num_rows)
    return lambda x: linear(x).to(x.dtype)


def _rnn_forward(wx: Tensor, times_u: _Multiply, bias: Tensor, state: TorchState) -> TorchState:
    """Step by h' = tanh(W x + U h + b')."""
    states = _room_for_states(wx, state[0])
    wx += bias
    for a, old, new in zip(wx, states[:-1], states[1:], strict=True):
        torch.tanh(a.add_(times_u(old)), out=new)
    return (states,)


def _rnn_backward(
    d_outputs: Tensor, d_state: TorchState, times_u: _Multiply, states: Tensor
) -> tuple[Tensor, Tensor, TorchState]:
    (d_h,) = d_state
    slopes = 1 - states[1:] ** 2
    d_a = torch.empty_like(slopes)
    for t in reversed(range(len(d_a))):
        torch.mul(d_outputs[t] + d_h, slopes[t], out=d_a[t])
        d_h = times_u(d_a[t])
    return d_a, d_a, (d_h,)


def _gru_forward(wx: Tensor, times_u: _Multiply, bias: Tensor, state: TorchState) -> TorchState:
    """Step by h' = (1 − z) n + z h; ``wx`` is overwritten by r, z and n, side by side."""
    size = state[0].shape[1]
    states = _room_for_states(wx, state[0])
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
    d_state: TorchState,
    times_u: _Multiply,
    states: Tensor,
    gates: Tensor,
    uh_n: Tensor,
) -> tuple[Tensor, Tensor, TorchState]:
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


def _lstm_forward(wx: Tensor, times_u: _Multiply, bias: Tensor, state: TorchState) -> TorchState:
    """Step by c' = f c + i g, h' = o tanh(c'); ``wx`` is overwritten by i, f, g, o, side by side.

    tanh(x) is computed as 2 σ(2 x) − 1: torch's sigmoid takes a sixth of the time of its tanh.
    For x near zero that loses digits, but fewer than the products in bfloat16 before it.
    """
    states, cells = (_room_for_states(wx, first) for first in state)
    tanh_c = torch.empty_like(cells[1:])
    wx += bias
    parts = wx.chunk(4, dim=2)
    for gates, i, f, g, o, h, new_h, c, new_c, new_tanh in zip(
        *(wx, *parts, states[:-1], states[1:], cells[:-1], cells[1:], tanh_c), strict=True
    ):
        gates += times_u(h)
        g *= 2
        gates.sigmoid_()
        _twice_minus_one(g)
        torch.mul(f, c, out=new_c).addcmul_(i, g)
        _twice_minus_one(torch.mul(new_c, 2, out=new_tanh).sigmoid_())
        torch.mul(o, new_tanh, out=new_h)
    return states, wx, cells, tanh_c


def _twice_minus_one(x: Tensor) -> None:
    """Replace x by 2 x − 1, in one pass."""
    torch.add(_MINUS_ONE, x, alpha=2, out=x)


def _lstm_backward(
    d_outputs: Tensor,
    d_state: TorchState,
    times_u: _Multiply,
    states: Tensor,
    gates: Tensor,
    cells: Tensor,
    tanh_c: Tensor,
) -> tuple[Tensor, Tensor, TorchState]:
    """The derivatives by i, f and g are multiples of ∂c', that by o of ∂h'."""
    d_h, d_c = d_state[0], d_state[1].clone()
    i, f, g, o = gates.chunk(4, dim=2)
    # The multiples at first, (T, B, 4, H), and step by step the derivatives themselves.
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


def _room_for_states(wx: Tensor, first: Tensor) -> Tensor:
    """Return room for the states (T + 1, B, H) of all steps, with the first one filled in."""
    states = wx.new_empty(len(wx) + 1, *first.shape)
    states[0] = first
    return states


class _Cell(NamedTuple):
    """The steps of an architecture in both directions, without the products for all steps.

    ``forward`` takes W x + b (T, B, G·H), which it may overwrite, the product with U, b' and
    the first state. It returns all hidden states (T + 1, B, H) and what else ``backward``
    needs; what follows h in the state comes third. ``backward`` takes the derivatives by the
    outputs and by the last state, the product with Uᵀ and all of that, and returns the
    derivatives by W x + b, by U h + b', and by the first state.
    """

    forward: Callable[[Tensor, _Multiply, Tensor, TorchState], TorchState]
    backward: Callable[..., tuple[Tensor, Tensor, TorchState]]


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
        """Read x (T, B, E or H) from a state; products are in ``dtype``, the rest as the bias."""
        with torch.autocast(x.device.type, enabled=False):
            w, u = w.to(dtype), u.to(dtype)
            rows = _as_rows(x, dtype)
            wx = _as_steps(packed_linear(w, len(rows))(rows), x) + bias_w
            saved = cell.forward(wx, _multiply_by(u, x.shape[1]), bias_u, state)
        ctx.cell = cell
        ctx.save_for_backward(rows, w, u, *saved)
        lasts = [saved[0], *saved[2 : 1 + len(state)]]
        return saved[0][1:], *(states[-1].clone() for states in lasts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, *d_last: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives by everything that ``forward`` was given."""
        x, w, u, *saved = ctx.saved_tensors
        times_u = _multiply_by(u.T, d_outputs.shape[1])
        d_wx, d_uh, d_state = ctx.cell.backward(d_outputs, d_last, times_u, *saved)
        wide = d_wx.dtype
        rows_wx = _as_rows(d_wx, w.dtype)
        rows_uh = rows_wx if d_uh is d_wx else _as_rows(d_uh, u.dtype)
        d_x = _as_steps(packed_linear(w.T, len(rows_wx))(rows_wx), d_wx).to(wide)
        d_w = (rows_wx.T @ x).to(wide)
        d_u = (rows_uh.T @ _as_rows(saved[0][:-1], u.dtype)).to(wide)
        d_bias_w = d_wx.sum(dim=(0, 1))
        d_bias_u = d_bias_w if d_uh is d_wx else d_uh.sum(dim=(0, 1))
        return None, None, d_x, d_w, d_u, d_bias_w, d_bias_u, *d_state


def _as_rows(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x (T, B, ·) as rows (N, ·) in ``dtype``, padded."""
    return pad_rows(x.flatten(0, 1).to(dtype))


def _as_steps(rows: Tensor, like: Tensor) -> Tensor:
    """Return rows (N, ·) as (T, B, ·), without the padding."""
    num_steps, batch_size, _ = like.shape
    return rows[: num_steps * batch_size].view(num_steps, batch_size, -1)


class _Recurrence(nn.RNNBase):
    """torch's recurrent layers, which on a CPU may take the steps of ``cell`` instead."""

    cell: ClassVar[_Cell]

    def uses_own_steps(self, inputs: Tensor) -> bool:
        """Return whether they are faster: cuDNN has kernels for all, and inference is fast."""
        return inputs.device.type == "cpu" and torch.is_grad_enabled()

    def forward(self, inputs: Tensor, state: TorchState | None = None) -> tuple[Tensor, TorchState]:
        """Read (B, T, E); return outputs (B, T, H) and the last state, parts of (L, B, H)."""
        if self.uses_own_steps(inputs):
            return self._forward(inputs, state)
        if self.mode == "LSTM":
            outputs, last = super().forward(inputs, state)
            return outputs, last
        outputs, h = super().forward(inputs, None if state is None else state[0])
        return outputs, (h,)

    def _forward(self, inputs: Tensor, state: TorchState | None) -> tuple[Tensor, TorchState]:
        dtype = product_dtype(inputs)
        wide = self.all_weights[0][0].dtype
        if state is None:
            zeros = inputs.new_zeros((self.num_layers, len(inputs), self.hidden_size), dtype=wide)
            state = (zeros, zeros) if self.mode == "LSTM" else (zeros,)
        x = inputs.transpose(0, 1).to(wide).contiguous()
        lasts = []
        for layer, weights in enumerate(self.all_weights):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            first = [part[layer].to(wide) for part in state]
            x, *last = _Layer.apply(self.cell, dtype, x, *weights, *first)  # type: ignore[no-untyped-call]
            lasts.append(last)
        return x.transpose(0, 1), tuple(torch.stack(parts) for parts in zip(*lasts, strict=True))


class RNN(_Recurrence, nn.RNN):  # type: ignore[misc]
    """torch's RNN, faster on a CPU; the state is a tuple, (h,)."""

    cell = _Cell(_rnn_forward, _rnn_backward)


class GRU(_Recurrence, nn.GRU):  # type: ignore[misc]
    """torch's GRU, faster on a CPU; the state is a tuple, (h,)."""

    cell = _Cell(_gru_forward, _gru_backward)


class LSTM(_Recurrence, nn.LSTM):  # type: ignore[misc]
    """torch's LSTM, faster on a CPU in bfloat16."""

    cell = _Cell(_lstm_forward, _lstm_backward)

    def uses_own_steps(self, inputs: Tensor) -> bool:
        """Return whether they are faster than oneDNN's LSTM, or it does not work.

        It is faster in float32 and in inference. In bfloat16 its backward pass is slow, and
        without the CPU's instructions for bfloat16 it does not exist.
        """
        if inputs.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return False
        return torch.is_grad_enabled() or not can_pack(product_dtype(inputs))
