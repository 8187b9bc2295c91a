"""What a corpus says about its poems: title, author and dynasty of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload


class About(NamedTuple):
    """The title, the author and the dynasty of a poem; each is empty if it is not known."""

    title: str = ""
    author: str = ""
    dynasty: str = ""

    def as_line(self) -> str:
        """Return the three with tabs between them, which no clean one contains."""
        return "\t".join(self)


class Abouts(Sequence[About]):
    """What is known about the poems of one split, in their order.

    ``lines`` has one line a poem, as ``About.as_line`` writes it: three strings and a tuple
    for each poem would take twice the memory.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        """Hold ``lines``."""
        self.lines = list(lines)

    def __len__(self) -> int:
        """Return the number of poems."""
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> About: ...
    @overload
    def __getitem__(self, index: slice) -> Abouts: ...
    def __getitem__(self, index: int | slice) -> About | Abouts:
        """Return what is known about one poem, or about several."""
        if isinstance(index, slice):
            return Abouts(self.lines[index])
        return About(*self.lines[index].split("\t"))

    @property
    def num_titled(self) -> int:
        """Poems that have a title."""
        return sum(not line.startswith("\t") for line in self.lines)

    @property
    def num_authored(self) -> int:
        """Poems whose author is known."""
        return sum("\t\t" not in line for line in self.lines)

    @property
    def num_dated(self) -> int:
        """Poems whose dynasty is known."""
        return sum(not line.endswith("\t") for line in self.lines)
