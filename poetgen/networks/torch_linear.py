"""Linear maps x ↦ x Aᵀ + b on a CPU, with the matrix packed once for many calls."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

# oneDNN caches a kernel for every shape of a product, some of more than a megabyte. Rows padded
# to a multiple of this keep the shapes few.
_ROWS_MULTIPLE = 32


def packed_linear(
    matrix: Tensor, num_rows: int, bias: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """Return x (N, in) ↦ x Aᵀ + b (N, out), in the precision of the matrix A (out, in).

    oneDNN stores a matrix in blocks that suit the CPU and for about ``num_rows`` rows, and
    otherwise repacks it at every call. With 20 rows a product is then up to twice as fast, in
    float32 on an AMD CPU as much as four times, because torch would use MKL there.
    """
    dtype = matrix.dtype
    if matrix.device.type != "cpu" or not can_pack(dtype):
        return lambda x: F.linear(x.to(dtype), matrix, bias)
    linear = torch.ops.mkldnn._linear_pointwise.default
    packed = torch.ops.mkldnn._reorder_linear_weight(matrix.contiguous(), num_rows)
    return lambda x: linear(x.to(dtype), packed, bias, "none", [], "")


def product_dtype(x: Tensor) -> torch.dtype:
    """Return the number format of products with x: that of autocast, or its own."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def pad_rows(rows: Tensor) -> Tensor:
    """Return rows (N, ·) with rows of zeros after them, to one of few numbers of rows."""
    missing = -len(rows) % _ROWS_MULTIPLE
    return F.pad(rows, (0, 0, 0, missing)) if missing else rows


def can_pack(dtype: torch.dtype) -> bool:
    """Return whether oneDNN multiplies ``dtype`` here, by the functions that this module uses.

    They belong to torch's compiler and are not public.
    """
    if not (torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and multiplies_bfloat16())


def multiplies_bfloat16() -> bool:
    """Return whether oneDNN finds the instructions for bfloat16; without them it is emulated."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
