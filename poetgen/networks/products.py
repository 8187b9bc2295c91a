"""Products of rows with a matrix, for few rows and for many."""

from __future__ import annotations

import numpy as np

from poetgen.arrays import FloatArray

# BLAS copies a matrix into blocks before it multiplies several rows by it, which for so few
# takes longer than to read it once for each.
_FEW_ROWS = 4


def rows_times(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return rows (…, K) times the transpose of a matrix (N, K), shape (…, N)."""
    if rows.ndim != 2 or not 1 < len(rows) <= _FEW_ROWS:
        product: FloatArray = rows @ matrix.T
        return product
    found = np.empty((len(rows), len(matrix)), np.result_type(rows, matrix))
    for row, out in zip(rows, found, strict=True):
        np.matmul(matrix, row, out=out)
    return found
