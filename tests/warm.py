"""What a warm process imports before it is copied; it computes nothing."""

from __future__ import annotations

import importlib
import pkgutil

import poetgen

# Imported late by libraries: torch's optimizers import torch._dynamo, which imports sympy.
LATE = [
    *("matplotlib.pyplot", "numpy.random", "opencc", "safetensors.numpy", "torch._dynamo"),
    "typer._adapters",
]
OURS = [module.name for module in pkgutil.walk_packages(poetgen.__path__, "poetgen.")]
for name in [*LATE, *OURS]:
    if name != "poetgen.__main__":
        importlib.import_module(name)
