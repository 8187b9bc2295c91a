"""``train``: a model from a corpus, with files that can be resumed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection
from contextlib import ExitStack, nullcontext
from pathlib import Path

from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.folder import load_corpus
from poetgen.errors import ExistsError, ModelError, SettingError
from poetgen.generation.settings import exclude
from poetgen.networks.model_file import load_model
from poetgen.places import check_name, find_corpus, find_model, free_name, plain_name
from poetgen.settings import changed, flag_of
from poetgen.training.checkpoint import Checkpoint, delete_checkpoints, use_latest
from poetgen.training.choice import add_choice, has_choice
from poetgen.training.events import Event, Note, OnEvent, Trained
from poetgen.training.initial import begin_from, in_vocabulary, with_shape_of
from poetgen.training.logs import TensorBoardLog
from poetgen.training.processes import Processes, joined
from poetgen.training.run_files import CHECKPOINT_SUFFIX, LOCK_SUFFIX, SUFFIXES, RunFiles
from poetgen.training.trainer import Trainer

# Settings that may change when a run is resumed, for they do not change what is computed.
_MAY_CHANGE = ("max_minutes", "device", "patience", "checkpoint_seconds", "threads")


def train(
    corpus: str | Path | Corpus = "tang",
    *,
    name: str | None = None,
    settings: TrainConfig = TrainConfig(),
    folder: str | Path = "models",
    resume: bool = False,
    given: Collection[str] | None = None,
    force: bool = False,
    tensorboard: bool = False,
    keep_checkpoints: bool = False,
    on_event: OnEvent = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train a model; the best one so far is always in ``folder/NAME.safetensors``.

    With ``settings.init`` it begins with the weights and the vocabulary of that model; characters
    of the corpus that the model does not know are added.

    At the end a model of Chinese verse gets what the choice among its drafts needs
    (``add_choice``).

    Several processes that torchrun started train one model together: each calls this
    function, and the first one writes and reports.

    Args:
        corpus: the name or the folder of a prepared corpus, or a loaded one.
        name: of the model; without it CORPUS-ARCH, numbered if that is taken.
        settings: how to train.
        folder: where the model and the files of the run are kept.
        resume: continue an interrupted run with its own settings.
        given: the names of the settings that ``settings`` insists on; by default those that
            differ from the defaults. A run that is resumed keeps most of its own, and one with
            ``settings.init`` the shape of that model: another one is an error.
        force: replace a model or a run of this name.
        tensorboard: also write ``folder/NAME.tensorboard``.
        keep_checkpoints: leave those of a run that has finished, too; resumed, it ends at once.
        on_event: called with each event, the result last.
        should_stop: asked every few steps; True saves the run and ends it.

    Raises:
        CorpusError: there is no such corpus, or it is damaged.
        ExistsError: something of this name exists, or is written at this moment.
        ModelError: there is nothing to resume, or its files do not belong together; there is no
            model to begin with, or it is damaged.
        SettingError, DeviceError: the settings contradict each other, the corpus, the
            device, the run that is resumed or the model to begin with.
        DivergedError: the loss is NaN or infinite, and smaller rates do not help.
    """
    if resume and force:
        raise exclude("--resume", "--force")
    first = None if resume or settings.init is None else find_model(settings.init)
    if given is None:
        given = changed(settings)
    if isinstance(corpus, str):
        corpus = find_corpus(corpus)
    # A folder may be given as ".", whose name is found only in its full path.
    of_corpus = Path(os.path.abspath(corpus)).name if isinstance(corpus, Path) else corpus.name
    base = plain_name(f"{of_corpus}-{settings.arch}")
    with joined(settings.device) as processes:
        chosen = processes.from_first(lambda: _pick_name(Path(folder), name, base, resume))
        files = RunFiles(Path(folder), chosen)
        report = on_event if processes.is_first else _ignore
        # The first process looks after the files; the others never touch them.
        with files.held() if processes.is_first else nullcontext(), ExitStack() as stack:
            if processes.is_first:
                _check_begun(files) if resume else _check_free(files, force)
            # Only now: to load a corpus or torch takes longer than these checks.
            data = corpus if isinstance(corpus, Corpus) else load_corpus(corpus)
            if resume:
                trainer = _resumed(data, settings, given, files, processes, report)
            else:
                trainer = _begun(data, settings, given, first, files, processes, report)
            if tensorboard and processes.is_first:
                log = TensorBoardLog(files.tensorboard, trainer.counters.step)
                stack.callback(log.close)
                report = _both(report, log.show)
            if not resume and processes.is_first:
                # Nothing of a replaced run may be left that could be resumed; but it is there
                # until this run has all that it needs.
                delete_checkpoints(files)
            trained = trainer.run(report, should_stop)
            # Before the processes part: see joined.
            del trainer
            if processes.is_first and trained.reason != "interrupted":
                if has_choice(data):
                    add_choice(trained.model, data)
                # Only now: without them nothing that is missing could be added.
                if trained.reason != "time" and not keep_checkpoints:
                    delete_checkpoints(files)
            return trained


def _ignore(event: Event) -> None:
    """Report nothing."""


def _both(one: OnEvent, other: OnEvent) -> OnEvent:
    def report(event: Event) -> None:
        one(event)
        other(event)

    return report


def _begun(
    corpus: Corpus,
    settings: TrainConfig,
    given: Collection[str],
    first: Path | None,
    files: RunFiles,
    processes: Processes,
    report: OnEvent,
) -> Trainer:
    """Return the trainer of a new run, which begins with the model ``first`` if there is one."""
    if first is None:
        return Trainer(corpus, settings, files, processes)
    model = load_model(first)
    settings = with_shape_of(settings, model, given)
    begin = begin_from(model, corpus, settings)
    tokens = "characters" if model.vocabulary.kind == "char" else "words"
    knows = f"It knows all {tokens} of {corpus.name}."
    if begin.num_new:
        knows = f"{tokens.capitalize()} of {corpus.name} that are new to it: {begin.num_new:,}."
    report(Note(f"Beginning with the model {settings.init}. {knows}"))
    if model.choice is not None and begin.choice is None and has_choice(corpus):
        report(
            Note(
                f"{corpus.name} has too many poems for the index of {settings.init}: of copied "
                f"lines, only those of {corpus.name} will be recognised."
            )
        )
    return Trainer(begin.corpus, settings, files, processes, begin)


def _resumed(
    corpus: Corpus,
    settings: TrainConfig,
    given: Collection[str],
    files: RunFiles,
    processes: Processes,
    report: OnEvent,
) -> Trainer:
    """Return the trainer of an interrupted run, where it stopped; report what was lost."""

    def restore(checkpoint: Checkpoint) -> tuple[Trainer, list[str]]:
        state = checkpoint.state
        merged = _merge(state.training, settings, given)
        vocabulary = state.vocabulary(corpus.vocabulary.kind)
        data = corpus if vocabulary is None else in_vocabulary(corpus, vocabulary)
        trainer = Trainer(data, merged, files, processes)
        return trainer, trainer.resume(checkpoint)

    (trainer, remarks), remark = use_latest(files, restore, processes)
    limit, elapsed = trainer.config.max_minutes, trainer.counters.elapsed_seconds
    if limit is not None and elapsed >= 60 * limit:
        remarks.append(f"This run has used its {limit:g} minutes: raise --max-minutes to train on.")
    for text in (remark, *remarks):
        if text:
            report(Note(text))
    return trainer


def _check_free(files: RunFiles, force: bool) -> None:
    present = files.present()
    if present and not force:
        can_resume = present[0] in (files.checkpoint, files.previous)
        go_on = "--resume to continue that run, " * can_resume
        raise ExistsError(
            f"{present[0]} is already there.",
            f"Give {go_on}--force to replace it, or another --name.",
        )


def _check_begun(files: RunFiles) -> None:
    if files.checkpoint.exists() or files.previous.exists():
        return
    if files.model.exists():
        raise ModelError(
            f"The run {files.name} is finished; there is nothing to resume.",
            "Begin a new one under another --name, or replace it with --force.",
        )
    raise ModelError(
        f"There is no run {files.name} to resume: {files.checkpoint} is not there.",
        "Leave --resume out to begin it.",
    )


def _pick_name(folder: Path, name: str | None, base: str, resume: bool) -> str:
    if name is not None:
        return check_name(name)
    if not resume:
        return free_name(folder, base, (*SUFFIXES, LOCK_SUFFIX))
    found = [path for path in folder.glob(f"{base}*{CHECKPOINT_SUFFIX}") if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns).stem if found else base


def _merge(stored: TrainConfig, settings: TrainConfig, given: Collection[str]) -> TrainConfig:
    """Return the stored settings with the given ones that do not change the computation.

    Raises:
        SettingError: one that does is given, with another value than is stored.
    """
    changes = {}
    for field in dataclasses.fields(TrainConfig):
        value = getattr(settings, field.name)
        if field.name not in given or (field.name, value) == ("engine", "auto"):
            continue
        if field.name in _MAY_CHANGE:
            changes[field.name] = value
        elif value != getattr(stored, field.name):
            flag = flag_of(field.name, field.metadata["flag"])
            before = getattr(stored, field.name)
            begun = f"without {flag}" if before is None else f"with {flag} {before}"
            raise SettingError(
                f"This run was begun {begun}, not with {flag} {value}.",
                f"Leave {flag} out, or begin a new run under another --name.",
            )
    return dataclasses.replace(stored, **changes)
