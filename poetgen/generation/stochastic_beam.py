"""Sampling poems without replacement: stochastic beam search.

The Gumbel-top-k trick: add an independent Gumbel variable to the log-probability of every
poem that there could be, and take the k largest; they are a sample without replacement, in
the order in which they would be drawn. There are too many poems to do so. But the largest
perturbed value below a beginning is itself distributed as the perturbed value of that
beginning; so the tree is walked from its root, each time drawing the values of the children
under the condition that the largest of them equals the value of their parent, and only the
k largest are followed.

Source: Kool, van Hoof & Welling 2019, arXiv:1903.06059.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from poetgen.arrays import BoolArray, FloatArray
from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import END
from poetgen.generation.decode import State, Stepper, read_prompt, weigh
from poetgen.generation.sampling import log_softmax, scaled
from poetgen.generation.search import Scored, best_branches


class _Leaf(NamedTuple):
    """A poem that is over, and its perturbed log-probability."""

    perturbed: float
    poem: Scored


def log1mexp(x: FloatArray) -> FloatArray:
    """Compute log(1 − exp(x)) for x ≤ 0 without losing digits at either end.

    Source: Mächler 2012, "Accurately computing log(1 − exp(−|a|))", equation 7.
    """
    with np.errstate(divide="ignore"):  # at 0 the answer is −∞
        return np.where(x > -math.log(2), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def bounded_gumbels(locations: FloatArray, noise: FloatArray, largest: FloatArray) -> FloatArray:
    """Give Gumbel variables (B, V) at ``locations`` whose maximum in row b is ``largest[b]``.

    ``noise`` (B, V) is standard Gumbel and ``largest`` (B,). −∞ stays −∞. The plain formula,
    −log(exp(−largest) − exp(−max) + exp(−value)), overflows; this is the form of appendix
    B.3 of Kool et al. 2019.
    """
    free = locations + noise
    below = log1mexp(free - free.max(axis=-1, keepdims=True))
    v = largest[:, None] - free + below
    bounded: FloatArray = largest[:, None] - np.maximum(v, 0) - np.log1p(np.exp(-np.abs(v)))
    return bounded


def sample_distinct(
    network: Stepper[State],
    prompt: Sequence[int],
    config: SampleConfig,
    seed: int,
    num_poems: int,
    exempt: BoolArray | None = None,
) -> list[Scored]:
    """Draw ``num_poems`` different poems from the distribution that ``config`` samples from.

    They come in the order of the draw: the first as if it were alone, the second as if the
    first were impossible, and so on. There are fewer if there are no more, as with a small
    ``config.top_k``. The noise of a beginning is a function of the seed and of that
    beginning, so that fewer poems of the same seed are the first of more.
    """
    poems, log_probabilities, perturbed = [list(prompt)], np.zeros(1), np.zeros(1)
    leaves: list[_Leaf] = []
    logits, state = read_prompt(network, prompt, 1)
    for length in range(len(prompt), config.max_chars):
        choice = log_softmax(scaled(weigh(logits, poems, config, exempt), config))
        with np.errstate(over="ignore"):  # at a tiny temperature the sum may be −∞
            locations = log_probabilities[:, None] + choice
        noise = _noise(seed, [poem[len(prompt) :] for poem in poems], locations.shape[1])
        values = bounded_gumbels(locations, noise, perturbed)
        is_last = length + 1 == config.max_chars
        going_on = []
        for branch in best_branches(values, num_poems):
            if branch.token_id == END or is_last:
                end = [] if branch.token_id == END else [branch.token_id]
                poem = Scored(poems[branch.row] + end, float(locations[branch]), bool(end))
                leaves.append(_Leaf(float(values[branch]), poem))
            else:
                going_on.append(branch)
        # A beginning is as good as the best poem below it, so all compete with all.
        rivals = [leaf.perturbed for leaf in leaves] + [float(values[b]) for b in going_on]
        edge = heapq.nlargest(num_poems, rivals)[-1]
        leaves = [leaf for leaf in leaves if leaf.perturbed >= edge]
        going_on = [branch for branch in going_on if values[branch] >= edge]
        if not going_on:
            break
        rows, chosen = np.array(going_on).T
        poems = [[*poems[row], token_id] for row, token_id in going_on]
        log_probabilities, perturbed = locations[rows, chosen], values[rows, chosen]
        logits, state = network.step(chosen, network.select(state, rows))
    return [leaf.poem for leaf in sorted(leaves, key=lambda leaf: -leaf.perturbed)]


def _noise(seed: int, beginnings: Sequence[Sequence[int]], vocab_size: int) -> FloatArray:
    """Draw standard Gumbel variables (B, V), a row for each beginning."""
    return np.stack(
        [np.random.default_rng([seed, *ids]).gumbel(size=vocab_size) for ids in beginnings]
    )
