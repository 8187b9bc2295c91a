"""Tune a model to choices of readers: the last step of the training of ``tang``, ``song``, ``ci``.

    poetgen prepare tang --vocabulary MODEL
    python -m tools.tune_to_choices MODEL tang TUNED
    python -m tools.tune_to_choices MODEL ci TUNED tools/choices_ci.txt.xz

What readers like better at a place (tools/choices.py) is to have the higher score, by which
drafts are judged. Of that score the likelihood alone can learn. So that the model keeps what it
knows, it goes on reading poems of the corpus, and in the end goes but half of the way: all the way
readers like its poems less, and it predicts real ones worse (docs/poets.md). Twenty minutes.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poetgen import load_poet
from poetgen.corpus.folder import load_corpus
from poetgen.corpus.occasions import occasions_of
from poetgen.corpus.vocabulary import PAD
from poetgen.generation.poet import Poet
from poetgen.networks.model import Model
from poetgen.networks.model_file import save_model
from poetgen.networks.torch_model import LanguageModel, build, weights_of
from poetgen.places import find_corpus
from poetgen.training.batches import Batch as PoemBatch
from poetgen.training.batches import Epoch, PoemBatching
from poetgen.verse.score import ChoiceJudge, Weights
from tools.choices import (
    Batch,
    Place,
    batches_of,
    log_probabilities,
    ranking_loss,
    read_places,
    scores_of,
)

SEED = 0
EPOCHS = 2
RATE = 4e-4
WARM_UP = 20
# A nat of the score of a poem, in units of the ranking loss.
SHARPNESS = 0.1
# How much the loss of real poems counts, in nats a token, and how many tokens of them are read at
# each step.
KEEP = 0.5
POEM_TOKENS = 1024
# At a step so many places are read, or a few more.
STEP_PLACES = 40
# How far the weights go, from those of before to the tuned ones.
SHARE = 0.5

# Some places, what is heard of their lines before tuning, and their scores.
Judged = tuple[Batch, Tensor, Tensor]


def main() -> None:
    """Tune the model that is named first, and write it where the third argument says."""
    before, corpus_name, path, *choices = sys.argv[1:]
    poet = load_poet(before)
    corpus = load_corpus(find_corpus(corpus_name))
    vocabulary, poems = poet.model.vocabulary, corpus.splits["train"]
    if corpus.vocabulary.tokens != vocabulary.tokens:
        raise ValueError(f"prepare {corpus_name} with --vocabulary {before}")
    occasions = occasions_of(poems, corpus.about("train"), vocabulary)
    real = PoemBatching(poems, POEM_TOKENS, occasions).epoch(np.random.default_rng(SEED))
    save_model(tune(poet, read_places(*map(Path, choices)), real), Path(path))


def tune(poet: Poet, places: Sequence[Place], poems: Epoch) -> Model:
    """Return the model of a poet, half of the way to what was chosen at the places."""
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    model = build(poet.model.config, poet.model.weights)
    batches = [
        (batch, *judged(model, poet, places, batch))
        for batch in batches_of(places, poet.model.vocabulary)
    ]
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.99))
    steps = [step for _ in range(EPOCHS) for step in in_steps(rng.sample(batches, len(batches)))]
    for number, (known, real) in enumerate(zip(steps, cycle(poems), strict=False)):
        rate = RATE * min(1, (number + 1) / WARM_UP) * (1 - number / len(steps))
        optimizer.param_groups[0]["lr"] = rate
        num_places = sum(len(batch.numbers) for batch, _, _ in known)
        with torch.autocast("cpu", torch.bfloat16):
            loss = KEEP * _poem_loss(model, real)
            for batch, before, scores in known:
                gained = _heard(log_probabilities(model, batch)) - before
                share = len(batch.numbers) / num_places
                loss = loss + share * ranking_loss(SHARPNESS * (scores + gained))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if number % 20 == 0:
            print(f"step {number} of {len(steps)}: loss {loss.item():.3f}", flush=True)
    weights = weights_of(model)
    mixed = {
        name: (1 - SHARE) * np.asarray(old, np.float32) + SHARE * weights[name]
        for name, old in poet.model.weights.items()
    }
    # How well it predicts the held-out poems now is not known here.
    return replace(poet.model, weights=mixed, validation=None, validation_given=None)


def in_steps(batches: Iterable[Judged]) -> Iterator[list[Judged]]:
    """Divide batches into steps of about as many places each."""
    step: list[Judged] = []
    for judged_batch in batches:
        step.append(judged_batch)
        if sum(len(batch.numbers) for batch, _, _ in step) >= STEP_PLACES:
            yield step
            step = []
    if step:
        yield step


@torch.no_grad()
def judged(
    model: LanguageModel, poet: Poet, places: Sequence[Place], batch: Batch
) -> tuple[Tensor, Tensor]:
    """Return what is heard of the lines (B, 6) before tuning, and their scores, in nats a poem."""
    if poet.model.choice is None:
        raise ValueError("the model has no index to choose by")
    # What readers were shown may stand in the poems that this model has read.
    judge = ChoiceJudge(poet.model.choice, novel=False)
    heard = log_probabilities(model, batch)
    return _heard(heard), scores_of(judge, places, batch, heard)


def _heard(tokens: Tensor) -> Tensor:
    """Return what the score of a poem takes from the log-probabilities (B, 6, L) of a line."""
    return tokens.sum(-1) + Weights().ends * tokens[..., -2]


def _poem_loss(model: LanguageModel, poems: PoemBatch) -> Tensor:
    """Return the mean loss of poems and what is said of them, in nats a token."""
    inputs, targets = map(torch.from_numpy, poems.read())
    is_known = (targets != PAD).flatten()
    wanted = targets.flatten()[is_known]
    loss, _ = model.summed_loss(inputs, wanted, is_known.nonzero().squeeze(1))
    return loss / poems.num_targets


if __name__ == "__main__":
    main()
