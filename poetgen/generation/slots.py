"""The tokens of a poem of a form, numbered: its characters and marks, and what repeats what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from poetgen.corpus.vocabulary import Vocabulary
from poetgen.verse.schemes import Form

# What a line may end with, where its form has this mark. Other marks stand for themselves.
_MARKS = {"、": "、，", "。": "。？！"}


class Slot(NamedTuple):
    """A token of the poem: a character, with its place among all of them, or a mark.

    ``copies`` are the places where the tune repeats a character of this one (叠), and ``source``
    says at such a place which one it is, as a number among all that are repeated.
    """

    line: int
    place: int | None = None
    is_last: bool = False
    marks: tuple[int, ...] = ()
    copies: tuple[int, ...] = ()
    source: int | None = None


def slots_of(form: Form, vocabulary: Vocabulary) -> Iterable[Slot]:
    """Yield the slots of a form from its first to its last."""
    sources = dict[int, int]()
    for before, place in form.repeats:
        # What is repeated may be repeated itself: 错，错，错 of 钗头凤.
        sources[place] = sources.get(before, before)
    copies = {
        source: tuple(place for place in sources if sources[place] == source)
        for source in sorted(set(sources.values()))
    }
    numbers = {source: number for number, source in enumerate(copies)}
    place = 0
    for line, (length, mark) in enumerate(zip(form.line_lengths, form.marks, strict=True)):
        for number in range(length):
            source = numbers.get(sources.get(place, -1))
            yield Slot(line, place, number == length - 1, (), copies.get(place, ()), source)
            place += 1
        known = [one for one in _MARKS.get(mark, mark) if one in vocabulary]
        yield Slot(line, marks=tuple(vocabulary.encode(known)))
