"""What a corpus says about its poems: title, author and dynasty of each."""

from __future__ import annotations

import functools
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

    @classmethod
    def from_line(cls, line: str) -> About:
        """Return what ``as_line`` wrote."""
        return cls(*line.split("\t"))


def has_title_and_author(line: str) -> bool:
    """Return whether neither the title nor the author is missing in a line of ``About``."""
    return line[0] != "\t" and "\t\t" not in line


class Abouts(Sequence[About]):
    """What is known about the poems of one split, in their order.

    ``text`` has a line for each poem, as ``About.as_line`` writes it: a tuple of strings for
    each would take five times the memory.
    """

    def __init__(self, text: str = "") -> None:
        """Hold lines, each with its line break."""
        self.text = text

    @classmethod
    def of_lines(cls, lines: Iterable[str]) -> Abouts:
        """Return lines without line breaks as one."""
        return cls("\n".join([*lines, ""]))

    @functools.cached_property
    def lines(self) -> list[str]:
        """The line of each poem."""
        return self.text.split("\n")[:-1]

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
            return Abouts.of_lines(self.lines[index])
        return About.from_line(self.lines[index])

    def num_known(self) -> tuple[int, int, int]:
        """Return how many poems have a title, how many an author, how many a dynasty."""
        text, num_poems = f"\n{self.text}", self.text.count("\n")
        untitled, unauthored, undated = map(text.count, ("\n\t", "\t\t", "\t\n"))
        return num_poems - untitled, num_poems - unauthored, num_poems - undated
