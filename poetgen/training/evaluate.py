"""How well a model predicts poems it has not seen."""

from __future__ import annotations

import math

import torch

from poetgen.networks.torch_model import LanguageModel
from poetgen.text.batches import iter_batches
from poetgen.text.corpus import Poems
from poetgen.text.vocabulary import PAD, Vocabulary
from poetgen.training.metrics import Metrics

# Large enough to be quick, small enough for any memory.
_EVALUATION_TOKENS = 8192


@torch.no_grad()
def evaluate(model: LanguageModel, poems: Poems, vocabulary: Vocabulary) -> Metrics:
    """Measure ``model`` on all ``poems``, in float32 and without dropout."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    is_hanzi = torch.from_numpy(vocabulary.hanzi_mask()).to(device)
    # Sums in float64: at a hundred thousand terms float32 would lose the fourth digit.
    sums = torch.zeros(2, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.int64)
    for batch in iter_batches(poems, _EVALUATION_TOKENS):
        inputs, targets = (torch.from_numpy(ids).to(device) for ids in batch)
        losses = model.losses(inputs, targets, PAD).double()
        hanzi = is_hanzi[targets[targets != PAD]]
        sums += torch.stack([losses.sum(), losses[hanzi].sum()]).cpu()
        counts += torch.stack([torch.tensor(len(losses)), hanzi.sum().cpu()])
    model.train(was_training)
    num_tokens, num_hanzi = (int(count) for count in counts)
    loss = float(sums[0]) / num_tokens
    return Metrics(
        loss_per_token=loss,
        perplexity_per_token=_exp(loss),
        perplexity_per_hanzi=_exp(float(sums[1]) / num_hanzi) if num_hanzi else None,
        num_tokens=num_tokens,
        num_hanzi=num_hanzi,
    )


def _exp(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf
