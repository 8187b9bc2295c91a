"""Optimizers over one flat array of weights, in numpy; step by step equal to torch's.

Sources: Kingma & Ba 2015, arXiv:1412.6980 (Adam); Loshchilov & Hutter 2019,
arXiv:1711.05101 (AdamW); Tieleman & Hinton 2012, lecture 6.5 (RMSprop); Duchi, Hazan &
Singer 2011 (Adagrad).
"""

from __future__ import annotations

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.config import Optimizer

# The second is lower than usual: on small data the step size should adapt sooner.
BETAS = (0.9, 0.99)
# RMSprop's share of the old mean square.
ALPHA = 0.99
_EPSILON = 1e-8
_ADAGRAD_EPSILON = 1e-10
_SLOTS: dict[Optimizer, tuple[str, ...]] = {
    "adamw": ("mean", "square"),
    "adam": ("mean", "square"),
    "sgd": (),
    "rmsprop": ("square",),
    "adagrad": ("square",),
}


class FlatOptimizer:
    """An optimizer and its state: one array as long as the weights for each slot."""

    def __init__(self, kind: Optimizer, weights: FloatArray, weight_decay: float = 0.0) -> None:
        """Start with an empty state; only AdamW uses ``weight_decay``."""
        self.kind = kind
        self.weight_decay = weight_decay
        self.num_steps = 0
        self.slots = {slot: np.zeros_like(weights) for slot in _SLOTS[kind]}

    def step(self, weights: FloatArray, gradient: FloatArray, rate: float) -> None:
        """Move ``weights`` (N,) in place, against ``gradient`` (N,)."""
        self.num_steps += 1
        match self.kind:
            case "adamw" | "adam":
                if self.kind == "adamw":
                    weights *= 1 - rate * self.weight_decay
                weights -= self._adam(gradient, rate)
            case "sgd":
                weights -= rate * gradient
            case "rmsprop":
                square = self.slots["square"]
                square += (1 - ALPHA) * (gradient * gradient - square)
                weights -= rate * gradient / (np.sqrt(square) + _EPSILON)
            case "adagrad":
                square = self.slots["square"]
                square += gradient * gradient
                weights -= rate * gradient / (np.sqrt(square) + _ADAGRAD_EPSILON)

    def _adam(self, gradient: FloatArray, rate: float) -> FloatArray:
        """Return m / √v of both running means, each with the correction for its start at zero."""
        mean, square = self.slots["mean"], self.slots["square"]
        first, second = BETAS
        mean += (1 - first) * (gradient - mean)
        square += (1 - second) * (gradient * gradient - square)
        root = np.sqrt(square)
        root /= (1 - second**self.num_steps) ** 0.5
        root += _EPSILON
        step: FloatArray = mean / root
        step *= rate / (1 - first**self.num_steps)
        return step


def clip(gradient: FloatArray, max_norm: float | None, max_value: float | None) -> None:
    """Clip ``gradient`` (N,) in place: each number to ±``max_value``, then the norm."""
    if max_value is not None:
        np.clip(gradient, -max_value, max_value, out=gradient)
    if max_norm:
        norm = float(np.sqrt(np.dot(gradient, gradient)))
        # torch adds the small number, too.
        gradient *= min(1.0, max_norm / (norm + 1e-6))
