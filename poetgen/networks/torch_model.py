"""The language model in torch, for training and for GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from poetgen.arrays import FloatArray, IntArray
from poetgen.config import ModelConfig
from poetgen.networks.cells import CELLS
from poetgen.networks.initialisation import SMALL
from poetgen.networks.model import Weights
from poetgen.networks.output_layer import GUMBEL_FLOOR
from poetgen.networks.torch_dropout import Dropout
from poetgen.networks.torch_linear import pad_rows
from poetgen.networks.torch_loss import cross_entropies, summed_cross_entropy
from poetgen.networks.torch_recurrence import GRU, LSTM, RNN, TorchState

_LAYERS: dict[str, Any] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


class LanguageModel(nn.Module):
    """Embedding, recurrent layers, projection, and the embedding again as output (tied).

    Tying input and output embeddings: Press & Wolf 2017, arXiv:1608.05859. Untied, the output
    has weights (V, H) of its own and there is no projection; a one-hot model has no embedding
    either.
    """

    def __init__(self, config: ModelConfig, dropout: float = 0.0) -> None:
        """Draw fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        if not config.one_hot:
            self.embedding = nn.Embedding(config.vocab_size, config.embedding_dim)
        self.rnn = _LAYERS[config.arch](
            config.embedding_dim,
            config.hidden_size,
            config.num_layers,
            batch_first=True,
            dropout=dropout if config.num_layers > 1 else 0.0,
        )
        if config.tied:
            self.projection = nn.Linear(config.hidden_size, config.embedding_dim, bias=False)
        else:
            self.output = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.dropout = Dropout(dropout)
        if not config.one_hot:
            # The embedding is also the output layer: a unit variance would make the first
            # logits huge.
            nn.init.normal_(self.embedding.weight, std=config.embedding_dim**-0.5)
            return
        for name, weights in self.named_parameters():
            if "bias" in name:
                nn.init.zeros_(weights)
            else:
                nn.init.normal_(weights, std=SMALL)

    def forward(
        self, token_ids: Tensor, state: TorchState | None = None
    ) -> tuple[Tensor, TorchState]:
        """Read token ids (B, T); return logits (B, T, V) and the last state."""
        hidden, state = self.hidden(token_ids, state)
        return self.logits(hidden), state

    def hidden(
        self, token_ids: Tensor, state: TorchState | None = None
    ) -> tuple[Tensor, TorchState]:
        """Read token ids (B, T); return the last layer's outputs (B, T, H) and the last state."""
        if self.config.one_hot:
            # Not dropped: it would lose whole tokens.
            x = F.one_hot(token_ids, self.config.vocab_size).to(self.output_bias.dtype)
        else:
            x = self.dropout(self.embedding(token_ids))
        hidden, state = self.rnn(x, state)
        return self.dropout(hidden), state

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits (…, V) of hidden states (…, H)."""
        rows, matrix = self._output_factors(hidden)
        return logits_of(self.config, F.linear(rows, matrix, self.output_bias))

    @torch.no_grad()
    def losses(self, inputs: Tensor, targets: Tensor, pad: int) -> Tensor:
        """Return the loss in nats of every target (B, T) that is not ``pad``, row by row (N,).

        They have no derivative; training takes ``summed_loss``.
        """
        present = targets != pad
        # Padding is removed before the output layer, most of the network's work.
        hidden, wanted = self.hidden(inputs)[0][present], targets[present]
        if not self._is_plain_softmax():
            return F.cross_entropy(self.logits(hidden), wanted, reduction="none")
        return cross_entropies(*self._output_factors(hidden), self.output_bias, wanted)

    def summed_loss(
        self,
        inputs: Tensor,
        wanted: Tensor,
        places: Tensor | None = None,
        state: TorchState | None = None,
    ) -> tuple[Tensor, TorchState]:
        """Read inputs (B, T); return the sum of the losses in nats, and the last state, detached.

        ``places`` (N,) are those of the B · T targets that count, and ``wanted`` (N,) are
        their ids; without it all count. The caller computes them on the host, so that a GPU
        never synchronises.
        """
        hidden, state = self.hidden(inputs, state)
        rows = hidden.flatten(0, 1)
        if places is not None:
            rows = rows.index_select(0, places)
        if self._is_plain_softmax():
            factors = self._output_factors(pad_rows(rows))
            loss = summed_cross_entropy(*factors, self.output_bias, wanted)
        else:
            loss = F.cross_entropy(self.logits(rows), wanted, reduction="sum")
        return loss, tuple(part.detach() for part in state)

    def _output_factors(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows (…, E), untied (…, H), and the matrix (V, ·) whose product are the scores."""
        if self.config.tied:
            return self.projection(hidden), self.embedding.weight
        return hidden, self.output.weight

    def _is_plain_softmax(self) -> bool:
        return self.config.output == "softmax" and self.config.softmax_temperature == 1


def logits_of(config: ModelConfig, scores: Tensor) -> Tensor:
    """Return the logits for scores (…, V), as ``output_layer.logits_of`` does."""
    if config.softmax_temperature != 1:
        scores = scores / config.softmax_temperature
    if config.output == "gumbel":
        # An exponential of bfloat16 would have two digits.
        wide = scores.float() if scores.dtype == torch.bfloat16 else scores
        y = (wide - wide.max(dim=-1, keepdim=True).values).clamp(min=GUMBEL_FLOOR)
        scores = (-y - torch.exp(-y)) / config.gumbel_tau
    return scores


def weights_of(model: nn.Module) -> Weights:
    """Return a copy of the weights in numpy, by name, as float32."""
    return {name: w.detach().cpu().float().numpy().copy() for name, w in model.state_dict().items()}


def build(config: ModelConfig, weights: Weights, device: str = "cpu") -> LanguageModel:
    """Return a model with given weights, in evaluation mode."""
    model = LanguageModel(config)
    model.load_state_dict(
        {name: torch.from_numpy(np.array(w, np.float32)) for name, w in weights.items()}
    )
    return model.to(device).eval()


class TorchStepper:
    """A torch model that reads token by token, with numpy arrays in and out."""

    num_starts = 1

    def __init__(self, model: LanguageModel) -> None:
        """Use ``model`` on the device where it is."""
        self.model = model
        self.device = model.output_bias.device

    def start(self, batch_size: int) -> TorchState:
        """Return the state before the first token: zeros."""
        config = self.model.config
        shape = (config.num_layers, batch_size, config.hidden_size)
        return (torch.zeros(shape, device=self.device),) * CELLS[config.arch].num_states

    def prime(self, token_ids: IntArray, state: TorchState) -> tuple[FloatArray, TorchState]:
        """Read a text into every state, ids (T,); return the logits (B, V) after its last token."""
        return self._read(np.tile(token_ids, (state[0].shape[1], 1)), state)

    def step(self, token_ids: IntArray, state: TorchState) -> tuple[FloatArray, TorchState]:
        """Read one token of each poem, ids (B,); return logits (B, V) and the next state."""
        return self._read(token_ids[:, None], state)

    def select(self, state: TorchState, rows: IntArray) -> TorchState:
        """Return the states of some poems, in the order given."""
        index = torch.from_numpy(rows).to(self.device)
        return tuple(part[:, index] for part in state)

    def join(self, states: Sequence[TorchState]) -> TorchState:
        """Return the states of several batches as those of one."""
        return tuple(torch.cat(parts, dim=1) for parts in zip(*states, strict=True))

    def losses(
        self, inputs: NDArray[np.int64], targets: NDArray[np.int64], pad: int
    ) -> NDArray[np.float64]:
        """Return the loss in nats of every target (B, T) that is not ``pad``, row by row (N,)."""
        with _evaluating(self.model):
            losses = self.model.losses(self._tensor(inputs), self._tensor(targets), pad)
        # A sum in float32 would lose the fourth digit.
        return losses.cpu().double().numpy()

    def _read(self, token_ids: IntArray, state: TorchState) -> tuple[FloatArray, TorchState]:
        with _evaluating(self.model):
            hidden, state = self.model.hidden(self._tensor(token_ids), state)
            return self.model.logits(hidden[:, -1]).float().cpu().numpy(), state

    def _tensor(self, token_ids: IntArray) -> Tensor:
        return torch.from_numpy(np.asarray(token_ids, np.int64)).to(self.device)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Turn off gradients and dropout, and restore the mode of a model in training."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
