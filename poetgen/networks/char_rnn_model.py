"""A snapshot of char-rnn, the classic character RNN, as a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from poetgen.config import ModelConfig
from poetgen.corpus.vocabulary import NUM_SPECIAL, START, Vocabulary
from poetgen.errors import ModelError, PoetgenError
from poetgen.foreign.char_rnn import Snapshot, read_snapshot
from poetgen.foreign.restricted_pickle import DataPickleError
from poetgen.networks.model import Model, Weights

_ADVICE = (
    "A snapshot is a pickled dictionary of Wxh, Whh, Why, bh, by and char_to_ix or ix_to_char."
)
# The bias of the special tokens: char-rnn never ends a text. float16 holds this number.
_NEVER = -1e4
# A hundred times what courses train.
_MAX_BYTES = 512 * 2**20


def load_snapshot(path: Path) -> Model:
    """Return the model in a snapshot.

    Raises:
        ModelError: the file is missing or damaged, holds more than data, or is not a snapshot.
    """
    if not path.is_file():
        raise ModelError(f"There is no snapshot {path}.", _ADVICE)
    if path.stat().st_size > _MAX_BYTES:
        raise ModelError(f"{path} has more than {_MAX_BYTES:,} bytes.", _ADVICE)
    try:
        return _as_model(read_snapshot(path.read_bytes()))
    except DataPickleError as error:
        raise ModelError(f"{path} is not a pickle of plain data: {error}.", _ADVICE) from error
    except (ValueError, PoetgenError) as error:
        raise ModelError(f"{path} is not a snapshot of char-rnn: {error}.", _ADVICE) from error


def _as_model(snapshot: Snapshot) -> Model:
    """Return the model that a snapshot describes.

    The four special tokens come before the snapshot's own. Reading the start token keeps the
    state at zero, tanh(−bh + bh) = 0, so that a text starts as in char-rnn.
    """
    tokens = snapshot.tokens
    vocabulary = Vocabulary(tokens, "char" if all(len(t) == 1 for t in tokens) else "word")
    hidden_size = len(snapshot.bh)
    input_weights = np.zeros((hidden_size, len(vocabulary)), np.float32)
    input_weights[:, NUM_SPECIAL:] = snapshot.wxh
    input_weights[:, START] = -snapshot.bh
    output_weights = np.zeros((len(vocabulary), hidden_size), np.float32)
    output_weights[NUM_SPECIAL:] = snapshot.why
    weights: Weights = {
        "rnn.weight_ih_l0": input_weights,
        "rnn.weight_hh_l0": snapshot.whh,
        "rnn.bias_ih_l0": snapshot.bh,
        "rnn.bias_hh_l0": np.zeros_like(snapshot.bh),
        "output.weight": output_weights,
        "output_bias": np.concatenate([np.full(NUM_SPECIAL, _NEVER, np.float32), snapshot.by]),
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
