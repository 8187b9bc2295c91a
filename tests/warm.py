"""What a warm process has imported before it is copied; it has computed nothing."""

from __future__ import annotations

import importlib
import pkgutil

import poetgen

# What is imported late; torch's optimizers import torch._dynamo, and it sympy.
LATE = [
    *("matplotlib.pyplot", "numpy.random", "opencc", "safetensors.numpy", "torch._dynamo"),
    "typer._adapters",
]
OURS = [module.name for module in pkgutil.walk_packages(poetgen.__path__, "poetgen.")]
for name in [*LATE, *OURS]:
    if name != "poetgen.__main__":
        importlib.import_module(name)
