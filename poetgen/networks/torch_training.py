"""What training on a CPU wants of torch and does not get: a lean loss, and quick chance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Rows whose derivatives are multiplied at once, enough for the products to be quick; and,
# within these, rows of logits at once. With 6,000 tokens 128 of them take three megabytes,
# which stay in a CPU's cache.
_CPU_ROWS = 1024, 128
# A GPU has no such cache, and wants few large calls: some hundred megabytes at once.
_GPU_ROWS = 8192, 8192
_BYTE = 256


class _CrossEntropy(torch.autograd.Function):
    """The loss and its derivative by the logits, block by block.

    The way of autograd holds five copies of the logits of a whole batch, and most of its
    time goes into fetching them from memory. Here all that is left of a block when the next
    one begins is its share of the gradients.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype
    ) -> Tensor:
        """Score rows (N, E) against the matrix (V, E), in ``dtype``; the loss is wide."""
        wide = bias.dtype
        block_rows, logit_rows = _CPU_ROWS if rows.device.type == "cpu" else _GPU_ROWS
        with torch.autocast(rows.device.type, enabled=False):
            rows, matrix, narrow_bias = rows.to(dtype), matrix.to(dtype), bias.to(dtype)
            loss, d_bias = bias.new_zeros(()), torch.zeros_like(bias)
            d_rows = torch.empty_like(rows, dtype=wide)
            d_matrix = torch.zeros_like(matrix, dtype=wide)
            block = rows.new_empty(min(block_rows, len(rows)), len(matrix))
            for first in range(0, len(rows), block_rows):
                whole = slice(first, first + block_rows)
                hidden, all_wanted = rows[whole], targets[whole, None]
                d_logits = block[: len(hidden)]
                for start in range(0, len(hidden), logit_rows):
                    part = slice(start, start + logit_rows)
                    logits = F.linear(hidden[part], matrix, narrow_bias).to(wide)
                    scores = torch.log_softmax(logits, dim=-1)
                    wanted = all_wanted[part]
                    loss -= scores.gather(1, wanted).sum()
                    # p − 1 for the target, p for all others.
                    scores.exp_().scatter_add_(1, wanted, scores.new_full(wanted.shape, -1))
                    d_logits[part] = scores
                d_rows[whole] = d_logits @ matrix
                d_matrix += d_logits.T @ hidden
                d_bias += d_logits.sum(dim=0, dtype=wide)
        ctx.save_for_backward(d_rows, d_matrix, d_bias)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        """Give the derivatives by the rows, the matrix and the bias."""
        d_rows, d_matrix, d_bias = ctx.saved_tensors
        return d_rows * d_loss, d_matrix * d_loss, d_bias * d_loss, None, None


def summed_cross_entropy(rows: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Give the cross-entropy in nats of softmax(rows matrixᵀ + bias), summed over the rows.

    Args:
        rows: (N, E); there may be none.
        matrix: (V, E).
        bias: (V,); its precision is that of the loss.
        targets: (N,) ids below V.
    """
    device = rows.device.type
    lower = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if lower else rows.dtype
    loss: Tensor = _CrossEntropy.apply(rows, matrix, bias, targets, dtype)  # type: ignore[no-untyped-call]
    return loss


class Dropout(nn.Module):
    """Inverted dropout that on a CPU takes one byte of chance for each number.

    torch's takes ten times as long there. The share is a multiple of 1/256 then, at most
    0.002 from the one asked for, and what is kept is scaled by the share in use.
    """

    def __init__(self, share: float) -> None:
        """Switch off ``share`` of all numbers in training."""
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Drop from x, of any shape."""
        if not self.training or self.share == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        edge = round(self.share * _BYTE)
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= edge
        return x * kept.to(x.dtype).mul_(_BYTE / (_BYTE - edge))
