"""Corpora on the command line: how one is prepared and shown, and the offer to prepare one."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from poetgen.errors import CorpusError

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.corpus.prepare import Prepared

MIRROR_VARIABLE = "POETGEN_MIRROR"

_EXAMPLE_WIDTH = 24


def find_or_offer(corpus: str, console: Console, choose: str) -> Path:
    """Find a prepared corpus; offer to fetch and prepare one that is known by name.

    ``choose`` is what a user writes to choose another one.

    Raises:
        CorpusError: there is none, and nobody said yes.
    """
    from poetgen.places import corpora_here, find_corpus

    try:
        return find_corpus(corpus)
    except CorpusError as error:
        from poetgen.corpus.prepare import is_named

        here = sorted(corpora_here())
        if not is_named(corpus):
            error.advice += f"; or take another: {choose}" if here else ""
            raise
        is_dialogue = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
        question = f"{error.problem} Fetch and prepare it now?"
        if not is_dialogue or not typer.confirm(question, default=True, err=True):
            other = f"; or take one that is prepared ({', '.join(here)}): {choose}" if here else ""
            raise CorpusError(
                error.problem, f"To fetch and prepare it: poetgen prepare {corpus}{other}"
            ) from error
    prepared = prepare_with_bars([corpus], console, mirror=os.environ.get(MIRROR_VARIABLE))
    show_prepared(prepared, console)
    return find_corpus(corpus)


def prepare_with_bars(sources: Sequence[str], console: Console, **options: Any) -> Prepared:
    """Prepare a corpus, with the ``options`` of the library, and show how far it is."""
    from poetgen.cli.display import PreparingDisplay
    from poetgen.corpus.prepare import prepare

    with PreparingDisplay(console) as display:
        return prepare(
            sources,
            on_file=display.on_file,
            on_fetch=display.on_fetch,
            on_note=console.print,
            **options,
        )


def show_prepared(
    prepared: Prepared, console: Console, *, num_samples: int = 0, list_dropped: Path | None = None
) -> None:
    """Print what became of the poems, and where those that were dropped are listed."""
    if console.quiet:
        return
    from poetgen.cli.overview import show_doubts, show_forms, show_samples

    corpus, report = prepared.corpus, prepared.corpus.report
    show_samples(prepared, console, num_samples)
    for problem in prepared.skipped:
        console.print(f"Skipped: {problem}")
    # How files were read, so that a wrong guess can be seen.
    ways = {
        ", ".join(filter(None, (source.format, source.encoding)))
        for source in corpus.provenance
        if source.poems
    }
    num_kept = report.num_kept
    console.print(f"Read {report.read:,} poems ({'; '.join(sorted(ways))}), kept {num_kept:,}:")
    for split, count in report.kept.items():
        tokens, unknown = report.targets[split], report.unknown_share[split]
        console.print(f"  {split:<11}{count:>8,} poems {tokens:>10,} tokens  {unknown:.2%} unknown")
    texts = [poem for poems in prepared.kept.values() for poem in poems.texts]
    if not corpus.is_prose:
        console.print(
            f"{report.num_titled:,} have a title, {report.num_authored:,} an author, "
            f"{report.num_dated:,} a dynasty. Forms, with lengths in characters:"
        )
        show_forms(texts, console)
    _show_dropped(prepared, console, list_dropped)
    num_tokens = len(corpus.vocabulary.tokens)
    which = ""
    if corpus.settings.vocabulary is not None:
        which = f", those of {corpus.settings.vocabulary}"
    elif num_tokens < report.distinct_tokens:
        which = f" of {report.distinct_tokens:,}, each seen at least {corpus.min_count} times"
    console.print(f"Vocabulary: {num_tokens:,} tokens{which}. Fingerprint {corpus.fingerprint}.")
    show_doubts(prepared, texts, console, list_dropped)
    if prepared.folder is None:
        console.print("Nothing was written. To write the corpus, leave --dry-run out.")
    else:
        console.print(f"Wrote {prepared.folder}. Next: poetgen train {shlex.quote(corpus.name)}")


def _show_dropped(prepared: Prepared, console: Console, list_dropped: Path | None) -> None:
    report = prepared.corpus.report
    if not report.dropped:
        return
    console.print(f"Dropped {sum(report.dropped.values()):,}:")
    for reason, count in sorted(report.dropped.items(), key=lambda item: -item[1]):
        example = " ".join(report.examples[reason][0].split())
        console.print(f"  {reason:<16}{count:>7,}  {example[:_EXAMPLE_WIDTH]}")
    console.print(
        f"All of them are in {list_dropped}."
        if list_dropped
        else "To see them all: --list-dropped FILE"
    )
