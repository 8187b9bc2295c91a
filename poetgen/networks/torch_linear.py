"""Products of many rows, or of rows again and again, with one matrix, on a CPU."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

# oneDNN keeps a plan for every shape of a product, and some take more than a megabyte. Rows
# filled up to a multiple of so many keep the shapes few.
_ROWS_MULTIPLE = 32


class Product(Protocol):
    """The function x ↦ x matrixᵀ + bias."""

    def __call__(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Multiply x (N, in); return (N, out), in the precision of the matrix."""


def product_with(matrix: Tensor, num_rows: int) -> Product:
    """Return the product with a matrix (out, in), for calls with about ``num_rows`` rows.

    oneDNN keeps a matrix in blocks that suit the CPU, and puts it into them anew at every
    call. Here that is done once. With 20 rows a product is then up to twice as quick, in
    float32 on an AMD CPU as much as four times, because torch would use MKL there.
    """
    if not _can_pack(matrix):

        def plain(x: Tensor, bias: Tensor | None = None) -> Tensor:
            return F.linear(x.to(matrix.dtype), matrix, bias)

        return plain
    multiply = torch.ops.mkldnn._linear_pointwise.default
    packed = torch.ops.mkldnn._reorder_linear_weight(matrix.contiguous(), num_rows)

    def blocked(x: Tensor, bias: Tensor | None = None) -> Tensor:
        product: Tensor = multiply(x.to(matrix.dtype), packed, bias, "none", [], "")
        return product

    return blocked


def _can_pack(matrix: Tensor) -> bool:
    return matrix.device.type == "cpu" and packs(matrix.dtype)


def fill_up(rows: Tensor) -> Tensor:
    """Return rows (N, ·) with rows of zeros after them, up to one of few numbers of rows."""
    missing = -len(rows) % _ROWS_MULTIPLE
    return F.pad(rows, (0, 0, 0, missing)) if missing else rows


def packs(dtype: torch.dtype) -> bool:
    """Return whether oneDNN multiplies ``dtype`` here, by the functions that this module uses.

    They are those of torch's compiler, and no public part of torch.
    """
    ops = torch.ops.mkldnn
    if not (torch._C._has_mkldnn and hasattr(ops, "_linear_pointwise")):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and multiplies_bfloat16())


def multiplies_bfloat16() -> bool:
    """Return whether oneDNN finds the instructions for bfloat16; without them it is emulated."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
