"""The rules of a form as masks over a vocabulary: which tokens may come next in a poem.

A poem of a form has its marks at fixed places, so that its tokens can be numbered; between
them, what may come next depends on three things that are carried along: the tone patterns
that the poem can still follow, the rhyme groups it can still keep, and the characters it may
not use again. Each of them only ever excludes what would leave no way to the end, so that no
poem comes to a dead end. What a tune usually repeats (叠句) is repeated wherever a wish or
another rule does not forbid it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from poetgen.arrays import BoolArray, FloatArray
from poetgen.corpus.vocabulary import END
from poetgen.generation.lexicon import Lexicon, bits
from poetgen.generation.slots import Slot, slots_of
from poetgen.verse.schemes import PATTERN, Form, Scheme
from poetgen.verse.tones import EITHER

# A way to go on: the number of its scheme, that of the part it is in, and the tones that the
# rest of this part has; no tones if its scheme has none.
Way = tuple[int, int, str]
# What a character has to be: its tone, or 中; its rhyme label, or "".
Demand = tuple[str, str]


class Row(NamedTuple):
    """How far a poem is, and what it may still become."""

    position: int
    ways: frozenset[Way]
    groups: tuple[int, ...]  # for each label, as the bits of a number
    rhymed: frozenset[int]
    heard: frozenset[int]  # the ends of lines, whether they rhyme or not
    used: frozenset[int]
    tail: tuple[int, ...]  # the characters of this line so far
    sources: tuple[int, ...]  # the characters so far that the tune repeats


class Plan:
    """The rules of one poem over a vocabulary."""

    def __init__(
        self,
        form: Form,
        lexicon: Lexicon,
        schemes: Sequence[Scheme],
        fixed: Sequence[int | None],
        groups: Mapping[str, int],
        usable: BoolArray,
        *,
        words: Sequence[tuple[int, ...]] = (),
        no_repeats: bool = False,
    ) -> None:
        """State the rules, of which it is known that a poem can keep them all.

        Args:
            form: the lines and marks.
            lexicon: the vocabulary.
            schemes: which lines rhyme, and the tones.
            fixed: for each character its token id, or None where it is open.
            groups: the rhyme groups of each label, as the bits of a number.
            usable: (V,), the characters that may be written.
            words: those that may not, each of two or more tokens.
            no_repeats: use no character twice, except doubled ones.
        """
        self.form, self.lexicon, self.schemes = form, lexicon, tuple(schemes)
        self.fixed, self.groups, self.usable = tuple(fixed), dict(groups), usable
        self.words, self.no_repeats = tuple(words), no_repeats
        self.labels = tuple(groups)
        self.slots = tuple(slots_of(form, lexicon.vocabulary))
        self._sizes: list[int] = (lexicon.rhymes & usable).sum(axis=1).tolist()
        self._slot_at = {slot.place: slot for slot in self.slots if slot.place is not None}
        self._open = [self._count_open(scheme) for scheme in self.schemes]
        self._demands: dict[tuple[int, frozenset[Way]], dict[Demand, frozenset[Way]]] = {}
        self._masks: dict[tuple[frozenset[Demand], tuple[int, ...]], BoolArray] = {}

    def _count_open(self, scheme: Scheme) -> dict[str, list[int]]:
        """Return, by label, how many open places that rhyme there are from each slot on."""
        counts: dict[str, list[int]] = {}
        for label in set(scheme.rhymes) - {""}:
            left = [0]
            for slot in reversed(self.slots):
                is_open = slot.place is not None and self.fixed[slot.place] is None
                rhymes = slot.is_last and scheme.rhymes[slot.line] == label
                left.append(left[-1] + (is_open and rhymes))
            counts[label] = left[::-1]
        return counts

    def described(self) -> dict[str, Any]:
        """Return what a reader of the poem has to know: its form, book, and whether it is kept.

        The lines of a pattern are of no form.
        """
        return {
            "form": self.form.name if self.form.name != PATTERN else None,
            "book": self.lexicon.book.name,
            "rhymes": bool(self.groups),
            "tones": any(scheme.tones for scheme in self.schemes),
        }

    def start(self) -> Row:
        """Return the row of a poem without a character."""
        ways = frozenset(
            way for number, scheme in enumerate(self.schemes) for way in self._enter(number, 0)
        )
        fixed = frozenset(_known(self.fixed))
        lasts = [slot for slot in self.slots if slot.place is not None and slot.is_last]
        rhyming = [
            self.fixed[slot.place or 0]
            for slot in lasts
            if all(scheme.rhymes[slot.line] for scheme in self.schemes)
        ]
        return Row(
            0,
            ways,
            tuple(self.groups.values()),
            frozenset(_known(rhyming)),
            frozenset(),
            fixed if self.no_repeats else frozenset(),
            (),
            (),
        )

    def excluded(self, row: Row) -> BoolArray:
        """Return a mask, (V,), of the tokens that may not come next."""
        if row.position == len(self.slots):
            return _all_but(len(self.usable), [END])
        slot = self.slots[row.position]
        if slot.place is None:
            return _all_but(len(self.usable), slot.marks)
        if (token_id := self.fixed[slot.place]) is not None:
            return _all_but(len(self.usable), [token_id])
        demands = frozenset(self._demands_at(row))
        groups = tuple(
            self._roomy(row, label, groups) if slot.is_last else groups
            for label, groups in zip(self.labels, row.groups, strict=True)
        )
        key = demands, groups
        if (mask := self._masks.get(key)) is None:
            mask = self._masks[key] = self._mask(demands, groups)
        mask, again = mask.copy(), self._again(row)
        for token_id in row.rhymed - {again} if slot.is_last else ():
            # A character rhymes once; where it need not rhyme, it may stand again.
            free = (demand for demand in demands if not demand[1])
            mask[token_id] |= not any(self._meets(token_id, demand, row) for demand in free)
        if self.no_repeats:
            self._exclude_repeats(mask, row, slot)
        for word in self.words:
            for place, token_id in enumerate(word):
                # The rest of the word may be fixed to follow.
                after = word[place + 1 :]
                written = row.tail[-place:] if place else ()
                if written == word[:place] and after == self._fixed_after(row, len(after)):
                    mask[token_id] = True
        if again is not None and not mask[again]:
            return _all_but(len(self.usable), [again])
        if slot.copies and not self.no_repeats:
            mask = self._repeatable(mask, row, slot)
        if not (self.no_repeats or slot.is_last):
            return mask
        better = mask.copy()
        self._reserve_rhymes(better, row, demands)
        if slot.is_last and not any(not label for _, label in demands):
            better[list(row.heard)] = True
        # With hardly a character to choose from, an end of a line is heard twice.
        return mask if better.all() else better

    def _again(self, row: Row) -> int | None:
        """Return the character that the tune repeats next, if it repeats one.

        A line that has not repeated what it should does not go on to repeat.
        """
        source = self.slots[row.position].source
        if source is None:
            return None
        before = self.slots[row.position - len(row.tail) : row.position]
        is_broken = any(
            slot.source is not None and row.sources[slot.source] != token_id
            for slot, token_id in zip(before, row.tail, strict=True)
        )
        return None if is_broken else row.sources[source]

    def _repeatable(self, mask: BoolArray, row: Row, slot: Slot) -> BoolArray:
        """Exclude also what could not be repeated where the tune does, unless nothing is left."""
        better = mask.copy()
        # It may be repeated within a word that is forbidden.
        better[[token_id for word in self.words for token_id in word]] = True
        groups = tuple(
            self._roomy(row, label, groups)
            for label, groups in zip(self.labels, row.groups, strict=True)
        )
        for place in slot.copies:
            if (token_id := self.fixed[place]) is not None:
                better |= _all_but(len(mask), [token_id])
                continue
            demands = self._demands_of(self._slot_at[place])
            better |= self._mask(demands, groups)
            if all(label for _, label in demands):
                better[list(row.rhymed)] = True
        return mask if better.all() else better

    def _demands_of(self, slot: Slot) -> frozenset[Demand]:
        """Return what the character of a slot may be, in any scheme and whatever comes before."""
        found, place = set[Demand](), slot.place or 0
        for scheme in self.schemes:
            label, first = scheme.rhymes[slot.line] if slot.is_last else "", 0
            tones = {EITHER}
            for part in scheme.tones:
                length = len(min(part))
                if first <= place < first + length:
                    tones = {pattern[place - first] for pattern in part}
                first += length
            found |= {(tone, label) for tone in tones}
        return frozenset(found)

    def _fixed_after(self, row: Row, count: int) -> tuple[int | None, ...]:
        """Return what is fixed at so many places after the next one, in its line."""
        slots = self.slots[row.position + 1 : row.position + 1 + count]
        return tuple(None if slot.place is None else self.fixed[slot.place] for slot in slots)

    def exclude(self, logits: FloatArray, rows: Sequence[Row]) -> None:
        """Set the logits (B, V) of what may not come next in each poem to −∞, in place."""
        for number, row in enumerate(rows):
            np.putmask(logits[number], self.excluded(row), -np.inf)

    def advance(self, row: Row, token_id: int) -> Row:
        """Return the row of the poem with one token more, which must not be excluded."""
        if row.position == len(self.slots):
            return row
        slot = self.slots[row.position]
        if slot.place is None:
            return row._replace(position=row.position + 1, tail=())
        met = {
            demand: ways
            for demand, ways in self._demands_at(row).items()
            if self._meets(token_id, demand, row)
        }
        # A character of two readings: where it need not rhyme, it does not.
        if free := {demand: ways for demand, ways in met.items() if not demand[1]}:
            met = free
        rhymed, matching = row.rhymed, dict[str, int]()
        for tone, label in met:
            if label:
                found = self._rhyming(token_id, tone, label, self._is_fixed(row))
                matching[label.upper()] = matching.get(label.upper(), 0) | found
                rhymed |= {token_id}
        groups = tuple(
            alive & matching.get(label, alive)
            for label, alive in zip(self.labels, row.groups, strict=True)
        )
        return Row(
            row.position + 1,
            frozenset().union(*met.values()),
            groups,
            rhymed,
            row.heard | {token_id} if slot.is_last else row.heard,
            row.used | {token_id} if self.no_repeats else row.used,
            (*row.tail, token_id),
            (*row.sources, token_id) if slot.copies else row.sources,
        )

    def _enter(self, scheme: int, part: int) -> Iterable[Way]:
        parts = self.schemes[scheme].tones
        return (
            [(scheme, part, tones) for tones in parts[part]]
            if part < len(parts)
            else [(scheme, part, "")]
        )

    def _demands_at(self, row: Row) -> dict[Demand, frozenset[Way]]:
        """Return what the next character may be, and the ways on after each choice."""
        key = row.position, row.ways
        if (found := self._demands.get(key)) is not None:
            return found
        slot = self.slots[row.position]
        ways: dict[Demand, set[Way]] = {}
        for scheme, part, tones in row.ways:
            label = self.schemes[scheme].rhymes[slot.line] if slot.is_last else ""
            after = ways.setdefault((tones[:1] or EITHER, label), set())
            if len(tones) == 1:
                after.update(self._enter(scheme, part + 1))
            else:
                after.add((scheme, part, tones[1:]))
        found = {demand: frozenset(after) for demand, after in ways.items()}
        self._demands[key] = found
        return found

    def _mask(self, demands: frozenset[Demand], groups: tuple[int, ...]) -> BoolArray:
        """Return the tokens (V,) that meet none of the demands."""
        met = np.zeros(len(self.usable), np.bool_)
        for tone, label in demands:
            if not label:
                met |= self.lexicon.tones[tone]
                continue
            alive = dict(zip(self.labels, groups, strict=True))[label.upper()]
            rows = [
                group
                for group in (self.lexicon.group_at(group, label) for group in bits(alive))
                if group is not None and tone in (EITHER, self.lexicon.book.groups[group].tone)
            ]
            met |= self.lexicon.rhymes[rows].any(axis=0)
        mask: BoolArray = ~(met & self.usable)
        return mask

    def _meets(self, token_id: int, demand: Demand, row: Row) -> bool:
        (tone, label), is_fixed = demand, self._is_fixed(row)
        if not label:
            return tone in (EITHER, *self.lexicon.tones_of(token_id, is_fixed))
        if token_id in row.rhymed and not is_fixed and token_id != self._again(row):
            return False
        alive = row.groups[self.labels.index(label.upper())]
        return bool(alive & self._rhyming(token_id, tone, label, is_fixed))

    def _is_fixed(self, row: Row) -> bool:
        """Return whether the next character is fixed, which any of its readings will do for."""
        return self.fixed[self.slots[row.position].place or 0] is not None

    def _rhyming(self, token_id: int, tone: str, label: str, is_fixed: bool) -> int:
        """Return the groups, under the upper-case label, in which a token can rhyme."""
        found = 0
        for group in bits(self.lexicon.groups_of(token_id, is_fixed)):
            under = self.lexicon.group_at(group, label)
            if under is not None and tone in (EITHER, self.lexicon.book.groups[group].tone):
                found |= 1 << under
        return found

    def _num_open(self, row: Row, label: str) -> int:
        """Return how many open lines from here on have a label, in any scheme that is left."""
        schemes = {scheme for scheme, _, _ in row.ways}
        return max(
            (self._open[scheme][label][row.position] if label in self._open[scheme] else 0)
            for scheme in schemes
        )

    def _roomy(self, row: Row, label: str, groups: int) -> int:
        """Return those of some groups that still have a character for each line that rhymes."""
        taken = row.rhymed | row.used
        for case in (label, label.lower()):
            num_open = self._num_open(row, case)
            for group in bits(groups) if num_open else ():
                at = self.lexicon.group_at(group, case)
                if at is None or not self._has_room(at, num_open, taken):
                    groups &= ~(1 << group)
        return groups

    def _has_room(self, group: int, num_wanted: int, taken: Set[int]) -> bool:
        num_left = self._sizes[group] - num_wanted
        return num_left >= len(taken) or num_left >= sum(
            self.lexicon.groups[token_id] >> group & 1 for token_id in taken
        )

    def _exclude_repeats(self, mask: BoolArray, row: Row, slot: Slot) -> None:
        doubled = row.tail[-1] if row.tail and row.tail[-2:-1] != row.tail[-1:] else None
        may_double = doubled is not None and not mask[doubled] and not slot.is_last
        mask[list(row.used)] = True
        if doubled is not None and may_double:
            mask[doubled] = False

    def _reserve_rhymes(self, mask: BoolArray, row: Row, demands: frozenset[Demand]) -> None:
        """Leave the lines that have yet to rhyme enough characters, where another may use them."""
        free = frozenset(demand for demand in demands if not demand[1])
        if not free:
            return
        taken = row.rhymed | row.heard | row.used
        for label, alive in zip(self.labels, row.groups, strict=True):
            for case in (label, label.lower()):
                num_open = self._num_open(row, case)
                groups = [self.lexicon.group_at(group, case) for group in bits(alive)]
                known = [group for group in groups if group is not None]
                if not num_open or any(self._has_room(g, num_open + 1, taken) for g in known):
                    continue
                # One group has to stay as it is.
                just = [g for g in known if self._has_room(g, num_open, taken)]
                mask |= self.lexicon.rhymes[just].all(axis=0) & ~self._mask(free, row.groups)


def _known(token_ids: Iterable[int | None]) -> list[int]:
    return [token_id for token_id in token_ids if token_id is not None]


def _all_but(num_tokens: int, token_ids: Sequence[int]) -> BoolArray:
    mask = np.ones(num_tokens, np.bool_)
    mask[list(token_ids)] = False
    return mask
