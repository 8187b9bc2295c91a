"""The answers of the readers of a sheet, and their score."""

from __future__ import annotations

import csv
import io
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pairs import SIDES
from poetgen.errors import InputError

# The criteria of Zhang and Lapata (2014), "Chinese Poetry Generation with Recurrent Neural
# Networks".
MARKS = ("fluency", "coherence", "meaning", "poeticness")
COLUMNS = ("pair", "real", *(f"{mark}_{side.lower()}" for side in SIDES for mark in MARKS))
_MARK = re.compile(r"[1-4](\.[0-9]+)?|5(\.0+)?")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader says of a pair: which is real, and the marks of both, as ``MARKS``."""

    pair: int
    real_side: str
    marks: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Score:
    """How many real poems were found, and the mean marks of ours and of the real ones."""

    num_pairs: int
    num_found: int
    ours: Mapping[str, float]
    real: Mapping[str, float]


def read_text(path: Path) -> str:
    """Return the text of a file that an editor or a spreadsheet wrote.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Give a text file (UTF-8).") from error


def read_answers(path: Path, num_pairs: int) -> list[Answer]:
    """Return the answers of one reader, ordered by pair.

    Raises:
        InputError: the file cannot be read, a line is malformed, or a pair is missing.
    """
    reader = csv.reader(io.StringIO(read_text(path)))
    if tuple(map(str.strip, next(reader, []))) != COLUMNS:
        raise InputError(
            f"{path}, line 1: these are not the columns of answers.",
            f"Begin the file with {','.join(COLUMNS)}",
        )
    found: dict[int, Answer] = {}
    for row in reader:
        cells = list(map(str.strip, row))
        if not any(cells):
            continue
        fault = _fault(cells, num_pairs)
        if fault is None and int(cells[0]) in found:
            fault = f"pair {cells[0]} is there already"
        if fault is not None:
            raise InputError(f"{path}, line {reader.line_num}: {fault}.", "Correct this line.")
        answer = _answer(cells)
        found[answer.pair] = answer
    if missing := set(range(1, num_pairs + 1)) - found.keys():
        raise InputError(
            f"{path} has no answer for {len(missing)} of {num_pairs} pairs: the first is pair "
            f"{min(missing)}.",
            "Answer all pairs of the sheet.",
        )
    return [found[number] for number in sorted(found)]


def _fault(cells: Sequence[str], num_pairs: int) -> str | None:
    """Return what is wrong with a line of answers, or None."""
    if len(cells) != len(COLUMNS):
        return f"it has {len(cells)} cells, not {len(COLUMNS)}"
    number, side, *marks = cells
    if number not in map(str, range(1, num_pairs + 1)):
        return f"the sheet has no pair {number!r}"
    if side.upper() not in SIDES:
        return f"real is {side!r}, not A or B"
    for name, mark in zip(COLUMNS[2:], marks, strict=True):
        if not _MARK.fullmatch(mark):
            return f"{name} is {mark!r}, not a number from 1 to 5"
    return None


def _answer(cells: Sequence[str]) -> Answer:
    number, side, *marks = cells
    values = list(map(float, marks))
    by_side = {"A": values[: len(MARKS)], "B": values[len(MARKS) :]}
    return Answer(int(number), side.upper(), by_side)


def score(answers: Sequence[Answer], real_sides: Sequence[str]) -> Score:
    """Return the score of answers; ``real_sides`` has A or B for each pair of the sheet."""
    rows = [(one, real_sides[one.pair - 1]) for one in answers]

    def means(rows: Sequence[Sequence[float]]) -> dict[str, float]:
        return dict(zip(MARKS, map(statistics.fmean, zip(*rows, strict=True)), strict=True))

    return Score(
        num_pairs=len(rows),
        num_found=sum(answer.real_side == side for answer, side in rows),
        ours=means([answer.marks["B" if side == "A" else "A"] for answer, side in rows]),
        real=means([answer.marks[side] for answer, side in rows]),
    )


def table(scores: Mapping[str, Score]) -> Iterator[str]:
    """Yield a Markdown table of scores by name, the marks as ours / real."""
    yield f"| ours / real | real found | {' | '.join(MARKS)} |"
    yield f"|---|---{'|---:' * len(MARKS)}|"
    for name, one in scores.items():
        marks = (f"{one.ours[mark]:.2f} / {one.real[mark]:.2f}" for mark in MARKS)
        yield f"| {name} | {one.num_found} of {one.num_pairs} | {' | '.join(marks)} |"
