"""The output layer in numpy, forward and backward: scores, density, cross-entropy."""

from __future__ import annotations

import numpy as np

from poetgen.arrays import FloatArray, IntArray
from poetgen.config import ModelConfig
from poetgen.networks.model import Weights
from poetgen.networks.products import rows_times

# Below this distance from the maximum the Gumbel density is zero in every number format,
# and e^40 can still be squared in float32.
GUMBEL_FLOOR = -40.0


def score(
    config: ModelConfig, weights: Weights, hidden: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return, for hidden states (…, H), the scores (…, V) before the density.

    And the rows (…, E or H) that the output matrix is multiplied by, for the derivative.
    """
    if config.tied:
        rows = rows_times(hidden, weights["projection.weight"])
        matrix = weights["embedding.weight"]
    else:
        rows, matrix = hidden, weights["output.weight"]
    scores = rows_times(rows, matrix)
    scores += weights["output_bias"]  # in place: for many poems this is a large array
    return scores, rows


def score_backward(
    config: ModelConfig,
    weights: Weights,
    hidden: FloatArray,
    rows: FloatArray,
    d_scores: FloatArray,
) -> tuple[FloatArray, Weights]:
    """Return the derivatives by hidden (N, H) and by the weights, given those by scores (N, V)."""
    gradients = {"output_bias": d_scores.sum(axis=0)}
    if not config.tied:
        gradients["output.weight"] = d_scores.T @ rows
        return d_scores @ weights["output.weight"], gradients
    d_rows = d_scores @ weights["embedding.weight"]
    gradients["embedding.weight"] = d_scores.T @ rows
    gradients["projection.weight"] = d_rows.T @ hidden
    return d_rows @ weights["projection.weight"], gradients


def logits_of(config: ModelConfig, scores: FloatArray) -> FloatArray:
    """Return the logits for scores (…, V); their softmax is the prediction.

    Scores are divided by the softmax temperature. The density "gumbel" then replaces them by
    (−y − e^(−y)) / τ, with y the distance from the maximum: the logarithm of the density of
    Gumbel 1935, as a course report uses it.
    """
    if config.softmax_temperature != 1:
        scores = scores / config.softmax_temperature
    if config.output == "gumbel":
        y = np.maximum(scores - scores.max(axis=-1, keepdims=True), GUMBEL_FLOOR)
        scores = (-y - np.exp(-y)) / config.gumbel_tau
    return scores


def logits_backward(config: ModelConfig, scores: FloatArray, d_logits: FloatArray) -> FloatArray:
    """Return the derivatives by the scores (N, V), given those by the logits (N, V)."""
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


def cross_entropy(logits: FloatArray, targets: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the loss in nats of each target (N,), and its derivative by logits (N, V)."""
    rows = np.arange(len(targets))
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chosen = shifted[rows, targets]
    # In place: these are the largest arrays of all.
    exponents: FloatArray = np.exp(shifted, out=shifted)
    totals = exponents.sum(axis=-1, keepdims=True)
    losses: FloatArray = np.log(totals[:, 0]) - chosen
    exponents /= totals
    exponents[rows, targets] -= 1
    return losses, exponents
