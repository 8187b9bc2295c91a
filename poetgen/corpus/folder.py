"""The corpus folder: token ids in .npy files, everything else in one JSON file.

::

    corpora/tang/
      corpus.json              vocabulary, counts, provenance, rules, report, checksum
      train.tokens.npy         all poems end to end, each START … END, uint16 or uint32
      train.offsets.npy        int64; poem i is tokens[offsets[i]:offsets[i + 1]]
      train.about.tsv          UTF-8; line i is title, tab, author, tab, dynasty of poem i
      validation.*  test.*     the same for the poems held out
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from poetgen.config import PrepareConfig
from poetgen.corpus.about import Abouts
from poetgen.corpus.corpus import (
    Corpus,
    Poems,
    Provenance,
    Report,
    changed_rules,
    dtype_for,
    fingerprint_of,
)
from poetgen.corpus.npy import map_array
from poetgen.corpus.split import SPLITS, Split
from poetgen.corpus.vocabulary import END, START, UNK, Vocabulary
from poetgen.errors import CorpusError, ExistsError, SettingError
from poetgen.files import alone_in, sync
from poetgen.places import find_corpus
from poetgen.plain import read_plain
from poetgen.shortage import shortage_in

FORMAT_VERSION = 3
_FILES = {
    "corpus.json",
    *(f"{split}.{part}" for split in SPLITS for part in ("tokens.npy", "offsets.npy", "about.tsv")),
}
# New files, in a folder that has a corpus already: being written; all written.
_NEW, _READY = ".new", ".ready"
# The name of a new folder before all is in it: that of the corpus, and tempfile's letters.
_LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Meta:
    """What ``corpus.json`` holds; ``rules`` have the ``min_count`` that was applied."""

    format_version: int
    name: str
    fingerprint: str
    prose: bool
    rules: PrepareConfig
    changed_rules: dict[str, Any]
    provenance: list[Provenance]
    report: Report
    vocabulary: list[str]
    about_checksums: dict[Split, str]


def ensure_free(folder: Path, *, force: bool) -> None:
    """Ensure that nothing but a corpus would be replaced, and only by ``force``.

    Raises:
        ExistsError: something else is there, or ``force`` is not given.
    """
    if not os.path.lexists(folder):
        return
    others = [folder.name]
    if folder.is_dir() and not folder.is_symlink():
        others = sorted({path.name for path in folder.iterdir()} - {*_FILES, _NEW, _READY})
    if others:
        raise ExistsError(
            f"{folder} holds more than a corpus: {others[0]}. It is never replaced.",
            "Give another --name, or move it away first.",
        )
    if not force:
        raise ExistsError(
            f"{folder} is already there.", "Give --force to replace it, or another --name."
        )


def save_corpus(corpus: Corpus, folder: Path, *, force: bool = False) -> None:
    """Write a corpus folder whole or not at all.

    A new folder appears by one rename. In a folder that exists, the new files are written to a
    folder inside, one rename declares them valid, and then they are moved to their places. So
    there is a whole corpus at any moment, whenever the process may be killed.

    Raises:
        ExistsError: the folder is there and ``force`` is not given, or is not a corpus.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone_in(folder.parent):
        _clear_leftovers(folder.parent)
        ensure_free(folder, force=force)
        if folder.exists():
            _move_into_place(folder)
            temporary = folder / _NEW
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            target = folder / _READY
        else:
            temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
            temporary.chmod(0o755)
            target = folder
        try:
            _write(corpus, temporary)
            temporary.rename(target)
            sync(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _move_into_place(folder)


def _write(corpus: Corpus, folder: Path) -> None:
    for split, poems in corpus.splits.items():
        np.save(folder / f"{split}.tokens.npy", poems.tokens)
        np.save(folder / f"{split}.offsets.npy", poems.offsets)
    abouts = {split: corpus.about(split).text.encode() for split in corpus.splits}
    for split, content in abouts.items():
        (folder / f"{split}.about.tsv").write_bytes(content)
    meta = _Meta(
        format_version=FORMAT_VERSION,
        name=corpus.name,
        fingerprint=corpus.fingerprint,
        prose=corpus.is_prose,
        rules=replace(corpus.settings, min_count=corpus.min_count),
        changed_rules=changed_rules(corpus.settings, corpus.is_prose),
        provenance=list(corpus.provenance),
        report=corpus.report,
        vocabulary=list(corpus.vocabulary.tokens),
        about_checksums={split: _hash(content) for split, content in abouts.items()},
    )
    values = asdict(meta)
    values["checksum"] = _hash(_as_json(values))
    (folder / "corpus.json").write_bytes(_as_json(values) + b"\n")
    for path in (*folder.iterdir(), folder):
        sync(path)


def _move_into_place(folder: Path) -> None:
    """Move files that are declared valid to where they belong, if there are any."""
    ready = folder / _READY
    if ready.is_dir():
        for path in ready.iterdir():
            os.replace(path, folder / path.name)
        sync(folder)
        ready.rmdir()


def _clear_leftovers(parent: Path) -> None:
    """Delete what killed processes left of new corpora; only while alone in the folder."""
    for path in parent.iterdir():
        if (
            _LEFTOVER.fullmatch(path.name)
            and path.is_dir()
            and not path.is_symlink()
            and all(inside.name in _FILES for inside in path.iterdir())
        ):
            shutil.rmtree(path)


def load_corpus(name_or_path: str | Path) -> Corpus:
    """Open a corpus by name or path; the token arrays are mapped, not read into memory.

    Raises:
        CorpusError: there is none, or it is incomplete, of another format version, or holds
            what ``save_corpus`` would not have written.
        ShortageError: the machine cannot open or map it.
    """
    folder = name_or_path if isinstance(name_or_path, Path) else find_corpus(name_or_path)
    with _refusals(folder):
        values = _read_json(folder)
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            older = " It has no titles and authors." * (version == 2)
            raise CorpusError(
                f"{folder} has format version {version!r:.40}, not {FORMAT_VERSION}.{older}",
                _advice(folder),
            )
        return _load(folder.absolute(), values)


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    """Turn what is wrong with the folder into a CorpusError, and what with the machine, too."""
    try:
        yield
    # Of the system's errors, only those that say what is in the folder.
    except (
        *(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        *(ValueError, TypeError, RecursionError, SettingError),
    ) as error:
        why = str(error).removesuffix(".")
        raise CorpusError(f"{folder} is not a whole corpus: {why}.", _advice(folder)) from error
    except OSError as error:
        shortage = shortage_in(error)
        if shortage is None:
            raise
        raise shortage from error


def _advice(folder: Path) -> str:
    return f"Prepare it again: poetgen prepare SOURCE --name {folder.name} --force"


def _file(folder: Path, name: str) -> Path:
    """Return the path of a file, which may not have been moved to its place yet."""
    ready = folder / _READY / name
    return ready if ready.exists() else folder / name


def _read_json(folder: Path) -> dict[str, Any]:
    path = _file(folder, "corpus.json")
    if path.exists() and not path.is_file():
        raise ValueError("corpus.json is not a file")
    values = json.loads(path.read_bytes().decode("utf-8"))
    if not isinstance(values, dict):
        raise ValueError("corpus.json does not hold an object")
    return values


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _as_json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8")


def _load(folder: Path, values: dict[str, Any]) -> Corpus:
    if values.pop("checksum", None) != _hash(_as_json(values)):
        raise ValueError("corpus.json does not match its checksum")
    meta = read_plain(_Meta, values)
    changed, min_count = meta.changed_rules, meta.rules.min_count
    settings = replace(meta.rules, min_count=changed.get("min_count"))
    # The fingerprint covers only the rules that differ from the default; the others follow.
    if min_count is None or changed != changed_rules(settings, meta.prose):
        raise ValueError("its rules contradict each other")
    vocabulary = Vocabulary(meta.vocabulary, settings.tokens)
    if not vocabulary.tokens:
        raise ValueError("its vocabulary is empty")
    if vocabulary.kind == "char" and any(len(token) != 1 for token in vocabulary.tokens):
        raise ValueError("its vocabulary has characters of more than one letter")
    if meta.about_checksums.keys() != set(SPLITS):
        raise ValueError("it does not have a checksum for each about.tsv")
    splits = {split: _load_poems(folder, split, vocabulary) for split in SPLITS}
    if meta.fingerprint != fingerprint_of(vocabulary, splits, changed):
        raise ValueError("its contents do not match its fingerprint")
    return Corpus(
        name=folder.name,
        vocabulary=vocabulary,
        splits=splits,
        fingerprint=meta.fingerprint,
        settings=settings,
        min_count=min_count,
        is_prose=meta.prose,
        provenance=meta.provenance,
        report=meta.report,
        read_about=partial(
            _read_about, folder, meta.about_checksums, {s: len(splits[s]) for s in SPLITS}
        ),
    )


def _read_about(
    folder: Path, checksums: dict[Split, str], num_poems: dict[Split, int], split: Split
) -> Abouts:
    """Read what is known about the poems of one split.

    Raises:
        CorpusError: the file is missing or damaged.
    """
    name = f"{split}.about.tsv"
    with _refusals(folder):
        content = _file(folder, name).read_bytes()
        if _hash(content) != checksums[split]:
            raise ValueError(f"{name} does not match its checksum")
        abouts = Abouts(content.decode())
        lines = abouts.lines
        is_whole = abouts.text == Abouts.of_lines(lines).text
        if (
            not is_whole
            or len(lines) != num_poems[split]
            or any(line.count("\t") != 2 for line in lines)
        ):
            raise ValueError(f"{name} does not have a line for each poem")
        return abouts


def _load_poems(folder: Path, split: Split, vocabulary: Vocabulary) -> Poems:
    """Open one split, if it is one that ``encode_poems`` could have made.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not one.
    """
    tokens = map_array(_file(folder, f"{split}.tokens.npy"), [dtype_for(vocabulary)])
    offsets = np.array(map_array(_file(folder, f"{split}.offsets.npy"), ["<i8"]))
    if not (
        len(offsets) >= (1 if split == "test" else 2)
        and (offsets[0], offsets[-1]) == (0, len(tokens))
        and offsets.min() >= 0  # the difference of two numbers far apart would overflow
        and (np.diff(offsets) >= 2).all()
        and np.count_nonzero(tokens < UNK) == 2 * (len(offsets) - 1)
        and (tokens[offsets[:-1]] == START).all()
        and (tokens[offsets[1:] - 1] == END).all()
        and tokens.max(initial=0) < len(vocabulary)
    ):
        raise ValueError(f"its {split} split does not hold whole poems of its vocabulary")
    return Poems(tokens, offsets)
