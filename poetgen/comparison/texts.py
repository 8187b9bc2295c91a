"""Texts on which models are measured: read once, then as each model would be given them."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

from poetgen.config import Format, PrepareConfig, Script
from poetgen.corpus.cleaning import letters_only
from poetgen.corpus.corpus import Corpus, decode_poems
from poetgen.corpus.duplicates import SeenPoems
from poetgen.corpus.folder import load_corpus
from poetgen.corpus.script import convert_all
from poetgen.corpus.sieve import Sieve
from poetgen.corpus.split import Split, identities
from poetgen.corpus.tokens import join_tokens
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import CorpusError, SourceError
from poetgen.limits import ensure_few
from poetgen.networks.model import Model
from poetgen.places import corpora_here
from poetgen.reading import RawPoem, describe_ignored, find_inputs, read_document
from poetgen.verse.pieces import UNKNOWN

# A poem that is left out because a model may have learned it, or one like it.
IN_TRAINING = "in training"
# Stands for a character that a corpus no longer has, when its poems are recognised.
_ANY_HANZI = "〇"


class Part(NamedTuple):
    """The poems of one document, or the parts of running prose."""

    poems: Sequence[RawPoem]
    prose: bool


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts on which models are measured.

    ``parts`` has the poems as their sources have them, without duplicates and without what no
    model would be given; ``is_clean`` says that they come from a corpus, and are as they were
    prepared. ``left_out`` counts the others by reason, ``doubts`` are sentences about what is
    uncertain.
    """

    name: str
    parts: Sequence[Part]
    is_clean: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    doubts: Sequence[str] = ()

    @property
    def num_poems(self) -> int:
        """How many poems, or parts of running prose."""
        return sum(len(part.poems) for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that follow from the poems alone, in their order."""
        digest = hashlib.sha256()
        for part in self.parts:
            for poem in part.poems:
                digest.update(poem.text.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()[:16]

    @property
    def description(self) -> str:
        """The name, how many poems, and how many were left out for which reason."""
        unit = "part" if all(part.prose for part in self.parts) else "poem"
        counted = f"{self.name}: {self.num_poems:,} {unit}{'s' * (self.num_poems != 1)}"
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        return counted + (f" (left out: {reasons})" if reasons else "")

    def for_model(self, vocabulary: Vocabulary, script: str) -> list[str]:
        """Return the poems as a model of this vocabulary and script reads them.

        What a model file does not say is as ``prepare`` does it by default. A model that knows
        nothing but small letters and blanks reads every text as letters alone.
        """
        letters = _has_letters_only(vocabulary)
        if self.is_clean:
            texts = [poem.text for part in self.parts for poem in part.poems]
            texts = list(map(_letters_of, texts)) if letters else convert_all(texts, script)
        else:
            wanted = cast(Script, "keep" if letters else script)
            sieve = Sieve(
                PrepareConfig(script=wanted, tokens=vocabulary.kind, letters_only=letters)
            )
            texts = [
                text
                for part in self.parts
                for text, _ in sieve.add_all(part.poems, prose=part.prose)
            ]
        return [" ".join(text.split()) for text in texts] if letters else texts


def read_texts(
    on: str | Path | Corpus,
    split: Split = "validation",
    learned: Sequence[Corpus] = (),
    format: Format = "auto",
) -> Texts:
    """Read texts on which models are measured.

    Args:
        on: a file, folder or archive that ``prepare`` can read, ``-`` for standard input, or
            the name or the folder of a prepared corpus, or a loaded one.
        split: the poems of a corpus that are taken.
        learned: corpora that models have learned from. Poems of a file that are in their
            training splits, or nearly so, are left out; those of a corpus never are.
        format: how a file is written; auto looks at the content.

    Raises:
        SourceError: a file cannot be read, or no poem is left.
        CorpusError: there is no such file and no such corpus, or it is damaged.
    """
    if isinstance(on, Corpus):
        texts = _split_of(on, split)
    elif is_source(on):
        texts = _read_files(Path(on), learned, format)
    else:
        try:
            texts = _split_of(load_corpus(on), split)
        except CorpusError as error:
            if Path(on).exists() or str(on) in corpora_here():
                raise
            raise CorpusError(
                f"There is neither a file nor a prepared corpus {on}.",
                "Give a text, or the name of a corpus: --on FILE",
            ) from error
    if texts.num_poems == 0:
        raise SourceError(
            f"There is nothing to measure on in {texts.description}.",
            "Give another text: --on FILE",
        )
    return texts


def is_source(on: str | Path | Corpus) -> bool:
    """Return whether this is a file, a folder or standard input, and not a prepared corpus."""
    if isinstance(on, Corpus):
        return False
    return str(on) == "-" or (Path(on).exists() and not (Path(on) / "corpus.json").is_file())


def corpora_of(
    models: Iterable[Model], known: Sequence[Corpus] = ()
) -> tuple[list[Corpus], list[str]]:
    """Return the prepared corpora that models have learned from, those that are known first.

    And a sentence about each that is not here, or is another one now, and about models that do not
    name all of theirs.
    """
    corpora = {one.fingerprint: one for one in known}
    problems = []
    for model in models:
        if (first := model.training.get("init")) is not None:
            problems.append(f"A model began with {first}, whose corpus it does not name.")
        if model.corpus is None:
            problems.append("A model does not say from which corpus it learned.")
        elif model.corpus.fingerprint not in corpora:
            name = model.corpus.name
            try:
                found = load_corpus(name)
            except CorpusError as error:
                problems.append(error.problem)
                continue
            corpora.setdefault(found.fingerprint, found)
            if found.fingerprint != model.corpus.fingerprint:
                problems.append(f"The corpus {name} is not as it was when a model learned from it.")
    doubt = "The text may have poems that a model has learned from."
    return [*corpora.values()], [f"{problem} {doubt}" for problem in dict.fromkeys(problems)]


def _split_of(corpus: Corpus, split: Split) -> Texts:
    texts = _texts_of(corpus, split)
    name = f"{split} split of {corpus.name}"
    return Texts(name, [Part([*map(RawPoem, texts)], corpus.is_prose)], is_clean=True)


def _read_files(path: Path, learned: Sequence[Corpus], format: Format) -> Texts:
    name = "standard input" if str(path) == "-" else str(path)
    # Only to know which are kept: what they become depends on the model.
    sieve = Sieve(PrepareConfig(script="keep"))
    parts: list[Part] = []
    keys: list[str] = []
    doubts: list[str] = []
    ignored = []
    num_read = 0
    for input in find_inputs([path]):
        document = read_document(input, format)
        if document.ignored_as is not None:
            ignored.append(document)
            continue
        num_read += len(document.poems)
        ensure_few(num_read, name)
        doubts += document.doubts
        num_dropped = len(sieve.dropped)
        added = sieve.add_all(document.poems, prose=document.prose)
        dropped = {id(dropped.poem) for dropped in sieve.dropped[num_dropped:]}
        kept = [poem for poem in document.poems if id(poem) not in dropped]
        parts.append(Part(kept, document.prose))
        keys += identities([text for text, _ in added])
    left_out = Counter(dropped.reason for dropped in sieve.dropped)
    parts, left_out[IN_TRAINING] = _without_learned(parts, keys, learned)
    return Texts(
        name,
        parts,
        left_out=dict(sorted((+left_out).items())),
        doubts=[*doubts, *describe_ignored(ignored)],
    )


def _without_learned(
    parts: Sequence[Part], keys: Sequence[str], learned: Sequence[Corpus]
) -> tuple[list[Part], int]:
    """Return the poems whose identities are not among the training poems of corpora.

    And how many are. ``keys`` are the identities of the poems of all parts.
    """
    seen = _seen_in(learned, set(map(len, keys)))
    sameness = map(seen.find, keys)
    found = []
    for poems, prose in parts:
        # Two paragraphs of prose that are nearly the same are not the same.
        same = ("duplicate",) if prose else ("duplicate", "near-duplicate")
        is_new = [next(sameness) not in same for _ in poems]
        found.append(Part([*itertools.compress(poems, is_new)], prose))
    return found, len(keys) - sum(len(part.poems) for part in found)


def _seen_in(corpora: Sequence[Corpus], lengths: Collection[int]) -> SeenPoems:
    """Return the training poems of corpora that are of these lengths."""
    seen = SeenPoems(near=True)
    for corpus in corpora:
        poems = [text.replace(UNKNOWN, _ANY_HANZI) for text in _texts_of(corpus, "train")]
        for key in identities(poems):
            if len(key) in lengths:
                seen.add(key)
    return seen


def _texts_of(corpus: Corpus, split: Split) -> list[str]:
    """Return the poems of a split, with U+FFFD for what its vocabulary lacks."""
    vocabulary, poems = corpus.vocabulary, corpus.splits[split]
    if vocabulary.kind == "char":
        return decode_poems(poems, vocabulary)

    def spelled(token_id: int) -> str:
        return vocabulary.token(token_id) if vocabulary.is_ordinary(token_id) else UNKNOWN

    return [
        join_tokens([*map(spelled, poems[number][1:-1].tolist())], vocabulary.kind)
        for number in range(len(poems))
    ]


def _letters_of(text: str) -> str:
    """Return the letters of a text; what a corpus of letters no longer has stays unknown."""
    known = text.replace(UNKNOWN, "x")
    return text if known == letters_only(known) else letters_only(text)


def _has_letters_only(vocabulary: Vocabulary) -> bool:
    letters = "".join(vocabulary.tokens).replace(" ", "")
    return letters.isascii() and letters.isalpha() and letters.islower()
