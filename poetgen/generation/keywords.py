"""Keywords: what makes it likelier that a text has the words that it is to be about."""

from __future__ import annotations

from collections.abc import Sequence

from poetgen.arrays import FloatArray

# A word that has begun goes on by so many nats more readily than it began.
_GOES_ON = 2.0


def raise_keywords(
    logits: FloatArray,
    texts: Sequence[Sequence[int]],
    keywords: Sequence[Sequence[int]],
    strength: float,
) -> FloatArray:
    """Return a copy of logits (B, V) in which the keywords that a text lacks are likelier.

    The first token of each is raised by ``strength``, in nats; after the beginning of one its
    next token, by more. ``texts`` are the token ids so far, one text a row.
    """
    raised = logits.copy()
    for row, text in enumerate(texts):
        for word in keywords:
            if not _stands_in(text, word):
                begun = _begun(text, word)
                raised[row, word[begun]] += strength + _GOES_ON * (begun > 0)
    return raised


def _stands_in(text: Sequence[int], word: Sequence[int]) -> bool:
    starts = range(len(text) - len(word) + 1)
    return any([*text[start : start + len(word)]] == [*word] for start in starts)


def _begun(text: Sequence[int], word: Sequence[int]) -> int:
    """Return how many tokens of a word a text ends with, fewer than all."""
    sizes = range(min(len(word) - 1, len(text)), 0, -1)
    return next((size for size in sizes if [*text[-size:]] == [*word[:size]]), 0)
