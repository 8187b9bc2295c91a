"""From sources to a corpus: fetch, read, sift, encode, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from poetgen.characters import mostly_han
from poetgen.config import PrepareConfig
from poetgen.corpus.about import About
from poetgen.corpus.corpus import (
    Corpus,
    Provenance,
    Report,
    changed_rules,
    encode_poems,
    fingerprint_of,
    unknown_share,
)
from poetgen.corpus.folder import ensure_free, save_corpus
from poetgen.corpus.given_vocabulary import given_vocabulary
from poetgen.corpus.overview import Sample, sample_places
from poetgen.corpus.sieve import Dropped, KeptPoem, KeptPoems, Sieve, beginning_of
from poetgen.corpus.split import SPLITS, Split
from poetgen.corpus.vocabulary import Vocabulary, build_vocabulary, count_tokens
from poetgen.errors import InputError, SettingError, SourceError
from poetgen.fetching.pinned import dynasties
from poetgen.limits import ensure_few
from poetgen.places import NAMED_CORPORA, check_name, did_you_mean, plain_name
from poetgen.reading import count_left_out, describe_ignored, find_inputs, read_document

# From this many training tokens on, one seen once or twice teaches nothing.
_LARGE_CORPUS_TOKENS = 500_000
# Of the poems dropped for each reason, so many are shown in the report.
_NUM_EXAMPLES = 3

OnFile = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A corpus, the poems kept and dropped, a sentence about each file skipped, and its folder.

    ``kept`` has the poems of each split in the order of the corpus; ``dropped`` has also what is
    left out because it is not a poem, such as rows of sums; ``doubts`` are sentences
    about what was uncertain when the sources were read; ``samples`` has the first and some
    random poems of each file. ``folder`` is None if the corpus is only in memory.
    """

    corpus: Corpus
    kept: Mapping[Split, KeptPoems]
    dropped: Sequence[Dropped]
    skipped: Sequence[str]
    doubts: Sequence[str] = ()
    samples: Sequence[Sample] = ()
    folder: Path | None = None


def prepare(
    sources: str | Path | Sequence[str | Path],
    *,
    name: str | None = None,
    settings: PrepareConfig = PrepareConfig(),
    folder: Path | None = None,
    force: bool = False,
    dry_run: bool = False,
    skip_bad: bool = False,
    mirror: str | None = None,
    num_samples: int = 0,
    dropped: list[Dropped] | None = None,
    on_file: OnFile = lambda done, total: None,
    on_fetch: Callable[[str, int, int], None] = lambda source, done_bytes, total_bytes: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Prepared:
    """Read poems, clean them, hold some out, and write a corpus folder.

    Args:
        sources: files, folders and archives; ``-`` for standard input; or names of corpora to
            fetch (``poetgen.places.NAMED_CORPORA``), where no such file or folder exists.
        name: name of the corpus; that of the first source by default.
        settings: how texts become a corpus.
        folder: where to write it; ``corpora/NAME`` by default.
        force: replace an existing corpus.
        dry_run: write no corpus; what is fetched is still kept for the next time.
        skip_bad: leave out files that cannot be read, instead of failing.
        mirror: where to look first for the files of a named corpus: a URL or a folder.
        num_samples: of each file, the first kept poem and random ones, so many in all, are
            returned as samples.
        dropped: filled with the dropped poems as the work goes on, also if it fails.
        on_file: called after each file with the number of files done and of all.
        on_fetch: called during a fetch with its name, and the bytes done and of all.
        on_note: called with sentences about where files are fetched from.

    Raises:
        InputError: there is no source or no usable name.
        ExistsError: the folder exists and ``force`` is not set, or it is not a corpus.
        SettingError: two settings contradict each other, or leave no vocabulary; the one that
            is asked for does not exist or does not fit.
        SourceError: a source cannot be fetched or read, there are too many poems, or too few
            are left to train and validate on.
    """
    sources = [sources] if isinstance(sources, str | Path) else list(sources)
    name = corpus_name(sources, name)
    folder = Path("corpora") / name if folder is None else folder
    # What can be refused is refused before anything is fetched.
    for source in map(str, sources):
        _ensure_spelled(source)
    if not dry_run:
        ensure_free(folder, force=force)
    Sieve(settings)
    given_vocabulary(settings)
    paths: list[Path] = []
    for source in map(str, sources):
        if is_named(source):
            # Imported late: http and pools of threads take longer than to prepare a small file.
            from poetgen.fetching.named import fetch_corpus

            on_progress = partial(on_fetch, source)
            paths += fetch_corpus(source, mirror=mirror, on_progress=on_progress, on_note=on_note)
        else:
            paths.append(Path(source))
    prepared = build_corpus(
        paths,
        name,
        settings,
        skip_bad=skip_bad,
        num_samples=num_samples,
        dropped=dropped,
        on_file=on_file,
    )
    if dry_run:
        return prepared
    save_corpus(prepared.corpus, folder, force=force)
    return replace(prepared, folder=folder)


def build_corpus(
    paths: Sequence[Path],
    name: str,
    settings: PrepareConfig = PrepareConfig(),
    *,
    skip_bad: bool = False,
    num_samples: int = 0,
    dropped: list[Dropped] | None = None,
    on_file: OnFile = lambda done, total: None,
) -> Prepared:
    """Build a corpus in memory, from files alone; otherwise like ``prepare``."""
    sieve = Sieve(settings, dropped)
    vocabulary = given_vocabulary(settings)
    sources = _read(paths, sieve, skip_bad, num_samples, on_file)
    _ensure_held_out(sieve, sources)
    kept = sieve.kept()
    return Prepared(
        corpus=_encode(name, sieve, kept, sources, vocabulary),
        kept=kept,
        dropped=sieve.dropped,
        skipped=sources.skipped,
        doubts=sources.doubts,
        samples=sources.samples,
    )


def is_named(source: str) -> bool:
    """Return whether ``source`` is the name of a corpus to fetch, and not a path that exists."""
    return source in NAMED_CORPORA and not Path(source).exists()


def _ensure_spelled(source: str) -> None:
    """Ensure that a source is not the name of a corpus, mistyped.

    Raises:
        SourceError: it nearly is one, and there is no such file or folder.
    """
    if not Path(source).exists() and (hint := did_you_mean(source, NAMED_CORPORA)):
        raise SourceError(
            f"There is no file or folder {source}.",
            f"{hint}To see all corpora that have a name: poetgen prepare --list",
        )


def corpus_name(sources: Sequence[str | Path], name: str | None = None) -> str:
    """Return ``name`` if it can be used, by default that of the first source.

    Raises:
        InputError: there is no source or no usable name.
    """
    if not sources:
        raise InputError("There is nothing to prepare.", "Give a file, a folder or a name.")
    if name is None and str(sources[0]) == "-":
        raise InputError("Standard input has no name.", "Give one: --name NAME")
    if name is None:
        name = plain_name(Path(sources[0]).resolve().name.partition(".")[0])
    return check_name(name)


@dataclass(frozen=True, slots=True)
class _Sources:
    """What the files were: those read, a sentence about each one skipped, what else they held."""

    provenance: list[Provenance] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    doubts: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


def _read(
    paths: Sequence[Path], sieve: Sieve, skip_bad: bool, num_samples: int, on_file: OnFile
) -> _Sources:
    """Read and sift all files."""
    inputs = find_inputs(paths)
    sources = _Sources()
    ignored = []
    num_read = 0
    for done, input in enumerate(inputs, start=1):
        try:
            document = read_document(input, sieve.settings.format, sieve.settings.encoding)
        except SourceError as error:
            if not skip_bad:
                raise
            sources.skipped.append(error.problem)
        else:
            if document.ignored_as is not None:
                ignored.append(document)
            else:
                num_read += len(document.poems)
                ensure_few(num_read, "This collection")
                dynasty = dynasties().get(document.sha256, "")
                kept = sieve.add_all(document.poems, prose=document.prose, dynasty=dynasty)
                sieve.leave_out(document.asides)
                sources.samples.append(
                    Sample(
                        document.name,
                        document.format,
                        document.encoding,
                        columns=document.columns,
                        num_poems=len(kept),
                        poems=[
                            KeptPoem(kept[place][0], *About.from_line(kept[place][1]))
                            for place in sample_places(len(kept), num_samples)
                        ],
                    )
                )
                sources.left_out.update(document.left_out)
                sources.doubts.extend(
                    doubt if document.name in doubt else f"{document.name}: {doubt}"
                    for doubt in document.doubts
                )
                sources.provenance.append(
                    Provenance(
                        file=document.name.rpartition("/")[2],
                        sha256=document.sha256,
                        poems=len(document.poems),
                        format=document.format,
                        encoding=document.encoding,
                        lines=document.num_lines,
                    )
                )
        on_file(done, len(inputs))
    sources.skipped.extend(describe_ignored(ignored))
    return sources


def _ensure_held_out(sieve: Sieve, sources: _Sources) -> None:
    """Ensure that there is something to learn from and something to validate on.

    Raises:
        SourceError: there are fewer than two poems.
    """
    num_kept = sum(sieve.num_kept.values())
    if num_kept < 2:
        why = "; ".join(
            f"{len(poems)} {reason}, for example {beginning_of(poems[0])!r}"
            for reason, poems in sieve.dropped_by_reason().items()
        )
        others = ", ".join(count_left_out(*one) for one in sources.left_out.most_common())
        raise SourceError(
            f"Only {num_kept} poem{'s' * (num_kept != 1)} can be used"
            + (f" (dropped: {why})." if why else ".")
            + (f" Not read as poems: {others}." if others else "")
            + "".join(f" In doubt: {doubt}" for doubt in sources.doubts[:1])
            + "".join(f" Skipped: {problem}" for problem in sources.skipped[:1]),
            "Give at least two poems: one to learn from and one to validate on.",
        )
    # By chance a small collection may hold out nothing, or everything.
    for needy in ("train", "validation"):
        if not sieve.num_kept[needy]:
            # The last poem to learn from, or to validate on, stays where it is.
            counts = sieve.num_kept
            donor = max(
                SPLITS, key=lambda split: (split == "test" or counts[split] > 1, counts[split])
            )
            sieve.move_one(donor, needy)


def _ensure_words(texts: Sequence[str]) -> None:
    """Ensure that texts have words, and are not whole verses without a blank in them.

    Raises:
        SettingError: most of ``texts`` are such verses.
    """
    num_unparted = sum(" " not in text and mostly_han(text) for text in texts)
    if 2 * num_unparted > len(texts):
        raise SettingError(
            "These Chinese texts have no blanks between words.",
            "Leave --tokens word out, or give texts with blanks between words: 床前 明月 光",
        )


def _encode(
    name: str,
    sieve: Sieve,
    poems: Mapping[Split, KeptPoems],
    sources: _Sources,
    vocabulary: Vocabulary | None,
) -> Corpus:
    settings, provenance = sieve.settings, sources.provenance
    kept = {split: poems[split].texts for split in SPLITS}
    abouts = {split: poems[split].abouts for split in SPLITS}
    # Textbooks count the characters of the lines, without what stands between them.
    num_chars = sum(len(text) - text.count("\n") for texts in kept.values() for text in texts)
    if settings.letters_only:
        # Line breaks become blanks, too: only letters and blanks are tokens.
        for texts in kept.values():
            texts[:] = [" ".join(text.split()) for text in texts]
    if settings.tokens == "word":
        _ensure_words(kept["train"])
    counts = count_tokens(kept["train"], settings.tokens)
    min_count = settings.min_count
    if min_count is None:
        is_large = vocabulary is None and counts.total() >= _LARGE_CORPUS_TOKENS
        min_count = 3 if is_large else 1
    if vocabulary is None:
        vocabulary = build_vocabulary(counts, min_count, settings.tokens)
    if not any(token in vocabulary for token in counts):
        if settings.vocabulary is not None:
            raise SettingError(
                f"The poems to learn from have nothing of the vocabulary of {settings.vocabulary}.",
                "Give another --vocabulary.",
            )
        raise SettingError(
            f"Nothing is seen {min_count} times in the poems to learn from.", "Lower --min-count."
        )
    splits = {split: encode_poems(kept[split], vocabulary) for split in SPLITS}
    dropped = dict(sorted(sieve.dropped_by_reason().items()))
    num_titled, num_authored, num_dated = np.sum(
        [about.num_known() for about in abouts.values()], axis=0
    ).tolist()
    report = Report(
        read=sum(source.poems for source in provenance),
        kept={split: len(splits[split]) for split in SPLITS},
        dropped={reason: len(poems) for reason, poems in dropped.items()},
        targets={split: splits[split].num_targets for split in SPLITS},
        unknown_share={split: unknown_share(splits[split]) for split in SPLITS},
        distinct_tokens=len(counts),
        num_chars=num_chars,
        num_lines=sum(source.lines for source in provenance),
        examples={
            reason: [beginning_of(poem) for poem in poems[:_NUM_EXAMPLES]]
            for reason, poems in dropped.items()
        },
        left_out=dict(sources.left_out),
        num_titled=num_titled,
        num_authored=num_authored,
        num_dated=num_dated,
    )
    return Corpus(
        name=name,
        vocabulary=vocabulary,
        splits=splits,
        fingerprint=fingerprint_of(vocabulary, splits, changed_rules(settings, sieve.is_prose)),
        settings=settings,
        min_count=min_count,
        is_prose=sieve.is_prose,
        provenance=provenance,
        report=report,
        read_about=abouts.__getitem__,
    )
