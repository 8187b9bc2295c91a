"""Which poems enter a corpus, and into which split; which are dropped, and why."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from poetgen.config import PrepareConfig
from poetgen.corpus.about import About, Abouts, has_title_and_author
from poetgen.corpus.cleaning import Reason, are_modern, clean, letters_only
from poetgen.corpus.duplicates import SeenPoems
from poetgen.corpus.script import convert_all, to_simplified
from poetgen.corpus.split import SPLITS, Split, identities, identity, split_of
from poetgen.corpus.titles import clean_origin, clean_title
from poetgen.errors import SettingError
from poetgen.reading import Aside, RawPoem
from poetgen.verse.forms import form_of, parse_forms

_EXAMPLE_CHARS = 24


@dataclass(frozen=True, slots=True)
class Dropped:
    """A text that did not enter the corpus, and why: a poem, or what is left out of a source."""

    reason: str
    poem: RawPoem
    is_poem: bool = True


class KeptPoem(NamedTuple):
    """A poem as it entered the corpus: clean, in the script of the corpus."""

    text: str
    title: str = ""
    author: str = ""
    dynasty: str = ""


class KeptPoems(Sequence[KeptPoem]):
    """The kept poems of one split: their ``texts``, and what is known ``abouts`` each."""

    def __init__(self, texts: list[str], abouts: Abouts) -> None:
        """Hold poems."""
        self.texts = texts
        self.abouts = abouts

    def __len__(self) -> int:
        """Return the number of poems."""
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> KeptPoem: ...
    @overload
    def __getitem__(self, index: slice) -> KeptPoems: ...
    def __getitem__(self, index: int | slice) -> KeptPoem | KeptPoems:
        """Return one poem, or several."""
        if isinstance(index, slice):
            return KeptPoems(self.texts[index], self.abouts[index])
        return KeptPoem(self.texts[index], *self.abouts[index])


class _Growing:
    """The kept poems of one split, to which those of one file after another are added.

    The lines about the poems of each file are packed into one string. Small strings that stay,
    among the many that go with a file, would scatter the memory that the next file is read to.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._lines: list[str] = []
        self._packed: list[str] = []
        self._renamed: dict[int, str] = {}

    def add(self, text: str, line: str) -> None:
        self.texts.append(text)
        self._lines.append(line)

    def pack(self) -> None:
        self._packed.append(Abouts.of_lines(self._lines).text)
        self._lines.clear()

    def rename(self, index: int, line: str) -> None:
        self._renamed[index] = line

    def move(self, index: int, other: _Growing) -> None:
        """Move one poem to the end of ``other``."""
        lines = self.poems().abouts.lines
        other.add(self.texts.pop(index), lines.pop(index))
        other.pack()
        self._packed = [Abouts.of_lines(lines).text]
        self._renamed.clear()

    def poems(self) -> KeptPoems:
        abouts = Abouts("".join(self._packed))
        if self._renamed:
            lines = abouts.lines
            for index, line in self._renamed.items():
                lines[index] = line
            abouts = Abouts.of_lines(lines)
        return KeptPoems(self.texts, abouts)


class Sieve:
    """Cleans and sorts the poems of one file after another.

    ``dropped`` holds the poems that are not kept; ``is_prose`` says whether any file was
    running prose.
    """

    def __init__(self, settings: PrepareConfig, dropped: list[Dropped] | None = None) -> None:
        """Begin with no poems; ``dropped`` is the list to add to.

        Raises:
            SettingError: two settings contradict each other, or a form is unknown, or there is
                no author in the list of authors.
        """
        if settings.letters_only and settings.script == "traditional":
            raise SettingError(
                "--letters-only is for alphabets and --script traditional for Chinese.",
                "Leave one of the two out.",
            )
        self.settings = settings
        self._kept = {split: _Growing() for split in SPLITS}
        self.dropped: list[Dropped] = [] if dropped is None else dropped
        self.is_prose = False
        # The kept poems without a title or an author, which a duplicate of theirs may have.
        self._unnamed: dict[str, tuple[_Growing, int, str]] = {}
        self._seen = SeenPoems(near=settings.near_duplicates == "drop")
        self._forms = None if settings.forms is None else parse_forms(settings.forms)
        self._authors = None if settings.authors is None else _parse_authors(settings.authors)

    def add_all(
        self, poems: Sequence[RawPoem], *, prose: bool, dynasty: str = ""
    ) -> list[tuple[str, str]]:
        """Sift the poems of one file, which are converted together; ``dynasty`` is theirs.

        Return the text of each one that is kept, with the line about it, in the order of the file.
        """
        added: list[tuple[str, str]] = []
        self.is_prose = self.is_prose or prose
        wanted, texts = self._clean(poems, prose)
        written, abouts = self._convert(wanted, texts, dynasty)
        keys = identities(texts)
        for poem, text, about, key in zip(wanted, written, abouts, keys, strict=True):
            reason = self._refusal(text, key, prose=prose)
            if reason is None:
                kept = self._kept[split_of(key)]
                if not (prose or has_title_and_author(about)):
                    self._unnamed[key] = kept, len(kept.texts), about
                kept.add(text, about)
                added.append((text, about))
            else:
                self.dropped.append(Dropped(reason, poem))
                if reason == "duplicate" and key in self._unnamed:
                    self._name(key, about)
        for kept in self._kept.values():
            kept.pack()
        return added

    @property
    def num_kept(self) -> dict[Split, int]:
        """How many poems are kept in each split."""
        return {split: len(kept.texts) for split, kept in self._kept.items()}

    def kept(self) -> dict[Split, KeptPoems]:
        """Return the poems that are kept, by split."""
        return {split: kept.poems() for split, kept in self._kept.items()}

    def move_one(self, source: Split, target: Split) -> None:
        """Move a poem to another split: chosen by its hash, not by the order of the files."""
        texts = self._kept[source].texts
        chosen = max(range(len(texts)), key=lambda index: _order_by_hash(texts[index]))
        self._kept[source].move(chosen, self._kept[target])

    def _convert(
        self, poems: Sequence[RawPoem], texts: Sequence[str], dynasty: str
    ) -> tuple[list[str], list[str]]:
        """Return the texts in the script of the corpus, and the lines about the poems.

        A name that several poems have is cleaned and converted once.
        """
        # Of the parts of a series, only what follows the last blank differs: 秋兴八首 其一.
        titles = [clean_title(poem.title).rpartition(" ") for poem in poems]
        raw = [(poem.author, poem.dynasty) for poem in poems]
        origins = {origin: clean_origin(*origin) for origin in set(raw)}
        names = dict.fromkeys(itertools.chain.from_iterable([*titles, *origins.values()]))
        converted = convert_all([*texts, *names], self.settings.script)
        written = dict(zip(names, converted[len(texts) :], strict=True))
        ends = {
            origin: f"\t{written[author]}\t{written[own_dynasty] or dynasty}"
            for origin, (author, own_dynasty) in origins.items()
        }
        lines = [
            written[start] + blank + written[last] + ends[origin]
            for (start, blank, last), origin in zip(titles, raw, strict=True)
        ]
        return converted[: len(texts)], lines

    def _name(self, key: str, line: str) -> None:
        """Add the title and the author of a duplicate to a kept poem that has none."""
        kept, index, own_line = self._unnamed.pop(key)
        own, about = About.from_line(own_line), About.from_line(line)
        source = own if own.author or not about.author else about
        named = source._replace(title=own.title or about.title).as_line()
        kept.rename(index, named)
        if not has_title_and_author(named):
            self._unnamed[key] = kept, index, named

    def _clean(self, poems: Sequence[RawPoem], prose: bool) -> tuple[list[RawPoem], list[str]]:
        """Return the poems that can be used, and their clean texts."""
        wanted, texts = [], []
        words = self.settings.tokens == "word"
        modern = not (words or prose) and are_modern(poem.text for poem in poems)
        for poem in poems:
            # First: what is wrong with the poems of others is of no interest.
            if not self._has_author(poem):
                self.dropped.append(Dropped("other author", poem))
                continue
            text, reason = clean(poem.text, words=words, prose=prose, modern=modern)
            if reason is not None:
                self.dropped.append(Dropped(reason, poem))
            elif text is not None:
                wanted.append(poem)
                texts.append(letters_only(text) if self.settings.letters_only else text)
        return wanted, texts

    def _refusal(self, text: str, key: str, *, prose: bool) -> Reason | None:
        """Return why a clean poem of the identity ``key`` is not kept, or None if it is."""
        max_chars = self.settings.max_chars
        if max_chars is not None and len(text) > max_chars:
            return "too long"
        if self._forms is not None and form_of(text.replace(" ", "")) not in self._forms:
            return "other form"
        if not key:
            return "empty"
        # A novel may repeat a sentence; only poems are taken once.
        return None if prose else self._seen.add(key)

    def _has_author(self, poem: RawPoem) -> bool:
        if self._authors is None:
            return True
        names = (poem.author.strip(), clean_origin(poem.author)[0])
        return any(to_simplified(name) in self._authors for name in names)

    def leave_out(self, asides: Sequence[Aside]) -> None:
        """Add what is not a poem in a source to what was dropped."""
        self.dropped += [
            Dropped(kind, RawPoem(text), is_poem=False) for kind, text in asides if text
        ]

    def dropped_by_reason(self) -> dict[str, list[RawPoem]]:
        """Return the poems that were dropped, in their order, for each reason."""
        by_reason: dict[str, list[RawPoem]] = {}
        for dropped in self.dropped:
            if dropped.is_poem:
                by_reason.setdefault(dropped.reason, []).append(dropped.poem)
        return by_reason


def beginning_of(poem: RawPoem) -> str:
    """Return the title of a poem and its first characters, as an example of it."""
    return f"{poem.title} {poem.text[:_EXAMPLE_CHARS]}".strip()


def _order_by_hash(text: str) -> str:
    return hashlib.blake2b(identity(text).encode("utf-8")).hexdigest() + text


def _parse_authors(authors: str) -> frozenset[str]:
    names = [name.strip() for name in re.split("[,，、]", authors)]
    # What follows a last comma is empty, and does not mean poems without an author.
    wanted = frozenset(to_simplified(name) for name in names if name)
    if not wanted:
        raise SettingError(
            f"There is no author in --authors {authors!r}.",
            "Give names with commas between, such as --authors 李白,杜甫",
        )
    return wanted
