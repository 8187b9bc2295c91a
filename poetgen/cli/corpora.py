"""Corpora as commands name them: files of the user's, or one that can be fetched by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.errors import CorpusError

if TYPE_CHECKING:
    from rich.console import Console

_MIRROR_VARIABLE = "POETGEN_MIRROR"

Mirror = Annotated[
    str | None,
    typer.Option(
        "--mirror",
        metavar="URL|FOLDER",
        envvar=_MIRROR_VARIABLE,
        help="Where to look first for the files of a named corpus.",
    ),
]


def is_named(source: str) -> bool:
    """Tell a corpus that has a name from a path; what lies here goes before what is far."""
    from poetgen.text.named import NAMES

    return source in NAMES and not Path(source).exists()


def gather(sources: Sequence[str], mirror: str | None, console: Console) -> list[Path]:
    """Give the paths of all sources; those that are named are fetched.

    Raises:
        SourceError: a named corpus is to be had nowhere.
    """
    from poetgen.console import downloading
    from poetgen.text.named import fetch_corpus

    paths = []
    for source in sources:
        if not is_named(source):
            paths.append(Path(source))
            continue
        with downloading(console, source) as on_progress:
            paths += fetch_corpus(
                source,
                mirror=mirror,
                on_progress=on_progress,
                on_note=lambda note: console.print(note, markup=False),
            )
    return paths


def find_or_offer(corpus: str, console: Console) -> Path:
    """Find a prepared corpus; offer to fetch and prepare one that is known by name.

    Raises:
        CorpusError: there is none, and nobody said yes.
    """
    from poetgen.places import find_corpus

    try:
        return find_corpus(corpus)
    except CorpusError as error:
        if not is_named(corpus):
            raise
        if sys.stdin.isatty() and sys.stderr.isatty():
            question = f"{error.problem} Fetch and prepare it now?"
            if typer.confirm(question, default=True, err=True):
                from poetgen.cli.prepare import prepare

                prepare([corpus], mirror=os.environ.get(_MIRROR_VARIABLE))
                return find_corpus(corpus)
        raise CorpusError(
            error.problem, f"To fetch and prepare it: poetgen prepare {corpus}"
        ) from error
