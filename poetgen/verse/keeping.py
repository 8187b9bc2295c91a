"""How many rules of regulated verse a poem breaks, counted quickly for many drafts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from poetgen.verse.forms import FORMS, form_of_lengths
from poetgen.verse.rhymes import RhymeBookName, rhyme_book
from poetgen.verse.tones import OPENINGS, Strictness, regulated


class RuleFaults(NamedTuple):
    """The lines outside the rhyme group of most, rhyme characters used again, wrong tones."""

    rhyme: int
    same_rhyme: int
    tones: int


def rule_faults(
    lines: Sequence[str], book: RhymeBookName = "pingshui", strictness: Strictness = "loose"
) -> RuleFaults:
    """Return the faults of a poem, given as its lines: even lines should rhyme.

    Tones are held against the regulated pattern that they break least; of a poem that is
    neither 绝句 nor 律诗 they are not counted. A character that is not in the book rhymes with
    none and fits every tone.
    """
    ends = rhyme_ends(lines)
    groups = Counter(group for end in ends for group in rhyme_book(book).groups_of(end))
    return RuleFaults(
        rhyme=len(ends) - max(groups.values(), default=0),
        same_rhyme=len(ends) - len(set(ends)),
        tones=_tone_faults(lines, book, strictness),
    )


def rhyme_ends(lines: Sequence[str]) -> list[str]:
    """Return the last characters of the even lines."""
    return [line[-1] for line in lines[1::2] if line]


def _tone_faults(lines: Sequence[str], book: RhymeBookName, strictness: Strictness) -> int:
    form = form_of_lengths([len(line) for line in lines])
    if form is None:
        return 0
    tones = [rhyme_book(book).tones_of(char) for line in lines for char in line]
    least = len(tones)
    for opening in OPENINGS:
        faults, begin = 0, 0
        for patterns in regulated(opening, *FORMS[form], strictness):
            length = len(next(iter(patterns)))
            part = tones[begin : begin + length]
            faults += min(
                sum(bool(found) and tone not in found for tone, found in zip(p, part, strict=True))
                for p in patterns
            )
            begin += length
        least = min(least, faults)
    return least
