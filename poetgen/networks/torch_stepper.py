"""The decoding loop's view of the torch network, for GPUs and for samples in training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from poetgen.networks.torch_model import LanguageModel, TorchState

Array = NDArray[np.floating[Any]]


class TorchStepper:
    """Reads tokens with a torch model; arrays go in and out as numpy."""

    def __init__(self, model: LanguageModel) -> None:
        """Use ``model`` where it lies, on whatever device."""
        self.model = model
        self.device = next(model.parameters()).device

    def start(self, batch_size: int) -> TorchState:
        """Give the state before the first token: zeros."""
        config = self.model.config
        shape = (config.num_layers, batch_size, config.hidden_size)
        zeros = torch.zeros(shape, device=self.device)
        return (zeros, zeros) if config.arch == "lstm" else zeros

    def prime(
        self, token_ids: NDArray[np.integer[Any]], state: TorchState
    ) -> tuple[Array, TorchState]:
        """Read a text, ids (T,), into every state; give the logits after its last token."""
        batch_size = (state[0] if isinstance(state, tuple) else state).shape[1]
        return self._read(np.tile(token_ids, (batch_size, 1)), state)

    def step(
        self, token_ids: NDArray[np.integer[Any]], state: TorchState
    ) -> tuple[Array, TorchState]:
        """Read one token a poem, ids (B,); give the logits (B, V) after it."""
        return self._read(token_ids[:, None], state)

    def select(self, state: TorchState, rows: NDArray[np.integer[Any]]) -> TorchState:
        """Keep the states of some poems."""
        index = torch.from_numpy(rows).to(self.device)
        if isinstance(state, tuple):
            return state[0][:, index], state[1][:, index]
        return state[:, index]

    def losses(
        self, inputs: NDArray[np.int64], targets: NDArray[np.int64], pad: int
    ) -> NDArray[np.float64]:
        """Give the loss in nats of every target (B, T) that is not ``pad``, (N,)."""
        with _reading(self.model):
            given, wanted = (torch.from_numpy(ids).to(self.device) for ids in (inputs, targets))
            losses = self.model.losses(given, wanted, pad)
        # Whoever adds them up in float32 loses the fourth digit.
        return losses.cpu().double().numpy()

    def _read(
        self, token_ids: NDArray[np.integer[Any]], state: TorchState
    ) -> tuple[Array, TorchState]:
        inputs: Tensor = torch.from_numpy(np.asarray(token_ids, np.int64)).to(self.device)
        with _reading(self.model):
            outputs, state = self.model.hidden(inputs, state)
            return self.model.logits(outputs[:, -1]).float().cpu().numpy(), state


@contextmanager
def _reading(model: LanguageModel) -> Iterator[None]:
    """Read without gradients and dropout, and leave a model that learns as it was."""
    was_training = model.training
    if was_training:
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if was_training:
            model.train()
