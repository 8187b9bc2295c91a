"""What a warm process has imported before it is copied; it has computed nothing."""

from __future__ import annotations

import importlib
import itertools
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

import poetgen
from poetgen.cli import main

# What is imported late; torch's optimizers import torch._dynamo, and it sympy.
LATE = [
    *("matplotlib.pyplot", "numpy.random", "opencc", "safetensors.numpy", "torch._dynamo"),
    "typer._adapters",
]
OURS = [module.name for module in pkgutil.walk_packages(poetgen.__path__, "poetgen.")]
for name in [*LATE, *OURS]:
    if name != "poetgen.__main__":
        importlib.import_module(name)


def run(
    arguments: list[str],
    cwd: str,
    environment: dict[str, str],
    out: str,
    err: str,
    die_at: int | None = None,
) -> None:
    """Be the command ``poetgen``, with files for its streams, and leave with its exit code."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    # Threads that wait for each other wait long on a busy machine.
    torch.set_num_threads(1)
    if die_at is not None:
        calls = itertools.count(1)
        os.fsync, os.replace = (_dying(call, calls, die_at) for call in (os.fsync, os.replace))
    sys.argv = ["poetgen", *arguments]
    main()


def _dying(call: Callable[..., None], calls: Iterator[int], die_at: int) -> Callable[..., None]:
    def wrapped(*arguments: Any) -> None:
        if next(calls) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        call(*arguments)

    return wrapped
