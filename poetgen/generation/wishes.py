"""From what a user wishes a poem to keep to the plans by which it is written."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from poetgen.characters import LINE_MARKS, is_hanzi
from poetgen.config import VerseConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.fitting import fit_plan
from poetgen.generation.lexicon import Lexicon, lexicon_of
from poetgen.generation.plan import Plan
from poetgen.generation.prompt import encode_prompt
from poetgen.places import did_you_mean
from poetgen.verse.forms import FORMS
from poetgen.verse.rhymes import RhymeBook
from poetgen.verse.schemes import Form, Scheme, find_form, regulated_form
from poetgen.verse.tones import EITHER

# How an open place of a pattern may be written.
_OPEN = "?？_＿□*"
_LINE_BREAKS = re.compile(f"[{LINE_MARKS},.!;:\n]+".replace("？", ""))
# Poems with required words: so many of the ways to place them are tried out.
_MAX_PLANS = 4
_TRIES = 64

# The characters that a poem must have, as token ids by their places, for each wish.
Fixed = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class _Wishes:
    """All that was wished for, read but not yet held against each other."""

    form: Form
    lexicon: Lexicon
    verse: VerseConfig
    start: str
    fixed: Fixed
    required: tuple[tuple[int, ...], ...]
    forbidden: tuple[tuple[int, ...], ...]


def make_plans(verse: VerseConfig, start: str, vocabulary: Vocabulary) -> list[Plan]:
    """Return the plans for poems that keep all wishes and begin with ``start``.

    There are several where required words can stand at different places.

    Raises:
        SettingError: a wish is not understood, or two of them exclude each other.
        PromptError: a wish has a character that the model does not know.
    """
    wishes = _read(verse, start, vocabulary)
    plans = list(itertools.islice(_iter_plans(wishes), _MAX_PLANS))
    if not plans:
        raise _collision(wishes)
    return plans


def _read(verse: VerseConfig, start: str, vocabulary: Vocabulary) -> _Wishes:
    if vocabulary.kind != "char" or not {"，", "。"} <= set(vocabulary.tokens):
        raise SettingError(
            "The model does not write Chinese verse with ， and 。, so it cannot keep a form.",
            "Leave the wishes out, or take another --model.",
        )
    pattern = [] if verse.pattern is None else _pattern_lines(verse.pattern)
    acrostic = "" if verse.acrostic is None else "".join(verse.acrostic.split())
    if verse.acrostic is not None and not acrostic:
        raise SettingError("--acrostic is empty.", "Give the characters that begin the lines.")
    form = _choose_form(verse, pattern, acrostic, start)
    lexicon = lexicon_of(vocabulary, verse.rhyme_book or form.book)
    fixed = {
        "--pattern": _fix_pattern(pattern, form, vocabulary),
        "--acrostic": _fix_acrostic(acrostic, verse.acrostic_at, form, vocabulary),
        "--start": _fix_start(start, form, vocabulary),
    }
    _ensure_agreement(fixed, form, vocabulary)
    return _Wishes(
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
    line = _LINE_BREAKS.split(start.strip())[0]
    return len(line) if line != start.strip() else 0


def _form_of_pattern(lines: Sequence[str], verse: VerseConfig) -> Form:
    """Return the regulated form of these lines, else one that asks for nothing."""
    lengths = [len(line) for line in lines]
    for name, (num_lines, length) in FORMS.items():
        if lengths == [length] * num_lines:
            return regulated_form(name, num_lines, length, verse.tones)
    marks = "".join(
        "。" if number % 2 or number + 1 == len(lines) else "，" for number in range(len(lines))
    )
    return Form("--pattern", tuple(lengths), marks, (Scheme(("",) * len(lines)),))


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
        place: _token_id(char, vocabulary) for place, char in enumerate(places) if char not in _OPEN
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
                f"--acrostic-at {at} is not a place in a line of {length}.",
                f"Give head, tail, or a number from 1 to {length}.",
            )
        fixed[_first_place(form, line) + offset] = _token_id(char, vocabulary)
    return fixed


def _fix_start(start: str, form: Form, vocabulary: Vocabulary) -> dict[int, int]:
    lines = _LINE_BREAKS.split("".join(start.split(" ")).rstrip("？?"))
    fixed, place = {}, 0
    for number, line in enumerate(lines):
        line = line.strip("？?")
        is_last = number + 1 == len(lines)
        length = form.line_lengths[number] if number < len(form.line_lengths) else 0
        if len(line) > length or (len(line) < length and not is_last):
            raise SettingError(
                f"--start does not fit: line {number + 1} has {len(line)} characters, and in a "
                f"{form.name} it has {length}.",
                "Change the start or give another --form.",
            )
        for offset, char in enumerate(line):
            fixed[place + offset] = _token_id(char, vocabulary)
        place += length
    return fixed


def _token_id(char: str, vocabulary: Vocabulary) -> int:
    return encode_prompt(char, vocabulary)[0]


def _first_place(form: Form, line: int) -> int:
    return sum(form.line_lengths[:line])


def _line_of(form: Form, place: int) -> int:
    return next(
        line for line in range(len(form.line_lengths)) if place < _first_place(form, line + 1)
    )


def _ensure_agreement(fixed: Fixed, form: Form, vocabulary: Vocabulary) -> None:
    for (one, places), (other, others) in itertools.combinations(fixed.items(), 2):
        for place in sorted(places.keys() & others.keys()):
            if places[place] != others[place]:
                line = _line_of(form, place)
                raise SettingError(
                    f"{one} wants {vocabulary.token(places[place])} where {other} wants "
                    f"{vocabulary.token(others[place])}: line {line + 1}, character "
                    f"{place - _first_place(form, line) + 1}.",
                    "Change one of the two.",
                )


def _words(
    flag: str, text: str | None, vocabulary: Vocabulary, form: Form
) -> tuple[tuple[int, ...], ...]:
    if text is None:
        return ()
    words = [word for word in re.split("[,，、;；\\s]+", text) if word]
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
    return tuple(tuple(_token_id(char, vocabulary) for char in word) for word in words)


# All wishes together.


def _iter_plans(wishes: _Wishes) -> Iterator[Plan]:
    fixed = {place: i for places in wishes.fixed.values() for place, i in places.items()}
    # The same words come to the same places, whatever the seed of the poems is.
    rng = random.Random(0)
    seen: set[tuple[tuple[int, int], ...]] = set()
    for _ in range(_TRIES if wishes.required else 1):
        placed = _place_words(wishes, dict(fixed), rng)
        key = None if placed is None else tuple(sorted(placed.items()))
        if placed is None or key is None or key in seen:
            continue
        seen.add(key)
        if (plan := _plan(wishes, placed)) is not None:
            yield plan


def _place_words(
    wishes: _Wishes, fixed: dict[int, int], rng: random.Random
) -> dict[int, int] | None:
    """Return ``fixed`` with each required word somewhere in a line, or None if one has no room."""
    form = wishes.form
    for word in wishes.required:
        options = []
        for line, length in enumerate(form.line_lengths):
            for offset in range(length - len(word) + 1):
                first = _first_place(form, line) + offset
                places = dict(zip(range(first, first + len(word)), word, strict=True))
                if all(fixed.get(place, i) == i for place, i in places.items()):
                    options.append(places)
        rng.shuffle(options)
        fitting = (places for places in options if _plan(wishes, {**fixed, **places}) is not None)
        chosen = next(fitting, None)
        if chosen is None:
            return None
        fixed.update(chosen)
    return fixed


def _plan(wishes: _Wishes, fixed: Mapping[int, int]) -> Plan | None:
    verse, usable = wishes.verse, wishes.lexicon.tones[EITHER].copy()
    usable[[word[0] for word in wishes.forbidden if len(word) == 1]] = False
    if any(_stands_in(word, fixed, wishes.form) for word in wishes.forbidden):
        return None
    return fit_plan(
        wishes.form,
        wishes.lexicon,
        fixed,
        usable,
        rhymes=None if verse.rhyme == "free" else _wished_groups(verse.rhyme, wishes.lexicon.book),
        words=[word for word in wishes.forbidden if len(word) > 1],
        no_repeats=verse.no_repeats,
    )


def _stands_in(word: Sequence[int], fixed: Mapping[int, int], form: Form) -> bool:
    """Return whether a word stands in a line already."""
    return any(
        all(fixed.get(_first_place(form, line) + offset + i) == word[i] for i in range(len(word)))
        for line, length in enumerate(form.line_lengths)
        for offset in range(length - len(word) + 1)
    )


def _wished_groups(rhyme: str, book: RhymeBook) -> Container[int]:
    """Return the rhyme groups that ``--rhyme`` allows.

    Raises:
        SettingError: it names none.
    """
    if rhyme == "auto":
        return range(len(book.groups))
    named = {i for i, group in enumerate(book.groups) if rhyme in (group.name, group.title)}
    if not named and len(rhyme) == 1:
        # Any character stands for the groups in which it rhymes.
        named = set(book.groups_of(rhyme))
    if not named:
        names = list(dict.fromkeys(group.name for group in book.groups))
        raise SettingError(
            f"There is no rhyme group {rhyme!r} in the book {book.name}.",
            f"{did_you_mean(rhyme, names)}Give auto, free, a character that rhymes, or one of: "
            f"{' '.join(names)}",
        )
    return named


def _collision(wishes: _Wishes) -> SettingError:
    """Return the error that says which wishes exclude each other: as few as explain it."""
    names = [name for name, one in _RELAXED.items() if one(wishes) != wishes]
    for size in range(1, len(names) + 1):
        for kept in itertools.combinations(names, size):
            relaxed = wishes
            for name in names:
                if name not in kept:
                    relaxed = _RELAXED[name](relaxed)
            if next(_iter_plans(relaxed), None) is None:
                return _excluded(kept, wishes)
    return _excluded(names, wishes)


def _excluded(names: Sequence[str], wishes: _Wishes) -> SettingError:
    shown = [f"{name} {_VALUES[name](wishes)}".strip() for name in names]
    if len(names) == 1:
        return SettingError(
            f"A {wishes.form.name} cannot keep {shown[0]}.", "Change it, or give another --form."
        )
    return SettingError(
        f"A {wishes.form.name} cannot keep {', '.join(shown[:-1])} and {shown[-1]} together.",
        "Change one of them, or give another --form.",
    )


def _without_fixed(name: str) -> Callable[[_Wishes], _Wishes]:
    return lambda wishes: replace(wishes, fixed={**wishes.fixed, name: {}})


def _without_tones(wishes: _Wishes) -> _Wishes:
    schemes = tuple(replace(scheme, tones=()) for scheme in wishes.form.schemes)
    return replace(wishes, form=replace(wishes.form, schemes=schemes))


def _with_verse(**settings: Any) -> Callable[[_Wishes], _Wishes]:
    return lambda wishes: replace(wishes, verse=replace(wishes.verse, **settings))


# What remains without a wish, and how the wish was worded.
_RELAXED: dict[str, Callable[[_Wishes], _Wishes]] = {
    "--start": _without_fixed("--start"),
    "--acrostic": _without_fixed("--acrostic"),
    "--pattern": _without_fixed("--pattern"),
    "--require": lambda wishes: replace(wishes, required=()),
    "--forbid": lambda wishes: replace(wishes, forbidden=()),
    "--rhyme": _with_verse(rhyme="free"),
    "--tones": _without_tones,
    "--no-repeats": _with_verse(no_repeats=False),
}
_VALUES: dict[str, Callable[[_Wishes], object]] = {
    "--start": lambda wishes: wishes.start,
    "--acrostic": lambda wishes: wishes.verse.acrostic,
    "--pattern": lambda wishes: wishes.verse.pattern,
    "--require": lambda wishes: wishes.verse.require,
    "--forbid": lambda wishes: wishes.verse.forbid,
    "--rhyme": lambda wishes: wishes.verse.rhyme,
    "--tones": lambda wishes: wishes.verse.tones,
    "--no-repeats": lambda wishes: "",
}
