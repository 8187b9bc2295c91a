"""A corpus in memory: poems as token ids, by split, with their vocabulary and their history."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import IntArray
from poetgen.config import PrepareConfig, Script
from poetgen.corpus.about import Abouts
from poetgen.corpus.split import SPLITS, Split
from poetgen.corpus.vocabulary import END, START, UNK, Vocabulary
from poetgen.verse.pieces import UNKNOWN

# So many are encoded, or hashed, at once: in parts, so that memory never holds all of them a
# second time, in a wider type.
_PART_POEMS = 50_000
_PART_TOKENS = 1 << 20


@dataclass(frozen=True, slots=True)
class Poems:
    """The poems of one split, as one array of token ids.

    ``tokens`` has shape (N,); poem ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``, from
    its start token to its end token.
    """

    tokens: IntArray
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of poems."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> IntArray:
        """Return the token ids of one poem, special ones included."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each poem in steps: its tokens and the end, without the start."""
        return np.diff(self.offsets) - 1

    @property
    def num_targets(self) -> int:
        """Tokens that are predicted in one pass: all except the starts."""
        return int(self.offsets[-1]) - len(self)


@dataclass(frozen=True, slots=True)
class Provenance:
    """One file that was read: its name, its SHA-256, and how it was read."""

    file: str
    sha256: str
    poems: int
    format: str = ""
    encoding: str = ""
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the poems that were read.

    ``examples`` holds the beginnings of a few dropped poems for each reason, ``targets`` the
    tokens to predict in each split, ``unknown_share`` the part of them, 0 to 1, that is not
    in the vocabulary. ``distinct_tokens`` are those of the training poems, before the rare
    ones are left out. ``num_chars`` does not count line breaks. ``left_out`` counts what the
    sources hold beside poems, by kind; of the poems kept, ``num_titled`` have a title,
    ``num_authored`` an author and ``num_dated`` a dynasty.
    """

    read: int
    kept: dict[Split, int]
    dropped: dict[str, int]
    targets: dict[Split, int]
    unknown_share: dict[Split, float]
    distinct_tokens: int
    num_chars: int = 0
    num_lines: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    num_titled: int = 0
    num_authored: int = 0
    num_dated: int = 0

    @property
    def num_kept(self) -> int:
        """How many poems are kept in all splits."""
        return sum(self.kept.values())


@dataclass(frozen=True, slots=True)
class Corpus:
    """A prepared corpus.

    ``settings`` are those given to ``prepare``, ``min_count`` the one that was applied.
    ``is_prose`` says that this is running prose, whose parts follow one another.
    ``read_about`` returns what ``about`` does; of a corpus folder it reads a file.
    """

    name: str
    vocabulary: Vocabulary
    splits: Mapping[Split, Poems]
    fingerprint: str
    settings: PrepareConfig
    min_count: int
    is_prose: bool
    provenance: Sequence[Provenance]
    report: Report
    read_about: Callable[[Split], Abouts]

    def about(self, split: Split) -> Abouts:
        """Return title, author and dynasty of each poem of a split, in the order of the poems.

        Raises:
            CorpusError: the file of the corpus folder is damaged or missing.
        """
        return self.read_about(split)

    @property
    def script(self) -> Script:
        """The script that the texts were converted to."""
        return self.settings.script


def encode_poems(texts: Sequence[str], vocabulary: Vocabulary) -> Poems:
    """Encode texts, one poem each, between start and end tokens."""
    begins = range(0, len(texts) or 1, _PART_POEMS)
    parts = [_encode(texts[begin : begin + _PART_POEMS], vocabulary) for begin in begins]
    offsets = np.zeros(len(texts) + 1, dtype="<i8")
    np.cumsum(np.concatenate([lengths for _, lengths in parts]), out=offsets[1:])
    return Poems(np.concatenate([tokens for tokens, _ in parts]), offsets)


def _encode(texts: Sequence[str], vocabulary: Vocabulary) -> tuple[IntArray, NDArray[np.int64]]:
    """Return the tokens of texts, end to end, and how many each has, special ones included."""
    token_ids, lengths = vocabulary.encode_texts(texts)
    lengths = lengths + 2
    ends = np.cumsum(lengths)
    tokens = np.empty(lengths.sum(), dtype_for(vocabulary))
    inside = np.ones(len(tokens), bool)
    for places, special in ((ends - lengths, START), (ends - 1, END)):
        tokens[places] = special
        inside[places] = False
    tokens[inside] = token_ids
    return tokens, lengths


def decode_poems(poems: Poems, vocabulary: Vocabulary) -> list[str]:
    """Return the texts of poems whose tokens are characters; U+FFFD stands for unknown ones."""
    table = np.full(len(vocabulary), ord(UNKNOWN), "<u4")
    table[vocabulary.ordinary] = [ord(token) for token in vocabulary.tokens]
    text = table[poems.tokens].tobytes().decode("utf-32-le")
    return [text[begin + 1 : end - 1] for begin, end in itertools.pairwise(poems.offsets.tolist())]


def dtype_for(vocabulary: Vocabulary) -> str:
    """Return the smallest type that holds all token ids: uint16 or uint32, little-endian."""
    return "<u2" if len(vocabulary) <= 1 << 16 else "<u4"


def unknown_share(poems: Poems) -> float:
    """Return the part of the predicted tokens that is unknown, 0 to 1."""
    if poems.num_targets == 0:
        return 0.0
    return float(np.count_nonzero(poems.tokens == UNK)) / poems.num_targets


def changed_rules(settings: PrepareConfig, is_prose: bool) -> dict[str, Any]:
    """Return the settings that differ from the default, and ``prose`` if it is prose."""
    usual = asdict(PrepareConfig())
    changed = {key: value for key, value in asdict(settings).items() if value != usual[key]}
    return {**changed, "prose": True} if is_prose else changed


def fingerprint_of(
    vocabulary: Vocabulary, splits: Mapping[Split, Poems], changed: Mapping[str, Any]
) -> str:
    """Hash what a model learns from: the vocabulary, every poem of every split, the rules.

    Only ``changed_rules`` count, so that a poetgen with one more rule computes the same
    fingerprint for an old corpus.
    """
    digest = hashlib.sha256("\x00".join(vocabulary.tokens).encode("utf-8", "surrogatepass"))
    digest.update(json.dumps(dict(changed), sort_keys=True).encode())
    for split in SPLITS:
        digest.update(np.ascontiguousarray(splits[split].offsets, dtype="<i8").data)
        tokens = splits[split].tokens
        for begin in range(0, len(tokens), _PART_TOKENS):
            digest.update(tokens[begin : begin + _PART_TOKENS].astype("<u4").data)
    return digest.hexdigest()[:16]
