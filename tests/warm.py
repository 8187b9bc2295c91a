"""What a warm process has imported before it is copied; it has computed nothing."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import numpy.random
import opencc
import safetensors.numpy
import torch._dynamo  # what torch's optimizers import when the first is made
import typer._adapters  # noqa: F401

import poetgen
from poetgen.cli import main

for module in pkgutil.walk_packages(poetgen.__path__, "poetgen."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


def run(arguments: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    """Be the command ``poetgen``, with files for its streams, and leave with its exit code."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, closefd=False)
    sys.argv = ["poetgen", *arguments]
    main()
