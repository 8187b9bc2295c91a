"""Choosing the next token: pure functions over logits of shape (B, V)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike, NDArray

from poetgen.arrays import BoolArray, FloatArray
from poetgen.config import SampleConfig

# Tokens whose weights are summed at once before the token itself is looked for.
_BLOCK_TOKENS = 64
# Among so many tokens the set of top-p is looked for first.
_FEW_TOKENS = 512
# Poems whose tokens are chosen at once: with a vocabulary of 6,000, less than a megabyte.
_BLOCK_ROWS = 32
# Temperatures with which the quotients of two logits stay far inside the range of a float32.
_MODERATE = (1e-6, 1e6)


def keep_top_k(logits: FloatArray, k: int) -> FloatArray:
    """Set all but the ``k`` largest logits of each row to −∞; ties at the edge stay."""
    if k >= logits.shape[-1]:
        return logits
    edge = np.partition(logits, -k, axis=-1)[..., -k, None]
    return np.where(logits < edge, -np.inf, logits)


def keep_top_p(logits: FloatArray, p: float) -> FloatArray:
    """Keep the smallest set of likeliest tokens whose probability reaches ``p``.

    The likeliest token always stays; of equal ones, those with smaller ids. Source: Holtzman
    et al. 2020, arXiv:1904.09751.
    """
    shares = softmax(logits)
    out = np.full_like(logits, -np.inf)
    for row, share in enumerate(shares):
        kept = _nucleus(logits[row], share, p)
        out[row, kept] = logits[row, kept]
    return out


def _nucleus(logits: FloatArray, shares: FloatArray, p: float) -> NDArray[np.int64]:
    """Find the ids of the likeliest tokens whose ``shares`` (V,) together reach ``p``."""
    # Rarely does it take more than a few tokens, and to sort them all is slow. Those above
    # an edge are in order what they are among all.
    edge = np.partition(shares, -_FEW_TOKENS)[-_FEW_TOKENS] if len(shares) > _FEW_TOKENS else -1.0
    (likely,) = np.nonzero(shares > edge)
    if shares[likely].sum() <= p:
        likely = np.arange(len(shares))
    likely = likely[np.argsort(-logits[likely], kind="stable")]
    ordered = shares[likely]
    drop = np.cumsum(ordered) - ordered >= p
    drop[0] = False
    kept: NDArray[np.int64] = likely[~drop]
    return kept


def keep_min_p(logits: FloatArray, p: float) -> FloatArray:
    """Keep the tokens that are at least ``p`` times as likely as the likeliest.

    The surer the model is, the fewer stay. Source: Nguyen et al. 2024, arXiv:2407.01082.
    """
    if p == 0:
        return logits
    edge = logits.max(axis=-1, keepdims=True) + math.log(p)
    return np.where(logits < edge, -np.inf, logits)


def penalise_repeats(logits: FloatArray, written: BoolArray, penalty: float) -> FloatArray:
    """Make the tokens that were ``written``, (B, V), less likely.

    A positive logit is divided by ``penalty`` and a negative one multiplied, so that either
    falls. Source: Keskar et al. 2019 (CTRL), arXiv:1909.05858, section 4.1, which divides
    only; a negative logit would rise by that.
    """
    lowered = np.where(logits > 0, logits / penalty, logits * penalty)
    return np.where(written, lowered, logits)


def softmax(logits: FloatArray) -> FloatArray:
    """Turn logits into probabilities, in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    probabilities: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities


def log_softmax(logits: FloatArray) -> FloatArray:
    """Turn logits into the logarithms of probabilities, in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    logarithms: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logarithms


def scaled(logits: FloatArray, config: SampleConfig, dtype: DTypeLike = np.float64) -> FloatArray:
    """Return the logits (B, V), as ``dtype``, of the distribution that ``config`` samples from.

    Temperature first; then top-k, top-p and min-p, each of what the one before it left. The
    largest of each row is 0.
    """
    if config.temperature == 0:
        greedy = np.full(logits.shape, -np.inf)
        np.put_along_axis(greedy, logits.argmax(axis=-1)[..., None], 0.0, axis=-1)
        return greedy
    # In float64, so that a tiny temperature does not overflow; the maximum goes first.
    out: FloatArray = np.subtract(logits, logits.max(axis=-1, keepdims=True), dtype=dtype)
    with np.errstate(over="ignore"):  # at a tiny temperature all but the likeliest get −∞
        out /= config.temperature
    if config.top_k is not None:
        out = keep_top_k(out, config.top_k)
    if config.top_p is not None:
        out = keep_top_p(out, config.top_p)
    if config.min_p is not None:
        out = keep_min_p(out, config.min_p)
    return out


def sample(logits: FloatArray, config: SampleConfig, draws: FloatArray) -> NDArray[np.int64]:
    """Choose one token a row by inverting the distribution at ``draws`` (B,), each in [0, 1).

    The draws come from outside so that every poem can have a generator of its own.
    """
    if config.temperature == 0:
        return np.asarray(logits.argmax(axis=-1), np.int64)
    chosen = np.empty(len(logits), np.int64)
    # Filters look closely; a draw alone does not need twice the digits, and twice the time.
    is_filtered = (config.top_k, config.top_p, config.min_p) != (None, None, None)
    is_moderate = _MODERATE[0] <= config.temperature <= _MODERATE[1]
    dtype = logits.dtype if is_moderate and not is_filtered else np.float64
    # Few rows at a time, and in place: what stays in the cache needs not be fetched again.
    for first in range(0, len(logits), _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        weights = scaled(logits[rows], config, dtype)
        chosen[rows] = invert(np.exp(weights, out=weights), draws[rows])
    return chosen


def invert(weights: FloatArray, draws: FloatArray) -> NDArray[np.int64]:
    """Find in each row the first token at which the running sum passes draw · total.

    ``weights`` (B, V) are not negative and need not sum to 1. Sums over blocks of tokens
    tell the block; only inside it are the tokens summed one after the other, which for a
    whole vocabulary would take longer than a step of the network.
    """
    num_rows, num_tokens = weights.shape
    rows = np.arange(num_rows)
    firsts = np.arange(0, num_tokens, _BLOCK_TOKENS)
    sums = np.cumsum(np.add.reduceat(weights, firsts, axis=-1), axis=-1, dtype=np.float64)
    # Rounding may leave the total a little off 1: scale the draw, not the weights.
    wanted = draws * sums[:, -1]
    block = (sums <= wanted[:, None]).sum(axis=-1)
    before = np.where(block > 0, sums[rows, block - 1], 0.0)
    inside = firsts[block][:, None] + np.arange(min(_BLOCK_TOKENS, num_tokens))
    # The last block may be short; what lies beyond it weighs nothing.
    found = weights[rows[:, None], np.minimum(inside, num_tokens - 1)]
    found[inside >= num_tokens] = 0.0
    running = before[:, None] + np.cumsum(found, axis=-1, dtype=np.float64)
    # Summed in another order, the block may end just short of what is wanted: then its
    # last token that weighs anything is meant.
    last = found.shape[-1] - 1 - (found[:, ::-1] > 0).argmax(axis=-1)
    token = np.minimum((running <= wanted[:, None]).sum(axis=-1), last)
    return np.asarray(firsts[block] + token, np.int64)
