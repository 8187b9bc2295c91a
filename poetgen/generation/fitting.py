"""Is there a poem that keeps all of this? Then its plan, with what can never fit left out."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from poetgen.arrays import BoolArray
from poetgen.generation.lexicon import Lexicon, bits
from poetgen.generation.plan import Plan
from poetgen.verse.schemes import Form, Scheme
from poetgen.verse.tones import EITHER, TONES


def fit_plan(
    form: Form,
    lexicon: Lexicon,
    fixed: Mapping[int, int],
    usable: BoolArray,
    *,
    rhymes: Container[int] | None,
    words: Sequence[tuple[int, ...]] = (),
    no_repeats: bool = False,
) -> Plan | None:
    """Return the plan of a poem with these characters, or None if there can be no such poem.

    Args:
        form: the lines, and the schemes to choose from.
        lexicon: the vocabulary.
        fixed: the token ids of some characters, by their places.
        usable: (V,), the characters that may be written.
        rhymes: the rhyme groups that the first label may have, or None if nothing rhymes.
        words: words that may not be written, each of two or more tokens.
        no_repeats: use no character twice.
    """
    if not usable[list(fixed.values())].all():
        return None
    num_usable = {tone: int((lexicon.tones[tone] & usable).sum()) for tone in (*TONES, EITHER)}
    if num_usable[EITHER] == 0 < form.num_chars - len(fixed):
        return None
    if no_repeats and (
        _repeats(form, fixed) or not all(num_usable[tone] > form.num_chars for tone in TONES)
    ):
        return None
    schemes, groups = [], dict[str, int]()
    for scheme in form.schemes:
        scheme = replace(scheme, rhymes=_labels(scheme.rhymes, rhymes is not None))
        fit = _Fit(form, scheme, lexicon, fixed, usable)
        alive = {label: fit.groups(label, rhymes) for label in fit.labels}
        tones = fit.tones(alive)
        if all(alive.values()) and all(tones):
            schemes.append(replace(scheme, tones=tones))
            for label, found in alive.items():
                groups[label] = groups.get(label, 0) | found
    if not schemes:
        return None
    places = [fixed.get(place) for place in range(form.num_chars)]
    return Plan(form, lexicon, schemes, places, groups, usable, words=words, no_repeats=no_repeats)


def _repeats(form: Form, fixed: Mapping[int, int]) -> bool:
    """Return whether a character is fixed at two places, but for one that is doubled in a line."""
    lines = form.line_of
    places: dict[int, list[int]] = {}
    for place, token_id in sorted(fixed.items()):
        places.setdefault(token_id, []).append(place)
    return any(
        len(at) > 2 or (len(at) == 2 and (at[1] - at[0] > 1 or lines[at[0]] != lines[at[1]]))
        for at in places.values()
    )


def _labels(rhymes: Sequence[str], wanted: bool) -> tuple[str, ...]:
    """Return the labels of lines: none if none are wanted, "A" where "a" has no "A" to pair with.

    Only a pair needs groups in both tones; an oblique rhyme alone may be in an entering tone,
    which has no level counterpart.
    """
    if not wanted:
        return ("",) * len(rhymes)
    return tuple(label if label.upper() in rhymes else label.upper() for label in rhymes)


class _Fit:
    """One scheme of a form against the characters that are fixed."""

    def __init__(
        self,
        form: Form,
        scheme: Scheme,
        lexicon: Lexicon,
        fixed: Mapping[int, int],
        usable: BoolArray,
    ) -> None:
        ends = itertools.accumulate(form.line_lengths)
        lines = zip(ends, scheme.rhymes, strict=True)
        self.label_at = {end - 1: label for end, label in lines if label}
        self.labels = sorted({label.upper() for label in self.label_at.values()})
        self.scheme, self.lexicon, self.fixed, self.usable = scheme, lexicon, fixed, usable
        self.open_tones = {tone for tone in TONES if (lexicon.tones[tone] & usable).any()}
        # The tones that the scheme has for each character.
        self.tones_at = [
            {pattern[place] for pattern in part}
            for part in scheme.tones
            for place in range(len(min(part)))
        ] or [set(TONES)] * form.num_chars

    def groups(self, label: str, wanted: Container[int] | None) -> int:
        """Return the groups in which all lines of a label can rhyme, as the bits of a number."""
        groups = range(len(self.lexicon.book.groups))
        return sum(
            1 << group
            for group in groups
            if (label != self.labels[0] or wanted is None or group in wanted)
            and self._can_rhyme(group, label)
        )

    def _can_rhyme(self, group: int, label: str) -> bool:
        for case in (label, label.lower()):
            places = [place for place, one in self.label_at.items() if one == case]
            at = self.lexicon.group_at(group, case)
            if not places:
                continue
            if at is None or any(
                self.lexicon.book.groups[at].tone not in self.tones_at[place] for place in places
            ):
                return False
            held = [self.fixed[place] for place in places if place in self.fixed]
            if not all(self.lexicon.groups_of(one, is_fixed=True) >> at & 1 for one in held):
                return False
            free = self.lexicon.rhymes[at] & self.usable
            if free.sum() - free[list(set(held))].sum() < len(places) - len(held):
                return False
        return True

    def tones(self, groups: Mapping[str, int]) -> tuple[frozenset[str], ...]:
        """Return the scheme's patterns that the characters and rhyme groups leave, by part."""
        parts, first = [], 0
        for part in self.scheme.tones:
            length = len(min(part))
            possible = [self._possible(place, groups) for place in range(first, first + length)]
            pairs = [(pattern, zip(pattern, possible, strict=True)) for pattern in part]
            parts.append(
                frozenset(pattern for pattern, pair in pairs if all(t in ts for t, ts in pair))
            )
            first += length
        return tuple(parts)

    def _possible(self, place: int, groups: Mapping[str, int]) -> Container[str]:
        token_id, label = self.fixed.get(place), self.label_at.get(place, "")
        if not label:
            return (
                self.open_tones
                if token_id is None
                else self.lexicon.tones_of(token_id, is_fixed=True)
            )
        rhyming = {self.lexicon.group_at(group, label) for group in bits(groups[label.upper()])}
        return {
            self.lexicon.book.groups[group].tone
            for group in rhyming
            if group is not None
            and (token_id is None or self.lexicon.groups_of(token_id, is_fixed=True) >> group & 1)
        }
