"""From source files to a corpus: read, clean, convert, sift, split, encode."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from poetgen.characters import mostly_han
from poetgen.config import PrepareConfig
from poetgen.corpus.cleaning import Reason, clean, letters_only
from poetgen.corpus.corpus import (
    FORMAT_VERSION,
    Corpus,
    encode_poems,
    fingerprint_of,
    unknown_share,
)
from poetgen.corpus.duplicates import SeenPoems
from poetgen.corpus.script import convert_all, to_simplified
from poetgen.corpus.split import (
    SPLITS,
    Split,
    identities,
    identity,
    split_of,
)
from poetgen.corpus.vocabulary import build_vocabulary, count_tokens
from poetgen.errors import SettingError, SourceError
from poetgen.limits import ensure_few
from poetgen.reading import RawPoem, describe_ignored, find_inputs, read_document

# From this many training tokens on, one seen once or twice teaches nothing.
_LARGE_CORPUS_TOKENS = 500_000

_EXAMPLES_PER_REASON = 3
_EXAMPLE_CHARS = 24


@dataclass(frozen=True, slots=True)
class Dropped:
    """A poem that did not enter the corpus, and why."""

    reason: Reason
    poem: RawPoem


@dataclass(frozen=True, slots=True)
class Prepared:
    """A corpus, still in memory; what was left out of it; and files that were skipped."""

    corpus: Corpus
    dropped: Sequence[Dropped]
    skipped: Sequence[str]


@dataclass(slots=True)
class _Sieve:
    """Poems kept so far, by split, and those dropped."""

    config: PrepareConfig
    has_form: Callable[[str], bool] | None
    dropped: list[Dropped]
    kept: dict[Split, list[str]] = field(default_factory=lambda: {name: [] for name in SPLITS})
    seen: SeenPoems = field(init=False)
    _authors: frozenset[str] | None = None
    prose: bool = False

    def __post_init__(self) -> None:
        self.seen = SeenPoems(near=self.config.near_duplicates == "drop")
        if self.config.authors is not None:
            names = [name.strip() for name in re.split("[,，、]", self.config.authors)]
            # Behind the last comma there is nobody, and not everyone without a name.
            self._authors = frozenset(to_simplified(name) for name in names if name)
            if not self._authors:
                raise SettingError(
                    f"There is no author in --authors {self.config.authors!r}.",
                    "Give names with commas between, such as --authors 李白,杜甫",
                )

    def add_all(self, poems: Sequence[RawPoem], *, prose: bool) -> None:
        """Sift the poems of one file; what can be done for all of them at once is."""
        self.prose = self.prose or prose
        wanted, texts = self._clean(poems)
        written = convert_all(texts, self.config.script)
        keys = identities(texts)
        for poem, text, key in zip(wanted, written, keys, strict=True):
            reason = self._add(text, key, prose=prose)
            if reason is not None:
                self.dropped.append(Dropped(reason, poem))

    def _clean(self, poems: Sequence[RawPoem]) -> tuple[list[RawPoem], list[str]]:
        """Give the poems that can be used, and their clean texts."""
        wanted, texts = [], []
        words = self.config.tokens == "word"
        for poem in poems:
            text, reason = clean(poem.text, words=words)
            if text is None:
                assert reason is not None
                self.dropped.append(Dropped(reason, poem))
            elif not self._has_author(poem):
                self.dropped.append(Dropped("other author", poem))
            else:
                wanted.append(poem)
                texts.append(letters_only(text) if self.config.letters_only else text)
        return wanted, texts

    def _add(self, text: str, key: str, *, prose: bool) -> Reason | None:
        if self.config.max_chars is not None and len(text) > self.config.max_chars:
            return "too long"
        if self.has_form is not None and not self.has_form(text.replace(" ", "")):
            return "other form"
        if not key:
            return "empty"
        # A novel may repeat a sentence; only poems are taken once.
        sameness = None if prose else self.seen.add(key)
        if sameness is None:
            self.kept[split_of(key)].append(text)
        return sameness

    def _has_author(self, poem: RawPoem) -> bool:
        return self._authors is None or to_simplified(poem.author.strip()) in self._authors

    def reasons(self) -> Counter[Reason]:
        return Counter(dropped.reason for dropped in self.dropped)

    def examples(self) -> dict[str, list[str]]:
        """Give the beginnings of the first few poems that were dropped for each reason."""
        examples: dict[str, list[str]] = {}
        for reason, poem in ((dropped.reason, dropped.poem) for dropped in self.dropped):
            some = examples.setdefault(reason, [])
            if len(some) < _EXAMPLES_PER_REASON:
                some.append(f"{poem.title} {poem.text[:_EXAMPLE_CHARS]}".strip())
        return examples


def prepare(
    sources: Sequence[Path],
    name: str,
    config: PrepareConfig,
    *,
    has_form: Callable[[str], bool] | None = None,
    skip_bad: bool = False,
    dropped: list[Dropped] | None = None,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Read all sources and build the corpus ``name``.

    ``has_form`` tells whether a poem has a wanted form.
    ``on_file(done, total)`` is called after each file. With ``skip_bad`` a file that cannot
    be read is left out and named, instead of ending the work. ``dropped`` is filled as the
    work goes on, and so tells what was dropped before it failed.

    Raises:
        SourceError: a file cannot be read, there are too many poems, or too few are left
            to train and validate on.
        SettingError: two rules contradict each other, or leave no vocabulary.
    """
    if config.letters_only and config.script == "traditional":
        raise SettingError(
            "--letters-only is for alphabets and --script traditional for Chinese.",
            "Leave one of the two out.",
        )
    inputs = find_inputs(sources)
    sieve = _Sieve(config, has_form, [] if dropped is None else dropped)
    provenance, ignored, skipped = [], [], []
    num_read = 0
    for done, input in enumerate(inputs, start=1):
        try:
            document = read_document(input, config.format, config.encoding)
        except SourceError as error:
            if not skip_bad:
                raise
            skipped.append(error.problem)
        else:
            if document.ignored_as is not None:
                ignored.append(document)
            else:
                num_read += len(document.poems)
                ensure_few(num_read, "This collection")
                sieve.add_all(document.poems, prose=document.prose)
                provenance.append(
                    {
                        "file": document.name.rpartition("/")[2],
                        "sha256": document.sha256,
                        "format": document.format,
                        "encoding": document.encoding,
                        "lines": document.num_lines,
                        "poems": len(document.poems),
                    }
                )
        on_file(done, len(inputs))
    _ensure_held_out(sieve, skipped)
    return Prepared(
        _build(name, sieve, provenance), sieve.dropped, skipped + describe_ignored(ignored)
    )


def _ensure_held_out(sieve: _Sieve, skipped: Sequence[str]) -> None:
    """See to it that there is something to learn from and something to validate on.

    Raises:
        SourceError: there are fewer than two poems.
    """
    num_kept = sum(len(texts) for texts in sieve.kept.values())
    if num_kept < 2:
        examples = sieve.examples()
        why = "; ".join(
            f"{count} {reason}, for example {examples[reason][0]!r}"
            for reason, count in sieve.reasons().items()
        )
        raise SourceError(
            f"Only {num_kept} poem{'s' * (num_kept != 1)} can be used"
            + (f" (dropped: {why})." if why else ".")
            + "".join(f" Skipped: {problem}" for problem in skipped[:1]),
            "Give at least two poems: one to learn from and one to validate on.",
        )
    # By chance a small collection may hold out nothing, or everything.
    for needy in ("train", "validation"):
        if not sieve.kept[needy]:
            richest = max(SPLITS, key=lambda split: len(sieve.kept[split]))
            # Chosen by hash, so that the choice does not depend on the order of files.
            chosen = max(sieve.kept[richest], key=_order_by_hash)
            sieve.kept[richest].remove(chosen)
            sieve.kept[needy].append(chosen)


def _order_by_hash(text: str) -> str:
    return hashlib.blake2b(identity(text).encode("utf-8")).hexdigest() + text


def _ensure_words(texts: Sequence[str]) -> None:
    """See to it that there are words, and not whole verses without a blank in them.

    Raises:
        SettingError: most of ``texts`` are such verses.
    """
    num_unparted = sum(" " not in text and mostly_han(text) for text in texts)
    if 2 * num_unparted > len(texts):
        raise SettingError(
            "These Chinese texts have no blanks between words.",
            "Leave --tokens word out, or give texts that are parted into words: 床前 明月 光",
        )


def _num_chars(texts: Sequence[str]) -> int:
    return sum(len(text) - text.count("\n") for text in texts)


def _build(name: str, sieve: _Sieve, provenance: list[dict[str, Any]]) -> Corpus:
    config = sieve.config
    # Textbooks count the characters of the lines, without what stands between them.
    num_chars = sum(map(_num_chars, sieve.kept.values()))
    if config.letters_only:
        # A line break is no letter either.
        for texts in sieve.kept.values():
            texts[:] = [" ".join(text.split()) for text in texts]
    if config.tokens == "word":
        _ensure_words(sieve.kept["train"])
    counts = count_tokens(sieve.kept["train"], config.tokens)
    min_count = config.min_count
    if min_count is None:
        min_count = 3 if counts.total() >= _LARGE_CORPUS_TOKENS else 1
    vocabulary = build_vocabulary(counts, min_count, config.tokens)
    if not vocabulary.tokens:
        raise SettingError(
            f"Nothing is seen {min_count} times in the poems to learn from.", "Lower --min-count."
        )
    splits = {split: encode_poems(sieve.kept[split], vocabulary) for split in SPLITS}
    rules: Mapping[str, Any] = {**asdict(config), "min_count": min_count}
    usual = asdict(PrepareConfig())
    changed = {key: value for key, value in asdict(config).items() if value != usual[key]}
    if sieve.prose:
        changed["prose"] = True
    fingerprint = fingerprint_of(vocabulary, splits, changed)
    meta = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "fingerprint": fingerprint,
        "prose": sieve.prose,
        "rules": rules,
        "changed_rules": changed,
        "provenance": provenance,
        "report": {
            "read": sum(entry["poems"] for entry in provenance),
            "kept": {split: len(splits[split]) for split in SPLITS},
            "dropped": dict(sorted(sieve.reasons().items())),
            "examples": sieve.examples(),
            "targets": {split: splits[split].num_targets for split in SPLITS},
            "unknown_share": {split: unknown_share(splits[split]) for split in SPLITS},
            "distinct_tokens": len(counts),
            "num_lines": sum(entry["lines"] for entry in provenance),
            "num_chars": num_chars,
        },
        "vocabulary": list(vocabulary.tokens),
    }
    return Corpus(name, vocabulary, splits, fingerprint, config.script, meta)
