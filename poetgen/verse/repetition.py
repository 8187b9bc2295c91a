"""Read whether a poem repeats the characters that its tune usually repeats (叠)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from poetgen.characters import LOST
from poetgen.verse.faults import Fault
from poetgen.verse.tunes import Tune


def _places(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return the line and the place in it of each character, counted from 1."""
    return [
        (number, place)
        for number, line in enumerate(lines, start=1)
        for place in range(1, len(line) + 1)
    ]


def missing_repeats(lines: Sequence[str], tune: Tune) -> Iterator[Fault]:
    """Yield a remark for each line that does not repeat what the tune usually repeats."""
    text, places = "".join(lines), _places(lines)
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for before, place in tune.repeats:
        wanted[places[place][0]].append((before, place))
    for number, pairs in wanted.items():
        found = "".join(text[place] for _, place in pairs)
        first = "".join(text[before] for before, _ in pairs)
        if found != first and not set(found + first) & set(LOST):
            message = f"{found} stands where {first} is usually repeated (叠句)"
            yield Fault("叠句", message, number, places[pairs[0][1]][1])


def repeated_lines(lines: Sequence[str], tune: Tune) -> frozenset[int]:
    """Return the numbers of the lines whose last character repeats another, as the tune asks."""
    text, places = "".join(lines), _places(lines)
    ends = set(accumulate(map(len, lines)))
    return frozenset(
        places[place][0]
        for before, place in tune.repeats
        if place + 1 in ends and text[before] == text[place]
    )
