"""``poetgen prepare``: from texts to a corpus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.cli.corpora import MIRROR_VARIABLE, prepare_with_bars, show_prepared
from poetgen.cli.options import Force, Quiet, ensure_new
from poetgen.config import PrepareConfig
from poetgen.errors import InputError, PoetgenError
from poetgen.files import write_text

if TYPE_CHECKING:
    from poetgen.corpus.sieve import Dropped


def prepare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="tang, song, ci, time-machine or shakespeare, which are fetched; or files, "
            "archives and folders; or - for standard input.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", show_default="the source's", help="Name of the corpus."),
    ] = None,
    settings: PrepareConfig = PrepareConfig(),
    list_dropped: Annotated[
        Path | None,
        typer.Option(
            "--list-dropped", metavar="FILE", help="Write every dropped poem and its reason there."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that cannot be read, and name them.")
    ] = False,
    mirror: Annotated[
        str | None,
        typer.Option(
            "--mirror",
            metavar="URL|FOLDER",
            envvar=MIRROR_VARIABLE,
            help="Where to look first for the files of a named corpus.",
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Read poems, clean them, hold some out, and write corpora/NAME/.

    Examples:  [bold]poetgen prepare tang[/bold]

    [bold]poetgen prepare poems.txt --name mine[/bold]
    """
    from poetgen.cli.display import make_console
    from poetgen.corpus.prepare import corpus_name

    name = corpus_name(sources, name)
    folder = Path("corpora") / name
    if list_dropped is not None:
        _ensure_list(list_dropped, [*sources, str(folder)], force)
    console = make_console(quiet)
    dropped: list[Dropped] = []
    try:
        prepared = prepare_with_bars(
            sources,
            console,
            name=name,
            settings=settings,
            folder=folder,
            force=force,
            skip_bad=skip_bad,
            mirror=mirror,
            dropped=dropped,
        )
    except PoetgenError as error:
        # What was dropped may be why.
        if list_dropped is not None and dropped:
            _write_dropped(dropped, list_dropped)
            error.advice += f" The poems dropped so far are in {list_dropped}."
        raise
    if list_dropped is not None:
        _write_dropped(dropped, list_dropped)
    show_prepared(prepared, console, list_dropped)


def _ensure_list(path: Path, taken: Sequence[str], force: bool) -> None:
    """Ensure that the list replaces no source, and does not become a part of one."""
    place = path.resolve()
    for other in taken:
        root = Path(other).resolve()
        if root in (place, *place.parents):
            raise InputError(
                f"{path} is a source." if root == place else f"{path} lies in {other!r}.",
                "Give --list-dropped a file of its own.",
            )
    ensure_new(path, force)


def _write_dropped(dropped: Sequence[Dropped], path: Path) -> None:
    lines = (
        json.dumps({"reason": entry.reason, **entry.poem._asdict()}, ensure_ascii=False)
        for entry in dropped
    )
    write_text(path, "".join(f"{line}\n" for line in lines))
