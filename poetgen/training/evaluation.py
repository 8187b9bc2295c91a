"""How well a network predicts poems it has not seen, and what it writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from poetgen.characters import STARTS
from poetgen.config import SampleConfig
from poetgen.corpus.corpus import Corpus, Poems
from poetgen.corpus.occasions import occasions_of
from poetgen.corpus.vocabulary import PAD, START, Vocabulary
from poetgen.generation.decode import Request, Stepper, poem_rngs, write
from poetgen.networks.model import Metrics
from poetgen.training.batches import iter_batches

# Large enough to be fast, small enough for any memory.
_EVALUATION_TOKENS = 4096
_SAMPLING = SampleConfig(temperature=0.8, max_chars=64)
_LINE_TOKENS = 24
_SAMPLE_EVERY_SECONDS = 60.0
# As wide on a screen as a Chinese character.
_NO_TOKEN = "＿"


class Measurable(Protocol):
    """A network whose predictions can be measured."""

    def losses(
        self, inputs: NDArray[np.int64], targets: NDArray[np.int64], pad: int
    ) -> NDArray[np.float64]:
        """Return the loss in nats of every target (B, T) that is not ``pad``, (N,)."""


def evaluate(
    network: Measurable,
    poems: Poems,
    vocabulary: Vocabulary,
    before_batch: Callable[[], object] = lambda: None,
) -> Metrics:
    """Return the metrics of ``network`` on all ``poems``; what precedes them is not counted."""
    is_hanzi = vocabulary.hanzi_mask()
    loss = hanzi_loss = 0.0
    num_tokens = num_hanzi = 0
    for places, losses in iter_losses(network, poems, before_batch):
        hanzi = is_hanzi[poems.tokens[places]]
        loss += float(losses.sum())
        hanzi_loss += float(losses[hanzi].sum())
        num_tokens += len(losses)
        num_hanzi += int(hanzi.sum())
    return Metrics(
        loss_per_token=loss / num_tokens,
        perplexity_per_token=perplexity_of(loss / num_tokens),
        perplexity_per_hanzi=perplexity_of(hanzi_loss / num_hanzi) if num_hanzi else None,
        num_tokens=num_tokens,
        num_hanzi=num_hanzi,
    )


def iter_losses(
    network: Measurable, poems: Poems, before_batch: Callable[[], object] = lambda: None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Yield, batch by batch, the places in ``poems.tokens`` of targets and their losses, both (N,).

    In nats. Start tokens, and what precedes them, are not predicted.
    """
    for batch in iter_batches(poems, _EVALUATION_TOKENS):
        before_batch()
        inputs, targets = batch.read()
        targets = np.where(np.logical_or.accumulate(inputs == START, axis=1), targets, PAD)
        places = batch.starts[:, None] + 1 + np.arange(batch.width)
        yield places[targets != PAD], network.losses(inputs, targets, PAD)


class Validation:
    """The held-out poems of a run: alone and, if fields are learned, after title and author."""

    def __init__(self, corpus: Corpus, fields: bool) -> None:
        """Hold the validation split; the vocabulary of a corpus to be learned so has fields."""
        self._vocabulary = corpus.vocabulary
        self._poems = corpus.splits["validation"]
        self._given: Poems | None = None
        if fields:
            occasions = occasions_of(self._poems, corpus.about("validation"), self._vocabulary)
            if len(occasions.title.tokens) or len(occasions.author.tokens):
                self._given = occasions.given("author", "title")

    @property
    def num_targets(self) -> int:
        """The number of tokens that a network predicts when it is measured on all."""
        return self._poems.num_targets + (0 if self._given is None else self._given.num_targets)

    def measure(
        self, network: Measurable, best_loss: float, before_batch: Callable[[], object]
    ) -> tuple[Metrics, Metrics | None]:
        """Return the metrics on the poems alone and, if below ``best_loss``, on those given."""
        alone = evaluate(network, self._poems, self._vocabulary, before_batch)
        if self._given is None or not alone.loss_per_token < best_loss:
            return alone, None
        return alone, evaluate(network, self._given, self._vocabulary, before_batch)


def perplexity_of(loss: float) -> float:
    """Return the perplexity of a mean loss in nats."""
    return math.exp(loss) if loss < 700 else math.inf


# A diverging model is shown, too; the training loop reports it.
@np.errstate(all="ignore")
def sample_poems(network: Stepper[Any], corpus: Corpus, seed: int) -> list[str]:
    """Return one poem from each of the eight fixed starts that the vocabulary has.

    The same seed gives the same draws, so that poems at different steps differ by what
    was learned and not by chance. For a corpus without these characters, three poems
    start freely.
    """
    starts = [start for start in STARTS if start in corpus.vocabulary] or [""] * 3
    poems = []
    for number, start in enumerate(starts):
        rngs = poem_rngs(seed, 1, first=number)
        request = Request(
            corpus.vocabulary.encode(start), _SAMPLING, unwritten=corpus.vocabulary.unwritten
        )
        (draft,) = write(network, request, rngs)
        poems.append(corpus.vocabulary.decode(draft.token_ids))
    return poems


@np.errstate(all="ignore")
def guess_line(network: Stepper[Any], corpus: Corpus, number: int) -> tuple[list[str], list[str]]:
    """Return the tokens of a held-out line and, in each place, the model's first choice."""
    poems = corpus.splits["validation"]
    # A step that shares no factor with most sizes visits all poems.
    token_ids = np.asarray(poems[number * 7919 % len(poems)][: _LINE_TOKENS + 1], np.int64)
    likeliest = []
    state = network.start(1)
    for token_id in token_ids[:-1]:
        logits, state = network.step(np.array([token_id]), state)
        likeliest.append(int(logits[0].argmax()))
    return _spell(corpus, token_ids[1:].tolist()), _spell(corpus, likeliest)


def _spell(corpus: Corpus, token_ids: list[int]) -> list[str]:
    return [
        corpus.vocabulary.token(i) if corpus.vocabulary.is_ordinary(i) else _NO_TOKEN
        for i in token_ids
    ]


def sample_interval(last_sample_seconds: float) -> float:
    """Return the seconds until the next samples: few at the start, when most is learned."""
    return min(_SAMPLE_EVERY_SECONDS, 5.0 + max(0.0, last_sample_seconds) / 2)
