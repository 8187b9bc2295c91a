"""Time to quality: a short run of ours, and six times its time for the padded notebook.

Both learn from the same poems with the same, untrimmed vocabulary, and both are measured on
the same held-out poems; the notebook's measuring is not counted as its time.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator

from benchmarks.baselines import Padded
from poetgen.config import PrepareConfig, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.fetching.named import fetch_corpus
from poetgen.training.run import train

_WANTED = 150
_TIMES = 6
# What docs/training.md advises for a few minutes; as wide as the notebook's network.
_CONFIG = TrainConfig(hidden_size=512, dropout=0.2, learning_rate=0.004, max_minutes=4)


def rows() -> Iterator[str]:
    """Train ours to the perplexity wanted, then theirs for six times as long."""
    corpus = build_corpus(fetch_corpus("tang"), "tang", PrepareConfig(min_count=1)).corpus
    seconds, ours = _ours(corpus)
    theirs = _theirs(corpus, _TIMES * seconds)
    what = f"perplexity after {seconds / 60:.1f} min, theirs after {_TIMES * seconds / 60:.1f}"
    bound = f"ours at most {_WANTED}, theirs above"
    yield f"{what:<58} {ours:9.1f}   {theirs:9.1f}   {ours / theirs:7.2f}   {bound}"


def _ours(corpus: Corpus) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        trained = train(corpus, name="ours", settings=_CONFIG, folder=folder)
    assert trained.best is not None
    return trained.elapsed_seconds, trained.best.perplexity_per_token


def _theirs(corpus: Corpus, seconds: float) -> float:
    padded = Padded(corpus.splits["train"], len(corpus.vocabulary))
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        padded.step()
    return math.exp(padded.loss(corpus.splits["validation"]))
