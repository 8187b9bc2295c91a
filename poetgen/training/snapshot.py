"""A run as a checkpoint, and back: nothing that the next step depends on is left out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from poetgen.networks.torch_model import TorchState, weights_of
from poetgen.sealed import Arrays
from poetgen.training.checkpoint import Checkpoint


@dataclass(slots=True)
class Counters:
    """What a run counts."""

    step: int = 0
    epoch: int = 0
    next_batch: int = 0
    num_tokens: int = 0
    num_padded: int = 0
    elapsed_seconds: float = 0.0
    train_seconds: float = 0.0
    best_loss: float = math.inf


def take_snapshot(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TorchState | None,
    values: dict[str, Any],
) -> Checkpoint:
    """Copy weights, optimizer, carried state and random states; ``values`` goes along."""
    arrays: Arrays = {f"model.{name}": w for name, w in weights_of(model).items()}
    for index, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            arrays[f"optimizer.{index}.{slot}"] = value.cpu().numpy()
    if state is not None:
        parts = state if isinstance(state, tuple) else (state,)
        for number, part in enumerate(parts):
            arrays[f"state.{number}"] = part.detach().float().cpu().numpy()
    arrays["random.cpu"] = torch.get_rng_state().numpy()
    if torch.cuda.is_available():
        arrays["random.cuda"] = torch.cuda.get_rng_state().numpy()
    return Checkpoint(arrays, values)


def restore_snapshot(
    checkpoint: Checkpoint, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> TorchState | None:
    """Put everything back, and give the carried state.

    Raises:
        KeyError, RuntimeError: the checkpoint is not of this model.
    """
    weights: dict[str, torch.Tensor] = {}
    slots: dict[int, dict[str, torch.Tensor]] = {}
    state: list[torch.Tensor] = []
    device = next(model.parameters()).device
    for name, array in sorted(checkpoint.arrays.items()):
        kind, _, rest = name.partition(".")
        tensor = torch.from_numpy(np.array(array))
        if kind == "model":
            weights[rest] = tensor
        elif kind == "optimizer":
            index, _, slot = rest.partition(".")
            slots.setdefault(int(index), {})[slot] = tensor
        elif kind == "state":
            state.append(tensor.to(device))
    model.load_state_dict(weights)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    torch.set_rng_state(torch.from_numpy(np.array(checkpoint.arrays["random.cpu"])))
    if device.type == "cuda" and "random.cuda" in checkpoint.arrays:
        torch.cuda.set_rng_state(torch.from_numpy(np.array(checkpoint.arrays["random.cuda"])))
    if not state:
        return None
    return state[0] if len(state) == 1 else (state[0], state[1])


def counters_of(checkpoint: Checkpoint) -> Counters:
    """Read the counters back."""
    return Counters(**checkpoint.values["counters"])


def as_values(counters: Counters) -> dict[str, Any]:
    """Give the counters as plain values."""
    return asdict(counters)
