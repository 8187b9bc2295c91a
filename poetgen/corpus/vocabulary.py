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
# What may be said about a poem before it begins, in this order.
FIELDS = ("author", "keyword", "title", "form")
# Longer titles tell a story of their own; one in fifty is.
MAX_TITLE = 24

# Control characters would act on a terminal, and lone surrogates cannot be written.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Vocabulary:
    """The ordinary tokens of a corpus, after four special ones.

    Ids 0 to 3 are padding, start of poem, end of poem and unknown. They have no spelling,
    so that no text can be encoded to them by accident.
    """

    def __init__(
        self, tokens: Sequence[str], kind: TokenKind = "char", fields: Sequence[str] = ()
    ) -> None:
        """Number ``tokens`` from 4 on, in the order given; ``kind`` says what a token is.

        After them come the marks of ``fields``, each of which begins what is said about a
        poem (its author, its title) before the poem itself. They have no spelling either.

        Raises:
            ValueError: ``kind`` or a field is unknown, or a token is not a string, empty, a
                control character, or there twice. Who reads a file says which one it is.
        """
        if kind not in ("char", "word"):
            raise ValueError(f"its vocabulary has tokens of an unknown kind {kind!r:.40}")
        self.kind: TokenKind = kind
        self.tokens = tuple(tokens)
        if not all(isinstance(token, str) for token in self.tokens):
            raise ValueError("its vocabulary is not a list of strings")
        if _UNPRINTABLE.search("".join(self.tokens)):
            raise ValueError("its vocabulary has control characters")
        self._ids = {token: number for number, token in enumerate(self.tokens, start=NUM_SPECIAL)}
        if len(self._ids) != len(self.tokens) or "" in self._ids:
            raise ValueError("its vocabulary has an empty token or one that appears twice")
        if tuple(fields) not in ((), FIELDS):
            raise ValueError(f"its fields are unknown: {fields!r:.60}")
        self.fields = tuple(fields)

    def __len__(self) -> int:
        """Return the number of tokens, special ones and fields included."""
        return NUM_SPECIAL + len(self.tokens) + len(self.fields)

    def with_fields(self) -> Vocabulary:
        """Return this vocabulary with a mark for each field."""
        return Vocabulary(self.tokens, self.kind, FIELDS)

    def field_id(self, field: str) -> int:
        """Return the id of the mark that begins a field."""
        return NUM_SPECIAL + len(self.tokens) + self.fields.index(field)

    @property
    def is_chinese(self) -> bool:
        """Whether most letters of its tokens, characters or words, are Chinese characters."""
        return mostly_han("".join(self.tokens))

    @property
    def has_verse_marks(self) -> bool:
        """Whether its tokens are characters, with the marks that the forms of verse have."""
        return self.kind == "char" and "，" in self and "。" in self

    @property
    def unwritten(self) -> list[int]:
        """The ids that are in no poem: padding, start, unknown, and the marks of fields."""
        return [PAD, START, UNK, *map(self.field_id, self.fields)]

    @property
    def ordinary(self) -> slice:
        """The ids of the tokens that have a spelling, in the order of ``tokens``."""
        return slice(NUM_SPECIAL, NUM_SPECIAL + len(self.tokens))

    def is_ordinary(self, token_id: int) -> bool:
        """Return whether an id stands for a token that has a spelling."""
        return NUM_SPECIAL <= token_id < NUM_SPECIAL + len(self.tokens)

    def __contains__(self, token: object) -> bool:
        """Return whether ``token`` is an ordinary token."""
        return token in self._ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Return the id of each token, UNK for unknown ones."""
        ids = self._ids
        return [ids.get(token, UNK) for token in tokens]

    def decode(self, token_ids: Iterable[int]) -> str:
        """Return the text of token ids; those without a spelling are left out."""
        tokens = [self.tokens[i - NUM_SPECIAL] for i in token_ids if self.is_ordinary(i)]
        return join_tokens(tokens, self.kind)

    def encode_text(self, text: str) -> list[int]:
        """Return the ids of the tokens of a text."""
        return self.encode(split_tokens(text, self.kind))

    def encode_texts(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the ids of many texts, end to end, and how many each text has, shape (N,)."""
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
        """Return the spelling of an ordinary token."""
        return self.tokens[token_id - NUM_SPECIAL]

    def hanzi_mask(self) -> NDArray[np.bool_]:
        """Return a mask, shape (V,), of the ids that stand for a Chinese character.

        Perplexity per hanzi is measured on these targets. Where most letters are hanzi, UNK
        counts as one, so that a model gains nothing by not knowing. Words never count.
        """
        mask = np.zeros(len(self), dtype=bool)
        if self.kind == "char":
            mask[UNK] = self.is_chinese
            mask[self.ordinary] = [is_hanzi(token) for token in self.tokens]
        return mask


def count_tokens(texts: Sequence[str], kind: TokenKind = "char") -> Counter[str]:
    """Return how often each token occurs in all texts."""
    if kind == "char":
        counts = np.zeros(NUM_CODEPOINTS, np.int64)
        # In parts, so that memory never holds a second copy of everything.
        for begin in range(0, len(texts), 20_000):
            part = codepoints("".join(texts[begin : begin + 20_000]))
            counts += np.bincount(part, minlength=NUM_CODEPOINTS)
        return Counter({chr(i): int(counts[i]) for i in np.flatnonzero(counts)})
    return Counter(token for text in texts for token in split_tokens(text, kind))


def build_vocabulary(counts: Counter[str], min_count: int, kind: TokenKind = "char") -> Vocabulary:
    """Return the tokens seen at least ``min_count`` times, the most frequent first.

    Equal counts are ordered by the token itself, so that the order of the poems has no
    influence.
    """
    kept = [(-count, token) for token, count in counts.items() if count >= min_count]
    return Vocabulary([token for _, token in sorted(kept)], kind)
