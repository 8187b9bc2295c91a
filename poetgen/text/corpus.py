"""The corpus folder: token ids in .npy files, everything else in one JSON file.

::

    corpora/tang/
      corpus.json              vocabulary, counts, provenance, rules, report
      train.tokens.npy         all poems end to end, each START … END, uint16 or uint32
      train.offsets.npy        int64; poem i is tokens[offsets[i]:offsets[i + 1]]
      validation.*  test.*     the same for the poems held out
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.errors import CorpusError, ExistsError
from poetgen.files import sync
from poetgen.text.split import SPLITS, Split
from poetgen.text.vocabulary import END, START, UNK, Vocabulary

FORMAT_VERSION = 2
_FILES = {
    "corpus.json",
    *(f"{split}.{part}.npy" for split in SPLITS for part in ("tokens", "offsets")),
}
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
        """Tell whether this is running prose, whose parts follow one another."""
        return bool(self.meta["prose"])


def encode_poems(texts: Sequence[str], vocabulary: Vocabulary) -> Poems:
    """Encode texts, one poem each, between start and end tokens."""
    dtype = "<u2" if len(vocabulary) <= 1 << 16 else "<u4"
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
        [path.name for path in folder.iterdir() if path.name not in _FILES]
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

    Raises:
        ExistsError: the folder is there and ``force`` is not given, or is no corpus.
    """
    ensure_free(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        temporary.chmod(0o755)
        for split, poems in corpus.splits.items():
            np.save(temporary / f"{split}.tokens.npy", poems.tokens)
            np.save(temporary / f"{split}.offsets.npy", poems.offsets)
        text = json.dumps(dict(corpus.meta), ensure_ascii=False, indent=1, sort_keys=True)
        (temporary / "corpus.json").write_bytes(text.encode("utf-8") + b"\n")
        for path in temporary.iterdir():
            sync(path)
        if folder.exists():
            old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
            folder.rename(old / folder.name)
            temporary.rename(folder)
            shutil.rmtree(old)
        else:
            temporary.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_corpus(folder: Path) -> Corpus:
    """Open a corpus folder; the token arrays are mapped, not read.

    Raises:
        CorpusError: the folder is missing, incomplete, or of another format version.
    """
    advice = _PREPARE.format(name=folder.name)
    try:
        meta = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
        if meta["format_version"] != FORMAT_VERSION:
            raise CorpusError(
                f"{folder} has format version {meta['format_version']}, not {FORMAT_VERSION}.",
                advice,
            )
        splits = {
            split: Poems(
                np.load(folder / f"{split}.tokens.npy", mmap_mode="r", allow_pickle=False),
                np.load(folder / f"{split}.offsets.npy", allow_pickle=False),
            )
            for split in SPLITS
        }
        vocabulary = Vocabulary(meta["vocabulary"], meta["rules"]["tokens"])
        if fingerprint_of(vocabulary, splits, meta["changed_rules"]) != meta["fingerprint"]:
            raise ValueError("its contents do not match its fingerprint")
        return Corpus(
            folder.name, vocabulary, splits, meta["fingerprint"], meta["rules"]["script"], meta
        )
    # numpy raises EOFError for an empty file.
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{folder} is not a whole corpus: {error}.", advice) from error
