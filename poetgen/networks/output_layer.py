"""From hidden states to the loss and back, in numpy: output layer, density, cross-entropy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from poetgen.config import ModelConfig
from poetgen.networks.cells import Array
from poetgen.networks.model import Weights

# Below this distance from the maximum the Gumbel density is zero in every number format,
# and e^40 can still be squared in float32.
GUMBEL_FLOOR = -40.0


class Scored(NamedTuple):
    """Scores (…, V), and what made them: the rows (…, E or H) before the output matrix."""

    scores: Array
    rows: Array


def score(config: ModelConfig, weights: Weights, hidden: Array) -> Scored:
    """Score every token: hidden (…, H) to (…, V), before the density."""
    if config.tied:
        rows: Array = hidden @ weights["projection.weight"].T
        matrix = weights["embedding.weight"]
    else:
        rows, matrix = hidden, weights["output.weight"]
    scores = rows @ matrix.T
    scores += weights["output_bias"]  # in place: for many poems this is a large array
    return Scored(scores, rows)


def score_backward(
    config: ModelConfig, weights: Weights, hidden: Array, rows: Array, d_scores: Array
) -> tuple[Array, Weights]:
    """Give the derivatives by hidden (N, H) and by the weights, for those by scores (N, V)."""
    d_bias = d_scores.sum(axis=0)
    if not config.tied:
        return d_scores @ weights["output.weight"], {
            "output.weight": d_scores.T @ rows,
            "output_bias": d_bias,
        }
    d_rows = d_scores @ weights["embedding.weight"]
    return d_rows @ weights["projection.weight"], {
        "embedding.weight": d_scores.T @ rows,
        "projection.weight": d_rows.T @ hidden,
        "output_bias": d_bias,
    }


def logits_of(config: ModelConfig, scores: Array) -> Array:
    """Turn scores (…, V) into logits, whose softmax is what the model believes.

    Scores are divided by the temperature. The density "gumbel" then takes
    g = (−y − e^(−y)) / τ, with y the distance from the maximum, in their place: the
    logarithm of Gumbel's density (Gumbel 1935), as a course report has it.
    """
    if config.softmax_temperature != 1:
        scores = scores / config.softmax_temperature
    if config.output == "gumbel":
        y = np.maximum(scores - scores.max(axis=-1, keepdims=True), GUMBEL_FLOOR)
        scores = (-y - np.exp(-y)) / config.gumbel_tau
    return scores


def logits_backward(config: ModelConfig, scores: Array, d_logits: Array) -> Array:
    """Give the derivatives by the scores (N, V), for those by the logits (N, V)."""
    temperature = config.softmax_temperature
    if config.output == "gumbel":
        scaled = scores / temperature
        best = scaled.argmax(axis=-1)
        y = scaled - scaled.max(axis=-1, keepdims=True)
        slope = np.where(y < GUMBEL_FLOOR, 0, np.exp(-np.maximum(y, GUMBEL_FLOOR)) - 1)
        d_logits = d_logits * slope / config.gumbel_tau
        # The maximum was subtracted from every score, and is itself one of them.
        d_logits[np.arange(len(best)), best] -= d_logits.sum(axis=-1)
    return d_logits if temperature == 1 else d_logits / temperature


def cross_entropy(logits: Array, targets: NDArray[np.integer[Any]]) -> tuple[Array, Array]:
    """Give the loss in nats of each target (N,), and its derivative by logits (N, V)."""
    places = np.arange(len(targets))
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chosen = shifted[places, targets]
    # In place: these are the largest arrays there are.
    exponents: Array = np.exp(shifted, out=shifted)
    totals = exponents.sum(axis=-1, keepdims=True)
    losses: Array = np.log(totals[:, 0]) - chosen
    exponents /= totals
    exponents[places, targets] -= 1
    return losses, exponents
