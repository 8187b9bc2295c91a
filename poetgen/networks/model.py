"""A trained model as plain data, and the weights that an architecture has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poetgen.config import ModelConfig, Storage
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.networks.cells import CELLS
from poetgen.tensor_file import Arrays
from poetgen.verse.choice import Choice

Weights = Arrays

# The largest float16, in which weights are stored. No product of numbers up to it overflows
# in a network that fits into memory.
LARGEST_WEIGHT = 65504.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """Cross-entropy on a split, with its unit.

    Per token: every token of every poem once, its end included; an unknown character is a
    target like any other. Per hanzi: punctuation and ends are left out of loss and count.
    """

    loss_per_token: float
    perplexity_per_token: float
    perplexity_per_hanzi: float | None
    num_tokens: int
    num_hanzi: int


@dataclass(frozen=True, slots=True)
class CorpusRef:
    """Which corpus a model was trained on."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model, ready for either engine.

    ``validation`` measures the held-out poems alone, and ``validation_given`` the same ones after
    their titles and authors. ``training`` is a record for people: settings, versions and
    progress, with the names they had in the poetgen that trained the model. ``extra`` is what
    else the "corpus", the "metrics" and the parts of these in its file say. ``choice`` is the
    index with which drafts of Chinese verse are chosen; models of other texts, and older ones,
    have none. ``storage`` is the number format of the weights in its file.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    weights: Weights
    script: str = "keep"
    training: Mapping[str, Any] = field(default_factory=dict)
    corpus: CorpusRef | None = None
    validation: Metrics | None = None
    validation_given: Metrics | None = None
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choice: Choice | None = None
    storage: Storage = "float16"


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the name and the shape of every weight of a model.

    The names and the order of the gates are torch's: LSTM i, f, g, o; GRU r, z, n.
    """
    gates = CELLS[config.arch].num_gates
    v, e, h = config.vocab_size, config.embedding_dim, config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    if not config.one_hot:
        shapes["embedding.weight"] = (v, e)
    for layer in range(config.num_layers):
        shapes[f"rnn.weight_ih_l{layer}"] = (gates * h, e if layer == 0 else h)
        shapes[f"rnn.weight_hh_l{layer}"] = (gates * h, h)
        shapes[f"rnn.bias_ih_l{layer}"] = (gates * h,)
        shapes[f"rnn.bias_hh_l{layer}"] = (gates * h,)
    if config.tied:
        shapes["projection.weight"] = (e, h)
    else:
        shapes["output.weight"] = (v, h)
    shapes["output_bias"] = (v,)
    return shapes


def num_parameters(config: ModelConfig) -> int:
    """Return the number of weights of a model; a tied embedding counts once."""
    return sum(int(np.prod(shape)) for shape in weight_shapes(config).values())
