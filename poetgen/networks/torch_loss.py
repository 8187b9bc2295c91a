"""Cross-entropy in torch, block by block, so that logits stay in the CPU's cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from poetgen.networks.torch_linear import packed_linear, product_dtype

# Rows in a block, enough for fast products with its derivatives; and rows of logits at once:
# with 6,000 tokens 128 of them take three megabytes, which stay in a CPU's cache.
CPU_ROWS = 1024, 128
# A GPU has no such cache, and is fast with few large calls: some hundred megabytes at once.
GPU_ROWS = 8192, 8192


class _Softmax:
    """Losses and probabilities of a few rows at a time, in buffers that are reused."""

    def __init__(self, rows: Tensor, matrix: Tensor, bias: Tensor) -> None:
        """Use a matrix (V, E) and a bias (V,); the losses have the bias's precision."""
        self.block_rows, self._num_rows = CPU_ROWS if rows.device.type == "cpu" else GPU_ROWS
        self._linear = packed_linear(matrix, self._num_rows, bias.to(matrix.dtype))
        shape = min(self._num_rows, len(rows)), len(matrix)
        self._logits, self._probabilities = bias.new_empty(shape), bias.new_empty(shape)

    def parts(self, rows: Tensor, targets: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield, for parts of the rows (N, E): the slice, its losses (n,), probabilities (n, V).

        Rows after those with a target, (≤ N,), are ignored. The next part overwrites the
        probabilities.
        """
        for first in range(0, len(targets), self._num_rows):
            part = slice(first, first + self._num_rows)
            wanted = targets[part, None]
            logits, probabilities = self._logits[: len(wanted)], self._probabilities[: len(wanted)]
            logits.copy_(self._linear(rows[part])[: len(wanted)])
            torch.softmax(logits, dim=-1, out=probabilities)
            # The largest probability is at least 1/V, so its logarithm is exact enough.
            log_total = logits.amax(dim=-1) - probabilities.amax(dim=-1).log()
            yield part, log_total - logits.gather(1, wanted).squeeze(1), probabilities


class _CrossEntropy(torch.autograd.Function):
    """The summed loss and its gradients, block by block.

    Autograd would hold five copies of the logits of a whole batch, and spend most of its time
    fetching them from memory. Here only its share of the gradients is left of a block when
    the next one begins.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype
    ) -> Tensor:
        """Score rows (N, E) against the matrix (V, E) in ``dtype``; the rest is as the bias."""
        wide = bias.dtype
        with torch.autocast(rows.device.type, enabled=False):
            rows, matrix = rows.to(dtype), matrix.to(dtype)
            softmax = _Softmax(rows, matrix, bias)
            back = packed_linear(matrix.T, softmax.block_rows)
            loss, d_bias = bias.new_zeros(()), torch.zeros_like(bias)
            d_rows = torch.empty_like(rows, dtype=wide)
            d_matrix = torch.zeros_like(matrix, dtype=wide)
            buffer = rows.new_empty(min(softmax.block_rows, len(rows)), len(matrix))
            for first in range(0, len(rows), softmax.block_rows):
                block = slice(first, first + softmax.block_rows)
                hidden, wanted = rows[block], targets[block]
                d_logits = buffer[: len(hidden)]
                d_logits[len(wanted) :].zero_()
                for part, losses, probabilities in softmax.parts(hidden, wanted):
                    loss += losses.sum()
                    # p − 1 for the target, p for all others.
                    minus_one = -torch.ones_like(losses)[:, None]
                    probabilities.scatter_add_(1, wanted[part, None], minus_one)
                    d_logits[: len(wanted)][part] = probabilities
                    d_bias += probabilities.sum(dim=0)
                d_rows[block] = back(d_logits)
                d_matrix += d_logits.T @ hidden
        ctx.save_for_backward(d_rows, d_matrix, d_bias)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives by the rows, the matrix and the bias."""
        return *(gradient * d_loss for gradient in ctx.saved_tensors), None, None


def summed_cross_entropy(rows: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy in nats of softmax(rows Aᵀ + bias), summed over the rows.

    Args:
        rows: (N, E), N ≥ 0. Those after the last target are ignored.
        matrix: A (V, E).
        bias: (V,); the loss has its precision.
        targets: (≤ N,) ids below V.
    """
    dtype = product_dtype(rows)
    loss: Tensor = _CrossEntropy.apply(rows, matrix, bias, targets, dtype)  # type: ignore[no-untyped-call]
    return loss


@torch.no_grad()
def cross_entropies(rows: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each row, (N,), without a derivative."""
    dtype = product_dtype(rows)
    with torch.autocast(rows.device.type, enabled=False):
        rows = rows.to(dtype)
        losses = bias.new_empty(len(targets))
        for part, part_losses, _ in _Softmax(rows, matrix.to(dtype), bias).parts(rows, targets):
            losses[part] = part_losses
    return losses
