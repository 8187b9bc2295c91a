"""What a learner sees of a model while it learns."""

from __future__ import annotations

import numpy as np
import torch

from poetgen.config import SampleConfig
from poetgen.generation.decode import generate, poem_rngs
from poetgen.generation.torch_stepper import TorchStepper
from poetgen.networks.torch_model import LanguageModel
from poetgen.text.corpus import Corpus
from poetgen.text.vocabulary import NUM_SPECIAL

# The starts of the course reports, so that models can be compared by eye.
STARTS = "日红山夜湖海月君"
_SAMPLING = SampleConfig(temperature=0.8, max_chars=64)
_LINE_CHARS = 24
# One column wide on the screen would misalign with hanzi; this one is as wide as they are.
_NO_CHARACTER = "＿"


def sample_poems(model: LanguageModel, corpus: Corpus, seed: int) -> list[str]:
    """Write one poem from each of the eight fixed starts that the vocabulary knows.

    The same seed gives the same draws, so that poems at different steps differ by what
    was learned and not by chance. For a corpus without these characters, three poems
    begin freely.
    """
    starts = [start for start in STARTS if start in corpus.vocabulary] or [""] * 3
    model.eval()
    stepper = TorchStepper(model)
    poems = []
    for number, start in enumerate(starts):
        rngs = poem_rngs(seed, 1, first=number)
        (token_ids,) = generate(stepper, corpus.vocabulary.encode(start), _SAMPLING, rngs)
        poems.append(corpus.vocabulary.decode(token_ids))
    model.train()
    return poems


@torch.no_grad()
def guess_line(model: LanguageModel, corpus: Corpus, number: int) -> tuple[str, str]:
    """Show a real held-out line and, place by place, what the model finds likeliest there."""
    poems = corpus.splits["validation"]
    # A step that shares no factor with most sizes walks through all poems.
    token_ids = np.asarray(poems[number * 7919 % len(poems)][: _LINE_CHARS + 1], np.int64)
    model.eval()
    inputs = torch.from_numpy(token_ids[None, :-1]).to(next(model.parameters()).device)
    logits, _ = model(inputs)
    likeliest = logits[0].argmax(dim=-1).tolist()
    model.train()
    return _spell(corpus, token_ids[1:].tolist()), _spell(corpus, likeliest)


def _spell(corpus: Corpus, token_ids: list[int]) -> str:
    chars = (corpus.vocabulary.token(i) if i >= NUM_SPECIAL else _NO_CHARACTER for i in token_ids)
    return "".join(chars).replace("\n", " ")
