"""Which poems are trained on, and which are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from poetgen.text.bulk import find_clean_verse, hanzi_of_all
from poetgen.text.characters import hanzi_only, mostly_han
from poetgen.text.script import to_simplified

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

# Of 1,000 poems, about 25 are for validation and 25 for the test.
_HELD_OUT_PER_MILLE = 25


def identity(text: str) -> str:
    """Reduce a poem to what makes it this poem: its characters, in simplified script.

    Punctuation, script and title do not count, so the same poem has the same identity in
    every corpus it appears in.
    """
    return identity_of_simplified(to_simplified(text) if mostly_han(text) else text)


def identity_of_simplified(text: str) -> str:
    """Reduce a poem that is in simplified script already."""
    if mostly_han(text):
        return hanzi_only(text)
    return "".join(char for char in text.casefold() if char.isalnum())


def identities_of_simplified(texts: Sequence[str]) -> list[str]:
    """Reduce many poems that are in simplified script already."""
    identities = hanzi_of_all(texts)
    for index in np.flatnonzero(~find_clean_verse(texts)).tolist():
        identities[index] = identity_of_simplified(texts[index])
    return identities


def split_of(identity: str) -> Split:
    """Assign a poem to a split by a hash of its identity, whatever stands beside it."""
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    place = int.from_bytes(digest, "big") % 1000
    if place < _HELD_OUT_PER_MILLE:
        return "validation"
    return "test" if place < 2 * _HELD_OUT_PER_MILLE else "train"
