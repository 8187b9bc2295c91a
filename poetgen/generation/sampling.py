"""Choosing the next token: pure functions over logits of shape (B, V)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike, NDArray

from poetgen.arrays import BoolArray, FloatArray
from poetgen.config import SampleConfig

# What is drawn at where no temperature is given.
TEMPERATURE = 0.6
# Tokens whose weights are summed at once, to find the block in which the token is.
_BLOCK_TOKENS = 64
# The set of top-p is first searched for among so many of the likeliest tokens.
_FEW_TOKENS = 512
# Poems whose tokens are chosen at once: with a vocabulary of 6,000, less than a megabyte.
_BLOCK_ROWS = 32
# Temperatures by which a logit can be divided far inside the range of a float32.
_MODERATE = (1e-6, 1e6)


def keep_top_k(logits: FloatArray, k: int) -> FloatArray:
    """Return the logits with all but the ``k`` largest of each row at −∞; ties at the edge stay."""
    if k >= logits.shape[-1]:
        return logits
    edge = np.partition(logits, -k, axis=-1)[..., -k, None]
    return np.where(logits < edge, -np.inf, logits)


def keep_top_p(logits: FloatArray, p: float) -> FloatArray:
    """Return the logits of the nucleus: the fewest tokens that together reach probability ``p``.

    All others become −∞. The likeliest token always stays; of equal ones, those with smaller
    ids. Source: Holtzman et al. 2020, arXiv:1904.09751.
    """
    shares = softmax(logits)
    out = np.full_like(logits, -np.inf)
    for row, share in enumerate(shares):
        kept = _nucleus(logits[row], share, p)
        out[row, kept] = logits[row, kept]
    return out


def _nucleus(logits: FloatArray, shares: FloatArray, p: float) -> NDArray[np.int64]:
    """Return the ids of the likeliest tokens whose ``shares`` (V,) together reach ``p``."""
    # It rarely takes more than a few tokens, and to sort them all is slow: sort those above
    # an edge, and all only if these do not reach p.
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
    """Return the logits of tokens at least ``p`` times as likely as the likeliest; others −∞.

    The more certain the model is, the fewer stay. Source: Nguyen et al. 2024, arXiv:2407.01082.
    """
    if p == 0:
        return logits
    edge = logits.max(axis=-1, keepdims=True) + math.log(p)
    return np.where(logits < edge, -np.inf, logits)


def penalise_repeats(logits: FloatArray, written: BoolArray, penalty: float) -> FloatArray:
    """Return the logits with those of the ``written`` tokens, (B, V), lowered.

    A positive logit is divided by ``penalty`` and a negative one multiplied. Source: Keskar
    et al. 2019 (CTRL), arXiv:1909.05858, section 4.1, which divides only; that would raise a
    negative logit.
    """
    lowered = np.where(logits > 0, logits / penalty, logits * penalty)
    return np.where(written, lowered, logits)


def softmax(logits: FloatArray) -> FloatArray:
    """Return the probabilities of logits (…, V), in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    probabilities: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities


def log_softmax(logits: FloatArray) -> FloatArray:
    """Return the log-probabilities of logits (…, V), in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    logarithms: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logarithms


def log_normaliser(logits: FloatArray) -> FloatArray:
    """Return log Σ exp of logits (B, V), shape (B,), in float64."""
    largest = logits.max(axis=-1)
    sums = np.exp(logits - largest[:, None]).sum(axis=-1, dtype=np.float64)
    normaliser: FloatArray = largest + np.log(sums)
    return normaliser


def temperature_of(config: SampleConfig) -> float:
    """Return the temperature that is given, or else the usual one."""
    return TEMPERATURE if config.temperature is None else config.temperature


def scaled(logits: FloatArray, config: SampleConfig, dtype: DTypeLike = np.float64) -> FloatArray:
    """Return the logits (B, V), as ``dtype``, of the distribution that ``config`` samples from.

    Temperature first; then top-k, top-p and min-p, each of what the one before it left. The
    largest of each row is 0.
    """
    temperature = temperature_of(config)
    if temperature == 0:
        greedy = np.full(logits.shape, -np.inf)
        np.put_along_axis(greedy, logits.argmax(axis=-1)[..., None], 0.0, axis=-1)
        return greedy
    # The maximum is subtracted first, so that a tiny temperature does not overflow.
    out: FloatArray = np.subtract(logits, logits.max(axis=-1, keepdims=True), dtype=dtype)
    with np.errstate(over="ignore"):  # at a tiny temperature all but the likeliest get −∞
        out /= temperature
    if config.top_k is not None:
        out = keep_top_k(out, config.top_k)
    if config.top_p is not None:
        out = keep_top_p(out, config.top_p)
    if config.min_p is not None:
        out = keep_min_p(out, config.min_p)
    return out


def sample(logits: FloatArray, config: SampleConfig, draws: FloatArray) -> NDArray[np.int64]:
    """Return one token a row, (B,): the inverse of the distribution at ``draws`` (B,) in [0, 1).

    The draws are given, so that every poem can have a generator of its own.
    """
    temperature = temperature_of(config)
    if temperature == 0:
        return np.asarray(logits.argmax(axis=-1), np.int64)
    chosen = np.empty(len(logits), np.int64)
    # Filters need float64; a draw alone does not, and takes half the time without.
    is_filtered = (config.top_k, config.top_p, config.min_p) != (None, None, None)
    is_moderate = _MODERATE[0] <= temperature <= _MODERATE[1]
    dtype = logits.dtype if is_moderate and not is_filtered else np.float64
    # Few rows at a time, and in place, so that they stay in the cache.
    for first in range(0, len(logits), _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        weights = scaled(logits[rows], config, dtype)
        chosen[rows] = invert(np.exp(weights, out=weights), draws[rows])
    return chosen


def invert(weights: FloatArray, draws: FloatArray) -> NDArray[np.int64]:
    """Return for each row the first token, (B,), at which the running sum passes draw · total.

    ``weights`` (B, V) are not negative and need not sum to 1. The block of the token is found
    by sums over blocks; only inside it are tokens summed one by one, which for a whole
    vocabulary would take longer than a step of the network.
    """
    num_rows, num_tokens = weights.shape
    rows = np.arange(num_rows)
    firsts = np.arange(0, num_tokens, _BLOCK_TOKENS)
    sums = np.cumsum(np.add.reduceat(weights, firsts, axis=-1), axis=-1, dtype=np.float64)
    # Scale the draws, not the weights.
    wanted = draws * sums[:, -1]
    block = (sums <= wanted[:, None]).sum(axis=-1)
    before = np.where(block > 0, sums[rows, block - 1], 0.0)
    inside = firsts[block][:, None] + np.arange(min(_BLOCK_TOKENS, num_tokens))
    # The last block may be short; what lies beyond it weighs nothing.
    found = weights[rows[:, None], np.minimum(inside, num_tokens - 1)]
    found[inside >= num_tokens] = 0.0
    running = before[:, None] + np.cumsum(found, axis=-1, dtype=np.float64)
    # Summed in another order, the block may end just short of what is wanted: then take its
    # last token of any weight.
    last = found.shape[-1] - 1 - (found[:, ::-1] > 0).argmax(axis=-1)
    token = np.minimum((running <= wanted[:, None]).sum(axis=-1), last)
    return np.asarray(firsts[block] + token, np.int64)
