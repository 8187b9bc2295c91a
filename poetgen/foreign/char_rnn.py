"""A snapshot of the classic character RNN (Karpathy 2015, min-char-rnn).

Courses keep its parameters in a pickled dictionary: ``Wxh`` (H, V), ``Whh`` (H, H),
``Why`` (V, H), ``bh`` (H, 1), ``by`` (V, 1), and the table ``char_to_ix`` or ``ix_to_char``.
The accumulators of Adagrad and whatever else is in it are ignored. The pickle is read as data;
nothing in it is ever executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.foreign.restricted_pickle import loads

# The largest float16, the type of model files.
_LARGEST = 65504.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The parameters of the network, float32, and its V tokens in the order of their numbers.

    ``wxh`` (H, V), ``whh`` (H, H), ``why`` (V, H), ``bh`` (H,), ``by`` (V,).
    """

    wxh: NDArray[np.float32]
    whh: NDArray[np.float32]
    why: NDArray[np.float32]
    bh: NDArray[np.float32]
    by: NDArray[np.float32]
    tokens: list[str]


def read_snapshot(data: bytes) -> Snapshot:
    """Return what a pickled snapshot holds.

    Raises:
        DataPickleError: a ValueError; it is damaged, or holds more than data.
        ValueError: something is missing, or does not fit.
    """
    content = loads(data)
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not a dictionary")
    # Python 2 wrote its strings as bytes.
    parts = {_text(key): value for key, value in content.items() if isinstance(key, str | bytes)}
    wxh = _matrix(parts, "Wxh")
    hidden_size, num_tokens = wxh.shape
    return Snapshot(
        wxh=wxh,
        tokens=_tokens(parts, num_tokens),
        bh=_vector(parts, "bh", hidden_size),
        by=_vector(parts, "by", num_tokens),
        why=_matrix(parts, "Why", (num_tokens, hidden_size)),
        whh=_matrix(parts, "Whh", (hidden_size, hidden_size)),
    )


def _matrix(
    parts: dict[str, Any], name: str, shape: tuple[int, ...] | None = None
) -> NDArray[np.float32]:
    array = parts.get(name)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise ValueError(f"it has no array of numbers {name}")
    if array.ndim != 2 or 0 in array.shape or (shape is not None and array.shape != shape):
        wanted = "two dimensions" if shape is None else f"the shape {shape}"
        raise ValueError(f"{name} has the shape {array.shape}, not {wanted}")
    with np.errstate(over="ignore"):
        matrix = array.astype(np.float32)
    if not (np.abs(matrix) <= _LARGEST).all():  # false for NaN, too
        raise ValueError(f"{name} has a value that is NaN, infinite or above {_LARGEST:,.0f}")
    return matrix


def _vector(parts: dict[str, Any], name: str, size: int) -> NDArray[np.float32]:
    """Read a bias, which the classic keeps as a column."""
    array = parts.get(name)
    if isinstance(array, np.ndarray) and array.ndim == 1:
        array = array[:, None]
    return _matrix({name: array}, name, (size, 1))[:, 0]


def _tokens(parts: dict[str, Any], num_tokens: int) -> list[str]:
    tables = [
        _by_number(parts[name], is_reversed=name == "char_to_ix")
        for name in ("ix_to_char", "char_to_ix")
        if parts.get(name) is not None
    ]
    if not tables:
        raise ValueError("it has no table of its characters")
    if tables[0] != tables[-1]:
        raise ValueError("char_to_ix and ix_to_char contradict each other")
    if sorted(tables[0]) != list(range(num_tokens)):
        raise ValueError(f"its table does not number {num_tokens} characters from 0 on")
    return [tables[0][number] for number in range(num_tokens)]


def _by_number(table: Any, *, is_reversed: bool) -> dict[int, str]:
    """Return the characters of a table by their numbers."""
    if not isinstance(table, dict):
        raise ValueError("its table of characters is not a dictionary")
    found: dict[int, str] = {}
    for key, value in table.items():
        number, token = (value, key) if is_reversed else (key, value)
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise ValueError("its table of characters has a number that is not an integer")
        if not isinstance(token, str | bytes) or int(number) in found:
            raise ValueError("its table does not have one character for each number")
        found[int(number)] = _text(token)
    return found


def _text(text: str | bytes) -> str:
    """Return a string of Python 2 or 3; bytes that are not UTF-8 raise a ValueError."""
    return text if isinstance(text, str) else text.decode("utf-8")
