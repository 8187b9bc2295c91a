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

import math
from dataclasses import dataclass

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.generation.decode import Draft, Request, State, Stepper
from poetgen.generation.sampling import log_softmax, scaled
from poetgen.generation.search import Beginnings, search


def log1mexp(x: FloatArray) -> FloatArray:
    """Return log(1 − exp(x)) for x ≤ 0 without losing digits at either end.

    Source: Mächler 2012, "Accurately computing log(1 − exp(−|a|))", equation 7.
    """
    with np.errstate(divide="ignore"):  # at 0 the answer is −∞
        return np.where(x > -math.log(2), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def bounded_gumbels(locations: FloatArray, noise: FloatArray, largest: FloatArray) -> FloatArray:
    """Return Gumbel variables (B, V) at ``locations`` whose maximum in row b is ``largest[b]``.

    ``noise`` (B, V) is standard Gumbel and ``largest`` (B,). −∞ stays −∞. The plain formula,
    −log(exp(−largest) − exp(−max) + exp(−value)), overflows; this is the form of appendix
    B.3 of Kool et al. 2019.
    """
    free = locations + noise
    below = log1mexp(free - free.max(axis=-1, keepdims=True))
    v = largest[:, None] - free + below
    bounded: FloatArray = largest[:, None] - np.maximum(v, 0) - np.log1p(np.exp(-np.abs(v)))
    return bounded


@dataclass(frozen=True, slots=True)
class _Perturbed:
    """Scores and ranks by the perturbed log-probability under the sampling settings."""

    request: Request
    seed: int

    def expand(self, logits: FloatArray, beginnings: Beginnings) -> tuple[FloatArray, FloatArray]:
        choices = log_softmax(scaled(logits, self.request.sampling))
        with np.errstate(over="ignore"):  # at a tiny temperature the sum may be −∞
            log_probabilities = beginnings.log_probabilities[:, None] + choices
        written = [poem[len(self.request.prompt) :] for poem in beginnings.poems]
        rngs = [np.random.default_rng([self.seed, *ids]) for ids in written]
        noise = np.stack([rng.gumbel(size=logits.shape[1]) for rng in rngs])
        return log_probabilities, bounded_gumbels(log_probabilities, noise, beginnings.scores)

    def rank(self, score: float, num_choices: int) -> float:
        return score

    def bounds(self, score: float) -> tuple[float, float]:
        # The best poem of a beginning has its score.
        return score, score


def sample_distinct(
    network: Stepper[State], request: Request, seed: int, num_poems: int
) -> list[Draft]:
    """Draw ``num_poems`` distinct poems from the distribution of the sampling settings.

    They come in the order of the draw: the first as if it were alone, the second as if the
    first were impossible, and so on. There are fewer if no more exist, as with a small
    ``top_k``. The noise of a beginning is a function of the seed and of that beginning, so
    that fewer poems of the same seed are the first of more.
    """
    return search(network, request, _Perturbed(request, seed), num_poems)
