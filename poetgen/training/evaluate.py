"""How well a network predicts poems it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable

from poetgen.corpus.corpus import Poems
from poetgen.corpus.vocabulary import PAD, Vocabulary
from poetgen.training.batches import iter_batches
from poetgen.training.engine import Measurable
from poetgen.training.metrics import Metrics

# Large enough to be quick, small enough for any memory.
_EVALUATION_TOKENS = 4096


def evaluate(
    network: Measurable,
    poems: Poems,
    vocabulary: Vocabulary,
    between: Callable[[], object] = lambda: None,
) -> Metrics:
    """Measure ``network`` on all ``poems``; ``between`` is called before each batch."""
    is_hanzi = vocabulary.hanzi_mask()
    loss = hanzi_loss = 0.0
    num_tokens = num_hanzi = 0
    for batch in iter_batches(poems, _EVALUATION_TOKENS):
        between()
        inputs, targets = batch.read()
        losses = network.losses(inputs, targets, PAD)
        hanzi = is_hanzi[targets[targets != PAD]]
        loss += float(losses.sum())
        hanzi_loss += float(losses[hanzi].sum())
        num_tokens += len(losses)
        num_hanzi += int(hanzi.sum())
    return Metrics(
        loss_per_token=loss / num_tokens,
        perplexity_per_token=_exp(loss / num_tokens),
        perplexity_per_hanzi=_exp(hanzi_loss / num_hanzi) if num_hanzi else None,
        num_tokens=num_tokens,
        num_hanzi=num_hanzi,
    )


def _exp(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf
