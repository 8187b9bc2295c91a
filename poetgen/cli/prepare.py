"""``poetgen prepare``: from texts to a corpus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poetgen.cli.completion import complete_source
from poetgen.cli.corpora import MIRROR_VARIABLE, prepare_with_bars, show_prepared
from poetgen.cli.options import Force, Quiet, ensure_new
from poetgen.config import PrepareConfig
from poetgen.errors import InputError, PoetgenError
from poetgen.files import write_text

if TYPE_CHECKING:
    from poetgen.corpus.sieve import Dropped, KeptPoem
    from poetgen.corpus.split import Split


def prepare(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="tang, song, ci, time-machine or shakespeare, which are fetched; or files, "
            "archives and folders; or - for standard input.",
            autocompletion=complete_source,
        ),
    ] = None,
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
    list_kept: Annotated[
        Path | None,
        typer.Option(
            "--list-kept",
            metavar="FILE",
            help="Write every poem that is kept there, as JSON lines with its split.",
        ),
    ] = None,
    preview: Annotated[
        int,
        typer.Option(
            "--preview",
            min=0,
            max=1_000_000,
            help="Of each source, show so many poems as they will be learned: the first and "
            "random ones.",
        ),
    ] = 3,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show everything, and write no corpus.")
    ] = False,
    list_named: Annotated[
        bool,
        typer.Option(
            "--list",
            help="List the corpora that have a name, and those that are prepared here.",
        ),
    ] = False,
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
    if list_named:
        from poetgen.cli.catalogue import print_corpora_by_name

        print_corpora_by_name()
        return
    from poetgen.cli.display import make_console
    from poetgen.corpus.prepare import corpus_name

    sources = sources or []
    name = corpus_name(sources, name)
    folder = Path("corpora") / name
    if list_dropped is not None:
        _ensure_list("--list-dropped", list_dropped, [*sources, str(folder)], force)
    if list_kept is not None:
        _ensure_list("--list-kept", list_kept, [*sources, str(folder)], force)
        if list_dropped is not None and list_kept.resolve() == list_dropped.resolve():
            raise InputError(
                f"{list_kept} cannot hold both lists.", "Give --list-kept a file of its own."
            )
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
            num_samples=preview,
            dry_run=dry_run,
        )
    except PoetgenError as error:
        # What was dropped may be why.
        if list_dropped is not None and dropped:
            _write_dropped(dropped, list_dropped)
            error.advice += f" The poems dropped so far are in {list_dropped}."
        raise
    if list_dropped is not None:
        _write_dropped(dropped, list_dropped)
    if list_kept is not None:
        _write_kept(prepared.kept, list_kept)
    show_prepared(prepared, console, num_samples=preview, list_dropped=list_dropped)


def _ensure_list(flag: str, path: Path, taken: Sequence[str], force: bool) -> None:
    """Ensure that the list replaces no source, and does not become a part of one."""
    place = path.resolve()
    for other in taken:
        root = Path(other).resolve()
        if root in (place, *place.parents):
            raise InputError(
                f"{path} is a source." if root == place else f"{path} lies in {other!r}.",
                f"Give {flag} a file of its own.",
            )
    ensure_new(path, force)


def _write_dropped(dropped: Sequence[Dropped], path: Path) -> None:
    _write_lines(({"reason": entry.reason, **entry.poem._asdict()} for entry in dropped), path)


def _write_kept(kept: Mapping[Split, Sequence[KeptPoem]], path: Path) -> None:
    _write_lines(
        (
            {"title": title, "author": author, "dynasty": dynasty, "split": split, "text": text}
            for split, poems in kept.items()
            for text, title, author, dynasty in poems
        ),
        path,
    )


def _write_lines(entries: Iterable[Mapping[str, str]], path: Path) -> None:
    lines = (json.dumps(entry, ensure_ascii=False) for entry in entries)
    write_text(path, "".join(f"{line}\n" for line in lines))
