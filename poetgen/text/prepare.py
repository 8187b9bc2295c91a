"""From source files to a corpus: read, clean, convert, split, encode."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from poetgen.config import PrepareConfig
from poetgen.errors import SourceError
from poetgen.text.cleaning import Reason, clean
from poetgen.text.corpus import (
    FORMAT_VERSION,
    Corpus,
    encode_poems,
    fingerprint_of,
    unknown_share,
)
from poetgen.text.readers import RawPoem, find_files, read_poems
from poetgen.text.script import convert
from poetgen.text.split import SPLITS, Split, identity, split_of
from poetgen.text.vocabulary import build_vocabulary, count_tokens

# From this many training characters on, one seen once or twice teaches nothing.
_LARGE_CORPUS_CHARS = 500_000


@dataclass(frozen=True, slots=True)
class Dropped:
    """A poem that did not enter the corpus, and why."""

    reason: Reason
    poem: RawPoem


@dataclass(slots=True)
class _Sieve:
    """Poems kept so far, by split, and those dropped."""

    config: PrepareConfig
    kept: dict[Split, list[str]] = field(default_factory=lambda: {name: [] for name in SPLITS})
    dropped: list[Dropped] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, poem: RawPoem) -> None:
        text, reason = clean(poem.text)
        if text is None:
            assert reason is not None
            self.dropped.append(Dropped(reason, poem))
            return
        key = identity(text)
        if key in self.seen:
            self.dropped.append(Dropped("duplicate", poem))
        elif self.config.max_chars is not None and len(text) > self.config.max_chars:
            self.dropped.append(Dropped("too long", poem))
        else:
            self.seen.add(key)
            self.kept[split_of(key)].append(convert(text, self.config.script))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A corpus, still in memory, and what was left out of it."""

    corpus: Corpus
    dropped: Sequence[Dropped]


def prepare(
    sources: Sequence[Path],
    name: str,
    config: PrepareConfig,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Read all sources and build the corpus ``name``.

    ``on_file(done, total)`` is called after each file.

    Raises:
        SourceError: a file cannot be read, or too few poems are left to train and
            validate on.
    """
    files = [path for source in sources for path in find_files(source)]
    sieve = _Sieve(config)
    provenance = []
    for done, path in enumerate(files, start=1):
        poems = read_poems(path, config.format)
        for poem in poems:
            sieve.add(poem)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        provenance.append({"file": path.name, "sha256": digest, "poems": len(poems)})
        on_file(done, len(files))
    _check_enough(sieve)
    return Prepared(_build(name, sieve, provenance), sieve.dropped)


def _check_enough(sieve: _Sieve) -> None:
    num_kept = sum(len(texts) for texts in sieve.kept.values())
    if num_kept < 2:
        why = ", ".join(f"{count} {reason}" for reason, count in _reasons(sieve).items())
        raise SourceError(
            f"Only {num_kept} poem{'s' * (num_kept != 1)} can be used"
            + (f" (dropped: {why})." if why else "."),
            "Give at least two poems: one to learn from and one to validate on.",
        )
    # By chance a small collection may hold out nothing, or everything.
    for needy in ("train", "validation"):
        if not sieve.kept[needy]:
            richest = max(SPLITS, key=lambda split: len(sieve.kept[split]))
            # The last by hash, so that the choice does not depend on the order of files.
            chosen = max(sieve.kept[richest], key=lambda text: (split_key(text), text))
            sieve.kept[richest].remove(chosen)
            sieve.kept[needy].append(chosen)


def split_key(text: str) -> str:
    """Order poems by a hash, for choices that must not depend on their order."""
    return hashlib.blake2b(identity(text).encode("utf-8", "surrogatepass")).hexdigest()


def _reasons(sieve: _Sieve) -> Counter[Reason]:
    return Counter(dropped.reason for dropped in sieve.dropped)


def _build(name: str, sieve: _Sieve, provenance: list[dict[str, Any]]) -> Corpus:
    config = sieve.config
    counts = count_tokens(sieve.kept["train"])
    min_count = config.min_count
    if min_count is None:
        min_count = 3 if counts.total() >= _LARGE_CORPUS_CHARS else 1
    vocabulary = build_vocabulary(counts, min_count)
    splits = {split: encode_poems(sieve.kept[split], vocabulary) for split in SPLITS}
    fingerprint = fingerprint_of(vocabulary, splits)
    meta = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "fingerprint": fingerprint,
        "rules": {**asdict(config), "min_count": min_count},
        "provenance": provenance,
        "report": {
            "read": sum(entry["poems"] for entry in provenance),
            "kept": {split: len(splits[split]) for split in SPLITS},
            "dropped": dict(sorted(_reasons(sieve).items())),
            "targets": {split: splits[split].num_targets for split in SPLITS},
            "unknown_share": {split: unknown_share(splits[split]) for split in SPLITS},
            "distinct_chars": len(counts),
        },
        "vocabulary": list(vocabulary.tokens),
    }
    return Corpus(name, vocabulary, splits, fingerprint, config.script, meta)
