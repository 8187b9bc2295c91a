"""``poetgen prepare``: from texts to a corpus."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from poetgen.cli.options import Force, Quiet, ensure_new
from poetgen.cli.sources import Mirror, gather, is_named
from poetgen.config import PrepareConfig
from poetgen.errors import InputError, PoetgenError

if TYPE_CHECKING:
    from rich.console import Console

    from poetgen.corpus.prepare import Dropped, Prepared


_EXAMPLE_WIDTH = 24


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
    rules: PrepareConfig = PrepareConfig(),
    list_dropped: Annotated[
        Path | None,
        typer.Option(
            "--list-dropped", metavar="FILE", help="Write every dropped poem and its reason there."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that cannot be read, and name them.")
    ] = False,
    mirror: Mirror = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Read poems, clean them, hold some out, and write corpora/NAME/.

    Examples:  [bold]poetgen prepare tang[/bold]

    [bold]poetgen prepare poems.txt --name mine[/bold]
    """
    from poetgen.cli.display import counting, make_console
    from poetgen.corpus.corpus import ensure_free, save_corpus
    from poetgen.corpus.prepare import prepare as prepare_corpus
    from poetgen.places import check_name

    name = check_name(name if name is not None else _name_of(sources[0]))
    folder = Path("corpora") / name
    # Before the work, not after it.
    ensure_free(folder, force=force)
    if list_dropped is not None:
        _ensure_list(list_dropped, [*sources, str(folder)], force)
    has_form = None if rules.forms is None else _form_filter(rules.forms)
    console = make_console(quiet)
    paths = gather(sources, mirror, console)
    dropped: list[Dropped] = []
    try:
        with counting(console, "Reading") as on_file:
            prepared = prepare_corpus(
                *(paths, name, rules),
                has_form=has_form,
                skip_bad=skip_bad,
                dropped=dropped,
                on_file=on_file,
            )
        save_corpus(prepared.corpus, folder, force=force)
    except PoetgenError as error:
        # What was dropped may be why.
        if list_dropped is not None and dropped:
            _write_dropped(dropped, list_dropped)
            error.advice += f" The poems dropped so far are in {list_dropped}."
        raise
    if list_dropped is not None:
        _write_dropped(dropped, list_dropped)
    _report(console, prepared, folder, list_dropped)


def _ensure_list(path: Path, taken: Sequence[str], force: bool) -> None:
    """See to it that the list replaces no source, and does not become a part of one."""
    place = path.resolve()
    for other in taken:
        root = Path(other).resolve()
        if root in (place, *place.parents):
            raise InputError(
                f"{path} is a source." if root == place else f"{path} lies in {other!r}.",
                "Give --list-dropped a file of its own.",
            )
    ensure_new(path, force)


def _name_of(source: str) -> str:
    if source == "-":
        raise InputError("Standard input has no name.", "Give one: --name NAME")
    from poetgen.places import plain_name

    if is_named(source):
        return source
    return plain_name(Path(source).resolve().name.partition(".")[0])


def _form_filter(names: str) -> Callable[[str], bool]:
    from poetgen.verse.forms import form_of, parse_forms

    wanted = parse_forms(names)
    return lambda text: form_of(text) in wanted


def _report(console: Console, prepared: Prepared, folder: Path, list_dropped: Path | None) -> None:
    corpus = prepared.corpus
    report = corpus.meta["report"]
    for problem in prepared.skipped:
        console.print(f"Skipped: {problem}")
    kept = report["kept"]
    ways = sorted({_way(entry) for entry in corpus.meta["provenance"] if entry["poems"]})
    console.print(
        f"Read {report['read']:,} poems ({'; '.join(ways)}), kept {sum(kept.values()):,}:",
    )
    for split, count in kept.items():
        tokens = report["targets"][split]
        unknown = report["unknown_share"][split]
        console.print(f"  {split:<11}{count:>8,} poems {tokens:>10,} tokens  {unknown:.2%} unknown")
    if report["dropped"]:
        console.print(f"Dropped {len(prepared.dropped):,}:")
        for reason, count in sorted(report["dropped"].items(), key=lambda item: -item[1]):
            example = " ".join(report["examples"][reason][0].split())
            console.print(f"  {reason:<16}{count:>7,}  {example[:_EXAMPLE_WIDTH]}")
        where = (
            f"All of them are in {list_dropped}."
            if list_dropped
            else ("To see them all: --list-dropped FILE")
        )
        console.print(where)
    num_kept, num_seen = len(corpus.vocabulary.tokens), report["distinct_tokens"]
    min_count = corpus.meta["rules"]["min_count"]
    console.print(
        f"Vocabulary: {num_kept:,} tokens"
        + (f" of {num_seen:,}, each seen at least {min_count} times" * (num_kept < num_seen))
        + f". Fingerprint {corpus.fingerprint}."
    )
    console.print(f"Wrote {folder}. Next: poetgen train {shlex.quote(corpus.name)}")


def _way(entry: dict[str, Any]) -> str:
    """Say how a file was read, so that a wrong guess can be seen."""
    return ", ".join(filter(None, (entry["format"], entry["encoding"])))


def _write_dropped(dropped: Sequence[Dropped], path: Path) -> None:
    import json

    from poetgen.files import write_text

    lines = (
        json.dumps({"reason": entry.reason, **entry.poem._asdict()}, ensure_ascii=False)
        for entry in dropped
    )
    write_text(path, "".join(f"{line}\n" for line in lines))
