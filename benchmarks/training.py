"""Training on Tang poems: real tokens a second, against two well-known ways to do it.

Every row has both sides in one run, in turn, on the same network and the same poems. The
vocabulary is not trimmed here, as it was not there; padding counts for nobody.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.baselines import LENGTH, Padded, Step, classic
from poetgen.config import ModelConfig, PrepareConfig, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.fetching.named import fetch_corpus
from poetgen.networks.cells import CELLS
from poetgen.training.batches import pick_batching
from poetgen.training.engine import make_engine

_ROUNDS = 3
_SECONDS = 8.0


def rows() -> Iterator[str]:
    """Compare on untrimmed Tang poems; then hold the arithmetic against the machine's best."""
    paths = fetch_corpus("tang")
    untrimmed = build_corpus(paths, "tang", PrepareConfig(min_count=1)).corpus
    vocab_size = len(untrimmed.vocabulary)
    # As many tokens to a step as a hundred poems have.
    small = {"num_layers": 2, "hidden_size": 128, "embedding_dim": 100, "tied": False}
    small |= {"batch_tokens": 6000}
    large = {"num_layers": 2, "hidden_size": 512, "embedding_dim": 256, "tied": False}
    yield line(
        "one poem at a time, LSTM 2 × 128",
        "at least 2.5",
        *_race(ours(untrimmed, **small), classic(untrimmed.splits["train"], vocab_size)),
    )
    yield line(
        f"padded to {LENGTH}, LSTM 2 × 512",
        "at least 2.1",
        *_race(ours(untrimmed, **large), Padded(untrimmed.splits["train"], vocab_size).step),
    )
    trimmed = build_corpus(paths, "tang", PrepareConfig()).corpus
    for name, bound, changes in (
        ("the default LSTM", "at least 0.7", {"arch": "lstm"}),
        ("the default GRU", "at least 0.6", {"arch": "gru"}),
        ("the default LSTM in float32", "", {"arch": "lstm", "precision": "float32"}),
        ("the default GRU in float32", "", {"arch": "gru", "precision": "float32"}),
    ):
        yield _arithmetic(name, bound, trimmed, changes)


def line(what: str, bound: str, ours: float, theirs: float, unit: str = "/s") -> str:
    """Write one row of the table, of two speeds and their ratio."""
    return f"{what:<58} {ours:9,.0f} {unit} {theirs:9,.0f} {unit} {ours / theirs:7.2f}   {bound}"


def _race(ours: Step, theirs: Step) -> tuple[float, float]:
    """Give the tokens a second of both, the medians of some rounds in turn."""
    speeds = [(speed(ours), speed(theirs)) for _ in range(_ROUNDS)]
    return statistics.median(a for a, _ in speeds), statistics.median(b for _, b in speeds)


def speed(step: Step) -> float:
    """Return how much a second a step gets done, by some seconds of them after a first one."""
    step()
    began, num_tokens = time.perf_counter(), 0
    while time.perf_counter() - began < _SECONDS:
        num_tokens += step()
    return num_tokens / (time.perf_counter() - began)


def ours(corpus: Corpus, **changes: object) -> Step:
    """Return a training of ours, with default settings but for ``changes``, as a step."""
    config = TrainConfig(**changes)  # type: ignore[arg-type]
    engine = make_engine(config, config.shape(len(corpus.vocabulary)))
    batches = itertools.cycle(pick_batching(corpus, config).epoch(np.random.default_rng(0)))

    def step() -> int:
        engine.threads.follow()
        batch = next(batches)
        engine.train_step(batch, config.learning_rate)
        engine.forget()
        return batch.num_targets

    return step


def _arithmetic(name: str, bound: str, corpus: Corpus, changes: dict[str, str]) -> str:
    """Compare a training's arithmetic with a bare float32 product, in turn."""
    config = TrainConfig(**changes)  # type: ignore[arg-type]
    per_token = _operations(config.shape(len(corpus.vocabulary)))
    step = ours(corpus, **changes)
    pairs = [(per_token * speed(step) / 1e9, _peak() / 1e9) for _ in range(_ROUNDS)]
    achieved, best = (statistics.median(side) for side in zip(*pairs, strict=True))
    return line(f"{name}: arithmetic / float32 products", bound, achieved, best, "G/s")


def _operations(config: ModelConfig) -> int:
    """Count additions and multiplications of a token, forwards and twice as many backwards."""
    gates = CELLS[config.arch].num_gates
    h, e, v = config.hidden_size, config.embedding_dim, config.vocab_size
    return 6 * (gates * h * (e + h) + h * e + e * v)


def _peak() -> float:
    """Give the operations a second of the quicker of torch's and numpy's large products."""
    size, speeds = 2048, []
    for x in (torch.randn(size, size), np.random.default_rng(0).random((size, size), np.float32)):
        x @ x
        for _ in range(5):
            began = time.perf_counter()
            x @ x
            speeds.append(2 * size**3 / (time.perf_counter() - began))
    return max(speeds)
