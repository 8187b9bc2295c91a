"""The training loop: poems in, a model file out, events on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import SupportsFloat

import numpy as np

from poetgen.config import TrainConfig
from poetgen.errors import DivergedError, SettingError
from poetgen.networks.model_file import Model, num_parameters, save_model
from poetgen.text.batches import Epoch, pick_batching
from poetgen.text.corpus import Corpus
from poetgen.training.checkpoint import Checkpoint, save_checkpoint
from poetgen.training.counters import Counters
from poetgen.training.engine import make_engine, model_config_of
from poetgen.training.evaluate import evaluate
from poetgen.training.events import Event, Finished, Progress, Sampled, Started, Validated
from poetgen.training.metrics import Metrics
from poetgen.training.resuming import load_matching
from poetgen.training.samples import guess_line, sample_pause, sample_poems
from poetgen.training.schedule import learning_rate_at

# Validations in an epoch: often enough to keep a good model when a run is cut short.
_VALIDATIONS_PER_EPOCH = 2
_REPORT_EVERY_STEPS = 10
# On a slow machine ten steps may take minutes; nobody should wait that long for a sign.
_REPORT_EVERY_SECONDS = 3.0
# Before the first validation its time is a guess: it runs forwards only, and costs about
# this share of a training step per token.
_EVALUATION_COST = 0.4


class Trainer:
    """One training run of one model on one corpus.

    The order of the data is a function of the seed and the epoch alone, and every random
    state is in the checkpoint, so that a resumed run continues the same computation.
    """

    def __init__(
        self, corpus: Corpus, config: TrainConfig, model_path: Path, checkpoint_path: Path
    ) -> None:
        """Prepare a run; nothing is written before the first validation.

        Raises:
            DeviceError: the device asked for is not there, or not for this engine.
            SettingError: the settings contradict each other or the corpus.
        """
        self.corpus = corpus
        self.config = config
        self.model_path = model_path
        self.checkpoint_path = checkpoint_path
        self.model_config = model_config_of(config, len(corpus.vocabulary))
        self.engine = make_engine(config, self.model_config)
        self.counters = Counters()
        self.best: Metrics | None = None
        self.finished: Finished | None = None
        self._validation_took: float | None = None
        self._batching = pick_batching(corpus, config)
        self._batches = self._batches_of(0)
        if not len(self._batches):
            raise SettingError(
                f"The training text is shorter than one batch of {config.batch_size} windows "
                f"of {config.seq_len} steps.",
                "Lower --batch-size or --seq-len.",
            )
        self.total_steps = self._count_steps()

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Train, yielding events, until the epochs, the minutes or ``should_stop`` end it.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        began = time.monotonic() - self.counters.elapsed_seconds
        yield Started(
            self.engine.device,
            self.engine.precision,
            num_parameters(self.model_config),
            len(self._batches),
            self.total_steps,
            self.counters.step,
        )
        reason = "done"
        last_sample = -math.inf
        validated_at = -1
        every = max(1, len(self._batches) // _VALIDATIONS_PER_EPOCH)
        while self.counters.step < self.total_steps:
            if should_stop():
                reason = "interrupted"
                break
            if self._fraction_done(began) >= 1:
                reason = "time"
                break
            yield self._train_steps(began, every)
            if self.counters.step % every == 0:
                validated_at = self.counters.step
                yield self._validate(began)
            elapsed = self.counters.elapsed_seconds
            if elapsed - last_sample >= sample_pause(last_sample) and self.counters.step > 0:
                last_sample = elapsed
                yield self._sample()
        if validated_at != self.counters.step and (reason != "interrupted" or self.best is None):
            yield self._validate(began)
        self._checkpoint(began)
        yield self._sample()
        self.finished = self._finished(reason, began)
        if reason == "done":
            self.checkpoint_path.unlink(missing_ok=True)
        yield self.finished

    def resume(self) -> None:
        """Go back to where the checkpoint was written.

        Raises:
            ModelError: there is no usable checkpoint, or it belongs to another corpus or to
                other settings.
        """
        checkpoint = load_matching(
            self.checkpoint_path, self.corpus.fingerprint, self.model_config, self.config
        )
        values = checkpoint.values
        self.engine.restore(checkpoint.arrays)
        self.counters = Counters(**values["counters"])
        self.best = Metrics(**values["best"]) if values["best"] else None
        self.total_steps = values["total_steps"]
        self._batches = self._batches_of(self.counters.epoch)

    # The parts of the loop, in the order they happen.

    def _batches_of(self, epoch: int) -> Epoch:
        return self._batching.epoch(np.random.default_rng([self.config.seed, epoch]))

    def _count_steps(self) -> int:
        counters = self.counters
        steps = counters.step + (self.config.epochs - counters.epoch) * len(self._batches)
        if self.config.max_tokens is None:
            return steps
        per_step = self._batches.num_targets / len(self._batches)
        return min(steps, math.ceil(self.config.max_tokens / per_step))

    def _train_steps(self, began: float, every: int) -> Progress:
        """Take steps until the next report or validation is due."""
        counters = self.counters
        started = time.monotonic()
        first_tokens = counters.num_tokens
        until = min(counters.step + _REPORT_EVERY_STEPS, self.total_steps)
        until = min(until, counters.step + every - counters.step % every)
        losses = []
        rate = 0.0
        while counters.step < until:
            rate = self._learning_rate(began)
            losses.append(self._step(rate))
            if time.monotonic() - started > _REPORT_EVERY_SECONDS:
                break
        # Only now: a device may still be at work on them.
        numbers = [float(loss) for loss in losses]
        loss = sum(numbers) / len(numbers)
        if not math.isfinite(loss):
            raise DivergedError(
                f"The loss is {loss} at step {counters.step}.",
                "Lower --learning-rate or --grad-clip; the best model so far is kept.",
            )
        if self._batching.carries_state and self.config.batch_size == 1:
            # Read as the classic character RNN reads, so its measure is told, too.
            counters.smooth(numbers, self.model_config.vocab_size, self.config.seq_len)
        seconds = max(time.monotonic() - started, 1e-9)
        counters.train_seconds += seconds
        counters.elapsed_seconds = time.monotonic() - began
        return Progress(
            step=counters.step,
            total_steps=self.total_steps,
            epoch=counters.epoch + counters.next_batch / len(self._batches),
            loss=loss,
            learning_rate=rate,
            tokens_per_second=(counters.num_tokens - first_tokens) / seconds,
            elapsed_seconds=counters.elapsed_seconds,
            fraction_done=min(1.0, self._fraction_done(began)),
            smooth_loss=counters.smooth_loss,
        )

    def _step(self, rate: float) -> SupportsFloat:
        """Train on one batch; give its mean loss per token."""
        counters = self.counters
        batch = self._batches[counters.next_batch]
        loss = self.engine.train_step(batch, rate)
        if not self._batching.carries_state:
            self.engine.forget()
        num_tokens = int(np.count_nonzero(batch.targets))
        counters.num_tokens += num_tokens
        counters.num_padded += batch.targets.size - num_tokens
        counters.step += 1
        counters.next_batch += 1
        if counters.next_batch == len(self._batches):
            counters.epoch += 1
            counters.next_batch = 0
            self._batches = self._batches_of(counters.epoch)
            self.engine.forget()
            # Epochs may be cut into slightly different numbers of batches.
            self.total_steps = self._count_steps()
        return loss

    def _learning_rate(self, began: float) -> float:
        config = self.config
        done = self._fraction_done(began)
        return learning_rate_at(done, config.learning_rate, config.warmup, config.schedule)

    def _fraction_done(self, began: float) -> float:
        """Tell how much of the run is behind: by steps or by the clock, whichever is further."""
        by_steps = self.counters.step / max(1, self.total_steps)
        if self.config.max_minutes is None:
            return by_steps
        # The last validation must end in time too.
        seconds = max(1e-9, 60 * self.config.max_minutes - self._validation_seconds())
        return max(by_steps, (time.monotonic() - began) / seconds)

    def _validation_seconds(self) -> float:
        counters = self.counters
        if self._validation_took is not None:
            return self._validation_took
        if counters.num_tokens == 0:
            return 0.0
        per_token = counters.train_seconds / counters.num_tokens
        return _EVALUATION_COST * per_token * self.corpus.splits["validation"].num_targets

    def _validate(self, began: float) -> Validated:
        started = time.monotonic()
        network = self.engine.network()
        metrics = evaluate(network, self.corpus.splits["validation"], self.corpus.vocabulary)
        self._validation_took = time.monotonic() - started
        is_best = metrics.loss_per_token < self.counters.best_loss
        self.counters.elapsed_seconds = time.monotonic() - began
        if is_best:
            self.counters.best_loss = metrics.loss_per_token
            self.best = metrics
            save_model(self._as_model(metrics), self.model_path)
        self._checkpoint(began)
        return Validated(self.counters.step, metrics, is_best)

    def _sample(self) -> Sampled:
        network = self.engine.network()
        line, guess = guess_line(network, self.corpus, self.counters.step)
        poems = sample_poems(network, self.corpus, self.config.seed)
        return Sampled(self.counters.step, poems, line, guess)

    def _finished(self, reason: str, began: float) -> Finished:
        counters = self.counters
        counters.elapsed_seconds = time.monotonic() - began
        return Finished(
            reason=reason,
            step=counters.step,
            elapsed_seconds=counters.elapsed_seconds,
            tokens_per_second=counters.num_tokens / max(counters.train_seconds, 1e-9),
            padding_share=counters.num_padded / max(1, counters.num_tokens + counters.num_padded),
            best=self.best,
            model_path=self.model_path,
            smooth_loss=counters.smooth_loss,
        )

    def _as_model(self, metrics: Metrics) -> Model:
        counters = self.counters
        return Model(
            config=self.model_config,
            vocabulary=self.corpus.vocabulary,
            weights=self.engine.weights(),
            script=self.corpus.script,
            training={
                **asdict(self.config),
                "step": counters.step,
                "elapsed_seconds": round(counters.elapsed_seconds, 1),
                "device": self.engine.device,
                "precision": self.engine.precision,
                **self.engine.versions,
            },
            corpus={"name": self.corpus.name, "fingerprint": self.corpus.fingerprint},
            metrics={"validation": metrics.as_dict()},
        )

    def _checkpoint(self, began: float) -> None:
        self.counters.elapsed_seconds = time.monotonic() - began
        values = {
            "corpus": self.corpus.fingerprint,
            "model": asdict(self.model_config),
            "training": asdict(self.config),
            "counters": asdict(self.counters),
            "total_steps": self.total_steps,
            "best": self.best and self.best.as_dict(),
        }
        save_checkpoint(Checkpoint(self.engine.snapshot(), values), self.checkpoint_path)
