"""Duplicates: poems that are the same exactly, or except for a few variant characters.

Two poems are near-duplicates if they have equally many characters and differ in at most
one place in ten (punctuation, script and title aside). All of them are found: if two texts
differ in at most k places, then of k + 1 pieces at least one is equal in both. So each poem
is indexed under each of its pieces and compared only with poems that share one. The work
grows with the number of characters.
"""

from __future__ import annotations

import itertools
from typing import Literal

Sameness = Literal["duplicate", "near-duplicate"]

# One place in this many may differ.
_PLACES_PER_DIFFERENCE = 10


def allowed_differences(length: int) -> int:
    """Return in how many places near-duplicates of this length may differ."""
    return length // _PLACES_PER_DIFFERENCE


def num_differences(one: str, other: str) -> int:
    """Count the places in which two texts of the same length differ."""
    return sum(a != b for a, b in zip(one, other, strict=True))


class SeenPoems:
    """The poems seen so far, by their identities."""

    def __init__(self, *, near: bool) -> None:
        """Begin with none; ``near`` says whether near-duplicates are looked for, too."""
        self._near = near
        self._exact: set[str] = set()
        # The poems that share a piece. Keys are hashes of (length, place, piece): the pieces
        # themselves would take more memory than the poems, and a collision only costs a
        # comparison.
        self._sharing: dict[int, list[str]] = {}

    def add(self, identity: str) -> Sameness | None:
        """Add a poem and return None, or return how it is the same as one that was added."""
        keys = _piece_keys(identity) if self._near else []
        if (sameness := self._find(identity, keys)) is None:
            for key in keys:
                self._sharing.setdefault(key, []).append(identity)
            self._exact.add(identity)
        return sameness

    def find(self, identity: str) -> Sameness | None:
        """Return how a poem is the same as one that was added, or None."""
        return self._find(identity, _piece_keys(identity) if self._near else [])

    def _find(self, identity: str, keys: list[int]) -> Sameness | None:
        if identity in self._exact:
            return "duplicate"
        limit = allowed_differences(len(identity))
        candidates = {other for key in keys for other in self._sharing.get(key, ())}
        is_near = any(
            len(other) == len(identity) and num_differences(identity, other) <= limit
            for other in candidates
        )
        return "near-duplicate" if is_near else None


def _piece_keys(identity: str) -> list[int]:
    length = len(identity)
    num_pieces = allowed_differences(length) + 1
    if num_pieces == 1:
        return []
    edges = [length * i // num_pieces for i in range(num_pieces + 1)]
    return [
        hash((length, first, identity[first:last])) for first, last in itertools.pairwise(edges)
    ]
