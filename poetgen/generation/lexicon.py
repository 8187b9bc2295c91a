"""A vocabulary as verse sees it: which tokens are level or oblique, and which rhyme."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from poetgen.arrays import BoolArray
from poetgen.characters import is_hanzi
from poetgen.config import RhymeBookName
from poetgen.corpus.vocabulary import NUM_SPECIAL, Vocabulary
from poetgen.verse.rhymes import RhymeBook, rhyme_book
from poetgen.verse.tones import EITHER, TONES


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Arrays over a vocabulary (V,), and over the groups of a rhyme book (G, V).

    They have the usual readings, by which a poem is written; a character that stands fixed in
    it may have any other.

    ``tones`` has a mask for 平, for 仄, and for 中, which is any Chinese character.
    ``groups`` are, for each token, the groups of its usual readings as the bits of a number.
    """

    vocabulary: Vocabulary
    book: RhymeBook
    tone_book: RhymeBook
    tones: dict[str, BoolArray]
    rhymes: BoolArray
    groups: tuple[int, ...]

    def group_at(self, group: int, label: str) -> int | None:
        """Return the group in which a line rhymes with ``group``: "a" wants the other tone."""
        return group if label.isupper() else self._other_tone[group]

    @functools.cached_property
    def _other_tone(self) -> tuple[int | None, ...]:
        """For each group that of the same name in the other tone, if the book has one."""
        places = {(group.name, group.tone): i for i, group in enumerate(self.book.groups)}
        return tuple(
            places.get((group.name, "仄" if group.tone == "平" else "平"))
            for group in self.book.groups
        )

    def tones_of(self, token_id: int, is_fixed: bool) -> frozenset[str]:
        """Return the tones that a token can have: both where they are not known."""
        if is_fixed:
            found = frozenset[str](self.tone_book.tones_of(self.vocabulary.token(token_id)))
        else:
            found = frozenset(tone for tone in TONES if self.tones[tone][token_id])
        return found or frozenset(TONES)

    def groups_of(self, token_id: int, is_fixed: bool) -> int:
        """Return the groups in which a token can rhyme, as the bits of a number."""
        if is_fixed:
            return sum(1 << i for i in self.book.groups_of(self.vocabulary.token(token_id)))
        return self.groups[token_id]


def bits(number: int) -> list[int]:
    """Return the places of the bits of a number that are set."""
    return [place for place in range(number.bit_length()) if number >> place & 1]


@functools.lru_cache(maxsize=4)
def lexicon_of(vocabulary: Vocabulary, book_name: RhymeBookName) -> Lexicon:
    """Return the usual tones and rhymes of a vocabulary.

    The tones are those of 平水韵, which has more characters than 词林正韵, but modern ones
    under the modern book.
    """
    book = rhyme_book(book_name)
    tone_book = book if book_name == "new" else rhyme_book("pingshui")
    num_tokens = len(vocabulary)
    tones = {tone: np.zeros(num_tokens, np.bool_) for tone in (*TONES, EITHER)}
    rhymes = np.zeros((len(book.groups), num_tokens), np.bool_)
    groups = [0] * num_tokens
    for token_id, token in enumerate(vocabulary.tokens, start=NUM_SPECIAL):
        if not is_hanzi(token):
            continue
        tones[EITHER][token_id] = True
        for tone in tone_book.usual_tones_of(token):
            tones[tone][token_id] = True
        for group in book.usual_groups_of(token):
            rhymes[group, token_id] = True
            groups[token_id] |= 1 << group
    return Lexicon(vocabulary, book, tone_book, tones, rhymes, tuple(groups))
