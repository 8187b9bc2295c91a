"""The language model in torch, for training and for GPUs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from poetgen.config import ModelConfig
from poetgen.networks.model_file import Weights

# h for RNN and GRU, (h, c) for LSTM; each of shape (L, B, H).
TorchState = Tensor | tuple[Tensor, Tensor]

_LAYERS: dict[str, Any] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class LanguageModel(nn.Module):
    """Embedding, recurrent layers, projection, and the embedding again as output (tied).

    Tying input and output embeddings: Press & Wolf 2017, arXiv:1608.05859.
    """

    def __init__(self, config: ModelConfig, dropout: float = 0.0) -> None:
        """Draw fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_dim)
        self.rnn = _LAYERS[config.arch](
            config.embedding_dim,
            config.hidden_size,
            config.num_layers,
            batch_first=True,
            dropout=dropout if config.num_layers > 1 else 0.0,
        )
        self.projection = nn.Linear(config.hidden_size, config.embedding_dim, bias=False)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.dropout = nn.Dropout(dropout)
        # The embedding is also the output layer: a unit variance would make the first
        # logits huge.
        nn.init.normal_(self.embedding.weight, std=config.embedding_dim**-0.5)

    def hidden(
        self, token_ids: Tensor, state: TorchState | None = None
    ) -> tuple[Tensor, TorchState]:
        """Read token ids (B, T); give projected outputs (B, T, E) and the last state."""
        hidden, state = self.rnn(self.dropout(self.embedding(token_ids)), state)
        return self.projection(self.dropout(hidden)), state

    def logits(self, projected: Tensor) -> Tensor:
        """Score every token: (…, E) to (…, V)."""
        return F.linear(projected, self.embedding.weight, self.output_bias)

    def forward(
        self, token_ids: Tensor, state: TorchState | None = None
    ) -> tuple[Tensor, TorchState]:
        """Read token ids (B, T); give logits (B, T, V) and the last state."""
        projected, state = self.hidden(token_ids, state)
        return self.logits(projected), state

    def losses(self, inputs: Tensor, targets: Tensor, pad: int) -> Tensor:
        """Give the cross-entropy in nats of every target that is not ``pad``, shape (N,)."""
        projected, _ = self.hidden(inputs)
        return self.losses_of(projected, targets, pad)

    def losses_of(self, projected: Tensor, targets: Tensor, pad: int) -> Tensor:
        """Give the same for outputs (B, T, E) that ``hidden`` has computed."""
        present = targets != pad
        # Padding leaves before the largest product of the network, not after it.
        return F.cross_entropy(self.logits(projected[present]), targets[present], reduction="none")


def detach(state: TorchState) -> TorchState:
    """Cut a state loose from the steps that made it."""
    return (state[0].detach(), state[1].detach()) if isinstance(state, tuple) else state.detach()


def weights_of(model: nn.Module) -> Weights:
    """Copy the weights to numpy, by name, as float32."""
    return {name: w.detach().cpu().float().numpy().copy() for name, w in model.state_dict().items()}


def build(config: ModelConfig, weights: Weights, device: str = "cpu") -> LanguageModel:
    """Build a model with given weights, ready to read and not to train."""
    model = LanguageModel(config)
    model.load_state_dict(
        {name: torch.from_numpy(np.array(w, np.float32)) for name, w in weights.items()}
    )
    return model.to(device).eval()
