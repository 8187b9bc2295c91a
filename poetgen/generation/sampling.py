"""Choosing the next token: pure functions over logits of shape (B, V)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.config import SampleConfig

Array = NDArray[np.floating[Any]]


def keep_top_k(logits: Array, k: int) -> Array:
    """Set all but the ``k`` largest logits of each row to −∞; ties at the edge stay."""
    if k >= logits.shape[-1]:
        return logits
    edge = np.partition(logits, -k, axis=-1)[..., -k, None]
    return np.where(logits < edge, -np.inf, logits)


def keep_top_p(logits: Array, p: float) -> Array:
    """Keep the smallest set of likeliest tokens whose probability reaches ``p``.

    The likeliest token always stays. Source: Holtzman et al. 2020, arXiv:1904.09751.
    """
    order = np.argsort(-logits, axis=-1, kind="stable")
    ordered = np.take_along_axis(softmax(logits), order, axis=-1)
    before = np.cumsum(ordered, axis=-1) - ordered
    drop = before >= p
    drop[..., 0] = False
    out = logits.copy()
    np.put_along_axis(
        out, order, np.where(drop, -np.inf, np.take_along_axis(logits, order, -1)), -1
    )
    return out


def softmax(logits: Array) -> Array:
    """Turn logits into probabilities, in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    probabilities: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities


def probabilities(logits: Array, config: SampleConfig) -> Array:
    """Give the distribution that ``config`` samples from, shape (B, V).

    Temperature first, then top-k, then top-p of what is left.
    """
    if config.temperature == 0:
        greedy = np.zeros(logits.shape)
        np.put_along_axis(greedy, logits.argmax(axis=-1)[..., None], 1.0, axis=-1)
        return greedy
    # In float64, so that a tiny temperature does not overflow; the maximum goes first.
    logits = np.asarray(logits, np.float64)
    logits = (logits - logits.max(axis=-1, keepdims=True)) / config.temperature
    if config.top_k is not None:
        logits = keep_top_k(logits, config.top_k)
    if config.top_p is not None:
        logits = keep_top_p(logits, config.top_p)
    return softmax(logits)


def sample(logits: Array, config: SampleConfig, draws: Array) -> NDArray[np.int64]:
    """Choose one token a row by inverting the distribution at ``draws`` (B,), each in [0, 1).

    The draws come from outside so that every poem can have a generator of its own.
    """
    cumulative = np.cumsum(probabilities(logits, config), axis=-1)
    # Rounding may leave the last sum a little below 1: scale the draw, not the sums.
    wanted = draws[:, None] * cumulative[:, -1:]
    return np.asarray((cumulative <= wanted).sum(axis=-1), dtype=np.int64)
