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
from poetgen.verse.tunes import find_tune

_TONES: tuple[Tones, ...] = ("strict", "loose", "off")


class FormPlans:
    """The plans by which poems that begin with a start are written, by their forms.

    A form has a plan if it has rules and the start suits it; each is made when it is wanted. A
    start whose tones suit none has the loose ones, else only lines and rhyme.
    ``prompt`` is the start as token ids, with one mark after each line, as a form has it.
    """

    def __init__(self, vocabulary: Vocabulary, start: str, max_tokens: int | None) -> None:
        """Remember the start; no poem is longer than ``max_tokens``, marks included."""
        self.vocabulary = vocabulary
        self.max_tokens = max_tokens
        self._start = with_single_marks(start)
        self.prompt = encode_prompt(self._start, vocabulary)
        self._plans: dict[str, Plan | None] = {}

    def plan(self, form: Sequence[int]) -> Plan | None:
        """Return the plan of a form with this name, in token ids, or None if there is none."""
        name = self.vocabulary.decode(form)
        if name not in self._plans:
            self._plans[name] = self._make(name)
        return self._plans[name]

    def suit_start(self) -> bool:
        """Return whether a 绝句 or a 律诗 can begin with the start."""
        return any(self.plan(self.vocabulary.encode(name)) is not None for name in FORMS)

    def _make(self, name: str) -> Plan | None:
        # A model calls what is in lines of one length by their length: 五言 has no rules.
        if name not in FORMS and find_tune(name) is None:
            return None
        plan = next(filter(None, (self._under(name, tones) for tones in _TONES)), None)
        if plan is None:
            return None
        num_tokens = len(plan.slots)
        is_too_long = self.max_tokens is not None and num_tokens > self.max_tokens
        # A start that is a whole poem is the beginning of a longer one.
        is_whole = len(self.prompt) >= num_tokens - 1
        return None if is_too_long or is_whole else plan

    def _under(self, name: str, tones: Tones) -> Plan | None:
        try:
            (plan,) = make_plans(VerseConfig(form=name, tones=tones), self._start, self.vocabulary)
        except SettingError:
            return None  # the start does not suit it
        return plan
