"""Two well-known ways to train on Tang poems, written as they are usually written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from poetgen.corpus.corpus import Poems
from poetgen.corpus.vocabulary import PAD

# One call of such a function learns something, and tells of how many real tokens.
Step = Callable[[], int]

# The notebook's fixed length; its poems are cut there.
LENGTH = 125
_BATCH_SIZE = 128


class Net(nn.Module):
    """Embedding, two LSTM layers, output: the network of both."""

    def __init__(self, vocab_size: int, embedding_dim: int, hidden_size: int) -> None:
        """Build it as torch does by itself."""
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_size, 2, batch_first=True)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Score what follows each token: (B, T) to (B, T, V)."""
        hidden, _ = self.lstm(self.embedding(ids))
        scores: torch.Tensor = self.output(hidden)
        return scores


def classic(poems: Poems, vocab_size: int) -> Step:
    """Send one poem at a time through the network; the losses of a hundred make a step."""
    net = Net(vocab_size, embedding_dim=100, hidden_size=128)
    optimizer = torch.optim.Adam(net.parameters())
    order = iter(np.random.default_rng(0).permutation(len(poems)).tolist())

    def step() -> int:
        losses, num_tokens = [], 0
        for _ in range(100):
            ids = torch.from_numpy(poems[next(order)].astype(np.int64))
            losses.append(F.cross_entropy(net(ids[None, :-1])[0], ids[1:]))
            num_tokens += len(ids) - 1
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
        return num_tokens

    return step


class Padded:
    """Pad or cut every poem to one length, padding first, and take 128 of them at a time."""

    def __init__(self, poems: Poems, vocab_size: int) -> None:
        """Pad all poems."""
        torch.manual_seed(0)
        self._net = Net(vocab_size, embedding_dim=256, hidden_size=512)
        self._optimizer = torch.optim.Adam(self._net.parameters())
        self._loader = torch.utils.data.DataLoader(
            _padded(poems), batch_size=_BATCH_SIZE, shuffle=True
        )
        self._batches = self._epochs()

    def _epochs(self) -> Iterator[torch.Tensor]:
        while True:
            yield from self._loader

    def step(self) -> int:
        """Learn from one batch, padding included."""
        batch = next(self._batches)
        scores = self._net(batch[:, :-1])
        loss = F.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        # The first token of a poem is nobody's target but padding's.
        return int((batch != PAD).sum()) - len(batch)

    @torch.no_grad()
    def loss(self, poems: Poems) -> float:
        """Give the mean loss in nats of the real tokens of other poems."""
        total, num_tokens = 0.0, 0
        for batch in _padded(poems).split(_BATCH_SIZE):
            targets = batch[:, 1:]
            # What stands before a poem's first token predicts nothing of the poem.
            real = batch[:, :-1] != PAD
            total += float(
                F.cross_entropy(self._net(batch[:, :-1])[real], targets[real], reduction="sum")
            )
            num_tokens += int(real.sum())
        return total / num_tokens


def _padded(poems: Poems) -> torch.Tensor:
    ids = torch.full((len(poems), LENGTH), PAD)
    for number in range(len(poems)):
        poem = torch.from_numpy(poems[number][:LENGTH].astype(np.int64))
        ids[number, LENGTH - len(poem) :] = poem
    return ids
