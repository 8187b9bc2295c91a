"""Products of rows with a matrix, for few rows and for many, by one thread or by two.

A large matrix is multiplied in two halves. A second thread may compute one of them: unlike the
threads of BLAS it sleeps while it waits, so that beside a busy process nothing becomes slower. The
result is the same, to the last bit, with it and without.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from poetgen.arrays import FloatArray

# BLAS copies a matrix into blocks before it multiplies several rows by it, which for so few
# takes longer than to read it once for each.
_FEW_ROWS = 4
# To hand over a half takes as long as some hundred thousand numbers of it.
_LARGE_MATRIX = 1 << 20


def rows_times(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return rows (…, K) times the transpose of a matrix (N, K), shape (…, N)."""
    if rows.ndim != 2:
        product: FloatArray = rows @ matrix.T
        return product
    found = np.empty((len(rows), len(matrix)), np.result_type(rows, matrix))

    def multiply(part: slice) -> None:
        _multiply(rows, matrix[part], found[:, part])

    middle = len(matrix) // 2
    first, second = slice(middle), slice(middle, None)
    if matrix.size < _LARGE_MATRIX:
        multiply(slice(None))
    elif (helper := _helper) is None:
        multiply(first)
        multiply(second)
    else:
        helper.begin(lambda: multiply(second))
        try:
            multiply(first)
        finally:
            helper.finish()
    return found


def _multiply(rows: FloatArray, matrix: FloatArray, out: FloatArray) -> None:
    if len(rows) > _FEW_ROWS:
        np.matmul(rows, matrix.T, out=out)
        return
    for row, place in zip(rows, out, strict=True):
        np.matmul(matrix, row, out=place)


class _Helper:
    """A thread that computes one thing after the other."""

    def __init__(self) -> None:
        self._work = SimpleQueue[Callable[[], None]]()
        self._done = SimpleQueue[BaseException | None]()
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self, work: Callable[[], None]) -> None:
        self._work.put(work)

    def finish(self) -> None:
        """Wait until the work is done, and raise what it has raised."""
        if (error := self._done.get()) is not None:
            raise error

    def _run(self) -> None:
        while True:
            try:
                self._work.get()()
            except BaseException as error:  # raised where the work is waited for
                self._done.put(error)
            else:
                self._done.put(None)


_helper: _Helper | None = None


def use_second_thread() -> None:
    """Let a second thread compute one half of each large product, from now on.

    Only one thread at a time may then call ``rows_times``.
    """
    global _helper
    _helper = _helper or _Helper()
