"""Choices of readers: which of six next lines they like best, at 8,000 places in poems.

``choices.txt.xz`` has one place a line, its parts separated by tabs: title, form, number of the
line and of all lines (3/4), what stands before, and six lines that ``tang`` could have gone on
with, from the best to the worst, with spaces between. ``choices_ci.txt.xz`` has 2,400 places in
词 of ``ci``. docs/poets.md says who chose.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from poetgen.corpus.vocabulary import START, Vocabulary
from poetgen.generation.occasion import Occasion
from poetgen.networks.torch_model import LanguageModel
from poetgen.verse.score import ChoiceJudge

FILE = Path(__file__).with_name("choices.txt.xz")
CI_FILE = Path(__file__).with_name("choices_ci.txt.xz")
# So many places are read at once, of one length each.
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a poem, and what may follow there, the best first."""

    title: str
    form: str
    before: str
    lines: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """The beginnings of the poem, each with one of the lines."""
        return [self.before + line for line in self.lines]


def read_places(path: Path = FILE) -> list[Place]:
    """Return all places."""
    places = []
    for row in lzma.decompress(path.read_bytes()).decode("utf-8").splitlines():
        title, form, _, before, lines = row.split("\t")
        places.append(Place(title, form, before, tuple(lines.split())))
    return places


@dataclass(frozen=True, slots=True)
class Batch:
    """Places where as much has been written, and as much follows: B of them, each with six lines.

    Args:
        numbers: which they are.
        before: ids (B, T) of the occasion, the start token and what is written.
        lines: ids (B, 6, L).
    """

    numbers: Sequence[int]
    before: Tensor
    lines: Tensor


def batches_of(places: Sequence[Place], vocabulary: Vocabulary) -> list[Batch]:
    """Return the places in batches without padding."""
    alike: dict[tuple[int, int], list[tuple[int, list[int], list[list[int]]]]] = {}
    for number, place in enumerate(places):
        title, form = vocabulary.encode(place.title), vocabulary.encode(place.form)
        occasion = Occasion(vocabulary, title=tuple(title), form=tuple(form))
        before = [*occasion.token_ids, START, *vocabulary.encode(place.before)]
        lines = [vocabulary.encode(line) for line in place.lines]
        alike.setdefault((len(before), len(lines[0])), []).append((number, before, lines))
    found = []
    for rows in alike.values():
        for first in range(0, len(rows), _BATCH):
            part = rows[first : first + _BATCH]
            numbers_of, before_of, lines_of = zip(*part, strict=True)
            found.append(Batch(numbers_of, torch.tensor(before_of), torch.tensor(lines_of)))
    return found


def log_probabilities(model: LanguageModel, batch: Batch) -> Tensor:
    """Return the natural log-probability (B, 6, L) of each token of each line."""
    num_places, num_lines, length = batch.lines.shape
    _, state = model.hidden(batch.before[:, :-1])
    state = tuple(part.repeat_interleave(num_lines, dim=1) for part in state)
    lines = batch.lines.flatten(0, 1)
    last = batch.before[:, -1:].repeat_interleave(num_lines, dim=0)
    hidden, _ = model.hidden(torch.cat([last, lines[:, :-1]], dim=1), state)
    found = model.logits(hidden).float().log_softmax(-1).gather(2, lines[..., None])
    return found.view(num_places, num_lines, length)


def scores_of(judge: ChoiceJudge, places: Sequence[Place], batch: Batch, heard: Tensor) -> Tensor:
    """Return the scores (B, 6) of the lines whose tokens have the log-probabilities ``heard``.

    They are in nats a poem, and without the likelihood of what stands before.
    """
    found = []
    for number, tokens in zip(batch.numbers, heard, strict=True):
        texts = places[number].texts
        ends, num_chars = tokens[:, -2].numpy(), sum(char.isalpha() for char in texts[0])
        scores = judge.scores(texts, tokens.sum(-1).numpy(), ends)
        found.append(torch.from_numpy(scores * num_chars).float())
    return torch.stack(found)


def ranking_loss(values: Tensor) -> Tensor:
    """Return the mean loss of values (B, 6) whose order should be falling, in nats.

    It is the negative log-likelihood of the order under the model of Plackett and Luce, in which
    one after the other is drawn, each in proportion to the exponential of its value.
    """
    rest = values.flip(-1).logcumsumexp(-1).flip(-1)
    return (rest - values).sum(-1).mean()
