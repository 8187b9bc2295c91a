"""Writing many drafts and keeping the best: whole poems, or line by line.

What is best, a judge says, over texts and their likelihoods; this module knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.characters import is_hanzi
from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.generation.decode import Draft, Request, State, Stepper, read_prompt, weigh, write
from poetgen.generation.plan import Plan
from poetgen.generation.sampling import log_normaliser, sample
from poetgen.generation.slots import Slot

# The first word of a poem.
_OPENING_TOKENS = 2
# Fewer characters than the shortest form of 诗 has are no poem, and cost more than any fault.
_SHORTEST, _BROKEN_OFF = 20, 1000.0
# Of the drafts of a line so many are kept, each to be continued in as many ways.
NUM_KEPT = 2


class Judge(Protocol):
    """What tells a good draft from a bad one."""

    def scores(
        self, texts: Sequence[str], log_probabilities: FloatArray, ends: FloatArray | None = None
    ) -> FloatArray:
        """Return a score for each text (B,), which may be the beginning of a poem.

        Higher is better; −∞ refuses a text. ``log_probabilities`` (B,) are those of the
        texts under the network that wrote them, which may be guided; ``ends`` (B,) are those of the
        last characters of their lines, if they are known.
        """


class Bias(Protocol):
    """What makes some tokens likelier in drafts than the network has them, and others less."""

    def add(self, logits: FloatArray, texts: Sequence[Sequence[int]]) -> FloatArray:
        """Return logits (B, V) of what comes next in texts of equal length, with their biases."""


def best_whole(
    network: Stepper[State],
    request: Request,
    rngs: Sequence[np.random.Generator],
    num_drafts: int,
    judge: Judge,
    vocabulary: Vocabulary,
) -> list[Draft]:
    """Return for each generator the best of ``num_drafts`` poems, each written on its own.

    One that breaks off is taken only if all do: a start that is strange to a model ends it soon.
    """
    each = [rng for rng in rngs for rng in rng.spawn(num_drafts)]
    drafts = write(network, request, each, scored=True)
    texts = [vocabulary.decode(draft.token_ids) for draft in drafts]
    scores = judge.scores(texts, np.array([draft.log_probability for draft in drafts]))
    scores[[sum(map(is_hanzi, text)) < _SHORTEST for text in texts]] -= _BROKEN_OFF
    best = scores.reshape(len(rngs), num_drafts).argmax(axis=1)
    return [drafts[number * num_drafts + place] for number, place in enumerate(best.tolist())]


def best_by_lines(
    network: Stepper[State],
    plan: Plan,
    request: Request,
    rngs: Sequence[np.random.Generator],
    num_drafts: int,
    judge: Judge | None,
    *,
    bias: Bias | None = None,
    opening: SampleConfig | None = None,
    num_kept: int = NUM_KEPT,
) -> list[Draft]:
    """Return one poem for each generator, its lines chosen one after the other.

    All poems of a plan have their lines at the same places. After each line the ``num_kept``
    best of ``num_drafts`` beginnings are kept and continued, each as often as the others.
    Without a judge there is one draft. With a ``bias`` tokens are drawn by other likelihoods than
    those by which drafts are judged, which are the network's own. The first word is drawn as
    ``opening`` says, if it is given.
    """
    vocabulary = plan.lexicon.vocabulary
    prompt = list(request.prompt)
    num_rows = len(rngs) * num_drafts
    logits, state = read_prompt(network, prompt, num_rows)
    row = plan.start()
    for token_id in prompt:
        row = plan.advance(row, token_id)
    rows, texts = [row] * num_rows, [prompt] * num_rows
    log_probabilities, ends = np.zeros(num_rows), np.zeros(num_rows)
    choices = _choices(plan.slots)
    for position in range(len(prompt), len(plan.slots)):
        normaliser = log_normaliser(logits)
        plan.exclude(logits, rows)
        weighed = weigh(logits, texts, request)
        if bias is not None:
            weighed = bias.add(weighed, texts)
        draws = np.concatenate([rng.random(num_drafts) for rng in rngs])
        sampling = request.sampling
        if opening is not None and position < _OPENING_TOKENS:
            sampling = opening
        chosen = sample(weighed, sampling, draws)
        found = logits[np.arange(num_rows), chosen] - normaliser
        log_probabilities += found
        if plan.slots[position].is_last:
            ends += found
        ids = chosen.tolist()
        rows = [plan.advance(row, token_id) for row, token_id in zip(rows, ids, strict=True)]
        texts = [[*text, token_id] for text, token_id in zip(texts, ids, strict=True)]
        is_last = position + 1 == len(plan.slots)
        copies = None
        if judge is not None and position in choices:
            decoded = [vocabulary.decode(text) for text in texts]
            scores = judge.scores(decoded, log_probabilities, ends)
            order = _survivors(scores, texts, len(rngs), 1 if is_last else num_kept)
            rows, texts = [rows[i] for i in order], [texts[i] for i in order]
            log_probabilities, ends = log_probabilities[order], ends[order]
            # Drafts that are continued in several ways are read once.
            kept, copies = np.unique(order, return_inverse=True)
            chosen, state = chosen[kept], network.select(state, kept)
        if not is_last:
            logits, state = network.step(chosen, state)
            if copies is not None:
                logits, state = logits[copies], network.select(state, copies)
    return [
        Draft(texts[first], False, float(log_probabilities[first]))
        for first in range(0, num_rows, num_drafts)
    ]


def _choices(slots: Sequence[Slot]) -> frozenset[int]:
    """Return the positions of the marks after which drafts are chosen.

    A line is chosen together with those after it that only repeat some of it (弦管，弦管 after
    谁复商量管弦): how likely they are tells whether it can be repeated.
    """
    chars = [slot for slot in slots if slot.place is not None]
    new = {slot.line for slot in chars if slot.source is None}
    marks = [place for place, slot in enumerate(slots) if slot.place is None]
    return frozenset(place for place in marks if place == marks[-1] or slots[place].line + 1 in new)


def _survivors(
    scores: FloatArray, texts: Sequence[Sequence[int]], num_poems: int, num_kept: int
) -> list[int]:
    """Return for each poem its best different drafts, repeated to as many as there were."""
    num_drafts = len(texts) // num_poems
    order: list[int] = []
    for first in range(0, len(texts), num_drafts):
        places = first + np.argsort(-scores[first : first + num_drafts], kind="stable")
        different = {tuple(texts[place]): place for place in places[::-1].tolist()}
        best = [place for place in places.tolist() if different[tuple(texts[place])] == place]
        best = best[:num_kept]
        order += [best[i % len(best)] for i in range(num_drafts)]
    return order
