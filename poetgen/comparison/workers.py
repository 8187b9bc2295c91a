"""Trainings at the same time, each in a process of its own on a GPU of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, NamedTuple

from poetgen.comparison.one_run import train_run
from poetgen.comparison.results import Run
from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import SettingError
from poetgen.networks.torch_optional import has_torch
from poetgen.training.run_files import RunFiles

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_POLL_SECONDS = 0.2
_SIGKILL = 9


@dataclass(frozen=True, slots=True)
class Job:
    """A training: whose it is, its files, and how."""

    contender: str
    files: RunFiles
    settings: TrainConfig
    resume: bool


class _Worker(NamedTuple):
    """A process that trains: what, and on which GPU."""

    job: Job
    process: Any
    gpu: str


def check_workers(wanted: int) -> None:
    """Check that there is a GPU for each of several workers.

    Raises:
        SettingError: there is not, or ``wanted`` is below 1.
    """
    if wanted < 1:
        raise SettingError(f"--workers {wanted} is out of range.", "Give a value of at least 1.")
    if wanted > 1 and wanted > (found := num_gpus()):
        raise SettingError(
            f"--workers {wanted} needs a GPU for each; found {found}.",
            f"Give --workers {found}." if found > 1 else "Leave --workers out.",
        )


def num_gpus() -> int:
    """Return the number of GPUs that torch can use here."""
    if not has_torch():
        return 0
    from poetgen.networks.devices import num_cuda_devices

    return num_cuda_devices()


def train_together(
    corpus: Corpus, jobs: Iterator[Job], num_workers: int, should_stop: Callable[[], bool]
) -> Iterator[tuple[Job, Run]]:
    """Yield each job and its run, as they end; a job is asked for when there is a GPU for it.

    When ``should_stop`` returns True, what is being trained is saved, and the rest is not begun.
    A process that is killed is a run that has failed; the others go on.
    """
    # A fork of a process that has used CUDA cannot use it.
    context = multiprocessing.get_context("spawn")
    free = visible_gpus(num_workers)
    running: dict[Any, _Worker] = {}
    stops = False
    try:
        while True:
            if not stops and should_stop():
                stops = True
                for pipe in running:
                    _ask_to_stop(pipe)
            while free and not stops and (job := next(jobs, None)):
                gpu = free.pop(0)
                pipe, theirs = context.Pipe()
                arguments = theirs, gpu, corpus, job
                process = context.Process(target=_work, name=job.contender, args=arguments)
                process.start()
                theirs.close()
                running[pipe] = _Worker(job, process, gpu)
            if not running:
                return
            for pipe in wait([*running], _POLL_SECONDS):
                worker = running.pop(pipe)
                free.append(worker.gpu)
                yield worker.job, _run_of(pipe, worker)
    finally:
        for pipe, worker in running.items():
            pipe.close()  # which asks it to stop
            worker.process.join()


def visible_gpus(count: int) -> list[str]:
    """Return the names of the first GPUs, as CUDA knows them."""
    visible = [name for name in os.environ.get(_VISIBLE, "").split(",") if name]
    return (visible or [str(number) for number in range(count)])[:count]


def _ask_to_stop(pipe: Any) -> None:
    with suppress(OSError):  # it has ended
        pipe.send("stop")


def _run_of(pipe: Any, worker: _Worker) -> Run:
    """Return what a process has sent at its end."""
    try:
        run: Run = pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        reason = f"Its process ended with exit code {worker.process.exitcode}."
        if worker.process.exitcode == -_SIGKILL:
            reason = "Its process was killed, perhaps because there was not enough memory."
        return Run(worker.job.settings.seed, "failed", reason)
    finally:
        pipe.close()
    worker.process.join()
    return run


def _work(pipe: Any, gpu: str, corpus: Corpus, job: Job) -> None:
    """Train on one GPU, in a process of its own, until the race asks to stop or has ended."""
    os.environ[_VISIBLE] = gpu
    # Signals are left to the process of the race.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    def should_stop() -> bool:
        try:
            return bool(pipe.poll())
        except OSError:  # so Windows says that the other end is gone
            return True

    run = train_run(
        corpus,
        job.files,
        job.settings,
        resume=job.resume,
        on_event=lambda event: None,
        on_failure=lambda error: None,
        should_stop=should_stop,
    )
    with suppress(OSError):  # the race has ended
        pipe.send(run)
