"""What to look at before a corpus is learned: samples, forms and lengths, and what looks odd.

The figures of ``odd_things`` come from at most ``SAMPLE_SIZE`` poems, evenly spread.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from poetgen.characters import mostly_han
from poetgen.corpus.corpus import Report
from poetgen.corpus.sieve import KeptPoem
from poetgen.verse.forms import FORMS, form_of_lengths, line_lengths, lines_of

SAMPLE_SIZE = 2_000
# Of more sources than this, those of one format are shown together.
MAX_SOURCES = 5
# Shares, of 1, from which something looks odd; and how often it must be seen at least.
_ODD_SHARE, _ODD_COUNT = 0.2, 4
# A line of most poems is seen so often at least.
_MIN_REPEATS = 3
_MOSTLY_UNKNOWN = 0.5
# Poems are dropped for these reasons because somebody wants it so, or has them already.
_WANTED_REASONS = {"duplicate", "near-duplicate", "too long", "other form", "other author"}
_EVEN_LENGTHS = (4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Sample:
    """The first and some random poems of a source, as they entered the corpus.

    ``columns`` says which columns of a table hold what.
    """

    source: str
    format: str
    encoding: str
    num_poems: int
    poems: Sequence[KeptPoem]
    columns: str = ""


def sample_places(num_poems: int, num_samples: int) -> list[int]:
    """Return the places of the first and of random poems among ``num_poems``; always the same."""
    if min(num_poems, num_samples) == 0:
        return []
    others = range(1, num_poems)
    drawn = random.Random(0).sample(others, min(len(others), num_samples - 1))
    return [0, *sorted(drawn)]


def merge_samples(samples: Sequence[Sample], num_samples: int) -> list[Sample]:
    """Return one sample for each source; of more than ``MAX_SOURCES``, one for each format."""
    if len(samples) <= MAX_SOURCES:
        return list(samples)
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.format, sample.encoding), []).append(sample)
    merged = []
    for (format, encoding), group in groups.items():
        poems = [poem for sample in group for poem in sample.poems]
        merged.append(
            Sample(
                f"{len(group):,} sources" if len(group) > 1 else group[0].source,
                format,
                encoding,
                sum(sample.num_poems for sample in group),
                [poems[place] for place in sample_places(len(poems), num_samples)],
                "; ".join(dict.fromkeys(one.columns for one in group[:MAX_SOURCES] if one.columns)),
            )
        )
    return merged


@dataclass(frozen=True, slots=True)
class FormRow:
    """The poems of one form: how many, and their lengths in characters without punctuation."""

    form: str
    num_poems: int
    shortest: int
    median: int
    longest: int


def form_rows(texts: Iterable[str]) -> list[FormRow]:
    """Return one row for each form among ``texts``: the regulated ones first, then by count."""
    lengths: dict[str, list[int]] = {}
    for text in texts:
        form, num_chars = _form_and_length(text)
        lengths.setdefault(form, []).append(num_chars)
    rows = [
        FormRow(form, len(found), min(found), round(statistics.median(found)), max(found))
        for form, found in lengths.items()
    ]
    regulated = [form for form in FORMS if form in lengths]
    rows.sort(key=lambda row: (row.form not in regulated, -row.num_poems))
    return rows


def _form_and_length(text: str) -> tuple[str, int]:
    lengths = line_lengths(text)
    num_hanzi = sum(lengths)
    if 2 * num_hanzi < len(text) and not mostly_han(text):
        return "not Chinese", len(text)
    if len(set(lengths)) > 1:
        return "lines of several lengths", num_hanzi
    return form_of_lengths(lengths) or f"other, lines of {lengths[0]}", num_hanzi


def odd_things(report: Report, texts: Sequence[str], *, is_prose: bool) -> list[str]:
    """Return a sentence about everything that looks as if something else was read as poems."""
    num_kept = report.num_kept
    num_bad = sum(n for reason, n in report.dropped.items() if reason not in _WANTED_REASONS)
    found = []
    if num_bad > num_kept:
        found.append(
            f"Only {num_kept:,} of {num_kept + num_bad:,} texts are poems. "
            "See what the others are: --list-dropped FILE"
        )
    if not is_prose:
        step = -(-len(texts) // SAMPLE_SIZE) or 1
        sampled = [lines_of(text) for text in texts[::step]]
        found += _titles_as_verse(sampled) + _repeated_line(sampled)
    unknown = report.unknown_share["validation"]
    if unknown > _MOSTLY_UNKNOWN:
        found.append(
            f"{unknown:.0%} of the validation poems' tokens are unknown, so their perplexity says "
            "little. Give more poems, a lower --min-count, or the vocabulary of a larger corpus or "
            "model: --vocabulary NAME"
        )
    return found


def _titles_as_verse(poems: Sequence[Sequence[str]]) -> list[str]:
    """Notice first lines of another length than all others, which have one length."""
    even = [
        lines
        for lines in poems
        if len(lines) > 3 and len({len(line) for line in lines[1:]}) == 1
        if len(lines[1]) in _EVEN_LENGTHS
    ]
    titled = [lines[0] for lines in even if len(lines[0]) != len(lines[1])]
    if len(titled) < max(_ODD_COUNT, _ODD_SHARE * len(even)):
        return []
    return [
        f"{len(titled):,} of {len(even):,} poems with even lines begin with a line of another "
        f"length, such as {titled[0]}: a title may have been read as verse."
    ]


def _repeated_line(poems: Sequence[Sequence[str]]) -> list[str]:
    """Notice a line that is in many poems."""
    counts = Counter(line for lines in poems for line in set(lines))
    if not counts:
        return []
    [(line, count)] = counts.most_common(1)
    is_most = count >= _MIN_REPEATS and 2 * count > len(poems)
    if not is_most and count < max(_ODD_COUNT, _ODD_SHARE * len(poems)):
        return []
    return [
        f"{line} is a line of {count:,} of {len(poems):,} poems: a header may have been read as "
        "verse."
    ]
