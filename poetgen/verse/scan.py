"""Scan a poem (诗词格律检测): its form, its rhymes, and place by place what holds and what breaks.

This is the reader's side of the rules. It shares only the rhyme books and the table of tunes
with the writer's side (``schemes.py``, ``tones.py``), and so can test what that writes.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from poetgen.characters import HAN, LOST
from poetgen.config import RhymeBookName
from poetgen.errors import SettingError
from poetgen.places import did_you_mean
from poetgen.verse.faults import Fault
from poetgen.verse.regulated import (
    EITHER,
    LineReading,
    is_fault,
    read_regulated,
    resolve,
    tone_fault,
)
from poetgen.verse.repetition import missing_repeats, repeated_lines
from poetgen.verse.rhymes import RhymeBook, RhymeGroup, rhyme_book
from poetgen.verse.rhyming import End, RhymeFound, commonest_group, read_rhymes, with_borrowed
from poetgen.verse.tunes import Tune, find_tunes, tunes

UNKNOWN = "？"


@dataclass(frozen=True, slots=True)
class ScannedLine:
    """A line (句) without marks, and what was read in it.

    ``tones`` has 平 or 仄 for each character, 中 where it has both and either will do, and ？
    where the book does not have it. ``template`` is what the form asks for, 中 for either, or
    "". ``rhyme`` is a letter, a capital for a level rhyme, or "".
    """

    text: str
    tones: str
    template: str = ""
    rhyme: str = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a poem is and where it breaks the rules of that.

    ``form`` is 五绝, 七律, 五排 or the like, 五古 or 七古 for what is not regulated, the name of
    a tune, or None. ``opening`` says of regulated verse how it begins (仄起首句不入韵).
    ``remarks`` are what is unusual but accepted, such as amended lines (拗救).
    """

    form: str | None
    opening: str | None
    book: RhymeBookName
    lines: tuple[ScannedLine, ...]
    rhymes: tuple[RhymeFound, ...] = ()
    faults: tuple[Fault, ...] = ()
    remarks: tuple[Fault, ...] = ()


_LINE = re.compile(f"[{HAN}{LOST}]+")
_LENGTHS = {"五": 5, "七": 7}
_KINDS = {4: "绝", 8: "律"}
_FORM = re.compile(r"([五七])言?(绝句?|律诗?|排律?|古[体诗]?)(?:[:：](\d{1,9}))?")
_FORM_NAMES = [length + kind for length in _LENGTHS for kind in "绝律排古"]


def scan(
    text: str, book: RhymeBookName | None = None, *, form: str | None = None, strict: bool = False
) -> Scan:
    """Return the scan of one poem.

    ``book`` is pingshui by default, cilin for a tune. With ``form`` the poem is held against it,
    of a tune against the variant (体) that fits best; else its form is recognised. ``strict``
    counts as faults amended lines (拗救), 三仄尾, 借韵, and in a tune tones that are only usual.

    Raises:
        SettingError: there is no such form.
    """
    lines = _LINE.findall(text)
    if form is None:
        return _recognised(lines, book, strict)
    if matched := _FORM.fullmatch(form.strip()):
        length, kind, num_lines = matched[1], matched[2][0], int(matched[3] or 0)
        if fault := _wrong_shape(lines, _LENGTHS[length], kind, num_lines):
            return _unscanned(lines, rhyme_book(book or "pingshui"), length + kind, fault)
        if kind == "古":
            return _scan_ancient(lines, rhyme_book(book or "pingshui"), length + kind)
        return _scan_regulated(lines, rhyme_book(book or "pingshui"), length + kind, strict)
    if variants := find_tunes(form):
        sung = [
            _scan_tune(lines, rhyme_book(book or "cilin"), tune, strict)
            for tune in variants
            if _fits(lines, tune)
        ]
        if sung:
            return min(sung, key=_cost)
        tune = min(variants, key=lambda tune: abs(tune.num_chars - sum(map(len, lines))))
        fault = Fault("句数", _other_lines(lines, tune))
        return _unscanned(lines, rhyme_book(book or "cilin"), tune.name, fault)
    known = [*_FORM_NAMES, *tunes()]
    raise SettingError(
        f"There is no form {form!r}.",
        f"{did_you_mean(form, known)}Choose among: {', '.join(known)}.",
    )


def _recognised(lines: Sequence[str], book: RhymeBookName | None, strict: bool) -> Scan:
    """Return the scan of a poem by the form that it keeps best."""
    found = []
    for tune in tunes().values():
        if _fits(lines, tune):
            sung = _scan_tune(lines, rhyme_book(book or "cilin"), tune, strict)
            if _keeps_most(sung):
                found.append(sung)
    poem_book = rhyme_book(book or "pingshui")
    for length, num_chars in _LENGTHS.items():
        if len(lines) >= 4 and set(map(len, lines)) == {num_chars}:
            kind = _KINDS.get(len(lines), "排")
            if _wrong_shape(lines, num_chars, kind, 0) is None:
                regulated = _scan_regulated(lines, poem_book, length + kind, strict)
                if _means_to_be_regulated(regulated):
                    found.append(regulated)
            found = found or [_scan_ancient(lines, poem_book, f"{length}古")]
    return min(found, key=_cost, default=_unscanned(lines, poem_book))


def _cost(scan: Scan) -> tuple[int, int]:
    """Return how far a poem is from a form: what keeps the form best has the least.

    Remarks count, too, since a tune of which few poems are known has hardly a fixed tone.
    """
    return len(scan.faults) + len(scan.remarks), len(scan.faults)


def _keeps_most(scan: Scan) -> bool:
    """Return whether a poem keeps four of five tones of its tune, and three of four rhymes.

    Half of the tones would be chance.
    """
    wanted = sum(tone != EITHER for line in scan.lines for tone in line.template)
    wrong = sum(finding.kind == "平仄" for finding in scan.faults + scan.remarks)
    bad_ends = [fault for fault in scan.faults if fault.kind == "失韵"]
    num_ends = sum(len(rhyme.chars) for rhyme in scan.rhymes)
    rhymes = all(fault.line for fault in bad_ends) and 4 * len(bad_ends) <= num_ends
    return 5 * wrong <= wanted and rhymes


def _means_to_be_regulated(scan: Scan) -> bool:
    """Return whether half of the even lines of a poem rhyme and half of its lines are in order."""
    bad_ends = sum(fault.kind == "失韵" for fault in scan.faults)
    if any(fault.kind == "失韵" and fault.line is None for fault in scan.faults):
        return False
    bad_lines = {fault.line for fault in scan.faults if fault.kind not in ("失韵", "重韵")}
    return 4 * bad_ends <= len(scan.lines) and 2 * len(bad_lines) <= len(scan.lines)


def _wrong_shape(lines: Sequence[str], length: int, kind: str, num_lines: int) -> Fault | None:
    """Return the fault of a poem that has not the lines of its form; 0 is any fitting number."""
    for number, line in enumerate(lines, start=1):
        if len(line) != length:
            return Fault("句数", f"it has {len(line)} characters, not {length}", number)
    least = {"绝": 4, "律": 8, "排": 10, "古": 4}[kind]
    wanted = num_lines or (least if least in _KINDS and kind != "古" else 0)
    if wanted and len(lines) != wanted:
        return Fault("句数", f"the poem has {len(lines)} lines, not {wanted}")
    if len(lines) < least or (len(lines) % 2 and kind != "古"):
        even = "" if kind == "古" else "an even number of "
        return Fault("句数", f"the poem has {len(lines)} lines, not {even}at least {least}")
    return None


def _unscanned(
    lines: Sequence[str], book: RhymeBook, form: str | None = None, fault: Fault | None = None
) -> Scan:
    """Return a scan that shows the tones of the characters and nothing else."""
    scanned = tuple(ScannedLine(line, _tones(line, book, "")) for line in lines)
    return Scan(form, None, book.name, scanned, faults=(fault,) if fault else ())


def _tones(text: str, book: RhymeBook, template: str) -> str:
    """Return the tones of characters, those that the template asks for where they have two."""
    wishes = template or EITHER * len(text)
    readings = map(book.tones_of, text)
    return "".join(
        resolve(tones, wish) if tones else UNKNOWN
        for tones, wish in zip(readings, wishes, strict=True)
    )


def _other_lines(lines: Sequence[str], tune: Tune) -> str:
    """Return how a poem differs that has not the lines of a tune."""
    num_chars = sum(map(len, lines))
    what = (
        f"{num_chars} characters, not {tune.num_chars}"
        if num_chars != tune.num_chars
        else "no line end at each rhyme"
    )
    wanted, found = (", ".join(str(len(line)) for line in one) for one in (tune.templates, lines))
    return f"the poem has {what}; lines of {found}, {tune.name} has lines of {wanted}"


# Regulated verse, ancient verse, tunes.


def _scan_regulated(lines: Sequence[str], book: RhymeBook, form: str, strict: bool) -> Scan:
    readings = [[book.tones_of(char) for char in line] for line in lines]
    ends = [End(number, lines[number - 1][-1], "平") for number in range(2, len(lines) + 1, 2)]
    first, tones = End(1, lines[0][-1], "平"), readings[0][-1]
    options = []
    if tones == {"平"} or commonest_group(ends, book) in first.groups(book):
        options.append(True)
    if tones != {"平"}:
        options.append(False)
    first_rhymes, reading = min(
        ((option, read_regulated(lines, readings, option, strict)) for option in options),
        key=lambda one: one[1].cost,
    )
    found, broken = read_rhymes([first] * first_rhymes + ends, "A", book)
    findings = [*reading.findings, *with_borrowed(broken, first, ends, book)]
    scanned = tuple(
        ScannedLine(
            line.text,
            _without_unknown(line, book),
            line.template,
            "A" if number % 2 == 0 or (number == 1 and first_rhymes) else "",
        )
        for number, line in enumerate(reading.lines, start=1)
    )
    return Scan(
        form,
        f"{reading.heads[0]}起首句{'' if first_rhymes else '不'}入韵",
        book.name,
        scanned,
        (found,),
        _in_order(one for one in findings if is_fault(one.kind, strict)),
        _in_order(one for one in findings if not is_fault(one.kind, strict)),
    )


def _scan_tune(lines: Sequence[str], book: RhymeBook, tune: Tune, strict: bool) -> Scan:
    # Lines may be divided otherwise than usual (读破), so that places count from the beginning.
    template, letters = "".join(tune.templates), _letters(tune)
    fixed = template if strict else "".join(tune.fixed_templates)
    scanned: list[ScannedLine] = []
    ends: dict[str, list[End]] = defaultdict(list)
    faults: list[Fault] = []
    remarks = list(missing_repeats(lines, tune))
    start = 0
    for number, line in enumerate(lines, start=1):
        wanted, sure = (one[start : start + len(line)] for one in (template, fixed))
        start += len(line)
        letter = letters.get(start, "")
        tones = _tones(line, book, wanted)
        scanned.append(ScannedLine(line, tones, wanted, letter))
        # A rhyme of the wrong tone does not rhyme; that is said once, below.
        for place in range(len(line) - bool(letter)):
            if {tones[place], sure[place]} == {"平", "仄"}:
                faults.append(tone_fault(line[place], wanted[place], number, place + 1))
            elif {tones[place], wanted[place]} == {"平", "仄"}:
                remarks.append(tone_fault(line[place], wanted[place], number, place + 1, "usual"))
        if letter:
            ends[letter.upper()].append(End(number, line[-1], "平" if letter.isupper() else "仄"))
    found: list[RhymeFound] = []
    repeated = repeated_lines(lines, tune)
    for letter, group in ends.items():
        if all(end.tone == "仄" for end in group):
            letter = letter.lower()
        rhyme, broken = read_rhymes(group, letter, book, repeated=repeated)
        found.append(rhyme)
        # Several poets repeat a line.
        accepted = ("重韵",) if strict else ("重韵", "借韵")
        faults += [one for one in broken if one.kind not in accepted]
        remarks += [one for one in broken if one.kind in accepted]
    return Scan(
        tune.name,
        None,
        book.name,
        tuple(scanned),
        tuple(found),
        _in_order(faults),
        _in_order(remarks),
    )


def _fits(lines: Sequence[str], tune: Tune) -> bool:
    """Return whether a poem has the characters of a tune and a line end at each of its rhymes."""
    ends = set(accumulate(map(len, lines)))
    return max(ends, default=0) == tune.num_chars and ends >= _letters(tune).keys()


@functools.cache
def _letters(tune: Tune) -> Mapping[int, str]:
    """Return the letters of a tune's rhymes by the number of characters before their ends."""
    return {
        end: letter
        for end, letter in zip(accumulate(tune.line_lengths), tune.rhymes, strict=True)
        if letter
    }


def _scan_ancient(lines: Sequence[str], book: RhymeBook, form: str) -> Scan:
    """Return the scan of 古体: neighbouring even lines rhyme, in any tone, and may change it."""
    runs: list[tuple[set[RhymeGroup], list[int]]] = []
    for number in range(2, len(lines) + 1, 2):
        groups = {book.groups[index] for index in book.groups_of(lines[number - 1][-1])}
        if runs and runs[-1][0] & groups:
            runs[-1][0].intersection_update(groups)
            runs[-1][1].append(number)
        else:
            runs.append((groups, [number]))
    found: list[RhymeFound] = []
    faults: list[Fault] = []
    remarks: list[Fault] = []
    letters = [""] * len(lines)
    for groups, numbers in runs:
        if len(numbers) == 1:
            char = lines[numbers[0] - 1][-1]
            message = f"{char} rhymes with neither even line beside it (失韵)"
            faults.append(Fault("失韵", message, numbers[0]))
            continue
        group = min(groups, key=book.groups.index)
        letter = chr(ord("A") + len(found) % 26)
        if not found and group in [book.groups[one] for one in book.groups_of(lines[0][-1])]:
            numbers.insert(0, 1)
        rhyme, repeated = read_rhymes(
            [End(number, lines[number - 1][-1], group.tone) for number in numbers],
            letter if group.tone == "平" else letter.lower(),
            book,
        )
        found.append(rhyme)
        remarks += repeated
        for number in numbers:
            letters[number - 1] = rhyme.letter
    scanned = tuple(
        ScannedLine(line, _tones(line, book, ""), rhyme=letter)
        for line, letter in zip(lines, letters, strict=True)
    )
    return Scan(form, None, book.name, scanned, tuple(found), tuple(faults), tuple(remarks))


def _without_unknown(line: LineReading, book: RhymeBook) -> str:
    return "".join(
        tone if book.groups_of(char) else UNKNOWN
        for char, tone in zip(line.text, line.tones, strict=True)
    )


def _in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda one: (one.line or 0, one.place or 0)))
