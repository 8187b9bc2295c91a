"""Tiny runs, for the tests of the training loop."""

import dataclasses

import numpy as np
import pytest

from poetgen.config import TrainConfig
from poetgen.training.run_files import RunFiles
from poetgen.training.trainer import Trainer

TINY = TrainConfig(
    arch="gru",
    device="cpu",
    precision="float32",
    hidden_size=12,
    embedding_dim=7,
    epochs=2,
    batch_tokens=256,
    learning_rate=0.05,
    seed=3,
    # A number that followed the load of the machine might change a last digit.
    threads=1,
)


def trainer_of(corpus, folder, config=TINY, **changes):
    config = dataclasses.replace(config, **changes)
    return Trainer(corpus, config, RunFiles(folder, "m"))


def events_of(trainer, should_stop=lambda: False):
    """Run a trainer and return its events, the result last."""
    events = []
    trained = trainer.run(events.append, should_stop)
    assert trained is events[-1]
    return events


class KilledError(Exception):
    """Stands for the death of a process."""


def kill_after(trainer, is_last):
    """Run a trainer until the first event of which ``is_last`` is true, and end it there."""

    def watch(event):
        if is_last(event):
            raise KilledError

    with pytest.raises(KilledError):
        trainer.run(watch)


def assert_equal_weights(found, expected):
    assert found.keys() == expected.keys()
    for name, weights in expected.items():
        np.testing.assert_array_equal(found[name], weights, err_msg=name)


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]
