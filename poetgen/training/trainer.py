"""The training loop: poems in, a model file out, events on the way."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import SupportsFloat

from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import DivergedError
from poetgen.networks.model import num_parameters
from poetgen.networks.model_file import save_model
from poetgen.shortage import give_memory_back
from poetgen.tensor_file import all_finite
from poetgen.training.checkpoint import (
    Checkpoint,
    RunState,
    damaged,
    delete_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from poetgen.training.counters import Counters
from poetgen.training.course import Course
from poetgen.training.engine import make_engine, model_config_of, model_of
from poetgen.training.evaluate import evaluate
from poetgen.training.events import (
    Event,
    Finished,
    Progress,
    Sampled,
    SetBack,
    Started,
    Validated,
)
from poetgen.training.layout import check_layout
from poetgen.training.metrics import Metrics
from poetgen.training.metrics_log import MetricsLog
from poetgen.training.pace import REPORT_STEPS, Pace
from poetgen.training.processes import ALONE, Processes
from poetgen.training.resuming import check_files, check_matches
from poetgen.training.run_files import RunFiles
from poetgen.training.samples import draw_sample, sample_pause

# Validations in an epoch: often enough to keep a good model when a run is cut short.
_VALIDATIONS_PER_EPOCH = 2
# What helps a run that diverges is a smaller rate; what three halvings do not help is
# something else.
_MOST_SETBACKS = 3


class Trainer:
    """One training run of one model on one corpus.

    The order of the data is a function of the seed and the epoch, and every random state is
    in the checkpoint, so that a resumed run continues the same computation.
    """

    def __init__(
        self,
        corpus: Corpus,
        config: TrainConfig,
        files: RunFiles,
        processes: Processes = ALONE,
    ) -> None:
        """Prepare a run; nothing is written yet.

        Of several ``processes`` each has its trainer. They take the same steps, and what
        they do depends on nothing that only one of them knows; the first one writes.

        Raises:
            DeviceError: the device asked for is not there, or not for this engine.
            SettingError: the settings contradict each other or the corpus.
        """
        self.corpus = corpus
        self.files = files
        self._processes = processes
        self.model_config = model_config_of(config, len(corpus.vocabulary))
        self.engine = make_engine(config, self.model_config, processes)
        # With the engine that really computes: a resumed run keeps it.
        self.config = config = replace(config, engine=self.engine.name)
        self.best: Metrics | None = None
        self.finished: Finished | None = None
        # Two runs with the same settings are two runs.
        self._name: str | None = secrets.token_hex(8)
        self._log = MetricsLog(files.metrics if processes.is_first else None)
        self._checkpointed_at = -math.inf
        self._course = Course(corpus, config)
        self._pace = Pace(config, corpus.splits["validation"].num_targets)

    @property
    def counters(self) -> Counters:
        """What the run has counted so far."""
        return self._course.counters

    @property
    def total_steps(self) -> int:
        """How many steps the run will have."""
        return self._course.total_steps

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Train, yielding events, until the epochs, the minutes or ``should_stop`` end it.

        Raises:
            DivergedError: the loss is no longer a number, and smaller rates do not help.
            OSError: the model or a checkpoint cannot be written.
        """
        self._pace.start(self.counters)
        # Before the first step, so that a folder that cannot be written is found out now.
        self._log.begin(self._name, self.counters.step)
        self._checkpoint()
        yield Started(
            self.engine.device,
            self.engine.precision,
            num_parameters(self.model_config),
            self._course.steps_per_epoch,
            self.total_steps,
            self.counters.step,
            self.engine.remark,
        )
        last_sample = -math.inf
        every = max(1, self._course.steps_per_epoch // _VALIDATIONS_PER_EPOCH)
        while (reason := self._reason_to_end(should_stop)) is None or self._is_unmeasured(reason):
            if reason is None:
                learned = self._train_steps(every)
                yield learned
                if isinstance(learned, SetBack):
                    continue
            if reason is not None or self.counters.step % every == 0:
                measured = self._validate()
                yield measured
                if reason is not None and isinstance(measured, Validated):
                    # Even if it was quicker than was thought, and there is time left.
                    break
            elif self._pace.is_due(self._checkpointed_at, self.config.checkpoint_seconds):
                self._checkpoint()
            elapsed = self.counters.elapsed_seconds
            if reason is None and elapsed - last_sample >= sample_pause(last_sample):
                last_sample = elapsed
                yield from self._sample()
        yield from self._end(reason)

    def resume(self, checkpoint: Checkpoint) -> list[str]:
        """Go back to where ``checkpoint`` was written.

        Returns:
            What the user should know: what of the run's files is lost.

        Raises:
            DamagedError: no run of this corpus and these settings can have written it.
            ModelError: it belongs to another run, to another corpus or to other settings.
        """
        state = checkpoint.state
        check_matches(state, self.corpus, self.model_config, self.config, self._processes.size)
        self._restore(checkpoint)
        self._name = state.run
        found = self._processes.from_first(lambda: check_files(state, self.files))
        if not found.has_best:
            self.best, self.counters.best_loss = None, math.inf
            # It counts for nothing now, even if it was the last one.
            self.counters.validated_step = -1
        return found.remarks

    # The parts of the loop, in the order they happen.

    def _reason_to_end(self, should_stop: Callable[[], bool]) -> str | None:
        """Tell why the run ends at this step, if it does."""
        if self.counters.step >= self.total_steps:
            return "done"
        if self._tick(should_stop()):
            return "interrupted"
        if self._pace.fraction_done(self._course) >= 1:
            return "time"
        patience = self.config.patience
        return "patience" if patience is not None and self.counters.num_worse >= patience else None

    def _is_unmeasured(self, reason: str) -> bool:
        """Return whether the last model has to be measured; not while somebody waits."""
        return reason != "interrupted" and self.counters.validated_step != self.counters.step

    def _tick(self, stop: bool) -> bool:
        """Agree with the other processes on the time; tell whether one of them is to stop."""
        told = self._processes.gather((stop, self._pace.read(self.counters)))
        self._pace.tick(self.counters.step, told[0][1])
        return any(stop for stop, _ in told)

    def _restore(self, checkpoint: Checkpoint) -> None:
        state, problem = checkpoint.state, ""
        try:
            self._course.go_to(replace(state.counters), state.total_steps)
            layout = self.engine.layout(state.counters.step > 0, self._course.carried)
            check_layout(checkpoint.arrays, layout)
            self.engine.restore(checkpoint.arrays)
        except ValueError as error:
            problem = str(error)
        # What is damaged for one process is so for all of them.
        if problem := max(self._processes.gather(problem)):
            raise damaged(self.files.checkpoint, problem)
        self.best = state.best

    def _train_steps(self, every: int) -> Progress | SetBack:
        """Take steps until the next report or validation is due; go back if one has failed."""
        counters = self.counters
        started = time.monotonic()
        first_tokens = counters.num_tokens
        validation = counters.step + every - counters.step % every
        until = min(self._pace.next_report(counters.step), validation, self.total_steps)
        losses = []
        rate = 0.0
        while counters.step < until:
            rate = self._pace.learning_rate(self._course)
            losses.append(self._step(rate))
        # Only now: a device may still be at work on them.
        numbers = [float(loss) for loss in losses]
        if not all(map(math.isfinite, numbers)):
            return self._step_back()
        if self._course.is_one_strip:
            # Read as the classic character RNN reads, so its measure is told, too.
            counters.smooth(numbers, self.model_config.vocab_size, self.config.seq_len)
        seconds = max(time.monotonic() - started, 1e-9)
        counters.train_seconds += seconds
        counters.elapsed_seconds = self._pace.elapsed_seconds()
        progress = Progress(
            step=counters.step,
            total_steps=self.total_steps,
            epoch=self._course.epoch,
            loss=sum(numbers) / len(numbers),
            learning_rate=rate,
            tokens_per_second=(counters.num_tokens - first_tokens) / seconds,
            num_threads=self.engine.threads.number,
            elapsed_seconds=counters.elapsed_seconds,
            fraction_done=min(1.0, self._pace.fraction_done(self._course)),
            smooth_loss=counters.smooth_loss,
        )
        self._log_losses(numbers, progress)
        return progress

    def _step(self, rate: float) -> SupportsFloat:
        """Train on one batch; give its mean loss per token."""
        self.engine.threads.follow()
        batch = self._course.next_batch()
        loss = self.engine.train_step(batch, rate)
        if not self._course.advance(batch):
            self.engine.forget()
        return loss

    def _log_losses(self, numbers: list[float], progress: Progress) -> None:
        """Record the mean loss of every ten steps, however they were reported."""
        counters = self.counters
        counters.add(numbers)
        if counters.step % REPORT_STEPS and counters.step < self.total_steps:
            return
        record = {
            "step": counters.step,
            "epoch": progress.epoch,
            "loss": counters.take_mean(),
            "learning_rate": progress.learning_rate,
        }
        if counters.smooth_loss is not None:
            record["smooth_loss"] = counters.smooth_loss
        speed = progress.tokens_per_second
        self._log.add(**record, clock=self._clock(tokens_per_second=round(speed, 1)))

    def _clock(self, **more: float) -> dict[str, float]:
        return {
            "elapsed_seconds": round(self.counters.elapsed_seconds, 3),
            "threads": self.engine.threads.number,
            **more,
        }

    def _validate(self) -> Validated | SetBack:
        """Measure the model and keep it if it is the best; go back if that gives no number."""
        counters = self.counters
        started = time.monotonic()
        metrics = self._processes.from_first(self._measure)
        self._pace.validation_seconds = time.monotonic() - started
        if not math.isfinite(metrics.loss_per_token):
            return self._step_back()
        is_best = metrics.loss_per_token < counters.best_loss
        counters.elapsed_seconds = self._pace.elapsed_seconds()
        counters.validated_step = counters.step
        counters.num_worse = 0 if is_best else counters.num_worse + 1
        if is_best:
            counters.best_loss = metrics.loss_per_token
            self.best = metrics
            self._save_model({"validation": metrics.as_dict()})
        self._log.add(
            step=counters.step,
            validation=metrics.as_dict(),
            is_best=is_best,
            clock=self._clock(),
        )
        self._checkpoint()
        return Validated(counters.step, metrics, is_best)

    def _measure(self) -> Metrics:
        poems = self.corpus.splits["validation"]
        return evaluate(self.engine, poems, self.corpus.vocabulary, self.engine.threads.follow)

    def _step_back(self) -> SetBack:
        """Go back to the last checkpoint, whose every number is finite, with a smaller rate.

        Raises:
            DivergedError: that has been done often enough.
        """
        failed = self.counters
        if failed.num_setbacks >= _MOST_SETBACKS:
            raise DivergedError(
                f"The loss or its gradient is no number at step {failed.step}, and "
                f"{_MOST_SETBACKS} times half the rate did not help.",
                "Lower --learning-rate or --grad-clip"
                + ("." if self.best is None else "; the best model so far is kept."),
            )
        good = self._processes.from_first(lambda: load_checkpoint(self.files.checkpoint))
        self._restore(good)
        counters = self.counters
        counters.set_back(failed)
        self._log.begin(self._name, counters.step)
        # A run that is killed now must not try the same rate again.
        self._checkpoint()
        return SetBack(failed.step, counters.step, counters.rate_factor)

    def _sample(self) -> Iterator[Sampled]:
        if self._processes.is_first:
            network = self.engine.network()
            yield draw_sample(network, self.corpus, self.counters.step, self.config.seed)

    def _end(self, reason: str) -> Iterator[Event]:
        """Save what is to be kept, show it, and tidy up."""
        if reason == "interrupted":
            self._checkpoint()
            if self.best is None:
                # Nothing is measured yet, but there is something to play with.
                self._save_model({})
        else:
            yield from self._sample()
        self.finished = self._finished(reason)
        if reason in ("done", "patience") and self._processes.is_first:
            delete_checkpoints(self.files)
        yield self.finished

    def _finished(self, reason: str) -> Finished:
        counters = self.counters
        counters.elapsed_seconds = self._pace.elapsed_seconds()
        return Finished(
            reason=reason,
            step=counters.step,
            elapsed_seconds=counters.elapsed_seconds,
            train_seconds=counters.train_seconds,
            tokens_per_second=counters.num_tokens / max(counters.train_seconds, 1e-9),
            padding_share=counters.num_padded / max(1, counters.num_tokens + counters.num_padded),
            best=self.best,
            model_path=self.files.model,
            smooth_loss=counters.smooth_loss,
        )

    def _save_model(self, metrics: dict[str, object]) -> None:
        if not self._processes.is_first:
            return
        about = {
            **asdict(self.config),
            "run": self._name,
            "step": self.counters.step,
            "elapsed_seconds": round(self.counters.elapsed_seconds, 1),
        }
        model = model_of(self.engine, self.model_config, self.corpus, about, metrics)
        save_model(model, self.files.model)

    def _checkpoint(self) -> None:
        arrays = self.engine.snapshot()
        self._checkpointed_at = self._pace.now
        if not self._processes.is_first:
            return
        if not all_finite(arrays):
            # The next loss will tell; until then the checkpoint before this one is the good one.
            return
        self.counters.elapsed_seconds = self._pace.elapsed_seconds()
        state = RunState(
            corpus=self.corpus.fingerprint,
            model=self.model_config,
            training=self.config,
            counters=self.counters,
            total_steps=self.total_steps,
            best=self.best,
            corpus_name=self.corpus.name,
            processes=self._processes.size,
            run=self._name,
        )
        # Records of later steps are cut off when a run is resumed; none may be missing.
        self._log.sync()
        save_checkpoint(Checkpoint(arrays, state), self.files)
        give_memory_back()
