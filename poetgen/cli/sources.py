"""Sources as commands name them: files of the user's, or a corpus that can be fetched by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

MIRROR_VARIABLE = "POETGEN_MIRROR"

Mirror = Annotated[
    str | None,
    typer.Option(
        "--mirror",
        metavar="URL|FOLDER",
        envvar=MIRROR_VARIABLE,
        help="Where to look first for the files of a named corpus.",
    ),
]


def is_named(source: str) -> bool:
    """Tell a corpus that has a name from a path; what lies here goes before what is far."""
    from poetgen.fetching.named import NAMES

    return source in NAMES and not Path(source).exists()


def gather(sources: Sequence[str], mirror: str | None, console: Console) -> list[Path]:
    """Give the paths of all sources; those that are named are fetched.

    Raises:
        SourceError: a named corpus is to be had nowhere.
    """
    from poetgen.cli.display import downloading
    from poetgen.fetching.named import fetch_corpus

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
                on_note=console.print,
            )
    return paths
