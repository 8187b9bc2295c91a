"""What a warm process has imported before it is copied; it has computed nothing."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import poetgen
from poetgen.cli import main

# What is imported late; torch's optimizers import torch._dynamo, and it sympy.
LATE = ["numpy.random", "opencc", "safetensors.numpy", "torch._dynamo", "typer._adapters"]
OURS = [module.name for module in pkgutil.walk_packages(poetgen.__path__, "poetgen.")]
for name in [*LATE, *OURS]:
    if name != "poetgen.__main__":
        importlib.import_module(name)


def run(arguments: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    """Be the command ``poetgen``, with files for its streams, and leave with its exit code."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    sys.argv = ["poetgen", *arguments]
    main()
