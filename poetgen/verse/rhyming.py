"""Read which line ends of a poem rhyme, and which break the rhyme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from poetgen.characters import LOST
from poetgen.verse.faults import Fault, Kind
from poetgen.verse.rhymes import RhymeBook, Tone, rhyme_book


@dataclass(frozen=True, slots=True)
class RhymeFound:
    """The line ends that rhyme: the letter of their lines, their group, the characters."""

    letter: str
    group: str
    chars: str


class End(NamedTuple):
    """A line end that should rhyme: the number of its line, its character, the tone wanted."""

    line: int
    char: str
    tone: Tone

    def groups(self, book: RhymeBook) -> set[str]:
        """Return the names of its groups of that tone."""
        groups = (book.groups[index] for index in book.groups_of(self.char))
        return {group.name for group in groups if group.tone == self.tone}


# Divisions of 词林正韵 that Song poets mix: in the 词 from which the tunes are learned, one line
# end of twenty that should rhyme in 第六部 is in 第十一部 (人 with 清), and one of twenty that
# should in 第十八部 is in 第十七部.
MIXED = (
    frozenset({"第三部", "第五部"}),
    frozenset({"第六部", "第十一部", "第十三部"}),
    frozenset({"第七部", "第十四部"}),
    frozenset({"第十七部", "第十八部", "第十九部"}),
)


def commonest_group(ends: Iterable[End], book: RhymeBook) -> str:
    """Return the name of the group with most of the ends, or "" if there is none."""
    counts = Counter(name for end in ends for name in sorted(end.groups(book)))
    return counts.most_common(1)[0][0] if counts else ""


def read_rhymes(
    ends: Sequence[End], letter: str, book: RhymeBook, *, repeated: frozenset[int] = frozenset()
) -> tuple[RhymeFound, list[Fault]]:
    """Return the group in which most of the ends rhyme, and the faults of the others.

    Where no group has half of them, that is the only fault. The lines ``repeated`` may end with
    the character of another.
    """
    chars = "".join(end.char for end in ends)
    known = [end for end in ends if book.groups_of(end.char)]
    name, faults = commonest_group(known, book), list[Fault]()
    mixed = next((names for names in MIXED if name in names), frozenset[str]())
    if 2 * sum(bool(end.groups(book) & {name, *mixed}) for end in known) < len(known):
        message = f"{chars}: no rhyme group fits most of these line ends (失韵)"
        return RhymeFound(letter, "", chars), [Fault("失韵", message)]
    tones = {end.tone for end in ends}
    title = "/".join(one.title for one in book.groups if one.name == name and one.tone in tones)
    for index, end in enumerate(ends):
        if name not in end.groups(book) and book.groups_of(end.char):
            others = chars.replace(end.char, "")
            borrowed = end.groups(book) & mixed
            kind: Kind = "借韵" if borrowed else "失韵"
            why = "借韵: a neighbouring group" if borrowed else "失韵"
            message = f"{end.char} does not rhyme with {others} ({title}; {why})"
            faults.append(Fault(kind, message, end.line))
        elif end.char in chars[:index] and end.line not in repeated and end.char not in LOST:
            first = ends[chars.index(end.char)].line
            message = f"{end.char} ends line {first} already (重韵)"
            faults.append(Fault("重韵", message, end.line))
    return RhymeFound(letter, title, chars), faults


def with_borrowed(
    faults: Iterable[Fault], first: End, ends: Sequence[End], book: RhymeBook
) -> Iterator[Fault]:
    """Yield faults of rhyme; that of a first line in a neighbouring group is 借韵.

    Neighbours are the groups of 平水韵 that 词林正韵 has in one division.
    """
    for fault in faults:
        if fault.kind == "失韵" and fault.line == 1 and book.name == "pingshui":
            divisions = rhyme_book("cilin")
            if commonest_group(ends, divisions) in first.groups(divisions):
                message = fault.message.replace("失韵", "借韵: a neighbouring group")
                fault = Fault("借韵", message, 1)
        yield fault
