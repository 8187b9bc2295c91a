"""What a learner sees of a model while it learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from poetgen.characters import STARTS
from poetgen.config import SampleConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.vocabulary import NUM_SPECIAL
from poetgen.generation.decode import Stepper, generate, poem_rngs
from poetgen.training.events import Sampled

_SAMPLING = SampleConfig(temperature=0.8, max_chars=64)
_LINE_TOKENS = 24
_SAMPLE_EVERY_SECONDS = 60.0
# One column wide on the screen would misalign with hanzi; this one is as wide as they are.
_NO_TOKEN = "＿"


# A model whose weights run away is shown, too; the loop will tell.
@np.errstate(all="ignore")
def sample_poems(network: Stepper[Any], corpus: Corpus, seed: int) -> list[str]:
    """Write one poem from each of the eight fixed starts that the vocabulary knows.

    The same seed gives the same draws, so that poems at different steps differ by what
    was learned and not by chance. For a corpus without these characters, three poems
    begin freely.
    """
    starts = [start for start in STARTS if start in corpus.vocabulary] or [""] * 3
    poems = []
    for number, start in enumerate(starts):
        rngs = poem_rngs(seed, 1, first=number)
        (token_ids,) = generate(network, corpus.vocabulary.encode(start), _SAMPLING, rngs)
        poems.append(corpus.vocabulary.decode(token_ids))
    return poems


@np.errstate(all="ignore")
def guess_line(network: Stepper[Any], corpus: Corpus, number: int) -> tuple[list[str], list[str]]:
    """Return the tokens of a held-out line and, place by place, those the model finds likeliest."""
    poems = corpus.splits["validation"]
    # A step that shares no factor with most sizes walks through all poems.
    token_ids = np.asarray(poems[number * 7919 % len(poems)][: _LINE_TOKENS + 1], np.int64)
    likeliest = []
    state = network.start(1)
    for token_id in token_ids[:-1]:
        logits, state = network.step(np.array([token_id]), state)
        likeliest.append(int(logits[0].argmax()))
    return _spell(corpus, token_ids[1:].tolist()), _spell(corpus, likeliest)


def draw_sample(network: Stepper[Any], corpus: Corpus, step: int, seed: int) -> Sampled:
    """Return poems and a guessed line of the model at ``step``."""
    line, guess = guess_line(network, corpus, step)
    poems = sample_poems(network, corpus, seed)
    return Sampled(step, poems, line, guess, corpus.vocabulary.kind)


def _spell(corpus: Corpus, token_ids: list[int]) -> list[str]:
    return [corpus.vocabulary.token(i) if i >= NUM_SPECIAL else _NO_TOKEN for i in token_ids]


def sample_pause(last_sample_seconds: float) -> float:
    """Give the seconds until the next poems: few at the start, when most is learned."""
    return min(_SAMPLE_EVERY_SECONDS, 5.0 + max(0.0, last_sample_seconds) / 2)
