"""The corpus folder: token ids in .npy files, everything else in one JSON file.

::

    corpora/tang/
      corpus.json              vocabulary, counts, provenance, rules, report, checksum
      train.tokens.npy         all poems end to end, each START … END, uint16 or uint32
      train.offsets.npy        int64; poem i is tokens[offsets[i]:offsets[i + 1]]
      validation.*  test.*     the same for the poems held out
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from poetgen.config import PrepareConfig, Script
from poetgen.corpus.npy import map_array
from poetgen.corpus.split import SPLITS, Split
from poetgen.corpus.vocabulary import END, START, UNK, Vocabulary
from poetgen.errors import CorpusError, ExistsError
from poetgen.files import alone_in, sync
from poetgen.shortage import shortage_in

FORMAT_VERSION = 2
_FILES = {
    "corpus.json",
    *(f"{split}.{part}.npy" for split in SPLITS for part in ("tokens", "offsets")),
}
# New files, in a folder that has a corpus already: being written; all written.
_NEW, _READY = ".new", ".ready"
# The name of a new folder before all is in it: that of the corpus, and tempfile's letters.
_LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}", re.DOTALL)
_PREPARE = "Prepare it again: poetgen prepare SOURCE --name {name} --force"


@dataclass(frozen=True, slots=True)
class Poems:
    """The poems of one split, as one array of token ids.

    ``tokens`` has shape (N,); poem ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``, from
    its start token to its end token.
    """

    tokens: NDArray[np.integer[Any]]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the poems."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.integer[Any]]:
        """Give the token ids of one poem, special ones included."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each poem in steps: its tokens and the end, without the start."""
        return np.diff(self.offsets) - 1

    @property
    def num_targets(self) -> int:
        """Tokens that are predicted in one pass: every one but the starts."""
        return int(self.offsets[-1]) - len(self)


@dataclass(frozen=True, slots=True)
class Corpus:
    """A prepared corpus."""

    name: str
    vocabulary: Vocabulary
    splits: Mapping[Split, Poems]
    fingerprint: str
    script: str
    meta: Mapping[str, Any]

    @property
    def is_prose(self) -> bool:
        """Return whether this is running prose, whose parts follow one another."""
        return bool(self.meta["prose"])


def encode_poems(texts: Sequence[str], vocabulary: Vocabulary) -> Poems:
    """Encode texts, one poem each, between start and end tokens."""
    dtype = _dtype_for(vocabulary)
    offsets = np.zeros(len(texts) + 1, dtype="<i8")
    if not texts:
        return Poems(np.zeros(0, dtype), offsets)
    token_ids, lengths = vocabulary.encode_texts(texts)
    np.cumsum(lengths + 2, out=offsets[1:])
    tokens = np.empty(offsets[-1], dtype)
    tokens[offsets[:-1]] = START
    tokens[offsets[1:] - 1] = END
    inside = np.ones(len(tokens), bool)
    inside[offsets[:-1]] = inside[offsets[1:] - 1] = False
    tokens[inside] = token_ids
    return Poems(tokens, offsets)


def unknown_share(poems: Poems) -> float:
    """Measure which part of the predicted tokens is unknown."""
    if poems.num_targets == 0:
        return 0.0
    return float(np.count_nonzero(poems.tokens == UNK)) / poems.num_targets


def fingerprint_of(
    vocabulary: Vocabulary, splits: Mapping[Split, Poems], changed_rules: Mapping[str, Any]
) -> str:
    """Hash what a model learns from: the vocabulary, every poem of every split, the rules.

    Only rules that differ from the default count, so that a poetgen with one more rule
    gives an old corpus its old fingerprint.
    """
    digest = hashlib.sha256("\x00".join(vocabulary.tokens).encode("utf-8", "surrogatepass"))
    digest.update(json.dumps(dict(changed_rules), sort_keys=True).encode())
    for split in SPLITS:
        digest.update(np.ascontiguousarray(splits[split].offsets, dtype="<i8").data)
        digest.update(np.ascontiguousarray(splits[split].tokens, dtype="<u4").data)
    return digest.hexdigest()[:16]


def ensure_free(folder: Path, *, force: bool) -> None:
    """See to it that nothing but a corpus would be replaced, and only by ``force``.

    Raises:
        ExistsError: something else is there, or ``force`` is not given.
    """
    if not os.path.lexists(folder):
        return
    others = (
        [path.name for path in folder.iterdir() if path.name not in {*_FILES, _NEW, _READY}]
        if (folder.is_dir() and not folder.is_symlink())
        else [folder.name]
    )
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

    A new folder appears by one rename. In one that is there, the new files are gathered in a
    folder inside, and one rename declares them valid; then they are moved to their places. So
    there is a whole corpus at any moment, whenever the process may end.

    Raises:
        ExistsError: the folder is there and ``force`` is not given, or is no corpus.
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
    meta = {**corpus.meta, "checksum": _checksum_of(corpus.meta)}
    (folder / "corpus.json").write_bytes(_as_json(meta) + b"\n")
    for path in (*folder.iterdir(), folder):
        sync(path)


def _move_into_place(folder: Path) -> None:
    """Move files that are declared valid to where they belong; none may be left to move."""
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


def load_corpus(folder: Path) -> Corpus:
    """Open a corpus folder; the token arrays are mapped, not read into memory.

    Raises:
        CorpusError: the folder is missing, incomplete, of another format version, or holds
            what ``save_corpus`` would not have written.
        ShortageError: the machine cannot open or map it.
    """
    advice = _PREPARE.format(name=folder.name)
    try:
        meta = _read_meta(folder)
        if meta["format_version"] != FORMAT_VERSION:
            version = f"{meta['format_version']!r:.40}"
            raise CorpusError(
                f"{folder} has format version {version}, not {FORMAT_VERSION}.", advice
            )
        return _checked(folder, meta)
    except KeyError as error:
        raise CorpusError(
            f"{folder} is not a whole corpus: corpus.json has no {error}.", advice
        ) from error
    # Of the system's errors, only those that say what is in the folder.
    except (
        *(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        *(ValueError, TypeError, RecursionError),
    ) as error:
        raise CorpusError(f"{folder} is not a whole corpus: {error}.", advice) from error
    except OSError as error:
        shortage = shortage_in(error)
        if shortage is None:
            raise
        raise shortage from error


def _file(folder: Path, name: str) -> Path:
    """Find a file of a corpus, which may be about to be moved into its place."""
    ready = folder / _READY / name
    return ready if ready.exists() else folder / name


def _read_meta(folder: Path) -> dict[str, Any]:
    path = _file(folder, "corpus.json")
    if path.exists() and not path.is_file():
        raise ValueError("corpus.json is no file")
    meta = json.loads(path.read_bytes().decode("utf-8"))
    if not isinstance(meta, dict):
        raise ValueError("corpus.json holds no object")
    return meta


def _checksum_of(meta: Mapping[str, Any]) -> str:
    return hashlib.sha256(_as_json(meta)).hexdigest()[:16]


def _as_json(meta: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(meta), ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8")


def _checked(folder: Path, meta: dict[str, Any]) -> Corpus:
    # The first corpora had no checksum.
    checksum = meta.pop("checksum", None)
    if checksum is not None and checksum != _checksum_of(meta):
        raise ValueError("corpus.json does not match its checksum")
    rules, changed = meta["rules"], meta["changed_rules"]
    if not (isinstance(rules, dict) and isinstance(changed, dict)):
        raise ValueError("its rules are no objects")
    # The fingerprint knows the rules that differ from the default; the others follow.
    effective = {**asdict(PrepareConfig()), **changed}
    kind, script = effective["tokens"], effective["script"]
    if (rules["tokens"], rules["script"]) != (kind, script) or script not in get_args(Script):
        raise ValueError("its rules contradict each other")
    if meta["prose"] is not changed.get("prose", False):
        raise ValueError("its rules do not tell prose from poems")
    if not isinstance(meta["vocabulary"], list) or not meta["vocabulary"]:
        raise ValueError("its vocabulary is no list of tokens")
    vocabulary = Vocabulary(meta["vocabulary"], kind)
    if kind == "char" and any(len(token) != 1 for token in vocabulary.tokens):
        raise ValueError("its vocabulary has characters of more than one letter")
    splits = {split: _load_poems(folder, split, vocabulary) for split in SPLITS}
    fingerprint = fingerprint_of(vocabulary, splits, changed)
    if fingerprint != meta["fingerprint"]:
        raise ValueError("its contents do not match its fingerprint")
    return Corpus(folder.name, vocabulary, splits, fingerprint, script, meta)


def _load_poems(folder: Path, split: Split, vocabulary: Vocabulary) -> Poems:
    """Open one split, and see to it that it is one that ``encode_poems`` could have made.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none.
    """
    tokens = map_array(_file(folder, f"{split}.tokens.npy"), [_dtype_for(vocabulary)])
    offsets = np.array(map_array(_file(folder, f"{split}.offsets.npy"), ["<i8"]))
    if len(offsets) < (1 if split == "test" else 2):
        raise ValueError(f"its {split} split holds no poems")
    if (
        offsets[0] != 0
        or offsets[-1] != len(tokens)
        or offsets.min() < 0  # two far from each other would overflow
        or (np.diff(offsets) < 2).any()
    ):
        raise ValueError(f"the offsets of its {split} split do not fit its tokens")
    num_special = int(np.count_nonzero(tokens < UNK))
    if (
        num_special != 2 * (len(offsets) - 1)
        or (tokens[offsets[:-1]] != START).any()
        or (tokens[offsets[1:] - 1] != END).any()
    ):
        raise ValueError(f"a poem of its {split} split does not go from its start to its end")
    if len(tokens) and int(tokens.max()) >= len(vocabulary):
        raise ValueError(f"its {split} split has tokens that are not in its vocabulary")
    return Poems(tokens, offsets)


def _dtype_for(vocabulary: Vocabulary) -> str:
    return "<u2" if len(vocabulary) <= 1 << 16 else "<u4"
