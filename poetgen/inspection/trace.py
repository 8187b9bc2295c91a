"""What happens in a model while it reads: surprise, states, gates, and what decides.

Everything is measured on the last recurrent layer, which is the one that the output sees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import FloatArray
from poetgen.corpus.vocabulary import PAD, START, UNK
from poetgen.generation.sampling import log_softmax
from poetgen.networks.bptt import read
from poetgen.networks.cells import CELLS
from poetgen.networks.model import Model
from poetgen.networks.output import logits_of, score

# The course report's choice of when a unit responds strongly.
STRONG = 0.5
# So many logits at once: a hundred units of a large vocabulary are some megabytes.
_UNITS_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Trace:
    """A text of T tokens, read from the start token on.

    ``surprise_bits`` (T,) is −log2 of the probability that each token had, given those
    before it. The others tell what is there after each token was read: ``hidden`` (T, H),
    ``gates`` by name (T, H), and ``probabilities`` (T, V) of what comes next, in which
    padding, start and unknown have no share. ``memory`` (T,) is how much the next token
    depends on more than the token just read: the total variation, 0 to 1, between the
    probabilities with all that came before and with nothing before it.
    """

    token_ids: NDArray[np.int64]
    surprise_bits: FloatArray
    hidden: FloatArray
    gates: Mapping[str, FloatArray]
    probabilities: FloatArray
    memory: FloatArray


def trace(model: Model, token_ids: Sequence[int]) -> Trace:
    """Read token ids (T,), T at least 1, and note what happens."""
    ids = np.array([START, *token_ids], np.int64)
    reading = read(model.config, model.weights, ids[None])
    hidden = reading.hidden[:, 0]
    expected = _log_probabilities(model, hidden)
    probabilities = np.exp(expected)
    # Not of the probability, which may be too small for any number but 0.
    surprise = -expected[np.arange(len(token_ids)), ids[1:]] / math.log(2)
    caches = reading.tapes[-1].caches
    gates = {
        name: np.stack([cache[place][0] for cache in caches[1:]])
        for name, place in CELLS[model.config.arch].gates.items()
    }
    alone = read(model.config, model.weights, ids[1:, None]).hidden[0]
    memory = total_variation(probabilities[1:], _probabilities(model, alone))
    return Trace(ids[1:], surprise, hidden[1:], gates, probabilities[1:], memory)


def _probabilities(model: Model, hidden: FloatArray) -> FloatArray:
    return np.exp(_log_probabilities(model, hidden))


def _log_probabilities(model: Model, hidden: FloatArray) -> FloatArray:
    """Give, for hidden (N, H), the logarithms of what comes next (N, V), in float64."""
    scores = score(model.config, model.weights, hidden).scores
    logits = logits_of(model.config, np.asarray(scores, np.float64))
    logits[:, [PAD, START, UNK]] = -np.inf
    return log_softmax(logits)


def total_variation(one: FloatArray, other: FloatArray) -> FloatArray:
    """Give half the sum of the differences of two distributions (…, V): 0 same, 1 disjoint."""
    distance: FloatArray = 0.5 * np.abs(one - other).sum(axis=-1)
    return distance


class StrongUnit(NamedTuple):
    """A unit that responds strongly, and after which share of the tokens it does."""

    unit: int
    share: float
    mean: float


def strong_units(hidden: FloatArray, count: int) -> list[StrongUnit]:
    """List the units that are above ``STRONG`` in size most often, for hidden (T, H)."""
    size = np.abs(hidden)
    shares = (size > STRONG).mean(axis=0)
    # Equal shares are ordered by the size itself.
    order = np.lexsort((-size.mean(axis=0), -shares))[:count]
    return [
        StrongUnit(int(unit), float(shares[unit]), float(hidden[:, unit].mean()))
        for unit in order
        if shares[unit] > 0
    ]


def deciding_units(model: Model, hidden: FloatArray) -> FloatArray:
    """Measure how much each unit decides what comes next, for hidden (H,).

    Each unit in turn is set to zero, many at a time in one batch; the total variation to
    the undisturbed probabilities is its weight. Shape (H,), each in 0…1.
    """
    size = len(hidden)
    undisturbed = _probabilities(model, hidden[None])
    changes = np.empty(size)
    for first in range(0, size, _UNITS_AT_ONCE):
        units = np.arange(first, min(first + _UNITS_AT_ONCE, size))
        disturbed = np.repeat(hidden[None], len(units), axis=0)
        disturbed[np.arange(len(units)), units] = 0
        changes[units] = total_variation(_probabilities(model, disturbed), undisturbed)
    return changes


def likeliest(probabilities: FloatArray, count: int) -> list[tuple[int, float]]:
    """List the likeliest token ids of one distribution (V,), with their probabilities.

    What cannot come at all is not listed.
    """
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(i), float(probabilities[i])) for i in order if probabilities[i] > 0]
