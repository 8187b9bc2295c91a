"""The training loop: poems in, a model file out, events on the way."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import SupportsFloat

from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import DivergedError
from poetgen.networks.model import Metrics, num_parameters
from poetgen.networks.model_file import load_model, save_model
from poetgen.shortage import give_memory_back
from poetgen.tensor_file import all_finite
from poetgen.training import events
from poetgen.training.batches import learns_fields, with_fields
from poetgen.training.checkpoint import (
    Checkpoint,
    RunState,
    check_files,
    check_matches,
    damaged,
    load_checkpoint,
    save_checkpoint,
)
from poetgen.training.current_model import current_model
from poetgen.training.engine import make_engine
from poetgen.training.evaluation import Validation, guess_line, sample_interval, sample_poems
from poetgen.training.events import OnEvent, Progress, Reason, SetBack, Trained
from poetgen.training.initial import Beginning
from poetgen.training.layout import check_layout
from poetgen.training.logs import MetricsLog
from poetgen.training.processes import ALONE, Processes
from poetgen.training.progress import REPORT_STEPS, Counters, DataOrder, Timer
from poetgen.training.run_files import RunFiles

# Validations in an epoch, and in a run of so many tokens at least: often enough to keep a good
# model when a run is cut short, and for the learning curve of a race.
_VALIDATIONS_PER_EPOCH, _LEAST_VALIDATIONS = 2, 10
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
        begin: Beginning | None = None,
    ) -> None:
        """Prepare a run; nothing is written yet.

        With ``begin``, whose corpus it then is, it begins with the weights of a model.

        Of several ``processes`` each has its trainer. They take the same steps, and what
        they do depends on nothing that only one of them knows; the first one writes.

        Raises:
            DeviceError: the device asked for is not there, or not for this engine.
            SettingError: the settings contradict each other or the corpus.
        """
        self.corpus = corpus = with_fields(corpus, config)
        self.files = files
        self._processes = processes
        self.model_config = config.shape(len(corpus.vocabulary))
        self.engine = make_engine(config, self.model_config, processes)
        # What the model knows of the poems of the one that it began with.
        self._choice = None
        if begin is not None:
            self.engine.start_from(begin.weights(self.engine.weights()))
            self._choice = begin.choice
        # With the engine that really computes: a resumed run keeps it.
        self.config = config = replace(
            config,
            engine=self.engine.name,
            fields=learns_fields(corpus, config),
            learning_rate=config.peak_rate,
        )
        self.best: Metrics | None = None
        self._best_step: int | None = None
        # Identifies the run, also among others with the same settings.
        self._run: str | None = secrets.token_hex(8)
        self._log = MetricsLog(files.metrics if processes.is_first else None)
        self._checkpointed_at = -math.inf
        self._sampled_step = -1
        self.order = DataOrder(corpus, config)
        self._validation = Validation(corpus, config.fields)
        self.timer = Timer(config, self._validation.num_targets)

    @property
    def counters(self) -> Counters:
        """What the run has counted so far."""
        return self.order.counters

    @property
    def total_steps(self) -> int:
        """How many steps the run will have."""
        return self.order.total_steps

    def run(
        self,
        on_event: OnEvent = lambda event: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Trained:
        """Train until the epochs, the minutes, the patience or ``should_stop`` end it.

        The checkpoints are left to the caller, who may have more to do before they can go.

        Raises:
            DivergedError: the loss is NaN or infinite, and smaller rates do not help.
            OSError: the model or a checkpoint cannot be written.
        """
        self.timer.start(self.counters)
        # Before the first step, so that a folder that cannot be written is found out now.
        self._log.begin(self._run, self.counters.step)
        self._checkpoint()
        on_event(
            events.Started(
                self.files.name,
                self.engine.device,
                self.engine.precision,
                num_parameters(self.model_config),
                self.order.steps_per_epoch,
                self.total_steps,
                self.counters.step,
                self.engine.remark,
                self.engine.threads.number,
            )
        )
        if self.config.init is not None and self.counters.validated_step < 0:
            # Before anything is learned: what follows may be worse.
            on_event(self._validate())
        last_sample = -math.inf
        every = self.order.steps_between(_VALIDATIONS_PER_EPOCH, _LEAST_VALIDATIONS)
        while (reason := self._reason_to_end(should_stop)) is None or self._is_unmeasured(reason):
            if reason is None:
                learned = self._train_steps(every)
                on_event(learned)
                if isinstance(learned, SetBack):
                    continue
            if reason is not None or self.counters.step % every == 0:
                measured = self._validate()
                on_event(measured)
                if reason is not None and isinstance(measured, events.Validated):
                    # Even if it was faster than expected, and there is time left.
                    break
            elif self.timer.is_due(self._checkpointed_at, self.config.checkpoint_seconds):
                self._checkpoint()
            elapsed = self.counters.elapsed_seconds
            if reason is None and elapsed - last_sample >= sample_interval(last_sample):
                last_sample = elapsed
                self._sample(on_event)
        return self._end(reason, on_event)

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
        self._run = state.run
        found = self._processes.from_first(lambda: check_files(state, self.files))
        if not found.has_best:
            self.best, self.counters.best_loss = None, math.inf
            # It counts for nothing now, even if it was the last one.
            self.counters.validated_step = -1
        elif state.training.init is not None and self.best is not None:
            self._choice = load_model(self.files.model).choice
        return found.remarks

    def _reason_to_end(self, should_stop: Callable[[], bool]) -> Reason | None:
        """Return why the run ends at this step, or None if it goes on."""
        if self.counters.step >= self.total_steps:
            return "done"
        if self._tick(should_stop()):
            return "interrupted"
        if self.timer.fraction_done(self.order) >= 1:
            return "time"
        patience = self.config.patience
        return "patience" if patience is not None and self.counters.num_worse >= patience else None

    def _is_unmeasured(self, reason: Reason) -> bool:
        """Return whether the last model has to be measured; not if the user waits for the end."""
        return reason != "interrupted" and self.counters.validated_step != self.counters.step

    def _tick(self, stop: bool) -> bool:
        """Agree with the other processes on the time; return whether one of them is to stop."""
        readings = self._processes.gather((stop, self.timer.read(self.counters)))
        self.timer.tick(self.counters.step, readings[0][1])
        return any(stop for stop, _ in readings)

    def _restore(self, checkpoint: Checkpoint) -> None:
        state, problem = checkpoint.state, ""
        try:
            self.order.go_to(replace(state.counters), state.total_steps)
            layout = self.engine.layout(state.counters.step > 0, self.order.carried)
            check_layout(checkpoint.arrays, layout)
            self.engine.restore(checkpoint.arrays)
        except ValueError as error:
            problem = str(error)
        # What is damaged for one process is damaged for all.
        if problem := max(self._processes.gather(problem)):
            raise damaged(self.files.checkpoint, problem)
        self.best = state.best

    def _train_steps(self, every: int) -> Progress | SetBack:
        """Take steps until the next report or validation is due; go back if one has failed."""
        counters = self.counters
        started = time.monotonic()
        first_tokens = counters.num_tokens
        validation = counters.step + every - counters.step % every
        until = min(self.timer.next_report(counters.step), validation, self.total_steps)
        losses = []
        rate = 0.0
        while counters.step < until:
            rate = self.timer.learning_rate(self.order)
            losses.append(self._step(rate))
        # Only now: the device may still compute them.
        numbers = [float(loss) for loss in losses]
        if not all(map(math.isfinite, numbers)):
            return self._step_back()
        if self.order.is_one_strip:
            # Read as the classic character RNN reads, so its measure is reported, too.
            counters.smooth(numbers, self.model_config.vocab_size, self.config.seq_len)
        seconds = max(time.monotonic() - started, 1e-9)
        counters.train_seconds += seconds
        counters.elapsed_seconds = self.timer.elapsed_seconds()
        progress = Progress(
            step=counters.step,
            total_steps=self.total_steps,
            epoch=self.order.epoch,
            loss=sum(numbers) / len(numbers),
            learning_rate=rate,
            tokens_per_second=(counters.num_tokens - first_tokens) / seconds,
            num_threads=self.engine.threads.number,
            elapsed_seconds=counters.elapsed_seconds,
            fraction_done=min(1.0, self.timer.fraction_done(self.order)),
            smooth_loss=counters.smooth_loss,
            num_tokens=counters.num_tokens,
            train_seconds=counters.train_seconds,
        )
        counters.add(numbers)
        # The mean of every ten steps, however they were reported.
        if counters.step % REPORT_STEPS == 0 or counters.step >= self.total_steps:
            self._log.add_steps(progress, counters.take_mean())
        return progress

    def _step(self, rate: float) -> SupportsFloat:
        """Train on one batch; return its mean loss per token."""
        self.engine.threads.follow()
        batch = self.order.next_batch()
        loss = self.engine.train_step(batch, rate)
        if not self.order.advance(batch):
            self.engine.forget()
        return loss

    def _validate(self) -> events.Validated | SetBack:
        """Measure the model and save it if it is the best; go back if the loss is not finite."""
        counters = self.counters
        started = time.monotonic()
        metrics, given = self._processes.from_first(self._measure)
        self.timer.record_validation(time.monotonic() - started)
        if not all(math.isfinite(each.loss_per_token) for each in (metrics, given) if each):
            return self._step_back()
        is_best = metrics.loss_per_token < counters.best_loss
        counters.elapsed_seconds = self.timer.elapsed_seconds()
        counters.validated_step = counters.step
        counters.num_worse = 0 if is_best else counters.num_worse + 1
        if is_best:
            counters.best_loss = metrics.loss_per_token
            self.best, self._best_step = metrics, counters.step
            self._save_model(given)
        validated = events.Validated(counters.step, metrics, is_best, given, counters.num_tokens)
        self._log.add_validation(validated, counters.elapsed_seconds, self.engine.threads.number)
        self._checkpoint()
        return validated

    def _measure(self) -> tuple[Metrics, Metrics | None]:
        follow = self.engine.threads.follow
        return self._validation.measure(self.engine, self.counters.best_loss, follow)

    def _step_back(self) -> SetBack:
        """Go back to the last checkpoint, whose every number is finite, with a smaller rate.

        Raises:
            DivergedError: that has been done often enough.
        """
        failed = self.counters
        if failed.num_setbacks >= _MOST_SETBACKS:
            raise DivergedError(
                f"The loss or its gradient is NaN or infinite at step {failed.step}, and "
                f"halving the rate {_MOST_SETBACKS} times did not help.",
                "Lower --learning-rate"
                + ("." if self.best is None else "; the best model so far is kept."),
            )
        good = self._processes.from_first(lambda: load_checkpoint(self.files.checkpoint))
        self._restore(good)
        counters = self.counters
        counters.set_back(failed)
        self._log.begin(self._run, counters.step)
        # A run that is killed now must not try the same rate again.
        self._checkpoint()
        return SetBack(failed.step, counters.step, counters.rate_factor)

    def _sample(self, on_event: OnEvent) -> None:
        step = self.counters.step
        if not self._processes.is_first or step == self._sampled_step:
            return
        self._sampled_step = step
        network, corpus = self.engine.network(), self.corpus
        line, guess = guess_line(network, corpus, step)
        poems = sample_poems(network, corpus, self.config.seed)
        on_event(events.Sampled(step, poems, line, guess, corpus.vocabulary.kind))

    def _end(self, reason: Reason, on_event: OnEvent) -> Trained:
        """Save what has to be kept, and return the result."""
        if reason == "interrupted":
            self._checkpoint()
            if self.best is None:
                # Nothing is measured yet, but there is something to play with.
                self._save_model()
        else:
            self._sample(on_event)
        on_event(trained := self._result(reason))
        return trained

    def _result(self, reason: Reason) -> Trained:
        counters = self.counters
        counters.elapsed_seconds = self.timer.elapsed_seconds()
        return Trained(
            name=self.files.name,
            model=self.files.model,
            reason=reason,
            settings=self.config,
            shape=self.model_config,
            device=self.engine.device,
            step=counters.step,
            elapsed_seconds=counters.elapsed_seconds,
            train_seconds=counters.train_seconds,
            tokens_per_second=counters.num_tokens / max(counters.train_seconds, 1e-9),
            padding_share=counters.num_padded / max(1, counters.num_tokens + counters.num_padded),
            best=self.best,
            best_step=self._best_step,
            smooth_loss=counters.smooth_loss,
            num_tokens=counters.num_tokens,
        )

    def _save_model(self, given: Metrics | None = None) -> None:
        if not self._processes.is_first:
            return
        now = current_model(self.engine, self.corpus, self.config, self.counters, self._run)
        model = replace(now, validation=self.best, validation_given=given, choice=self._choice)
        save_model(model, self.files.model)

    def _checkpoint(self) -> None:
        arrays = self.engine.snapshot()
        self._checkpointed_at = self.timer.now
        if not self._processes.is_first:
            return
        if not all_finite(arrays):
            # The next loss will show it; until then the checkpoint before this one is the good one.
            return
        self.counters.elapsed_seconds = self.timer.elapsed_seconds()
        state = RunState(
            corpus=self.corpus.fingerprint,
            model=self.model_config,
            training=self.config,
            counters=self.counters,
            total_steps=self.total_steps,
            best=self.best,
            corpus_name=self.corpus.name,
            processes=self._processes.size,
            run=self._run,
            tokens=None if self.config.init is None else list(self.corpus.vocabulary.tokens),
            token_fields=bool(self.corpus.vocabulary.fields),
        )
        # Records of later steps are cut off when a run is resumed; none may be missing.
        self._log.sync()
        save_checkpoint(Checkpoint(arrays, state), self.files)
        give_memory_back()
