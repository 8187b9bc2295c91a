"""What the choice among drafts needs to know of the training poems, in one small index.

It is made from the training poems alone and kept in the model file (docs/verse.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import IntArray
from poetgen.characters import hanzi_only
from poetgen.verse.novelty import NoveltyIndex, build_novelty, novelty_from
from poetgen.verse.parallelism import DIM, Kinship, build_kinship, make_kinship
from poetgen.verse.pieces import UNKNOWN, Lines, code_points, distinct, split
from poetgen.verse.thread import MIN_POEMS, ThreadTable, build_thread, unpack

# No index is larger: that of the Tang has 3 MB, one of all Song poems 12.
MAX_BYTES = 2**26
_MAX_CHARS = 2**17
# The arrays of an index: their types, as safetensors names them, and their dimensions.
_ARRAYS = {
    "chars": ("U32", 1),
    "log_probs": ("F16", 1),
    "kinds": ("I8", 2),
    "thread_gaps": ("U8", 1),
    "thread_values": ("U8", 1),
    "lines": ("U8", 1),
    "grams": ("U8", 1),
    "pairs": ("U8", 1),
}
_BYTES_EACH = {"U8": 1, "I8": 1, "F16": 2, "U32": 4}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a model file knows of its training poems beside its weights.

    ``log_probs`` has the natural logarithm of the frequency of each of their characters, from
    the character in most poems down.
    """

    log_probs: Mapping[str, float]
    thread: ThreadTable
    novelty: NoveltyIndex
    kinship: Kinship

    def unigrams(self, texts: Sequence[str]) -> list[float]:
        """Return the mean log-frequency of the characters of each text; 0 without any.

        A high one is dull: it is made of the most common characters. One that never stands in
        the training poems counts as the rarest that does.
        """
        table = self.log_probs
        rarest = min(table.values(), default=0.0)
        hanzi = [hanzi_only(text) for text in texts]
        return [
            math.fsum(table.get(char, rarest) for char in text) / max(1, len(text))
            for text in hanzi
        ]

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, for ``choice_from``."""
        gaps, values = self.thread.packed()
        novelty = self.novelty
        return {
            "chars": code_points("".join(self.log_probs)),
            "log_probs": np.array([*self.log_probs.values()], np.float16),
            "kinds": self.kinship.vectors,
            "thread_gaps": gaps,
            "thread_values": values,
            "lines": novelty.lines.bits,
            "grams": novelty.grams.bits,
            "pairs": novelty.pairs.bits,
        }


def build_choice(texts: Sequence[str]) -> Choice:
    """Return the index of training poems; ``UNKNOWN`` stands for characters not known."""
    lines = split(texts)
    chars, num_poems, counts = _characters(lines)
    num_frequent = int((num_poems >= MIN_POEMS).sum())
    return Choice(
        log_probs=_table(chars, np.log(counts / max(1, counts.sum())).astype(np.float16)),
        thread=build_thread(lines, chars[:num_frequent]),
        novelty=build_novelty(lines),
        kinship=build_kinship(lines, chars[:num_frequent]),
    )


def _table(chars: str, log_probs: NDArray[np.float16]) -> dict[str, float]:
    return dict(zip(chars, log_probs.tolist(), strict=True))


def _characters(lines: Lines) -> tuple[str, IntArray, IntArray]:
    """Return the characters, from that in most poems down, in how many, and how often."""
    codes, places, counts = np.unique(lines.codes, return_inverse=True, return_counts=True)
    of_poem = lines.poems[lines.line_of] * len(codes) + places
    num_poems = np.bincount(distinct(of_poem) % max(1, len(codes)), minlength=len(codes))
    order = np.argsort(-num_poems, kind="stable")
    order = order[codes[order] != ord(UNKNOWN)]
    return "".join(map(chr, codes[order].tolist())), num_poems[order], counts[order]


def check_layout(layout: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Check the types and shapes of the arrays of an index before they are read.

    Raises:
        ValueError: they are not those of an index, or larger than any.
    """
    if layout.keys() != _ARRAYS.keys():
        raise ValueError("its index of the training poems lacks a part or has one too many")
    sizes = {name: math.prod(shape) for name, (_, shape) in layout.items()}
    for name, (dtype, shape) in layout.items():
        if (dtype, len(shape)) != _ARRAYS[name]:
            raise ValueError(f"its index of the training poems has {name} of another kind")
    if sum(_BYTES_EACH[layout[name][0]] * size for name, size in sizes.items()) > MAX_BYTES:
        raise ValueError(f"its index of the training poems has more than {MAX_BYTES:,} bytes")
    fits = (
        sizes["chars"] == sizes["log_probs"] <= _MAX_CHARS
        and layout["kinds"][1][0] <= sizes["chars"]
        and layout["kinds"][1][1] == DIM
        and sizes["thread_gaps"] == sizes["thread_values"]
    )
    if not fits:
        raise ValueError("the parts of its index of the training poems do not fit together")


def choice_from(arrays: Mapping[str, NDArray[Any]]) -> Choice:
    """Return the index with these arrays, whose layout is checked.

    Raises:
        ValueError: their content is not that of an index.
    """
    chars, kinds, log_probs = _text(arrays["chars"]), arrays["kinds"], arrays["log_probs"]
    if not (log_probs <= 0).all() or not np.isfinite(log_probs).all():
        raise ValueError("its index of the training poems has frequencies that are not any")
    return Choice(
        log_probs=_table(chars, log_probs),
        thread=unpack(chars[: len(kinds)], arrays["thread_gaps"], arrays["thread_values"]),
        novelty=novelty_from(arrays["lines"], arrays["grams"], arrays["pairs"]),
        kinship=make_kinship(chars, kinds),
    )


def _text(codes: NDArray[Any]) -> str:
    """Return the characters with these code points.

    Raises:
        ValueError: one is not a Chinese character, or is there twice.
    """
    if len(codes) and int(codes.max()) > 0x10FFFF:
        raise ValueError("its index of the training poems has code points beyond Unicode")
    text = "".join(map(chr, codes.tolist()))
    if hanzi_only(text) != text or len(set(text)) != len(text):
        raise ValueError("its index of the training poems has characters that are not hanzi")
    return text
