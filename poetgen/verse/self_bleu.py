"""Self-BLEU: how much the poems of a set are alike.

Source: Zhu et al., "Texygen: A Benchmarking Platform for Text Generation Models" (2018); BLEU by
Papineni et al. (2002), smoothed as method 1 of Chen and Cherry (2014).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from poetgen.characters import hanzi_only

MAX_ORDER = 4
# Stands for a count of 0, whose logarithm is not finite.
_NONE = 0.1


def self_bleu(poems: Sequence[str]) -> float | None:
    """Return the mean BLEU of each poem against all others, 0 to 1: the lower, the more varied.

    Tokens are Chinese characters, marks left out; n-grams of 1 to 4. Poems of fewer than four
    characters are left out. Sets of equal size alone can be compared. None of fewer than two poems.
    """
    texts = [text for text in map(hanzi_only, poems) if len(text) >= MAX_ORDER]
    if len(texts) < 2:
        return None
    logs = [0.0] * len(texts)
    for order in range(1, MAX_ORDER + 1):
        counts = [_grams(text, order) for text in texts]
        most = _two_highest(counts)
        for place, own in enumerate(counts):
            matched = 0
            for gram, count in own.items():
                first, second, at = most[gram]
                # The highest count among the other poems.
                matched += min(count, second if at == place else first)
            logs[place] += math.log((matched or _NONE) / own.total()) / MAX_ORDER
    lengths = sorted(map(len, texts))
    return math.fsum(
        math.exp(log + _brevity(len(text), lengths)) for log, text in zip(logs, texts, strict=True)
    ) / len(texts)


def _grams(text: str, order: int) -> Counter[str]:
    return Counter(text[i : i + order] for i in range(len(text) - order + 1))


def _two_highest(counts: Sequence[Counter[str]]) -> dict[str, tuple[int, int, int]]:
    """Return for each n-gram its two highest counts in a poem, and the place of the higher."""
    most: dict[str, tuple[int, int, int]] = {}
    for place, own in enumerate(counts):
        for gram, count in own.items():
            first, second, at = most.get(gram, (0, 0, -1))
            if count > first:
                most[gram] = (count, first, place)
            elif count > second:
                most[gram] = (first, count, at)
    return most


def _brevity(length: int, lengths: Sequence[int]) -> float:
    """Return the logarithm of the brevity penalty; ``lengths`` are sorted, with its own once.

    Of two lengths as close, the shorter is that of the reference.
    """
    own = bisect_left(lengths, length)
    beside = [*lengths[max(0, own - 1) : own], *lengths[own + 1 : own + 2]]
    closest = min(beside, key=lambda other: abs(other - length))
    return min(0.0, 1 - closest / length)
