"""The model that a run has at one moment, ready for its file."""

from __future__ import annotations

from dataclasses import asdict

from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.networks.model import CorpusRef, Model
from poetgen.training.batches import batching_kind
from poetgen.training.engine import Engine
from poetgen.training.progress import Counters


def current_model(
    engine: Engine, corpus: Corpus, config: TrainConfig, counters: Counters, run: str | None
) -> Model:
    """Return the model of an engine as it is now, with a record of its training so far.

    What is measured of it, and its choice, are left to the caller.
    """
    training = {
        **asdict(config),
        "batching": batching_kind(corpus, config),
        "run": run,
        "step": counters.step,
        "elapsed_seconds": round(counters.elapsed_seconds, 1),
        "device": engine.device,
        "precision": engine.precision,
        **engine.versions,
    }
    return Model(
        config=config.shape(len(corpus.vocabulary)),
        vocabulary=corpus.vocabulary,
        weights=engine.weights(),
        script=corpus.script,
        training=training,
        corpus=CorpusRef(corpus.name, corpus.fingerprint),
        storage=config.storage,
    )
