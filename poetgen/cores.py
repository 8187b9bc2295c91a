"""The cores of this machine, and what a user has said of threads."""

from __future__ import annotations

import os

# The variables by which users and torchrun set a number of threads: it stays as it is then.
SET_BY_USER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_are_set() -> bool:
    """Return whether the user has set a number of threads in the environment."""
    return any(map(os.environ.get, SET_BY_USER))
