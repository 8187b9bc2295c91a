"""What happens in a model while it reads: surprise, states, gates, and what decides.

Everything is measured on the last recurrent layer, which is the one that the output reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.corpus.vocabulary import START
from poetgen.generation.sampling import log_softmax
from poetgen.networks.cells import CELLS
from poetgen.networks.model import Model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.output_layer import logits_of, score

# The course report's choice of when a unit responds strongly.
STRONG = 0.5
# So many logits at once: a hundred units of a large vocabulary are some megabytes.
_UNITS_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Trace:
    """A text of T tokens, read from the start token on.

    ``surprise_bits`` (T,) is −log2 of the probability that each token had, given those
    before it. The others are measured after each token: ``hidden`` (T, H), ``gates`` by name
    (T, H), and ``probabilities`` (T, V) of what comes next, in which padding, start and
    unknown have no share. ``memory`` (T,) is how much the next token depends on more than
    the token just read: the total variation, 0 to 1, between the probabilities with all
    that came before and with nothing before it.
    """

    surprise_bits: FloatArray
    hidden: FloatArray
    gates: Mapping[str, FloatArray]
    probabilities: FloatArray
    memory: FloatArray


def trace(model: Model, token_ids: Sequence[int]) -> Trace:
    """Return what happens in a model while it reads token ids (T,), T at least 1."""
    ids = np.array([START, *token_ids], np.int64)
    reading = NumpyModel(model.config, model.weights).read(ids[None])
    hidden = reading.hidden[:, 0]
    expected = _log_probabilities(model, hidden)
    probabilities = np.exp(expected)
    # Not of the probability, which may underflow to 0.
    surprise = -expected[np.arange(len(token_ids)), ids[1:]] / math.log(2)
    caches = reading.tapes[-1].caches
    gates = {
        name: np.stack([cache[place][0] for cache in caches[1:]])
        for name, place in CELLS[model.config.arch].gates.items()
    }
    alone = NumpyModel(model.config, model.weights).read(ids[1:, None]).hidden[0]
    memory = total_variation(probabilities[1:], np.exp(_log_probabilities(model, alone)))
    return Trace(surprise, hidden[1:], gates, probabilities[1:], memory)


def _log_probabilities(model: Model, hidden: FloatArray) -> FloatArray:
    """Return the logarithms of what comes next (N, V), in float64, for hidden (N, H)."""
    scores = score(model.config, model.weights, hidden)[0]
    logits = logits_of(model.config, np.asarray(scores, np.float64))
    logits[:, model.vocabulary.unwritten] = -np.inf
    return log_softmax(logits)


def total_variation(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return half the L1 distance of two distributions (…, V): 0 if same, 1 if disjoint."""
    distance: FloatArray = 0.5 * np.abs(one - other).sum(axis=-1)
    return distance


def strong_units(hidden: FloatArray, count: int) -> list[tuple[int, float]]:
    """Return the units of hidden (T, H) that are most often above ``STRONG`` in size.

    Each with its share of the tokens, the largest first; those that never are, are left out.
    """
    size = np.abs(hidden)
    shares = (size > STRONG).mean(axis=0)
    # Equal shares are ordered by the size itself.
    order = np.lexsort((-size.mean(axis=0), -shares))[:count]
    return [(int(unit), float(shares[unit])) for unit in order if shares[unit] > 0]


def deciding_units(model: Model, hidden: FloatArray) -> FloatArray:
    """Return how much each unit of hidden (H,) decides what comes next: (H,), each 0 to 1.

    Each unit in turn is set to zero, many at a time in one batch; the total variation to
    the undisturbed probabilities is its weight.
    """
    size = len(hidden)
    undisturbed = np.exp(_log_probabilities(model, hidden[None]))
    changes = np.empty(size)
    for first in range(0, size, _UNITS_AT_ONCE):
        units = np.arange(first, min(first + _UNITS_AT_ONCE, size))
        disturbed = np.repeat(hidden[None], len(units), axis=0)
        disturbed[np.arange(len(units)), units] = 0
        found = np.exp(_log_probabilities(model, disturbed))
        changes[units] = total_variation(found, undisturbed)
    return changes


def likeliest(probabilities: FloatArray, count: int) -> list[tuple[int, float]]:
    """Return the likeliest token ids of a distribution (V,), with their probabilities.

    Those of probability 0 are left out.
    """
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(i), float(probabilities[i])) for i in order if probabilities[i] > 0]
