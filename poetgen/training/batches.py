"""Batches: of whole poems of similar length, or of windows on a long stream of tokens.

An epoch is a sequence of batches that are cut only on access, so that a run can resume in
the middle of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import IntArray
from poetgen.config import BatchingKind, TrainConfig
from poetgen.corpus.corpus import Corpus, Poems
from poetgen.corpus.occasions import Occasions, occasions_of
from poetgen.corpus.vocabulary import PAD


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of a stream of tokens, which are not copied until they are read.

    Row b starts at ``starts[b]`` and has ``lengths[b]`` targets: the target of a token is the
    next one. ``starts`` and ``lengths`` have the shape (B,); the width T of the rows is that
    of the longest.
    """

    stream: IntArray
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @property
    def width(self) -> int:
        """T, at least one."""
        return max(1, int(self.lengths.max()))

    @property
    def num_targets(self) -> int:
        """The number of targets, without padding."""
        return int(self.lengths.sum())

    @property
    def num_padded(self) -> int:
        """The number of places without a target."""
        return len(self.lengths) * self.width - self.num_targets

    @property
    def inputs(self) -> NDArray[np.int64]:
        """The inputs of ``read``."""
        return self.read()[0]

    @property
    def targets(self) -> NDArray[np.int64]:
        """The targets of ``read``."""
        return self.read()[1]

    def read(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets, token ids (B, T), with PAD after the end of shorter rows.

        ``targets[b, t]`` follows ``inputs[b, t]``, or is PAD.
        """
        steps = np.arange(self.width + 1)
        present = steps <= self.lengths[:, None]
        places = np.where(present, self.starts[:, None] + steps, 0)
        token_ids = np.where(present, self.stream[places], PAD).astype(np.int64)
        return token_ids[:, :-1], token_ids[:, 1:]


def part_of(batch: Batch, number: int, num_parts: int) -> Batch:
    """Return every ``num_parts``-th row of a batch, from row ``number`` on.

    A part without rows is one row without targets, which has no gradient.
    """
    rows = slice(number, None, num_parts)
    if number < len(batch.starts):
        return Batch(batch.stream, batch.starts[rows], batch.lengths[rows])
    return Batch(batch.stream, batch.starts[:1], np.zeros_like(batch.lengths[:1]))


def plan_batches(
    lengths: NDArray[np.int64], batch_tokens: int, rng: np.random.Generator | None
) -> list[NDArray[np.int64]]:
    """Return groups of poems for batches of at most ``batch_tokens`` steps, padding included.

    Poems are sorted by length, equal lengths in random order, cut into groups, and the
    groups are shuffled; a poem longer than the budget is a batch of its own. Without
    ``rng`` the order is by length, for evaluation.

    Returns:
        The indices of the poems of each batch; every poem is in exactly one.
    """
    order = np.arange(len(lengths)) if rng is None else rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    ordered = lengths[order]
    groups = []
    first = 0
    while first < len(order):
        # With lengths ascending, the k-th poem sets the width of a group of k poems.
        most = max(1, batch_tokens // int(ordered[first]))
        widths = ordered[first : first + most]
        sizes = widths * np.arange(1, len(widths) + 1)
        count = max(1, int(np.searchsorted(sizes, batch_tokens, side="right")))
        groups.append(order[first : first + count])
        first += count
    if rng is not None:
        groups = [groups[i] for i in rng.permutation(len(groups))]
    return groups


def assemble(poems: Poems, indices: NDArray[np.int64]) -> Batch:
    """Return one batch of the poems ``indices``."""
    starts = poems.offsets[indices]
    # The last token of a poem has no target.
    return Batch(poems.tokens, starts, poems.offsets[indices + 1] - starts - 1)


def iter_batches(
    poems: Poems, batch_tokens: int, rng: np.random.Generator | None = None
) -> Iterator[Batch]:
    """Yield every poem once, in batches of about ``batch_tokens`` steps."""
    for indices in plan_batches(poems.lengths, batch_tokens, rng):
        yield assemble(poems, indices)


class Batching(Protocol):
    """A way to cut a split into batches."""

    @property
    def carries_state(self) -> bool:
        """Whether each batch continues the one before it, so that the state is carried over."""

    def epoch(self, rng: np.random.Generator) -> Epoch:
        """Return one pass over the data, in an order drawn from ``rng``."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the data: ``size`` batches, cut by ``get``, with ``num_targets`` in all."""

    size: int
    num_targets: int
    get: Callable[[int], Batch]

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.size

    def __getitem__(self, index: int) -> Batch:
        """Return batch ``index``."""
        return self.get(range(self.size)[index])

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in their order."""
        return map(self.get, range(self.size))


@dataclass(frozen=True, slots=True)
class PoemBatching:
    """Whole poems, a budget of tokens for each batch.

    With ``occasions``, each is read after fields that are drawn anew in every epoch.
    """

    poems: Poems
    batch_tokens: int
    occasions: Occasions | None = None
    carries_state: bool = False

    def epoch(self, rng: np.random.Generator) -> Epoch:
        """Return groups of poems of similar length, in random order."""
        poems = self.poems
        if self.occasions is not None:
            poems = self.occasions.join(self.occasions.draw(rng))
        groups = plan_batches(poems.lengths, self.batch_tokens, rng)
        return Epoch(len(groups), poems.num_targets, lambda i: assemble(poems, groups[i]))


def _draw_offset(room: int, seq_len: int, rng: np.random.Generator) -> int:
    """Draw where an epoch starts, below ``seq_len`` and so that a batch is left."""
    return int(rng.integers(max(1, min(seq_len, room))))


@dataclass(frozen=True, slots=True)
class RandomBatching:
    """Windows of ``seq_len`` steps in random order, ``batch_size`` of them in a batch.

    Every epoch starts at another random offset below ``seq_len``, so that it is cut in other
    places; the rest at both ends is not read in that epoch.
    """

    poems: Poems
    seq_len: int
    batch_size: int
    carries_state: bool = False

    def epoch(self, rng: np.random.Generator) -> Epoch:
        """Return windows on the stream in random order."""
        stream = self.poems.tokens
        offset = _draw_offset(len(stream) - self.seq_len, self.seq_len, rng)
        # The last token of the stream is a target only.
        num_windows = max(0, (len(stream) - 1 - offset) // self.seq_len)
        starts = offset + self.seq_len * rng.permutation(num_windows)
        size = self.batch_size
        return Epoch(
            -(-len(starts) // size),
            len(starts) * self.seq_len,
            lambda i: _windows_at(self.poems, starts[i * size : (i + 1) * size], self.seq_len),
        )


@dataclass(frozen=True, slots=True)
class SequentialBatching:
    """``batch_size`` long strips side by side, read window by window.

    Row b of a batch starts exactly where row b of the batch before it ended, so the state
    is carried over. Every epoch starts at another random offset below ``seq_len``.
    """

    poems: Poems
    seq_len: int
    batch_size: int
    carries_state: bool = True

    def epoch(self, rng: np.random.Generator) -> Epoch:
        """Return windows that follow each other in the strips."""
        stream = self.poems.tokens
        offset = _draw_offset(len(stream) - self.batch_size * self.seq_len, self.seq_len, rng)
        strip = (len(stream) - 1 - offset) // self.batch_size
        starts = offset + strip * np.arange(self.batch_size)
        num_windows = max(0, strip // self.seq_len)
        return Epoch(
            num_windows,
            num_windows * self.batch_size * self.seq_len,
            lambda i: _windows_at(self.poems, starts + i * self.seq_len, self.seq_len),
        )


def _windows_at(poems: Poems, starts: NDArray[np.int64], seq_len: int) -> Batch:
    return Batch(poems.tokens, starts, np.full(len(starts), seq_len))


def batching_kind(corpus: Corpus, config: TrainConfig) -> BatchingKind:
    """Return the batching that is asked for, else the one for the kind of text."""
    return config.batching or ("sequential" if corpus.is_prose else "poems")


def with_fields(corpus: Corpus, config: TrainConfig) -> Corpus:
    """Return a corpus whose vocabulary has fields, if its poems are to be learned with them."""
    report = corpus.report
    has_any = report.num_titled or report.num_authored
    if corpus.vocabulary.fields or not (has_any and _may_learn_fields(corpus, config)):
        return corpus
    return replace(corpus, vocabulary=corpus.vocabulary.with_fields())


def learns_fields(corpus: Corpus, config: TrainConfig) -> bool:
    """Return whether the poems of a corpus are learned with what its vocabulary has of fields."""
    return bool(corpus.vocabulary.fields) and _may_learn_fields(corpus, config)


def _may_learn_fields(corpus: Corpus, config: TrainConfig) -> bool:
    return config.fields and batching_kind(corpus, config) == "poems"


def pick_batching(corpus: Corpus, config: TrainConfig) -> Batching:
    """Return how to cut the training split."""
    poems, kind = corpus.splits["train"], batching_kind(corpus, config)
    if kind == "poems":
        occasions = None
        if learns_fields(corpus, config):
            occasions = occasions_of(poems, corpus.about("train"), corpus.vocabulary)
        return PoemBatching(poems, config.batch_tokens, occasions)
    windows = RandomBatching if kind == "random" else SequentialBatching
    return windows(poems, config.seq_len, config.batch_size)
