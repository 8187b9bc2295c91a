"""The training loop: poems in, a model file out, events on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from poetgen.config import ModelConfig, TrainConfig
from poetgen.errors import DivergedError, ModelError, SettingError
from poetgen.networks.devices import pick_device, pick_precision
from poetgen.networks.model_file import Model, num_parameters, save_model
from poetgen.networks.torch_model import LanguageModel, TorchState, detach, weights_of
from poetgen.text.batches import (
    Batch,
    Batching,
    PoemBatching,
    RandomBatching,
    SequentialBatching,
)
from poetgen.text.corpus import Corpus
from poetgen.text.vocabulary import PAD
from poetgen.training.checkpoint import load_checkpoint, save_checkpoint
from poetgen.training.evaluate import evaluate
from poetgen.training.events import Event, Finished, Progress, Sampled, Started, Validated
from poetgen.training.metrics import Metrics
from poetgen.training.samples import guess_line, sample_poems
from poetgen.training.schedule import learning_rate_at
from poetgen.training.snapshot import (
    Counters,
    as_values,
    counters_of,
    restore_snapshot,
    take_snapshot,
)

# Validations in an epoch: often enough to keep a good model when a run is cut short.
_VALIDATIONS_PER_EPOCH = 2
_REPORT_EVERY_STEPS = 10
# On a slow machine ten steps may take minutes; nobody should wait that long for a sign.
_REPORT_EVERY_SECONDS = 3.0
_SAMPLE_EVERY_SECONDS = 60.0
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
            DeviceError: the device asked for is not there.
        """
        self.corpus = corpus
        self.config = config
        self.model_path = model_path
        self.checkpoint_path = checkpoint_path
        self.device = pick_device(config.device)
        self.precision = pick_precision(config.precision, self.device)
        self.model_config = ModelConfig(
            arch=config.arch,
            vocab_size=len(corpus.vocabulary),
            embedding_dim=config.embedding_dim,
            hidden_size=config.hidden_size,
            num_layers=config.num_layers,
        )
        torch.manual_seed(config.seed)
        self.model = LanguageModel(self.model_config, config.dropout).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
            fused=self.device != "mps",
        )
        self.counters = Counters()
        self.best: Metrics | None = None
        self.finished: Finished | None = None
        self._measured_validation_seconds: float | None = None
        self._state: TorchState | None = None
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
            self.device,
            str(self.precision).removeprefix("torch."),
            num_parameters(self.model_config),
            len(self._batches),
            self.total_steps,
            self.counters.step,
        )
        reason = "done"
        last_sample = -_SAMPLE_EVERY_SECONDS
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
            if elapsed - last_sample >= _sample_pause(last_sample) and self.counters.step > 0:
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
        checkpoint = load_checkpoint(self.checkpoint_path)
        values = checkpoint.values
        if values["corpus"] != self.corpus.fingerprint:
            raise ModelError(
                f"The corpus has changed since {self.checkpoint_path} was written: "
                f"it was {values['corpus']} and is {self.corpus.fingerprint}.",
                "Restore the corpus, or train anew with --force.",
            )
        shape = values["model"]
        if shape != asdict(self.model_config):
            raise ModelError(
                f"{self.checkpoint_path} is for another model: {shape}.",
                "Give the same settings as before, or train anew with --force.",
            )
        self._state = restore_snapshot(checkpoint, self.model, self.optimizer)
        self.counters = counters_of(checkpoint)
        self.best = Metrics(**values["best"]) if values["best"] else None
        self.total_steps = values["total_steps"]
        self._batches = self._batches_of(self.counters.epoch)

    # The parts of the loop, in the order they happen.

    def _batches_of(self, epoch: int) -> Sequence[Batch]:
        return self._batching.epoch(np.random.default_rng([self.config.seed, epoch]))

    def _count_steps(self) -> int:
        counters = self.counters
        steps = counters.step + (self.config.epochs - counters.epoch) * len(self._batches)
        if self.config.max_tokens is None:
            return steps
        per_step = self.corpus.splits["train"].num_targets / len(self._batches)
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
            rate = self._set_learning_rate(began)
            losses.append(self._step())
            if time.monotonic() - started > _REPORT_EVERY_SECONDS:
                break
        loss = float(torch.stack(losses).mean())
        if not math.isfinite(loss):
            raise DivergedError(
                f"The loss is {loss} at step {counters.step}.",
                "Lower --learning-rate or --grad-clip; the best model so far is kept.",
            )
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
        )

    def _step(self) -> torch.Tensor:
        """Train on one batch; give its mean loss per token, still on the device."""
        counters = self.counters
        batch = self._batches[counters.next_batch]
        inputs = torch.from_numpy(batch.inputs).to(self.device, non_blocking=True)
        targets = torch.from_numpy(batch.targets).to(self.device, non_blocking=True)
        lower = self.precision != torch.float32
        with torch.autocast(self.device, dtype=self.precision, enabled=lower):
            projected, state = self.model.hidden(inputs, self._state)
            loss = self.model.losses_of(projected, targets, PAD).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.grad_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        self.optimizer.step()
        self._state = detach(state) if self._batching.carries_state else None
        num_tokens = int(np.count_nonzero(batch.targets))
        counters.num_tokens += num_tokens
        counters.num_padded += batch.targets.size - num_tokens
        counters.step += 1
        counters.next_batch += 1
        if counters.next_batch == len(self._batches):
            counters.epoch += 1
            counters.next_batch = 0
            self._batches = self._batches_of(counters.epoch)
            self._state = None
            # Epochs may be cut into slightly different numbers of batches.
            self.total_steps = self._count_steps()
        return loss.detach()

    def _set_learning_rate(self, began: float) -> float:
        rate = learning_rate_at(
            self._fraction_done(began), self.config.learning_rate, self.config.warmup
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

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
        if self._measured_validation_seconds is not None:
            return self._measured_validation_seconds
        if counters.num_tokens == 0:
            return 0.0
        per_token = counters.train_seconds / counters.num_tokens
        return _EVALUATION_COST * per_token * self.corpus.splits["validation"].num_targets

    def _validate(self, began: float) -> Validated:
        started = time.monotonic()
        metrics = evaluate(self.model, self.corpus.splits["validation"], self.corpus.vocabulary)
        self._measured_validation_seconds = time.monotonic() - started
        is_best = metrics.loss_per_token < self.counters.best_loss
        self.counters.elapsed_seconds = time.monotonic() - began
        if is_best:
            self.counters.best_loss = metrics.loss_per_token
            self.best = metrics
            save_model(self._as_model(metrics), self.model_path)
        self._checkpoint(began)
        return Validated(self.counters.step, metrics, is_best)

    def _sample(self) -> Sampled:
        line, guess = guess_line(self.model, self.corpus, self.counters.step)
        poems = sample_poems(self.model, self.corpus, self.config.seed)
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
        )

    def _as_model(self, metrics: Metrics) -> Model:
        counters = self.counters
        return Model(
            config=self.model_config,
            vocabulary=self.corpus.vocabulary,
            weights=weights_of(self.model),
            script=self.corpus.script,
            training={
                **asdict(self.config),
                "step": counters.step,
                "elapsed_seconds": round(counters.elapsed_seconds, 1),
                "device": self.device,
                "precision": str(self.precision).removeprefix("torch."),
                "torch": torch.__version__,
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
            "counters": as_values(self.counters),
            "total_steps": self.total_steps,
            "best": self.best and self.best.as_dict(),
        }
        snapshot = take_snapshot(self.model, self.optimizer, self._state, values)
        save_checkpoint(snapshot, self.checkpoint_path)


def _sample_pause(last_sample_seconds: float) -> float:
    """Give the seconds until the next poems: few at the start, when most is learned."""
    return min(_SAMPLE_EVERY_SECONDS, 5.0 + last_sample_seconds / 2)


def pick_batching(corpus: Corpus, config: TrainConfig) -> Batching:
    """Choose how the training split is cut: as asked, else by the kind of text."""
    poems = corpus.splits["train"]
    kind = config.batching or ("sequential" if corpus.is_prose else "poems")
    if kind == "poems":
        return PoemBatching(poems, config.batch_tokens)
    windows = RandomBatching if kind == "random" else SequentialBatching
    return windows(poems, config.seq_len, config.batch_size)


def load_resumable(path: Path) -> TrainConfig:
    """Read the settings of an interrupted run from its checkpoint.

    Raises:
        ModelError: there is no usable checkpoint.
    """
    try:
        return TrainConfig(**load_checkpoint(path).values["training"])
    except (TypeError, KeyError) as error:
        raise ModelError(
            f"The checkpoint {path} was written by another version of poetgen: {error}.",
            "Start anew with --force, or under another --name.",
        ) from error
