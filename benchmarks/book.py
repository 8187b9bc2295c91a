"""The textbook's LSTM on the opening of The Time Machine, against a plain loop over nn.LSTM.

Both sides read the same 10,000 letters in sequential batches of 32 × 35, with two layers of 256
and SGD. Ours is the whole of ``train``, validations and files included; theirs shows what it
writes after "time traveller" every ten epochs.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import poetgen
from benchmarks.measure import compare
from poetgen.config import PrepareConfig, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.fetching.named import fetch_corpus

_NUM_CHARS = 10_000
# Validated on its first characters, as in docs/recipes.md.
_NUM_VALIDATED = 100
# Of the 500 of the recipe.
_EPOCHS = 25
_PAIRS = 3
_BATCH_SIZE, _SEQ_LEN = 32, 35
_HIDDEN_SIZE, _NUM_LAYERS = 256, 2
_RATE, _LARGEST_NORM = 2.0, 1.0
_SETTINGS = TrainConfig(
    embedding_dim=32,
    hidden_size=_HIDDEN_SIZE,
    num_layers=_NUM_LAYERS,
    tied=False,
    dropout=0.0,
    device="cpu",
    batching="sequential",
    batch_size=_BATCH_SIZE,
    seq_len=_SEQ_LEN,
    optimizer="sgd",
    learning_rate=_RATE,
    schedule="constant",
    warmup=0.0,
    grad_clip=_LARGEST_NORM,
    epochs=_EPOCHS,
)

# Of both layers: hidden and cell; None before the first letter.
_State = tuple[torch.Tensor, torch.Tensor] | None


def rows() -> Iterator[str]:
    """Compare the wall time of both, in the precision of the machine's choice and in float32."""
    (path,) = fetch_corpus("time-machine")
    text = re.sub("[^a-z]+", " ", path.read_text(encoding="utf-8").lower())[:_NUM_CHARS]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "book.txt"
        source.write_text(f"{text}\n\n{text[:_NUM_VALIDATED]}\n", encoding="utf-8")
        settings = PrepareConfig(format="prose", letters_only=True)
        corpus = build_corpus([source], "book", settings).corpus
        for precision, bound in (("auto", "below 1"), ("float32", "")):
            changed = replace(_SETTINGS, precision=precision)
            ours = functools.partial(_ours, corpus, changed, Path(folder))
            ratio = compare(ours, functools.partial(_plain_loop, text), _PAIRS)
            yield ratio.line(f"the book's LSTM, {_EPOCHS} epochs, {precision}", bound)


def _ours(corpus: Corpus, settings: TrainConfig, folder: Path) -> None:
    poetgen.train(corpus, name="book", settings=settings, folder=folder, force=True)


class _Net(nn.Module):
    """One-hot letters, an LSTM, an output layer."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.lstm = nn.LSTM(vocab_size, _HIDDEN_SIZE, _NUM_LAYERS)
        self.output = nn.Linear(_HIDDEN_SIZE, vocab_size)

    def forward(self, ids: torch.Tensor, state: _State) -> tuple[torch.Tensor, _State]:
        """Score what follows each letter: (T, B) to (T · B, V)."""
        hidden, state = self.lstm(F.one_hot(ids, self.vocab_size).float(), state)
        return self.output(hidden.flatten(0, 1)), state


def _plain_loop(text: str) -> None:
    """Train as the book does, epoch by epoch and batch by batch."""
    torch.manual_seed(0)
    letters = sorted(set(text))
    stream = torch.tensor([letters.index(letter) for letter in text])
    # One more for what is unknown.
    net = _Net(len(letters) + 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=_RATE)
    rng = np.random.default_rng(0)
    for epoch in range(_EPOCHS):
        state: _State = None
        for inputs, targets in _batches(stream, int(rng.integers(_SEQ_LEN))):
            if state is not None:
                state = state[0].detach(), state[1].detach()
            scores, state = net(inputs.T, state)
            loss = F.cross_entropy(scores, targets.T.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), _LARGEST_NORM)
            optimizer.step()
        if epoch % 10 == 9:
            _continuation(net, letters, "time traveller", 50)


def _batches(stream: torch.Tensor, offset: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield inputs and targets (B, T), which continue from batch to batch."""
    strip = (len(stream) - offset - 1) // _BATCH_SIZE
    size = strip * _BATCH_SIZE
    inputs = stream[offset : offset + size].view(_BATCH_SIZE, strip)
    targets = stream[offset + 1 : offset + 1 + size].view(_BATCH_SIZE, strip)
    for first in range(0, strip - strip % _SEQ_LEN, _SEQ_LEN):
        yield inputs[:, first : first + _SEQ_LEN], targets[:, first : first + _SEQ_LEN]


@torch.no_grad()
def _continuation(net: _Net, letters: list[str], start: str, num_chars: int) -> str:
    """Write on after ``start``, always the likeliest letter."""
    text, state = start, None
    for place in range(len(start) + num_chars - 1):
        scores, state = net(torch.tensor([[letters.index(text[place])]]), state)
        if place >= len(start) - 1:
            text += letters[int(scores[-1, : len(letters)].argmax())]
    return text
