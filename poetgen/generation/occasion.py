"""The occasion of a poem: what is said before it begins, given by a user or thought of.

A model that has learned fields (``corpus.occasions``) reads them before the poem. A title and a
form that are not given it thinks of (``thinking``).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from poetgen.config import OccasionConfig
from poetgen.corpus.vocabulary import MAX_TITLE, UNK, Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.prompt import encode_wish, split_words
from poetgen.generation.settings import exclude

if TYPE_CHECKING:
    from poetgen.verse.schemes import Form


# How closely a poem keeps to what is asked for.
_GIVEN_GUIDANCE = 1.5


@dataclass(frozen=True, slots=True)
class Occasion:
    """The fields of a poem as token ids, without their marks; empty where nothing is said.

    ``has_title`` says that the title is known, be it empty; else it is to be thought of.
    ``guidance`` is how closely the poem keeps to all but the form.
    """

    vocabulary: Vocabulary
    author: tuple[int, ...] = ()
    keywords: tuple[tuple[int, ...], ...] = ()
    title: tuple[int, ...] = ()
    form: tuple[int, ...] = ()
    has_title: bool = True
    guidance: float = 1.0

    @property
    def token_ids(self) -> list[int]:
        """What a network reads before the start token: each field after its mark."""
        return [*self.before_form(), *self._field("form", self.form)]

    @property
    def form_alone(self) -> list[int]:
        """What is read if nothing but the form is said."""
        return self._field("form", self.form)

    @property
    def author_alone(self) -> list[int]:
        """What is read if nothing but the author is said."""
        return self._field("author", self.author)

    @property
    def words(self) -> list[str]:
        """The keywords, as they are spelled."""
        return [*map(self.vocabulary.decode, self.keywords)]

    def before_title(self) -> list[int]:
        """Return what is read before the title."""
        keywords = [self._field("keyword", keyword) for keyword in self.keywords]
        return [*self.author_alone, *itertools.chain(*keywords)]

    def before_form(self) -> list[int]:
        """Return what is read before the form."""
        return [*self.before_title(), *self._field("title", self.title)]

    def _field(self, name: str, token_ids: Sequence[int]) -> list[int]:
        return [self.vocabulary.field_id(name), *token_ids] if token_ids else []

    def titled(self, title: Sequence[int]) -> Occasion:
        """Return this occasion with a title."""
        return replace(self, title=tuple(title), has_title=True)

    def formed(self, form: Sequence[int]) -> Occasion:
        """Return this occasion with a form."""
        return replace(self, form=tuple(form))


def read_occasion(
    wish: OccasionConfig, vocabulary: Vocabulary, form: Form | None, *, think: bool
) -> Occasion | None:
    """Return the occasion that is asked for, or None if nothing is said before the poem.

    Args:
        wish: what the user gives.
        vocabulary: that of the model.
        form: that of the poem, if it is to have one.
        think: whether a title may be thought of, if none is given.

    Raises:
        SettingError: something is given, and the model has not learned fields; or it is empty or
            too long, or contradicts another wish.
        PromptError: it has a character that the model does not know.
    """
    for flag, text in _texts(wish):
        if text is not None and not text.strip(" 《》,，、"):
            raise SettingError(f"{flag} is empty.", "Give Chinese characters, or leave it out.")
    if wish.untitled and wish.title is not None:
        raise exclude("--untitled", "--title")
    if not vocabulary.fields:
        for flag, text in _texts(wish):
            if text:
                raise SettingError(
                    f"This model has not learned from titles and authors, so {flag} has no effect.",
                    "Leave it out, or take a model that was trained on a corpus with titles.",
                )
        return None
    author, title, keyword = (_encoded(flag, text, vocabulary) for flag, text in _texts(wish))
    occasion = Occasion(
        vocabulary,
        author=author[0] if author else (),
        keywords=tuple(keyword),
        title=title[0] if title else (),
        form=_form_ids(form, vocabulary),
        has_title=not think or wish.untitled or bool(title),
        guidance=_guidance(wish),
    )
    return occasion if occasion.token_ids or not occasion.has_title else None


def _guidance(wish: OccasionConfig) -> float:
    if wish.guidance is not None:
        return wish.guidance
    # Guidance reads every token twice: in the same time it writes half as many drafts, and to a
    # title that nobody asked for readers like these no better (docs/poets.md).
    return _GIVEN_GUIDANCE if any(text for _, text in _texts(wish)) else 1.0


def _texts(wish: OccasionConfig) -> list[tuple[str, str | None]]:
    return [("--author", wish.author), ("--title", wish.title), ("--keyword", wish.keyword)]


def _encoded(flag: str, text: str | None, vocabulary: Vocabulary) -> list[tuple[int, ...]]:
    parts = split_words(text or "") if flag == "--keyword" else [text or ""]
    known = [encode_wish(flag, part.strip(" 《》"), vocabulary) for part in parts]
    longest = max(map(len, known), default=0)
    if flag == "--title" and longest > MAX_TITLE:
        raise SettingError(
            f"--title has {longest} characters, and models learn titles of at most {MAX_TITLE}.",
            "Give a shorter one.",
        )
    return [tuple(token_ids) for token_ids in known if token_ids]


def _form_ids(form: Form | None, vocabulary: Vocabulary) -> tuple[int, ...]:
    """Return the name of a form as ``corpus.occasions`` has learned it, if the model knows it."""
    if form is None:
        return ()
    from poetgen.verse.forms import MIXED, form_of_lengths, kind_of_lines
    from poetgen.verse.tunes import find_tune

    lengths = form.line_lengths
    if len(set(lengths)) == 1:
        # As of all poems in lines of one length, tunes among them.
        name = form_of_lengths(lengths) or kind_of_lines(lengths[0])
    else:
        tune = find_tune(form.name)
        name = MIXED if tune is None else tune.name.partition(":")[0]
    token_ids = vocabulary.encode(name)
    return () if UNK in token_ids else tuple(token_ids)
