"""From wishes to the plans by which a poem is written, or the wishes that exclude each other."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from poetgen.config import VerseConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.fitting import fit_plan
from poetgen.generation.plan import Plan
from poetgen.generation.wishes import Wishes, first_place, read_wishes
from poetgen.places import did_you_mean
from poetgen.verse.rhymes import RhymeBook, RhymeGroup
from poetgen.verse.schemes import PATTERN, Form, find_form
from poetgen.verse.tones import EITHER

# Of the ways to place required words so many are used, and so many are tried.
_MAX_PLANS = 4
_TRIES = 64


def make_plans(verse: VerseConfig, start: str, vocabulary: Vocabulary) -> list[Plan]:
    """Return the plans for poems that keep all wishes and begin with ``start``.

    There are several where required words can stand at different places.

    Raises:
        SettingError: a wish is not understood, or two of them exclude each other.
        PromptError: a wish has a character that the model does not know.
    """
    wishes = read_wishes(verse, start, vocabulary)
    plans = list(itertools.islice(_iter_plans(wishes), _MAX_PLANS))
    if not plans:
        raise _collision(wishes)
    return plans


def _iter_plans(wishes: Wishes) -> Iterator[Plan]:
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
    wishes: Wishes, fixed: dict[int, int], rng: random.Random
) -> dict[int, int] | None:
    """Return ``fixed`` with each required word somewhere in a line, or None if one has no room."""
    form = wishes.form
    for word in wishes.required:
        options = []
        for line, length in enumerate(form.line_lengths):
            for offset in range(length - len(word) + 1):
                first = first_place(form, line) + offset
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


def _plan(wishes: Wishes, fixed: Mapping[int, int]) -> Plan | None:
    """Return the plan with these characters, and with what the tune repeats of them if it can."""
    repeated = fixed if wishes.verse.no_repeats else _with_repeats(fixed, wishes.form)
    plan = _plan_of(wishes, repeated)
    return _plan_of(wishes, fixed) if plan is None and repeated != fixed else plan


def _with_repeats(fixed: Mapping[int, int], form: Form) -> Mapping[int, int]:
    """Return fixed characters, each also where the tune repeats it or has it first, if it is open.

    Where a line repeats, and a wish has another character in it, nothing is added.
    """
    lines = form.line_of
    broken = {
        lines[place]
        for before, place in form.repeats
        if fixed.get(before, fixed.get(place)) != fixed.get(place, fixed.get(before))
    }
    pairs = [pair for pair in form.repeats if lines[pair[1]] not in broken]
    found = dict(fixed)
    for before, place in (*pairs, *pairs[::-1]):
        if before in found:
            found.setdefault(place, found[before])
        elif place in found:
            found[before] = found[place]
    return found


def _plan_of(wishes: Wishes, fixed: Mapping[int, int]) -> Plan | None:
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
        all(fixed.get(first_place(form, line) + offset + i) == word[i] for i in range(len(word)))
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
    wanted = "".join(rhyme.split())
    named = {i for i, group in enumerate(book.groups) if wanted in _spellings(group)}
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


def _spellings(group: RhymeGroup) -> Container[str]:
    """Return how a group may be called: 东, 上平一东 or 一东; 第一部平声 or 第一部."""
    return group.name, group.title, group.title[2:], group.title[:-2]


def _collision(wishes: Wishes) -> SettingError:
    """Return the error that says which wishes exclude each other: as few as explain it."""
    names = [name for name, one in _RELAXED.items() if one(wishes) != wishes]
    for size in range(1, len(names) + 1):
        for kept in itertools.combinations(names, size):
            if not _has_poem(_without(wishes, [name for name in names if name not in kept])):
                return _excluded(kept, wishes)
    return _excluded(names, wishes)


def _excluded(names: Sequence[str], wishes: Wishes) -> SettingError:
    if set(names) == {"--rhyme", "--tones"}:
        return SettingError(
            f"{wishes.verse.rhyme!r} has another tone than the rhymes of a {wishes.form.name}.",
            "Give another --rhyme, or --tones off.",
        )
    shown = [f"{name} {_VALUES[name](wishes)}".strip() for name in names]
    remedy = _remedy(wishes)
    if len(names) == 1:
        return SettingError(
            f"A {wishes.form.name} cannot keep {shown[0]}.",
            f"{remedy or 'Change it'}, or give another --form.",
        )
    return SettingError(
        f"A {wishes.form.name} cannot keep {', '.join(shown[:-1])} and {shown[-1]} together.",
        f"{remedy or 'Change one of them'}, or give another --form.",
    )


def _remedy(wishes: Wishes) -> str:
    """Return which rules to give up so that all else can be kept, the fewest; or nothing."""
    if wishes.verse.tones == "strict" and wishes.form.name != PATTERN:
        looser = replace(wishes, form=find_form(wishes.form.name, "loose"))
        if looser.form != wishes.form and _has_poem(looser):
            return "Give --tones loose"
    for rules in (("--tones",), ("--rhyme",), ("--rhyme", "--tones")):
        if _has_poem(_without(wishes, rules)):
            return "Give " + " and ".join(_GIVEN_UP[name] for name in rules)
    return ""


def _has_poem(wishes: Wishes) -> bool:
    return next(_iter_plans(wishes), None) is not None


def _without(wishes: Wishes, names: Sequence[str]) -> Wishes:
    """Return what remains without some of the wishes."""
    for name in names:
        wishes = _RELAXED[name](wishes)
    return wishes


def _without_fixed(name: str) -> Callable[[Wishes], Wishes]:
    return lambda wishes: replace(wishes, fixed={**wishes.fixed, name: {}})


def _without_tones(wishes: Wishes) -> Wishes:
    schemes = tuple(replace(scheme, tones=()) for scheme in wishes.form.schemes)
    return replace(wishes, form=replace(wishes.form, schemes=schemes))


def _with_verse(**settings: Any) -> Callable[[Wishes], Wishes]:
    return lambda wishes: replace(wishes, verse=replace(wishes.verse, **settings))


# What remains without a wish, and how the wish was worded.
_RELAXED: dict[str, Callable[[Wishes], Wishes]] = {
    "--start": _without_fixed("--start"),
    "--acrostic": _without_fixed("--acrostic"),
    "--pattern": _without_fixed("--pattern"),
    "--require": lambda wishes: replace(wishes, required=()),
    "--forbid": lambda wishes: replace(wishes, forbidden=()),
    "--rhyme": _with_verse(rhyme="free"),
    "--tones": _without_tones,
    "--no-repeats": _with_verse(no_repeats=False),
}
_GIVEN_UP = {"--rhyme": "--rhyme free", "--tones": "--tones off"}
_VALUES: dict[str, Callable[[Wishes], object]] = {
    "--start": lambda wishes: wishes.start,
    "--acrostic": lambda wishes: wishes.verse.acrostic,
    "--pattern": lambda wishes: wishes.verse.pattern,
    "--require": lambda wishes: wishes.verse.require,
    "--forbid": lambda wishes: wishes.verse.forbid,
    "--rhyme": lambda wishes: wishes.verse.rhyme,
    "--tones": lambda wishes: wishes.verse.tones,
    "--no-repeats": lambda wishes: "",
}
