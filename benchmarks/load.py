"""The same work beside a busy process and alone; following the load against fixed threads."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from benchmarks.baselines import Step
from benchmarks.measure import process
from benchmarks.training import line, ours, speed
from poetgen.config import PrepareConfig, TrainConfig
from poetgen.cores import num_cores
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.fetching.named import fetch_corpus
from poetgen.training.engine import make_engine
from poetgen.training.evaluation import evaluate

_ROUNDS = 3
# Until the number of threads has followed the load, down and up again.
_SETTLING_SECONDS = 5.0
_NUM_POEMS = 256


def rows() -> Iterator[str]:
    """Compare each on the Tang poems, in turn."""
    corpus = build_corpus(fetch_corpus("tang"), "tang", PrepareConfig()).corpus
    free = ours(corpus)
    with_all = ours(corpus, threads=num_cores())

    def fixed() -> int:
        # The other one may have set another number.
        torch.set_num_threads(num_cores())
        return with_all()

    pairs = [(speed(_settled(free)), speed(fixed)) for _ in range(_ROUNDS)]
    what = "training that follows the load / with fixed threads, alone"
    yield line(what, "at least 0.97", *_medians(pairs))
    for name, step, bound in (
        ("training beside a busy process / alone", free, "at least 0.48"),
        ("the same with fixed threads", fixed, ""),
        ("the same with numpy", ours(corpus, engine="numpy"), "at least 0.48"),
    ):
        yield line(name, bound, *_medians([_beside_and_alone(step) for _ in range(_ROUNDS)]))
    poems = process(["-m", "poetgen", "generate", "-n", str(_NUM_POEMS), "--model", "tang"])

    def write() -> int:
        poems()
        return _NUM_POEMS

    what = f"a process that writes {_NUM_POEMS} poems, beside another / alone"
    yield line(what, "at least 0.48", *_medians([_beside_and_alone(write) for _ in range(_ROUNDS)]))
    yield line("validation / training", "at least 2.5", *_medians(_reading_and_training(corpus)))


def _beside_and_alone(step: Step) -> tuple[float, float]:
    alone = speed(_settled(step))
    with _busy_process():
        return speed(_settled(step)), alone


def _settled(step: Step) -> Step:
    """Let the number of threads find its place."""
    until = time.monotonic() + _SETTLING_SECONDS
    while time.monotonic() < until:
        step()
    return step


@contextmanager
def _busy_process() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _reading_and_training(corpus: Corpus) -> list[tuple[float, float]]:
    """Return tokens a second of reading the validation poems, and of training."""
    config = TrainConfig(threads=num_cores())
    engine = make_engine(config, config.shape(len(corpus.vocabulary)))
    step = ours(corpus, threads=num_cores())
    measure: Callable[[], int] = lambda: (  # noqa: E731
        evaluate(engine, corpus.splits["validation"], corpus.vocabulary).num_tokens
    )
    return [(speed(measure), speed(step)) for _ in range(_ROUNDS)]


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
