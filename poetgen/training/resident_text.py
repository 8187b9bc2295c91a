"""The training text on the device that trains, where batches are cut from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from poetgen.corpus.vocabulary import PAD
from poetgen.training.batches import Batch


class ResidentText:
    """A stream of tokens on a device.

    It is brought there once. After that a batch costs the places of its rows, some hundred
    bytes, and no wait: whatever depends on numbers is reckoned on this side.
    """

    def __init__(self, device: str) -> None:
        """Hold nothing yet: the first batch tells of which stream it is."""
        self._device = device
        self._stream: NDArray[np.integer[Any]] | None = None
        self._tokens = torch.empty(0)

    def read(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Cut out a batch.

        Returns:
            The inputs (B, T); the ids (N,) of the targets that are not padding; and, if
            there is padding, their places (N,) among the B · T.
        """
        if self._stream is not batch.stream:
            self._stream = batch.stream
            self._tokens = self._bring(batch.stream.astype(np.int32))
        starts, lengths = self._bring(np.stack([batch.starts, batch.lengths])).unsqueeze(2)
        steps = torch.arange(batch.width + 1, device=self._device)
        places = starts + steps
        if not batch.num_padded:
            token_ids = self._tokens[places].long()
            return token_ids[:, :-1], token_ids[:, 1:].flatten(), None
        present = steps <= lengths
        token_ids = self._tokens[places.where(present, 0)].long().where(present, PAD)
        has_target = np.arange(batch.width) < batch.lengths[:, None]
        counted = self._bring(np.flatnonzero(has_target))
        return token_ids[:, :-1], token_ids[:, 1:].flatten().index_select(0, counted), counted

    def _bring(self, numbers: NDArray[np.integer[Any]]) -> Tensor:
        tensor = torch.from_numpy(numbers)
        if self._device == "cuda":
            # From pinned memory the copy runs beside the computation.
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)
