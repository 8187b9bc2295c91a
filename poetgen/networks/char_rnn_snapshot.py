"""A snapshot of the classic character RNN (Karpathy 2015, min-char-rnn) as a model.

Courses keep its parameters in a pickled dictionary: ``Wxh`` (H, V), ``Whh`` (H, H),
``Why`` (V, H), ``bh`` (H, 1), ``by`` (V, 1), and the table ``char_to_ix`` or ``ix_to_char``.
Memories of Adagrad and whatever else is in it are left aside. The pickle is read as data;
nothing in it is ever executed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.config import ModelConfig
from poetgen.errors import ModelError, PoetgenError
from poetgen.networks.model import LARGEST_WEIGHT, Model, Weights
from poetgen.restricted_pickle import DataPickleError, loads
from poetgen.text.vocabulary import NUM_SPECIAL, START, Vocabulary

_ADVICE = (
    "A snapshot is a pickled dictionary of Wxh, Whh, Why, bh, by and char_to_ix or ix_to_char."
)
# The classic knows no end of a text; float16 knows this number.
_NEVER = -1e4
# A hundred times what courses train.
_MAX_BYTES = 512 * 2**20


def load_snapshot(path: Path) -> Model:
    """Read a snapshot.

    Raises:
        ModelError: the file is missing or damaged, holds more than data, or is no snapshot.
    """
    if not path.is_file():
        raise ModelError(f"There is no snapshot {path}.", _ADVICE)
    if path.stat().st_size > _MAX_BYTES:
        raise ModelError(f"{path} has more than {_MAX_BYTES:,} bytes.", _ADVICE)
    try:
        return _as_model(loads(path.read_bytes()))
    except DataPickleError as error:
        raise ModelError(f"{path} is not a pickle of plain data: {error}.", _ADVICE) from error
    except (ValueError, PoetgenError) as error:
        raise ModelError(f"{path} is no snapshot of a character RNN: {error}.", _ADVICE) from error


def _as_model(content: Any) -> Model:
    """Build the model that a snapshot describes.

    Our four special tokens come before the snapshot's own. Reading the start token leaves
    the empty state empty, tanh(−bh + bh) = 0, so that a text begins as it does there.

    Raises:
        ValueError: something is missing, or does not fit.
    """
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not a dictionary")
    # Python 2 wrote its strings as bytes.
    parts = {_text(key): value for key, value in content.items() if isinstance(key, str | bytes)}
    wxh = _matrix(parts, "Wxh")
    hidden_size, num_tokens = wxh.shape
    vocabulary = _vocabulary(parts, num_tokens)
    bh = _vector(parts, "bh", hidden_size)
    by = _vector(parts, "by", num_tokens)
    input_weights = np.zeros((hidden_size, len(vocabulary)), np.float32)
    input_weights[:, NUM_SPECIAL:] = wxh
    input_weights[:, START] = -bh
    output_weights = np.zeros((len(vocabulary), hidden_size), np.float32)
    output_weights[NUM_SPECIAL:] = _matrix(parts, "Why", (num_tokens, hidden_size))
    weights: Weights = {
        "rnn.weight_ih_l0": input_weights,
        "rnn.weight_hh_l0": _matrix(parts, "Whh", (hidden_size, hidden_size)),
        "rnn.bias_ih_l0": bh,
        "rnn.bias_hh_l0": np.zeros_like(bh),
        "output.weight": output_weights,
        "output_bias": np.concatenate([np.full(NUM_SPECIAL, _NEVER, np.float32), by]),
    }
    config = ModelConfig(
        arch="rnn",
        vocab_size=len(vocabulary),
        embedding_dim=len(vocabulary),
        hidden_size=hidden_size,
        tied=False,
        one_hot=True,
    )
    return Model(config, vocabulary, weights)


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
    if not (np.abs(matrix) <= LARGEST_WEIGHT).all():  # which no NaN is
        raise ValueError(f"{name} holds a value that is no number, or too large a one")
    return matrix


def _vector(parts: dict[str, Any], name: str, size: int) -> NDArray[np.float32]:
    """Read a bias, which the classic keeps as a column."""
    array = parts.get(name)
    if isinstance(array, np.ndarray) and array.ndim == 1:
        array = array[:, None]
    return _matrix({name: array}, name, (size, 1))[:, 0]


def _vocabulary(parts: dict[str, Any], num_tokens: int) -> Vocabulary:
    tables = [
        table
        for table in (
            _pairs(parts.get("ix_to_char"), reverse=False),
            _pairs(parts.get("char_to_ix"), reverse=True),
        )
        if table is not None
    ]
    if not tables:
        raise ValueError("it has no table of its characters")
    if any(table != tables[0] for table in tables):
        raise ValueError("char_to_ix and ix_to_char contradict each other")
    if sorted(tables[0]) != list(range(num_tokens)):
        raise ValueError(f"its table does not number {num_tokens} characters from 0 on")
    tokens = [tables[0][number] for number in range(num_tokens)]
    return Vocabulary(tokens, "char" if all(len(token) == 1 for token in tokens) else "word")


def _pairs(table: Any, *, reverse: bool) -> dict[int, str] | None:
    """Read a table as one from numbers to characters."""
    if table is None:
        return None
    if not isinstance(table, dict):
        raise ValueError("its table of characters is no dictionary")
    found: dict[int, str] = {}
    for key, value in table.items():
        number, token = (value, key) if reverse else (key, value)
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise ValueError("its table of characters has a number that is none")
        if not isinstance(token, str | bytes) or int(number) in found:
            raise ValueError("its table does not give each number one character")
        found[int(number)] = _text(token)
    return found


def _text(text: str | bytes) -> str:
    """Read a string of Python 2 or 3.

    Raises:
        UnicodeDecodeError: a ValueError; bytes that are not UTF-8.
    """
    return text if isinstance(text, str) else text.decode("utf-8")
