"""The course of a run through its data: which batch is next, and how many there will be."""

from __future__ import annotations

import math

import numpy as np

from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import SettingError
from poetgen.training.batches import Batch, Epoch, pick_batching
from poetgen.training.counters import Counters


class Course:
    """The order of the data, a function of the seed and the epoch alone, and the place in it."""

    def __init__(self, corpus: Corpus, config: TrainConfig) -> None:
        """Stand before the first batch.

        Raises:
            SettingError: the corpus is too small for one batch.
        """
        self._config = config
        self._batching = pick_batching(corpus, config)
        self.counters = Counters()
        self.batches = self._epoch(0)
        if not len(self.batches):
            raise SettingError(
                f"The training text is shorter than one batch of {config.batch_size} windows "
                f"of {config.seq_len} steps.",
                "Lower --batch-size or --seq-len.",
            )
        # Of the first epoch: what is planned by it must not depend on where a run went on.
        self.steps_per_epoch = len(self.batches)
        self.total_steps = self._count_steps()

    def go_to(self, counters: Counters, total_steps: int) -> None:
        """Stand where ``counters`` say.

        Raises:
            ValueError: nobody who reads this corpus comes to stand there.
        """
        if counters.epoch > self._config.epochs:
            raise ValueError(f"there is no epoch {counters.epoch}")
        self.counters = counters
        self.batches = self._epoch(counters.epoch)
        self.total_steps = self._count_steps()
        is_inside = counters.next_batch < len(self.batches) and counters.step <= total_steps
        if not is_inside or self.total_steps != total_steps:
            raise ValueError(
                f"step {counters.step} of {total_steps} is not batch {counters.next_batch} of "
                f"epoch {counters.epoch}"
            )

    @property
    def is_one_strip(self) -> bool:
        """Whether it reads one strip of text in sequence, as the classic character RNN does."""
        return self._batching.carries_state and self._config.batch_size == 1

    @property
    def carried(self) -> Batch | None:
        """The batch that was read last, if the next one goes on where it ended."""
        number = self.counters.next_batch - 1
        return self.batches[number] if self._batching.carries_state and number >= 0 else None

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.counters.epoch + self.counters.next_batch / len(self.batches)

    def next_batch(self) -> Batch:
        """Give the batch that is to be read next."""
        return self.batches[self.counters.next_batch]

    def advance(self, batch: Batch) -> bool:
        """Count ``batch`` as read; tell whether the next one goes on where it ended."""
        counters = self.counters
        counters.num_tokens += batch.num_targets
        counters.num_padded += batch.num_padded
        counters.step += 1
        counters.next_batch += 1
        if counters.next_batch < len(self.batches):
            return self._batching.carries_state
        counters.epoch += 1
        counters.next_batch = 0
        self.batches = self._epoch(counters.epoch)
        # Epochs may be cut into slightly different numbers of batches.
        self.total_steps = self._count_steps()
        return False

    def _epoch(self, number: int) -> Epoch:
        return self._batching.epoch(np.random.default_rng([self._config.seed, number]))

    def _count_steps(self) -> int:
        counters = self.counters
        began = counters.step - counters.next_batch
        steps = began + (self._config.epochs - counters.epoch) * len(self.batches)
        if self._config.max_tokens is None:
            return steps
        per_step = self.batches.num_targets / len(self.batches)
        return min(steps, math.ceil(self._config.max_tokens / per_step))
