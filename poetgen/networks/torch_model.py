"""The language model in torch, for training and for GPUs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from poetgen.config import ModelConfig
from poetgen.networks.initialisation import SMALL
from poetgen.networks.model import Weights
from poetgen.networks.output_layer import GUMBEL_FLOOR
from poetgen.networks.torch_linear import fill_up
from poetgen.networks.torch_loss import Dropout, cross_entropies, summed_cross_entropy
from poetgen.networks.torch_recurrence import GRU, LSTM, RNN

# h for RNN and GRU, (h, c) for LSTM; each of shape (L, B, H).
TorchState = Tensor | tuple[Tensor, Tensor]

_LAYERS: dict[str, Any] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


class LanguageModel(nn.Module):
    """Embedding, recurrent layers, projection, and the embedding again as output (tied).

    Tying input and output embeddings: Press & Wolf 2017, arXiv:1608.05859. Without it the
    output has weights (V, H) of its own and there is no projection; a one-hot model has no
    embedding either.
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
        if config.one_hot:
            self._begin_small()
        else:
            # The embedding is also the output layer: a unit variance would make the first
            # logits huge.
            nn.init.normal_(self.embedding.weight, std=config.embedding_dim**-0.5)

    def hidden(
        self, token_ids: Tensor, state: TorchState | None = None
    ) -> tuple[Tensor, TorchState]:
        """Read token ids (B, T); return outputs (B, T, E), untied (B, T, H), and the last state."""
        hidden, state = self._states(token_ids, state)
        return self._outputs(hidden), state

    def _states(self, token_ids: Tensor, state: TorchState | None) -> tuple[Tensor, TorchState]:
        hidden, state = self.rnn(self._embedded(token_ids), state)
        return self.dropout(hidden), state

    def _outputs(self, hidden: Tensor) -> Tensor:
        outputs: Tensor = self.projection(hidden) if self.config.tied else hidden
        return outputs

    def logits(self, outputs: Tensor) -> Tensor:
        """Give the logits of every token: (…, E), of a model untied H, to (…, V)."""
        return self._density(F.linear(outputs, self._output_matrix(), self.output_bias))

    def forward(
        self, token_ids: Tensor, state: TorchState | None = None
    ) -> tuple[Tensor, TorchState]:
        """Read token ids (B, T); give logits (B, T, V) and the last state."""
        outputs, state = self.hidden(token_ids, state)
        return self.logits(outputs), state

    def losses(self, inputs: Tensor, targets: Tensor, pad: int) -> Tensor:
        """Give the cross-entropy in nats of every target that is not ``pad``, shape (N,)."""
        outputs, _ = self.hidden(inputs)
        return self.losses_of(outputs, targets, pad)

    def losses_of(self, outputs: Tensor, targets: Tensor, pad: int) -> Tensor:
        """Return the same for outputs (B, T, …) that ``hidden`` has computed."""
        present = targets != pad
        # Padding leaves before the largest product of the network, not after it.
        rows, wanted = outputs[present], targets[present]
        if self._is_plain_softmax() and not torch.is_grad_enabled():
            return cross_entropies(rows, self._output_matrix(), self.output_bias, wanted)
        return F.cross_entropy(self.logits(rows), wanted, reduction="none")

    def summed_loss(
        self,
        inputs: Tensor,
        wanted: Tensor,
        places: Tensor | None = None,
        state: TorchState | None = None,
    ) -> tuple[Tensor, TorchState]:
        """Read inputs (B, T); give the sum of the losses, in nats, and the last state.

        ``places`` (N,) are those of the B · T targets that count, and ``wanted`` (N,) are
        their ids; without it all count. They come from outside, because to look for them
        here would mean to wait for the device.
        """
        hidden, state = self._states(inputs, state)
        rows = hidden.flatten(0, 1)
        if places is not None:
            # Padding leaves before the largest product of the network, not after it.
            rows = rows.index_select(0, places)
        rows = self._outputs(fill_up(rows))
        if self._is_plain_softmax():
            loss = summed_cross_entropy(rows, self._output_matrix(), self.output_bias, wanted)
        else:
            loss = F.cross_entropy(self.logits(rows[: len(wanted)]), wanted, reduction="sum")
        return loss, state

    def _is_plain_softmax(self) -> bool:
        return self.config.output == "softmax" and self.config.softmax_temperature == 1

    def _output_matrix(self) -> Tensor:
        return self.embedding.weight if self.config.tied else self.output.weight

    def _embedded(self, token_ids: Tensor) -> Tensor:
        if not self.config.one_hot:
            dropped: Tensor = self.dropout(self.embedding(token_ids))
            return dropped
        # Not dropped: it would lose whole tokens.
        return F.one_hot(token_ids, self.config.vocab_size).to(self.output_bias.dtype)

    def _density(self, scores: Tensor) -> Tensor:
        """Do what ``output.logits_of`` does."""
        config = self.config
        if config.softmax_temperature != 1:
            scores = scores / config.softmax_temperature
        if config.output == "gumbel":
            # An exponential of bfloat16 would have two digits.
            wide = scores.float() if scores.dtype == torch.bfloat16 else scores
            y = (wide - wide.max(dim=-1, keepdim=True).values).clamp(min=GUMBEL_FLOOR)
            scores = (-y - torch.exp(-y)) / config.gumbel_tau
        return scores

    @torch.no_grad()
    def _begin_small(self) -> None:
        for name, weights in self.named_parameters():
            if "bias" in name:
                weights.zero_()
            else:
                weights.normal_(0, SMALL)


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
