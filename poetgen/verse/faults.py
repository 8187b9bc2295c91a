"""What can be said against a poem, place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "句数",  # the number of lines or of their characters
    "平仄",  # a tone
    "孤平",  # one level tone alone among oblique ones, before a level rhyme
    "三平尾",  # three level tones at the end of a line
    "三仄尾",  # three oblique tones at the end of a line
    "失对",  # the second line of a couplet does not oppose the first
    "失粘",  # a couplet does not adhere to the one before it
    "失韵",  # a line end that does not rhyme
    "借韵",  # a line that rhymes with a neighbouring group only
    "叠句",  # a line, or its end, that a tune repeats
    "重韵",  # a rhyme character that stands twice
    # Amended lines (拗救): a break of the pattern that another place makes good.
    "特拗",  # 平平仄平仄 for 平平平仄仄
    "孤平拗救",  # 仄平平仄平: the third makes good the first
    "对句相救",  # an oblique fourth, made good by a level third in the next line
]

# Those of rhyme alone, and those of tones alone.
RHYME_FAULTS: frozenset[Kind] = frozenset({"失韵", "重韵"})
TONE_FAULTS: frozenset[Kind] = frozenset({"平仄", "孤平", "三平尾", "三仄尾", "失对", "失粘"})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, or a remark on what is unusual but accepted.

    ``line`` and ``place``, a character of it, count from 1; both are None of the poem as a
    whole, and ``place`` is None of a whole line.
    """

    kind: Kind
    message: str
    line: int | None = None
    place: int | None = None
