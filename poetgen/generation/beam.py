"""Beam search: the likeliest poems, without any chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from poetgen.arrays import BoolArray
from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import END
from poetgen.generation.decode import State, Stepper, read_prompt, weigh
from poetgen.generation.sampling import log_softmax
from poetgen.generation.search import Scored, best_branches


def normaliser(length: int, length_penalty: float) -> float:
    """Give what the log-probability of ``length`` choices is divided by.

    ((5 + length) / 6) to the power of ``length_penalty``: without it the shortest poem wins,
    because each further choice costs. Source: Wu et al. 2016, arXiv:1609.08144, equation 14.
    """
    return float(((5 + length) / 6) ** length_penalty)


def beam_search(
    network: Stepper[State],
    prompt: Sequence[int],
    config: SampleConfig,
    beam: int,
    length_penalty: float,
    exempt: BoolArray | None = None,
) -> list[Scored]:
    """Search for the likeliest poems; give up to ``beam`` of them, the best first.

    At each step the ``beam`` likeliest of all continuations are kept; those that end are
    set aside and ranked by their normalised log-probability. The search is over when none
    that is still growing can come in among the best ``beam``. The distribution is the
    model's own, under the repetition penalty of ``config``; its temperature and its filters
    are for sampling and are not looked at. With a beam of 1 this is greedy decoding.
    """
    poems, log_probabilities = [list(prompt)], np.zeros(1)
    done: list[tuple[float, Scored]] = []
    logits, state = read_prompt(network, prompt, 1)
    for length in range(len(prompt), config.max_chars):
        scores = log_probabilities[:, None] + log_softmax(weigh(logits, poems, config, exempt))
        divisor = normaliser(length + 1 - len(prompt), length_penalty)
        is_last = length + 1 == config.max_chars
        going_on = []
        for branch in best_branches(scores, beam):
            score = float(scores[branch])
            if branch.token_id == END or is_last:
                end = [] if branch.token_id == END else [branch.token_id]
                done.append((score / divisor, Scored(poems[branch.row] + end, score, bool(end))))
            else:
                going_on.append(branch)
        done = sorted(done, key=lambda one: -one[0])[:beam]
        if not going_on:
            break
        rows, chosen = np.array(going_on).T
        poems = [[*poems[row], token_id] for row, token_id in going_on]
        log_probabilities = scores[rows, chosen]
        # Going on costs, and the largest divisor is that of the largest length.
        hope = log_probabilities.max() / normaliser(config.max_chars - len(prompt), length_penalty)
        if len(done) == beam and done[-1][0] >= hope:
            break
        logits, state = network.step(chosen, network.select(state, rows))
    return [poem for _, poem in done]
