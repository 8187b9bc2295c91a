"""What a user wishes a poem to keep, as characters at places of a form."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from poetgen.characters import LINE_MARKS, full_width, is_hanzi
from poetgen.config import VerseConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.lexicon import Lexicon, lexicon_of
from poetgen.generation.prompt import encode_wish, split_words
from poetgen.verse.forms import FORMS
from poetgen.verse.schemes import PATTERN, Form, Scheme, find_form, regulated_form

# How an open place of a pattern may be written.
_OPEN = "?？_＿□*"
_LINE_BREAKS = re.compile(f"[{LINE_MARKS},.!;:\n]+".replace("？", ""))
# All that may stand between two lines of a start.
_BETWEEN = re.compile(rf"\s*[{LINE_MARKS},.?!;:\n][{LINE_MARKS},.?!;:\s]*")

# The characters that a poem must have, as token ids by their places, for each wish.
Fixed = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that was wished for, read but not yet held against each other."""

    form: Form
    lexicon: Lexicon
    verse: VerseConfig
    start: str
    fixed: Fixed
    required: tuple[tuple[int, ...], ...]
    forbidden: tuple[tuple[int, ...], ...]


def with_single_marks(start: str) -> str:
    """Return a start with one mark after each line, as a form has it: of several the first.

    A line break is a comma.
    """
    return _BETWEEN.sub(
        lambda found: full_width("".join(found[0].split()))[:1] or "，", start.strip()
    )


def read_wishes(verse: VerseConfig, start: str, vocabulary: Vocabulary) -> Wishes:
    """Return what is wished for a poem that begins with ``start``, which has single marks.

    Raises:
        SettingError: a wish is not understood, or two want different characters at one place.
        PromptError: a wish has a character that the model does not know.
    """
    if not vocabulary.has_verse_marks:
        raise SettingError(
            "The model does not write Chinese verse with ， and 。, so it cannot keep a form.",
            "Leave the wishes out, or take another --model.",
        )
    pattern = [] if verse.pattern is None else _pattern_lines(verse.pattern)
    acrostic = "".join(filter(str.isalnum, verse.acrostic or ""))
    if verse.acrostic is not None and not acrostic:
        what = "has no character to write" if verse.acrostic.strip() else "is empty"
        raise SettingError(f"--acrostic {what}.", "Give the characters that begin the lines.")
    form = _choose_form(verse, pattern, acrostic, start)
    if verse.pattern is not None:
        form = replace(form, marks=_marks_of(verse.pattern, form, vocabulary))
    lexicon = lexicon_of(vocabulary, verse.rhyme_book or form.book)
    fixed = {
        "--pattern": _fix_pattern(pattern, form, vocabulary),
        "--acrostic": _fix_acrostic(acrostic, verse.acrostic_at, form, vocabulary),
        "--start": _fix_start(start, form, vocabulary),
    }
    _ensure_agreement(fixed, form, vocabulary)
    return Wishes(
        form,
        lexicon,
        verse,
        start,
        fixed,
        _words("--require", verse.require, vocabulary, form),
        _words("--forbid", verse.forbid, vocabulary, form),
    )


# The form.


def _choose_form(verse: VerseConfig, pattern: Sequence[str], acrostic: str, start: str) -> Form:
    if verse.form is not None:
        return find_form(verse.form, verse.tones)
    if pattern:
        return _form_of_pattern(pattern, verse)
    length = 5 if _first_length(start) == 5 else 7
    if len(acrostic) <= 8:
        return find_form(
            ("五" if length == 5 else "七") + ("绝" if len(acrostic) <= 4 else "律"), verse.tones
        )
    num_lines = len(acrostic) + len(acrostic) % 2
    return find_form(f"{'五' if length == 5 else '七'}排:{num_lines}", verse.tones)


def _first_length(start: str) -> int:
    line, *others = _BETWEEN.split(start)
    return len(line) if others else 0


def _form_of_pattern(lines: Sequence[str], verse: VerseConfig) -> Form:
    """Return the regulated form of these lines, else one that asks for nothing."""
    lengths = [len(line) for line in lines]
    for name, (num_lines, length) in FORMS.items():
        if lengths == [length] * num_lines:
            return regulated_form(name, num_lines, length, verse.tones)
    marks = "".join(
        "。" if number % 2 or number + 1 == len(lines) else "，" for number in range(len(lines))
    )
    return Form(PATTERN, tuple(lengths), marks, (Scheme(("",) * len(lines)),))


# What stands where.


def _pattern_lines(pattern: str) -> list[str]:
    lines = [line for line in _LINE_BREAKS.split("".join(pattern.split(" "))) if line]
    wrong = {char for line in lines for char in line if char not in _OPEN and not is_hanzi(char)}
    if wrong or not lines:
        raise SettingError(
            f"--pattern {pattern!r} has {' '.join(sorted(wrong)) or 'no line'}.",
            "Give Chinese characters, ? for open places, and a mark after each line.",
        )
    return lines


def _marks_of(pattern: str, form: Form, vocabulary: Vocabulary) -> str:
    """Return the marks of a form, with those of a pattern where it has any after a line."""
    marks = list(form.marks)
    gaps = [full_width("".join(gap.split())) for gap in _LINE_BREAKS.findall(pattern.strip())]
    for line, gap in enumerate(gaps[: len(marks)]):
        if gap[:1] and gap[0] in vocabulary:
            marks[line] = gap[0]
    return "".join(marks)


def _fix_pattern(lines: Sequence[str], form: Form, vocabulary: Vocabulary) -> dict[int, int]:
    lengths = form.line_lengths
    for number, line in enumerate(lines):
        if number >= len(lengths):
            raise SettingError(
                f"--pattern has {len(lines)} lines, and a {form.name} has {len(lengths)}.",
                "Give fewer lines or another --form.",
            )
        if len(line) != lengths[number]:
            raise SettingError(
                f"Line {number + 1} of --pattern has {len(line)} characters, and in a "
                f"{form.name} it has {lengths[number]}.",
                "Write ? for each open place, or give another --form.",
            )
    places = itertools.chain.from_iterable(lines)
    return {
        place: _token_id("--pattern", char, vocabulary)
        for place, char in enumerate(places)
        if char not in _OPEN
    }


def _fix_acrostic(acrostic: str, at: str, form: Form, vocabulary: Vocabulary) -> dict[int, int]:
    if not acrostic:
        return {}
    num_lines = len(form.line_lengths)
    if len(acrostic) > num_lines:
        raise SettingError(
            f"--acrostic has {len(acrostic)} characters, and a {form.name} has {num_lines} lines.",
            "Give fewer characters or a longer form.",
        )
    # Two names in four lines begin the couplets; three begin the first three lines.
    step = num_lines // len(acrostic) if num_lines % len(acrostic) == 0 else 1
    fixed = {}
    for number, char in enumerate(acrostic):
        line = number * step
        length = form.line_lengths[line]
        offset = {"head": 0, "tail": length - 1}.get(at, int(at) - 1 if at.isdecimal() else -1)
        if not 0 <= offset < length:
            raise SettingError(
                f"--acrostic-at {at!r} is not a place in a line of {length}.",
                f"Give head, tail, or a number from 1 to {length}.",
            )
        fixed[first_place(form, line) + offset] = _token_id("--acrostic", char, vocabulary)
    return fixed


def _fix_start(start: str, form: Form, vocabulary: Vocabulary) -> dict[int, int]:
    lines = _BETWEEN.split("".join(start.split(" ")))
    fixed, place = {}, 0
    if len(lines) - (not lines[-1]) > len(form.line_lengths):
        raise SettingError(
            f"--start has more than the {len(form.line_lengths)} lines of a {form.name}.",
            "Change the start or give another --form.",
        )
    for number, line in enumerate(lines):
        is_last = number + 1 == len(lines)
        length = form.line_lengths[number] if number < len(form.line_lengths) else 0
        if len(line) > length or (len(line) < length and not is_last):
            raise SettingError(
                f"--start does not fit: line {number + 1} has {len(line)} characters, and in a "
                f"{form.name} it has {length}.",
                "Change the start or give another --form.",
            )
        for offset, char in enumerate(line):
            fixed[place + offset] = _token_id("--start", char, vocabulary)
        place += length
    return fixed


def _token_id(flag: str, char: str, vocabulary: Vocabulary) -> int:
    return encode_wish(flag, char, vocabulary)[0]


def first_place(form: Form, line: int) -> int:
    """Return the place of the first character of a line among all of them."""
    return sum(form.line_lengths[:line])


def _line_of(form: Form, place: int) -> int:
    return next(
        line for line in range(len(form.line_lengths)) if place < first_place(form, line + 1)
    )


def _ensure_agreement(fixed: Fixed, form: Form, vocabulary: Vocabulary) -> None:
    for (one, places), (other, others) in itertools.combinations(fixed.items(), 2):
        for place in sorted(places.keys() & others.keys()):
            if places[place] != others[place]:
                line = _line_of(form, place)
                raise SettingError(
                    f"{one} wants {vocabulary.token(places[place])} where {other} wants "
                    f"{vocabulary.token(others[place])}: line {line + 1}, character "
                    f"{place - first_place(form, line) + 1}.",
                    "Change one of the two.",
                )


def _words(
    flag: str, text: str | None, vocabulary: Vocabulary, form: Form
) -> tuple[tuple[int, ...], ...]:
    if text is None:
        return ()
    words = split_words(text)
    if not words or not all(map(is_hanzi, "".join(words))):
        raise SettingError(
            f"{flag} {text!r} is not a list of words.", "Give, for example, 明月,酒."
        )
    if flag == "--forbid":
        # A word that the model does not know is never written anyway.
        known = [word for word in words if all(char in vocabulary for char in word)]
        return tuple(tuple(vocabulary.encode(word)) for word in known)
    for word in words:
        if len(word) > max(form.line_lengths):
            raise SettingError(
                f"{flag} {word} is longer than any line of a {form.name}.", "Give a shorter word."
            )
    return tuple(tuple(_token_id(flag, char, vocabulary) for char in word) for word in words)
