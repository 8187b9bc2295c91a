"""Beam search: the likeliest poems, without randomness."""

from __future__ import annotations

import math
from dataclasses import dataclass

from poetgen.arrays import FloatArray
from poetgen.generation.decode import Draft, Request, State, Stepper
from poetgen.generation.sampling import log_softmax
from poetgen.generation.search import Beginnings, search


def normaliser(length: int, length_penalty: float) -> float:
    """Return the divisor of the log-probability of ``length`` choices.

    ((5 + length) / 6) to the power of ``length_penalty``: without it the shortest poem wins,
    because each further choice costs. Source: Wu et al. 2016, arXiv:1609.08144, equation 14.
    """
    return float(((5 + length) / 6) ** length_penalty)


@dataclass(frozen=True, slots=True)
class _Likeliest:
    """Scores by the log-probability, ranks by the normalised one."""

    length_penalty: float
    max_choices: int

    def expand(self, logits: FloatArray, beginnings: Beginnings) -> tuple[FloatArray, FloatArray]:
        log_probabilities = beginnings.log_probabilities[:, None] + log_softmax(logits)
        return log_probabilities, log_probabilities

    def rank(self, score: float, num_choices: int) -> float:
        return score / normaliser(num_choices, self.length_penalty)

    def bounds(self, score: float) -> tuple[float, float]:
        # Every further choice costs, and the largest divisor is that of the largest length.
        return -math.inf, self.rank(score, self.max_choices)


def beam_search(
    network: Stepper[State], request: Request, beam: int, length_penalty: float
) -> list[Draft]:
    """Return the likeliest poems that a search finds, at most ``beam``, best first.

    The distribution is the model's own, under the repetition penalty and with keywords raised;
    temperature and filters are for sampling and have no effect. With a beam of 1 this is greedy
    decoding.
    """
    max_choices = request.sampling.max_chars - len(request.prompt)
    return search(network, request, _Likeliest(length_penalty, max_choices), beam)
