"""Which poems are trained on and which are held out: decided by what a poem is, for ever.

A model is judged by poems that it has not seen. So the split of a poem may depend on nothing
but the poem: not on its neighbours, its script, its punctuation, or the version of a library.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Sequence
from typing import Literal, cast

from poetgen.characters import hanzi_only, mostly_han
from poetgen.corpus.variants import TABLES, fold

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

# Of 1,000 poems, about 25 are for validation and 25 for the test.
_HELD_OUT_PER_MILLE = 25


def identity(text: str) -> str:
    """Return what makes a poem this poem: its characters, whatever their script.

    Each character is replaced by the one that stands for all that a conversion may turn it
    into. Punctuation and title do not count, so the same poem has the same identity in every
    corpus it appears in.
    """
    return identities([text])[0]


def identities(texts: Sequence[str]) -> list[str]:
    """Return the identities of many poems, whose characters are looked up together."""
    folded = fold("".join(texts), "classes")
    ends = itertools.accumulate(map(len, texts))
    return [_reduced(folded[end - len(text) : end]) for text, end in zip(texts, ends, strict=True)]


def _reduced(text: str) -> str:
    hanzi = hanzi_only(text)
    if 2 * len(hanzi) >= len(text) or mostly_han(text):
        return hanzi
    return "".join(char for char in text.casefold() if char.isalnum())


def split_of(identity: str) -> Split:
    """Return the split of a poem: by a hash of its identity, so the same in every corpus.

    Some Tang poems had another identity, and so another hash, when the model that ships was
    trained. ``tables/splits.txt`` lists the split that they had then, by their new hashes, so
    that the poems held out from that model stay held out.
    """
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    kept = _kept_splits().get(digest)
    if kept is not None:
        return kept
    place = int.from_bytes(digest, "big") % 1000
    if place < _HELD_OUT_PER_MILLE:
        return "validation"
    return "test" if place < 2 * _HELD_OUT_PER_MILLE else "train"


@functools.cache
def _kept_splits() -> dict[bytes, Split]:
    lines = (TABLES / "splits.txt").read_text(encoding="ascii").splitlines()
    return {
        bytes.fromhex(digest): cast(Split, split)
        for split, *digests in map(str.split, lines)
        for digest in digests
    }
