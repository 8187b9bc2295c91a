"""Tokens and their ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from poetgen.characters import is_hanzi, mostly_han
from poetgen.config import TokenKind
from poetgen.corpus.codepoints import NUM_CODEPOINTS, codepoints
from poetgen.corpus.tokens import join_tokens, split_tokens

PAD, START, END, UNK = range(4)
NUM_SPECIAL = 4

# A poem is printed on a terminal, which would obey these; half characters have no bytes.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Vocabulary:
    """The ordinary tokens of a corpus, after four special ones.

    Ids 0 to 3 are padding, start of poem, end of poem and unknown. They have no spelling,
    so that no text can ever be encoded to them by accident.
    """

    def __init__(self, tokens: Sequence[str], kind: TokenKind = "char") -> None:
        """Number ``tokens`` from 4 on, in the order given; ``kind`` says what a token is.

        Raises:
            ValueError: a token is no text, empty, a control character, or appears twice, or
                ``kind`` is unknown.
        """
        if kind not in ("char", "word"):
            raise ValueError(f"there are no tokens of kind {kind!r:.40}")
        self.kind: TokenKind = kind
        self.tokens = tuple(tokens)
        if not all(isinstance(token, str) for token in self.tokens):
            raise ValueError("its vocabulary is no list of texts")
        if _UNPRINTABLE.search("".join(self.tokens)):
            raise ValueError("its vocabulary has control characters")
        self._ids = {token: number for number, token in enumerate(self.tokens, start=NUM_SPECIAL)}
        if len(self._ids) != len(self.tokens) or "" in self._ids:
            raise ValueError("its vocabulary has an empty token or one that appears twice")

    def __len__(self) -> int:
        """Count all tokens, the special ones included."""
        return NUM_SPECIAL + len(self.tokens)

    def __contains__(self, token: object) -> bool:
        """Return whether ``token`` is an ordinary token."""
        return token in self._ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Give the id of each token; unknown ones become UNK."""
        ids = self._ids
        return [ids.get(token, UNK) for token in tokens]

    def decode(self, token_ids: Iterable[int]) -> str:
        """Spell token ids; special tokens have no spelling and leave no trace."""
        tokens = [self.tokens[i - NUM_SPECIAL] for i in token_ids if i >= NUM_SPECIAL]
        return join_tokens(tokens, self.kind)

    def encode_text(self, text: str) -> list[int]:
        """Cut a text into tokens and give their ids."""
        return self.encode(split_tokens(text, self.kind))

    def encode_texts(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode many texts: all their ids end to end, and how many each text has.

        Characters are looked up in one table for all texts at once.
        """
        if self.kind == "word":
            each = [self.encode_text(text) for text in texts]
            lengths = np.array([len(ids) for ids in each], np.int64)
            return np.array([i for ids in each for i in ids], np.int32), lengths
        lengths = np.array([len(text) for text in texts], np.int64)
        return self._table()[codepoints("".join(texts))], lengths

    def _table(self) -> NDArray[np.int32]:
        table = np.full(NUM_CODEPOINTS, UNK, np.int32)
        single = [(token, i) for token, i in self._ids.items() if len(token) == 1]
        table[[ord(token) for token, _ in single]] = [i for _, i in single]
        return table

    def token(self, token_id: int) -> str:
        """Spell one ordinary token."""
        return self.tokens[token_id - NUM_SPECIAL]

    def hanzi_mask(self) -> NDArray[np.bool_]:
        """Mark, shape (V,), the ids that stand for a Chinese character.

        Perplexity per hanzi is taken over these targets. Where most letters are hanzi, UNK is
        one, too: a model must not gain by not knowing. Words are no hanzi, however short.
        """
        mask = np.zeros(len(self), dtype=bool)
        if self.kind == "char":
            mask[UNK] = mostly_han("".join(self.tokens))
            mask[NUM_SPECIAL:] = [is_hanzi(token) for token in self.tokens]
        return mask


def count_tokens(texts: Sequence[str], kind: TokenKind = "char") -> Counter[str]:
    """Count the tokens of all texts."""
    if kind == "char":
        counts = np.bincount(codepoints("".join(texts)))
        return Counter({chr(i): int(counts[i]) for i in np.flatnonzero(counts)})
    return Counter(token for text in texts for token in split_tokens(text, kind))


def build_vocabulary(counts: Counter[str], min_count: int, kind: TokenKind = "char") -> Vocabulary:
    """Keep tokens seen at least ``min_count`` times, the most frequent first.

    Equal counts are ordered by the token itself, so that the order never depends on the
    order of the poems.
    """
    kept = [(-count, token) for token, count in counts.items() if count >= min_count]
    return Vocabulary([token for _, token in sorted(kept)], kind)
