"""How well a model predicts a text: the same text for models of any vocabulary."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from poetgen.arrays import BoolArray, FloatArray
from poetgen.characters import is_hanzi, mostly_han
from poetgen.comparison.ngram import NGram
from poetgen.comparison.results import Figures
from poetgen.comparison.texts import Texts
from poetgen.corpus.codepoints import codepoints
from poetgen.corpus.corpus import Poems, encode_poems, unknown_share
from poetgen.corpus.tokens import split_tokens
from poetgen.corpus.vocabulary import END, START, UNK, Vocabulary
from poetgen.networks.model import Model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.training.evaluation import Measurable, iter_losses, perplexity_of
from poetgen.verse.pieces import UNKNOWN


class Judged(NamedTuple):
    """Figures on all texts, and the bits of the characters of each text, (number of texts,)."""

    figures: Figures
    bits: FloatArray


def judge(model: Model | NGram, texts: Texts) -> Judged:
    """Return how well a model, as its file has it, or an n-gram predicts texts.

    It reads them in its own script, with its own vocabulary.
    """
    network = model if isinstance(model, NGram) else NumpyModel(model.config, model.weights)
    return judge_network(network, model.vocabulary, model.script, texts)


def judge_network(network: Measurable, vocabulary: Vocabulary, script: str, texts: Texts) -> Judged:
    """Return how well a network of any engine, with this vocabulary and script, predicts texts."""
    read = texts.for_model(vocabulary, script)
    poems = encode_poems(read, vocabulary)
    losses = np.zeros(len(poems.tokens))
    for places, found in iter_losses(network, poems):
        losses[places] = found
    num_unknown = len(unknown_tokens(read, vocabulary))
    losses[poems.tokens == UNK] += math.log(max(1, num_unknown))
    per_token = float(losses.sum()) / poems.num_targets
    hanzi = _hanzi_of(read, poems, vocabulary)
    num_chars = sum(map(len, read))
    in_text = float(losses[poems.tokens != END].sum())
    figures = Figures(
        loss_per_token=per_token,
        perplexity_per_token=perplexity_of(per_token),
        perplexity_per_hanzi=perplexity_of(float(losses[hanzi].mean())) if hanzi.any() else None,
        bits_per_char=in_text / math.log(2) / num_chars,
        unknown_share=unknown_share(poems),
        num_unknown=num_unknown,
        num_tokens=poems.num_targets,
        num_chars=num_chars,
    )
    losses[poems.tokens == END] = 0
    return Judged(figures, np.add.reduceat(losses, poems.offsets[:-1]) / math.log(2))


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
