"""What a copy of a warm process does. The tests import this, too, so it imports little."""

from __future__ import annotations

import faulthandler
import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any


def run(
    arguments: list[str],
    cwd: str,
    environment: dict[str, str],
    out: str,
    err: str,
    die_at: int | None = None,
) -> None:
    """Run ``poetgen`` with files as its streams, and exit with its code."""
    import torch

    from poetgen.cli import main

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((os.devnull, out, err)):
        file = os.open(path, (os.O_WRONLY | os.O_CREAT | os.O_APPEND) if number else os.O_RDONLY)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    # Asked by the test that waits for it, it says where it waits itself.
    faulthandler.register(signal.SIGUSR1)
    # Threads that wait for each other wait long on a busy machine.
    torch.set_num_threads(1)
    # How long a thread lets another one compute in Python while it waits.
    if seconds := environment.get("SWITCH_SECONDS"):
        sys.setswitchinterval(float(seconds))
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
