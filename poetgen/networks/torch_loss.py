"""What training on a CPU wants of torch and does not get: a lean loss, and quick chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from poetgen.networks.torch_linear import product_with

# Rows whose derivatives are multiplied at once, enough for the products to be quick; and,
# within these, rows of logits at once. With 6,000 tokens 128 of them take three megabytes,
# which stay in a CPU's cache.
_CPU_ROWS = 1024, 128
# A GPU has no such cache, and wants few large calls: some hundred megabytes at once.
_GPU_ROWS = 8192, 8192
_BYTE = 256


class _Scorer:
    """Losses and probabilities of a few rows at a time, in buffers that are used again."""

    def __init__(self, rows: Tensor, matrix: Tensor, bias: Tensor) -> None:
        """Score with a matrix (V, E) and a bias (V,); its precision is that of the losses."""
        self.num_rows, self._num_at_once = _CPU_ROWS if rows.device.type == "cpu" else _GPU_ROWS
        self._multiply = product_with(matrix, self._num_at_once)
        self._bias = bias.to(matrix.dtype)
        shape = min(self._num_at_once, len(rows)), len(matrix)
        self._logits, self._probabilities = bias.new_empty(shape), bias.new_empty(shape)

    def parts(self, rows: Tensor, targets: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield, for a part of the rows (N, E): which it is, its losses, and probabilities.

        Rows after those with a target, (≤ N,), count for nothing. The probabilities, (n, V),
        are overwritten by the next part.
        """
        for first in range(0, len(targets), self._num_at_once):
            part = slice(first, first + self._num_at_once)
            wanted = targets[part, None]
            logits, probabilities = self._logits[: len(wanted)], self._probabilities[: len(wanted)]
            logits.copy_(self._multiply(rows[part], self._bias)[: len(wanted)])
            torch.softmax(logits, dim=-1, out=probabilities)
            # The largest probability is never so small that its logarithm is lost.
            log_total = logits.amax(dim=-1) - probabilities.amax(dim=-1).log()
            yield part, log_total - logits.gather(1, wanted).squeeze(1), probabilities


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
        with torch.autocast(rows.device.type, enabled=False):
            rows, matrix = rows.to(dtype), matrix.to(dtype)
            scorer = _Scorer(rows, matrix, bias)
            back = product_with(matrix.T, scorer.num_rows)
            loss, d_bias = bias.new_zeros(()), torch.zeros_like(bias)
            d_rows = torch.empty_like(rows, dtype=wide)
            d_matrix = torch.zeros_like(matrix, dtype=wide)
            block = rows.new_empty(min(scorer.num_rows, len(rows)), len(matrix))
            for first in range(0, len(rows), scorer.num_rows):
                whole = slice(first, first + scorer.num_rows)
                hidden, all_wanted = rows[whole], targets[whole]
                d_logits = block[: len(hidden)]
                of_targets, of_others = d_logits.tensor_split([len(all_wanted)])
                of_others.zero_()
                for part, losses, probabilities in scorer.parts(hidden, all_wanted):
                    loss += losses.sum()
                    # p − 1 for the target, p for all others.
                    wanted = all_wanted[part, None]
                    probabilities.scatter_add_(1, wanted, -torch.ones_like(losses)[:, None])
                    of_targets[part] = probabilities
                    d_bias += probabilities.sum(dim=0)
                d_rows[whole] = back(d_logits)
                d_matrix += d_logits.T @ hidden
        ctx.save_for_backward(d_rows, d_matrix, d_bias)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives by the rows, the matrix and the bias."""
        d_rows, d_matrix, d_bias = ctx.saved_tensors
        return d_rows * d_loss, d_matrix * d_loss, d_bias * d_loss, None, None


def summed_cross_entropy(rows: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy in nats of softmax(rows matrixᵀ + bias), summed over the rows.

    Args:
        rows: (N, E); there may be none. Those after the last target count for nothing.
        matrix: (V, E).
        bias: (V,); its precision is that of the loss.
        targets: (≤ N,) ids below V.
    """
    dtype = _product_type(rows)
    loss: Tensor = _CrossEntropy.apply(rows, matrix, bias, targets, dtype)  # type: ignore[no-untyped-call]
    return loss


def cross_entropies(rows: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each row, (N,); it has no derivative."""
    dtype = _product_type(rows)
    with torch.autocast(rows.device.type, enabled=False):
        rows = rows.to(dtype)
        scorer = _Scorer(rows, matrix.to(dtype), bias)
        losses = bias.new_empty(len(targets))
        for part, of_part, _ in scorer.parts(rows, targets):
            losses[part] = of_part
    return losses


def _product_type(rows: Tensor) -> torch.dtype:
    device = rows.device.type
    lower = torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if lower else rows.dtype


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
