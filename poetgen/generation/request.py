"""From what a user asks for to a request that a network can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from poetgen.arrays import BoolArray
from poetgen.characters import END_MARKS, LINE_MARKS
from poetgen.config import OccasionConfig, SampleConfig, VerseConfig
from poetgen.corpus.vocabulary import END, Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.decode import Request
from poetgen.generation.prompt import encode_prompt, name_of, read_start, split_words
from poetgen.places import SHIPPED_MODELS
from poetgen.verse.forms import FORMS, FREE, is_free

if TYPE_CHECKING:
    from poetgen.generation.form_plans import FormPlans
    from poetgen.generation.plan import Plan


def make_request(
    start: str | Path,
    vocabulary: Vocabulary,
    sampling: SampleConfig,
    verse: VerseConfig = VerseConfig(),
    occasion: OccasionConfig = OccasionConfig(),
    *,
    think: bool = True,
) -> Request:
    """Return the request for poems that begin with ``start``.

    A text counts towards ``sampling.max_chars``. A path is that of a file that holds the text,
    or ``-`` for standard input; it is not counted. A poem with wishes has the length of its
    form. A model that has learned of titles and forms thinks of a form where nothing is wished,
    and of a title where a poem does not begin in a given way; without ``think``, of neither.

    Raises:
        PromptError: the file cannot be read, or a token is unknown.
        SettingError: the text is as long as the longest poem, or wishes cannot be kept.
    """
    verse, occasion = _tune_of_title(verse, occasion)
    _check_wishes(verse, occasion, vocabulary)
    if isinstance(start, Path):
        text = read_start(start)
        prompt = encode_prompt(text, vocabulary, name_of(start))
        sampling = replace(sampling, max_chars=sampling.max_chars + len(prompt))
    else:
        text = start
        prompt = encode_prompt(start, vocabulary)
    plans: Sequence[Plan] = ()
    forms: FormPlans | None = None
    if is_free(verse.form):
        if verse != VerseConfig(form=verse.form):
            raise SettingError(
                f"--form {FREE} is without rules, and other wishes are rules.",
                f"Leave out --form {FREE}, or the other wishes.",
            )
    elif verse != VerseConfig():
        # Its tables of rhymes are read only where they are needed.
        from poetgen.generation.planning import make_plans
        from poetgen.generation.wishes import with_single_marks

        text = with_single_marks(text)
        prompt = encode_prompt(text, vocabulary)
        plans = make_plans(verse, text, vocabulary)
        wanted = len(plans[0].slots)
        if wanted > sampling.max_chars != SampleConfig().max_chars and not isinstance(start, Path):
            raise SettingError(
                f"A {plans[0].form.name} has {wanted} characters with its marks, and --max-chars "
                f"is {sampling.max_chars}.",
                "Leave --max-chars out: a form has its own length.",
            )
        sampling = replace(sampling, max_chars=wanted)
    elif think and vocabulary.fields and vocabulary.has_verse_marks:
        from poetgen.generation.form_plans import FormPlans

        is_limited = sampling.max_chars != SampleConfig().max_chars
        forms = FormPlans(vocabulary, text, sampling.max_chars if is_limited else None)
    if not plans and prompt and len(prompt) >= sampling.max_chars:
        raise SettingError(
            f"The start has {len(prompt)} characters and --max-chars is {sampling.max_chars}.",
            f"Give --max-chars {len(prompt) + 1} or more, or use --start-file, which is not "
            "counted.",
        )
    exempt = None if sampling.repetition_penalty is None else _exempt(vocabulary)
    said = None
    if vocabulary.fields or occasion != OccasionConfig():
        from poetgen.generation.occasion import read_occasion

        form = plans[0].form if plans else None
        said = read_occasion(occasion, vocabulary, form, think=think and not prompt)
    not_next: list[int] = []
    if vocabulary.has_verse_marks and text[-1:] in tuple(LINE_MARKS):
        # After 浪淘尽、 comes neither another mark nor the end.
        not_next = vocabulary.encode([mark for mark in LINE_MARKS if mark in vocabulary])
        not_next += [END] * (text[-1] not in END_MARKS)
    return Request(prompt, sampling, exempt, plans, said, vocabulary.unwritten, forms, not_next)


def _check_wishes(verse: VerseConfig, occasion: OccasionConfig, vocabulary: Vocabulary) -> None:
    """Refuse a title after another tune than the form, and keywords that are forbidden."""
    name, dot, _ = _divided(occasion.title)
    # No title has a dot that a model of Chinese has learned; it stands after a tune.
    if dot and vocabulary.is_chinese:
        from poetgen.verse.tunes import find_tune

        if find_tune(name) is None:
            raise SettingError(
                f"--title {occasion.title}: there is no tune {name}.",
                "Give the title alone, or one after a tune, such as 水调歌头·中秋 (docs/verse.md).",
            )
        if verse.form is not None:
            raise SettingError(
                f"--title {occasion.title} is of another tune than --form {verse.form}.",
                "Leave one of the two out.",
            )
    keywords = split_words(occasion.keyword or "")
    for word in split_words(verse.forbid or ""):
        if any(word in keyword for keyword in keywords):
            raise SettingError(
                f"--keyword {occasion.keyword} asks for {word}, and --forbid excludes it.",
                "Leave one of the two out.",
            )


def shipped_model(verse: VerseConfig, occasion: OccasionConfig) -> str:
    """Return the name of the model that ships for what is asked: for a tune, that of 词."""
    form = _tune_of_title(verse, occasion)[0].form
    # The table of tunes is read only where a form may be one.
    if form is not None and form not in FORMS:
        from poetgen.verse.tunes import find_tune

        if find_tune(form):
            return "ci"
    return SHIPPED_MODELS[0]


def _tune_of_title(
    verse: VerseConfig, occasion: OccasionConfig
) -> tuple[VerseConfig, OccasionConfig]:
    """Read a title such as 水调歌头·中秋 as that of a tune, its form, and a title of its own."""
    name, _, title = _divided(occasion.title)
    if title:
        from poetgen.verse.tunes import find_tune, find_tunes

        form = verse.form or name
        if find_tune(form) in find_tunes(name):
            return replace(verse, form=form), replace(occasion, title=title)
    return verse, occasion


def _divided(title: str | None) -> tuple[str, str, str]:
    """Return what is before the dot of a title, the dot, and what is after it."""
    return (title or "").strip(" 《》").partition("·")


def _exempt(vocabulary: Vocabulary) -> BoolArray:
    """Mark, shape (V,), the tokens that the repetition penalty spares: those without a letter.

    Every line of verse ends with a mark, and every line of prose with a break.
    """
    exempt = np.ones(len(vocabulary), np.bool_)
    exempt[vocabulary.ordinary] = [not any(map(str.isalnum, token)) for token in vocabulary.tokens]
    return exempt
