"""Trainings at the same time, each in a process of its own on a GPU of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

from poetgen.comparison.results import Run
from poetgen.comparison.running import reason_of, train_run
from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import SettingError
from poetgen.networks.torch_optional import has_torch
from poetgen.training.run_files import RunFiles

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """A training: whose it is, its files, and how."""

    contender: str
    files: RunFiles
    settings: TrainConfig
    resume: bool


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
    corpus: Corpus, jobs: Sequence[Job], num_workers: int, should_stop: Callable[[], bool]
) -> Iterator[tuple[Job, Run]]:
    """Yield each job and its run, as they end.

    When ``should_stop`` returns True, what is being trained is saved, and the rest is not begun.
    """
    # A fork of a process that has used CUDA cannot use it.
    context = multiprocessing.get_context("spawn")
    stop, places = context.Event(), context.SimpleQueue()
    for device in visible_gpus(num_workers):
        places.put(device)
    begin = (places, stop, os.getpid())
    with ProcessPoolExecutor(num_workers, context, _begin, begin) as pool:
        waiting: dict[Future[Run], Job] = {}
        left = list(jobs)
        try:
            while left or waiting:
                if should_stop():
                    stop.set()
                    left = []
                while left and len(waiting) < num_workers:
                    job = left.pop(0)
                    waiting[pool.submit(_work, corpus, job)] = job
                for ended in wait(waiting, _POLL_SECONDS, FIRST_COMPLETED).done:
                    job = waiting.pop(ended)
                    yield job, _run_of(ended, job)
        finally:
            stop.set()


def visible_gpus(count: int) -> list[str]:
    """Return the names of the first GPUs, as CUDA knows them."""
    visible = [name for name in os.environ.get(_VISIBLE, "").split(",") if name]
    return (visible or [str(number) for number in range(count)])[:count]


def _run_of(ended: Future[Run], job: Job) -> Run:
    try:
        return ended.result()
    except Exception as error:  # its process was killed
        return Run(job.settings.seed, "failed", reason_of(error))


# In the process of a worker: how it learns that it is to stop, and who started it.
_stop: Event | None = None
_parent = 0


def _begin(places: Any, stop: Event, parent: int) -> None:
    """Take a GPU, and leave signals to the process that started this one."""
    global _stop, _parent
    _stop, _parent = stop, parent
    os.environ[_VISIBLE] = places.get()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _is_to_stop() -> bool:
    return _stop is None or _stop.is_set() or os.getppid() != _parent


def _work(corpus: Corpus, job: Job) -> Run:
    return train_run(
        corpus,
        job.files,
        job.settings,
        resume=job.resume,
        on_event=lambda event: None,
        on_failure=lambda error: None,
        should_stop=_is_to_stop,
    )
