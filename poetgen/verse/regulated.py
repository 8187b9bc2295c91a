"""Read a poem as regulated verse (近体诗): which rules of tone it keeps, and where it breaks one.

This is written from the rules as a reader applies them, and shares nothing with ``tones.py``,
which states them as patterns for a writer; so one can be tested with the other.

Source: 王力, 《诗词格律》, chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from poetgen.verse.faults import Fault, Kind
from poetgen.verse.rhymes import Tone

# The tones that a character may have; of an unknown one, both.
Readings = frozenset[Tone]

EITHER = "中"
_OTHER: dict[Tone, Tone] = {"平": "仄", "仄": "平"}
_ENGLISH = {"平": "level (平)", "仄": "oblique (仄)"}
_ACCEPTED: tuple[Kind, ...] = ("特拗", "对句相救", "三仄尾", "借韵")
# A remark counts little, so that it only decides between readings that are equal otherwise.
_REMARK_COST = 0.01
# Above one wrong tone, and below two: a line with both its even places wrong is of another kind.
_RELATION_COST = 1.5


@dataclass(frozen=True, slots=True)
class LineReading:
    """A line as it was read: a tone for each character, or 中 where either will do.

    ``template`` is what a line of its kind asks for. ``is_bent`` says that the last character
    but one is oblique where level is wanted; ``can_amend``, that the next line may make good
    such a one (对句相救).
    """

    text: str
    tones: str
    template: str
    findings: tuple[Fault, ...]
    is_bent: bool
    can_amend: bool


@dataclass(frozen=True, slots=True)
class RegulatedReading:
    """A poem as it was read, or its first couplets: faults and remarks, in their order.

    ``heads`` are the tones that the second characters of the lines should have.
    """

    lines: tuple[LineReading, ...] = ()
    heads: tuple[Tone, ...] = ()
    findings: tuple[Fault, ...] = ()
    cost: float = 0.0


def read_regulated(
    lines: Sequence[str],
    readings: Sequence[Sequence[Readings]],
    first_rhymes: bool,
    strict: bool = False,
) -> RegulatedReading:
    """Return the reading of a poem with the fewest faults.

    ``lines`` are an even number, of 5 or all of 7 characters; ``readings`` has the tones of each
    character. ``first_rhymes`` says whether the first line should end level. A last character
    that should be level and is not breaks the rhyme; it is left to who checks that.
    """
    # The best readings so far: one for each tone of the head of the last line.
    best = [RegulatedReading()]
    for index in range(0, len(lines), 2):
        ends: tuple[Tone, Tone] = ("平" if index == 0 and first_rhymes else "仄", "平")
        numbers = (index, index + 1)
        pair = [
            {tone: _read_line(lines[n], readings[n], tone, end, n + 1) for tone in _OTHER}
            for n, end in zip(numbers, ends, strict=True)
        ]
        best = [
            min(
                (
                    _continued(before, first, pair[0][first], second, pair[1][second], strict)
                    for first in _OTHER
                    for before in best
                ),
                key=lambda reading: reading.cost,
            )
            for second in _OTHER
        ]
    return min(best, key=lambda reading: reading.cost)


def is_fault(kind: Kind, strict: bool) -> bool:
    """Return whether a finding is a fault, not a remark; ``strict`` accepts no amended lines.

    Only a line that makes good its own 孤平 (孤平拗救) is accepted by all.
    """
    return kind != "孤平拗救" and (strict or kind not in _ACCEPTED)


def tone_fault(
    char: str, wanted: str, line: int, place: int, how: Literal["wanted", "usual"] = "wanted"
) -> Fault:
    """Return the fault of a character that cannot have the tone that its place wants."""
    found = "仄" if wanted == "平" else "平"
    message = f"{char} is {_ENGLISH[found]}, {how} is {_ENGLISH[wanted]}"
    return Fault("平仄", message, line, place)


def resolve(readings: Readings, wanted: str) -> str:
    """Return the tone of a character: the one wanted, if it has it; 中 if either will do."""
    if wanted in readings:
        return wanted
    return EITHER if len(readings) != 1 else min(readings)


def _continued(
    before: RegulatedReading,
    first: Tone,
    first_line: LineReading,
    second: Tone,
    second_line: LineReading,
    strict: bool,
) -> RegulatedReading:
    """Return a reading with one couplet more, whose lines have these heads."""
    number = len(before.lines) + 1
    new = list(first_line.findings)
    if before.heads and before.heads[-1] != first:
        new.append(_relation("失粘", number))
    if first_line.is_bent:
        new.append(_bent(first_line, number, second_line.can_amend))
    if first == second:
        new.append(_relation("失对", number + 1))
    new += second_line.findings
    return RegulatedReading(
        (*before.lines, first_line, second_line),
        (*before.heads, first, second),
        (*before.findings, *new),
        before.cost + sum(_cost(finding.kind, strict) for finding in new),
    )


def _cost(kind: Kind, strict: bool) -> float:
    if kind in ("失对", "失粘"):
        return _RELATION_COST
    return 1.0 if is_fault(kind, strict) else _REMARK_COST


def _relation(kind: Kind, number: int) -> Fault:
    if kind == "失对":
        message = "the tones of the even characters do not oppose the line before (失对)"
    else:
        message = "the tones of the even characters do not adhere to the line before (失粘)"
    return Fault(kind, message, number)


def _bent(line: LineReading, number: int, is_amended: bool) -> Fault:
    place = len(line.text) - 1
    char = line.text[-2]
    if is_amended:
        message = f"{char} is oblique (仄); the next line makes it good (对句相救)"
        return Fault("对句相救", message, number, place)
    return tone_fault(char, "平", number, place)


def _read_line(
    text: str, readings: Sequence[Readings], head: Tone, end: Tone, number: int
) -> LineReading:
    """Return a line as one whose second and last characters should have these tones."""
    # The second and the fourth of the last five, which are opposed (二四六分明).
    second = head if len(text) == 5 else _OTHER[head]
    fourth = _OTHER[second]
    # The others are free (一三五不论), but no three alike end a line, and where an oblique
    # fourth stands before a level end, the level second is not alone (孤平).
    third = _OTHER[fourth] if fourth == end else EITHER
    guards_level = fourth == "仄" and end == "平"
    first = "平" if guards_level else EITHER
    template = (EITHER + head) * (len(text) == 7) + first + second + third + fourth + end

    is_special = fourth == end == "仄" and "仄" not in readings[-2] and "平" in readings[-2]
    wishes = list(template)
    if is_special:
        wishes[-5:-2] = "平平仄"
    elif guards_level:
        wishes[-3] = "平"
    tones = "".join(map(resolve, readings, wishes))

    wrong = {place for place in range(1, len(text) - 1, 2) if _clash(tones, template, place)}
    if end == "仄" and _clash(tones, template, len(text) - 1):
        wrong.add(len(text) - 1)
    findings = []
    is_bent = fourth == "平" and end == "仄" and len(text) - 2 in wrong
    is_special = is_special and tones[-5] != "仄" and tones[-3] != "平"
    if is_bent or is_special:
        wrong.remove(len(text) - 2)
    if is_special:
        message = f"{text[-3:-1]} are exchanged: 平平仄平仄 for 平平平仄仄 (特拗)"
        findings.append(Fault("特拗", message, number, len(text) - 2))
    elif fourth == end and tones[-3:] == end * 3:
        kind: Kind = "三平尾" if end == "平" else "三仄尾"
        message = f"{text[-3:]} are all {_ENGLISH[end]}: three at the end ({kind})"
        findings.append(Fault(kind, message, number, len(text) - 2))
    if guards_level and tones.endswith(("仄平仄仄平", "仄平仄仄仄")):
        message = f"{text[-4]} is the only level character before the end (孤平)"
        findings.append(Fault("孤平", message, number, len(text) - 3))
    elif guards_level and tones.endswith(("仄平平仄平", "仄平平仄仄")):
        message = f"{text[-5]} is oblique (仄); {text[-3]} makes it good (孤平拗救)"
        findings.append(Fault("孤平拗救", message, number, len(text) - 4))
    findings += [tone_fault(text[place], template[place], number, place + 1) for place in wrong]
    findings.sort(key=lambda one: one.place or 0)
    can_amend = guards_level and tones[-3] == "平"
    return LineReading(text, tones, template, tuple(findings), is_bent, can_amend)


def _clash(tones: str, template: str, place: int) -> bool:
    return {tones[place], template[place]} == {"平", "仄"}
