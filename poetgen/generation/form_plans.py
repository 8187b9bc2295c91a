"""The plans of the forms that a model thinks of."""

from __future__ import annotations

from collections.abc import Sequence

from poetgen.config import Tones, VerseConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.plan import Plan
from poetgen.generation.planning import make_plans
from poetgen.generation.prompt import encode_prompt
from poetgen.generation.wishes import with_single_marks
from poetgen.verse.forms import FORMS
from poetgen.verse.tunes import find_tune, tunes

# The tones of a form, from those that it keeps best.
_TONES: tuple[Tones, ...] = ("strict", "loose", "off")


class FormPlans:
    """The plans by which poems that begin with a start are written, by their forms.

    A form has a plan if it has rules and the start suits it; each is made when it is wanted.
    ``prompt`` is the start as token ids, with one mark after each line, as a form has it, and
    ``has_kept`` whether every poem that was thought of so far has a plan.
    """

    def __init__(self, vocabulary: Vocabulary, start: str, max_tokens: int | None) -> None:
        """Remember the start; no poem is longer than ``max_tokens``, marks included."""
        self.vocabulary = vocabulary
        self.max_tokens = max_tokens
        self._start = with_single_marks(start)
        self.prompt = encode_prompt(self._start, vocabulary)
        self.has_kept = True
        self._plans: dict[tuple[str, Tones], Plan | None] = {}

    def plan(self, form: Sequence[int], tones: Tones = "strict") -> Plan | None:
        """Return the plan of a form with this name, in token ids, or None if there is none."""
        name = self.vocabulary.decode(form)
        if (name, tones) not in self._plans:
            self._plans[name, tones] = self._make(name, tones)
        return self._plans[name, tones]

    def suited(self) -> list[tuple[int, ...]]:
        """Return the forms, as token ids, that the start suits, its tones apart."""
        tokens = {*self.vocabulary.tokens}
        names = [name for name in (*FORMS, *tunes()) if tokens.issuperset(name)]
        forms = [tuple(self.vocabulary.encode(name)) for name in names]
        return [form for form in forms if self.plan(form, "off") is not None]

    def best_kept(self, forms: Sequence[Sequence[int]]) -> dict[tuple[int, ...], Plan]:
        """Return those of some forms that can be kept best, and their plans.

        A start whose tones suit none of them has the loose ones, else only lines and rhyme.
        """
        for tones in _TONES:
            plans = {tuple(form): self.plan(form, tones) for form in forms}
            if found := {form: plan for form, plan in plans.items() if plan is not None}:
                return found
        return {}

    def _make(self, name: str, tones: Tones) -> Plan | None:
        # A model calls what is in lines of one length by their length: 五言 has no rules.
        if name not in FORMS and find_tune(name) is None:
            return None
        try:
            (plan,) = make_plans(VerseConfig(form=name, tones=tones), self._start, self.vocabulary)
        except SettingError:
            return None  # the start does not suit it
        num_tokens = len(plan.slots)
        is_too_long = self.max_tokens is not None and num_tokens > self.max_tokens
        # A start that is a whole poem is the beginning of a longer one.
        is_whole = len(self.prompt) >= num_tokens - 1
        return None if is_too_long or is_whole else plan
