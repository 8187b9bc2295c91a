"""How well a model predicts a text: the same text for models of any vocabulary."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import BoolArray
from poetgen.characters import is_hanzi, mostly_han
from poetgen.comparison.ngram import NGram
from poetgen.comparison.results import Figures
from poetgen.comparison.texts import Texts
from poetgen.corpus.codepoints import codepoints
from poetgen.corpus.corpus import Poems, encode_poems, unknown_share
from poetgen.corpus.tokens import split_tokens
from poetgen.corpus.vocabulary import END, PAD, START, UNK, Vocabulary
from poetgen.networks.model import Model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.training.batches import iter_batches
from poetgen.training.evaluation import Measurable, perplexity_of
from poetgen.verse.pieces import UNKNOWN

_BATCH_TOKENS = 4096


def judge(
    model: Model | NGram,
    texts: Texts,
    on_tokens: Callable[[int, int], object] = lambda done, total: None,
) -> Figures:
    """Return how well a model, as its file has it, or an n-gram predicts texts.

    It reads them in its own script, with its own vocabulary; ``on_tokens`` is called with the
    number of tokens measured and of all.
    """
    network = model if isinstance(model, NGram) else NumpyModel(model.config, model.weights)
    return figures_of(network, model.vocabulary, model.script, texts, on_tokens)


def figures_of(
    network: Measurable,
    vocabulary: Vocabulary,
    script: str,
    texts: Texts,
    on_tokens: Callable[[int, int], object] = lambda done, total: None,
) -> Figures:
    """Return how well a network of any engine, with this vocabulary and script, predicts texts."""
    read = texts.for_model(vocabulary, script)
    poems = encode_poems(read, vocabulary)
    losses = token_losses(network, poems, on_tokens)
    num_unknown = len(unknown_tokens(read, vocabulary))
    losses[poems.tokens == UNK] += math.log(max(1, num_unknown))
    per_token = float(losses.sum()) / poems.num_targets
    hanzi = _hanzi_of(read, poems, vocabulary)
    num_chars = sum(map(len, read))
    in_text = float(losses[poems.tokens != END].sum())
    return Figures(
        loss_per_token=per_token,
        perplexity_per_token=perplexity_of(per_token),
        perplexity_per_hanzi=perplexity_of(float(losses[hanzi].mean())) if hanzi.any() else None,
        bits_per_char=in_text / math.log(2) / num_chars,
        unknown_share=unknown_share(poems),
        num_unknown=num_unknown,
        num_tokens=poems.num_targets,
        num_chars=num_chars,
    )


def token_losses(
    network: Measurable,
    poems: Poems,
    on_tokens: Callable[[int, int], object] = lambda done, total: None,
) -> NDArray[np.float64]:
    """Return the loss in nats of each token of ``poems.tokens``, (N,); 0 for start tokens."""
    losses = np.zeros(len(poems.tokens))
    num_done = 0
    for batch in iter_batches(poems, _BATCH_TOKENS):
        inputs, targets = batch.read()
        places = batch.starts[:, None] + 1 + np.arange(batch.width)
        losses[places[targets != PAD]] = network.losses(inputs, targets, PAD)
        num_done += batch.num_targets
        on_tokens(num_done, poems.num_targets)
    return losses


def unknown_tokens(texts: Sequence[str], vocabulary: Vocabulary) -> set[str]:
    """Return the different tokens of texts that a vocabulary lacks."""
    tokens = set(itertools.chain.from_iterable(split_tokens(t, vocabulary.kind) for t in texts))
    return {token for token in tokens if token not in vocabulary}


def _hanzi_of(texts: Sequence[str], poems: Poems, vocabulary: Vocabulary) -> BoolArray:
    """Return a mask over ``poems.tokens``, (N,), of the Chinese characters of Chinese texts.

    By the text, not by the vocabulary, so that they are the same for all models. What a corpus
    no longer has, U+FFFD, is one of them. Of other texts, and of words, none is.
    """
    joined = "".join(texts)
    mask = np.zeros(len(poems.tokens), np.bool_)
    if vocabulary.kind == "char" and mostly_han(joined):
        codes, places = np.unique(codepoints(joined), return_inverse=True)
        flags = [is_hanzi(char) or char == UNKNOWN for char in map(chr, codes.tolist())]
        inside = (poems.tokens != START) & (poems.tokens != END)
        mask[inside] = np.array(flags, np.bool_)[places]
    return mask
