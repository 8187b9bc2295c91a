"""The tone patterns (平仄) of regulated verse: which line may follow which, and how exactly.

A pattern is a string of 平 (level) and 仄 (oblique); in a template 中 stands for either.

There are four kinds of line. Of five characters:

    a  仄仄平平仄    A  仄仄仄平平    b  平平平仄仄    B  平平仄仄平

A line of seven has two characters more at its beginning, the second of the other tone than
the fourth. The second line of a couplet is opposed to the first (对: a B, b A), and the next
couplet adheres to it in its second character (粘: B b, A a); an opening line that rhymes ends
level instead (A B, B A).

Source: the rules as 王力, 《诗词格律》, chapter 2, states them; the kinds have his letters.
"""

from __future__ import annotations

import functools
import itertools
from typing import Literal

TONES: tuple[Literal["平", "仄"], ...] = ("平", "仄")
EITHER = "中"
# strict: one, three and five are free (一三五不论), but no 孤平, 三平尾 or 三仄尾.
# loose: also the amended lines (拗救) and 三仄尾.
Strictness = Literal["strict", "loose"]

# Of the last five characters of a line.
_STRICT = {
    "a": ("中仄中平仄",),
    "A": ("中仄仄平平",),
    "b": ("中平平仄仄",),
    # An oblique first character would leave one level tone alone (孤平), unless the third is level.
    "B": ("平平中仄平", "仄平平仄平"),
}
# 特拗: the third and fourth of b exchanged, the first level; and three oblique tones at the end.
_LOOSE = _STRICT | {"b": (*_STRICT["b"], "平平仄平仄", "中平仄仄仄")}
# 对句相救: an oblique fourth in a, made good by a level third in B.
_AMENDED = {("a", "B"): (("中仄中仄仄",), ("中平平仄平",))}

# The opening couplets: 仄起 and 平起, each without and with a rhyme in the first line.
OPENINGS = (("a", "B"), ("b", "A"), ("A", "B"), ("B", "A"))
_NEXT = {"B": ("b", "A"), "A": ("a", "B")}


def expand(template: str) -> frozenset[str]:
    """Return the patterns that a template stands for, each 中 as 平 and as 仄."""
    choices = [TONES if symbol == EITHER else (symbol,) for symbol in template]
    return frozenset(map("".join, itertools.product(*choices)))


@functools.cache
def couplet_parts(
    first: str, second: str, length: int, strictness: Strictness
) -> tuple[frozenset[str], ...]:
    """Return the patterns of a couplet of two kinds of line, each of ``length`` 5 or 7.

    Line by line, or of both together where what is right in one depends on the other.
    """
    kinds = _STRICT if strictness == "strict" else _LOOSE
    lines = _of_length(kinds[first], length), _of_length(kinds[second], length)
    if strictness == "strict" or (first, second) not in _AMENDED:
        return lines
    amended = [_of_length(templates, length) for templates in _AMENDED[first, second]]
    return (
        frozenset(one + other for pair in (lines, amended) for one in pair[0] for other in pair[1]),
    )


def _of_length(templates: tuple[str, ...], length: int) -> frozenset[str]:
    if length == 7:
        # All templates of one kind agree in their second character.
        templates = tuple(EITHER + opposite(template[1]) + template for template in templates)
    return frozenset().union(*map(expand, templates))


def opposite(tone: str) -> str:
    """Return the other tone."""
    return "仄" if tone == "平" else "平"


def regulated(
    opening: tuple[str, str], num_lines: int, length: int, strictness: Strictness
) -> tuple[frozenset[str], ...]:
    """Return the patterns of a poem that begins with ``opening``, in parts as above."""
    couplets = [opening]
    while len(couplets) < num_lines // 2:
        couplets.append(_NEXT[couplets[-1][1]])
    parts = [couplet_parts(*couplet, length, strictness) for couplet in couplets]
    return tuple(itertools.chain.from_iterable(parts))
