"""The ranking of drafts: one number for a poem, from what is measured of it.

The weights follow from the marks that blind readers gave to 7,900 poems of the models that ship
(docs/verse.md).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.verse.choice import Choice
from poetgen.verse.common_pairs import count_common, count_stutters
from poetgen.verse.forms import lines_of
from poetgen.verse.keeping import rule_faults
from poetgen.verse.overused import overuse
from poetgen.verse.seasons import count_colliding, seasons_of_title


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of a draft, which may be the beginning of a poem.

    Args:
        likelihood: natural log-probability under the model, a Chinese character.
        ends: that of the last characters of its lines alone, a Chinese character of the poem.
        unigram: mean natural log-frequency of its characters, without context.
        thread: how its lines belong together, in nats, 0 and more.
        unseen_pairs: share, 0 to 1, of neighbours inside a line that no training poem has.
        num_chars: Chinese characters.
        num_repeats: characters beyond the first of each kind, without doublings such as 悠悠.
        couplet_repeats: of these, those inside a couplet.
        num_copied: lines that stand whole in a training poem.
        rhyme_faults: lines that should rhyme and do not, or with a character used before.
        tone_faults: characters of a wrong tone.
        common: neighbours inside a line that are common pairs, a character.
        overuse: how much more often than poets models write its pairs, in nats a character.
        stutters: neighbours inside a line that are the same, and no usual doubling.
        colliding_seasons: signs of another season than that of its title or of its other signs.
        missing: keywords that do not stand in it, each counted by the share of its characters.
    """

    likelihood: float
    unigram: float
    thread: float
    unseen_pairs: float
    num_chars: int
    num_repeats: int
    num_copied: int = 0
    rhyme_faults: int = 0
    tone_faults: int = 0
    missing: float = 0.0
    couplet_repeats: int = 0
    common: float = 0.0
    overuse: float = 0.0
    ends: float = 0.0
    stutters: int = 0
    colliding_seasons: int = 0


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each measure counts, in nats a character.

    The last two are what real poems have. About half of them have more thread than
    ``enough_thread``, but a draft is not better for that, and one character is repeated for each
    ``chars_a_repeat``, so none in a short poem.
    """

    ends: float = 0.5
    dullness: float = 0.1
    thread: float = 1.5
    unseen: float = 1.5
    repeat: float = 0.3
    couplet_repeat: float = 0.15
    stutter: float = 0.4
    season: float = 0.6
    rhyme: float = 4.0
    tone: float = 0.3
    missing: float = 0.5
    common: float = 1.5
    overuse: float = 0.8
    enough_thread: float = 0.15
    chars_a_repeat: int = 48


def score(measures: Measures, weights: Weights = Weights()) -> float:
    """Return how good a draft is; higher is better, and −∞ refuses one with a copied line.

    The likelihood a character, with the last characters of lines counted half as much again (where
    a line is forced into its rhyme, they are unlikely), less a tenth of the unigram likelihood, the
    common and the overused pairs (so that a draft of common characters and stock phrases is not the
    better for them), plus the thread up to what real poems have, minus unseen pairs, stutters,
    seasons that collide and the repeated characters that are more than in real poems, minus faults
    of rhyme and tone, and minus keywords that are missing.
    """
    if measures.num_copied:
        return -math.inf
    repeats = measures.num_repeats - measures.num_chars // weights.chars_a_repeat
    return (
        measures.likelihood
        + weights.ends * measures.ends
        - weights.dullness * measures.unigram
        - weights.common * measures.common
        - weights.overuse * measures.overuse
        + weights.thread * min(measures.thread, weights.enough_thread)
        - weights.unseen * measures.unseen_pairs
        - weights.repeat * max(0, repeats)
        - weights.couplet_repeat * measures.couplet_repeats
        - weights.stutter * measures.stutters
        - weights.season * measures.colliding_seasons
        - weights.rhyme * measures.rhyme_faults
        - weights.tone * measures.tone_faults
        - weights.missing * measures.missing
    )


def measure(
    texts: Sequence[str],
    log_probabilities: Sequence[float] | FloatArray,
    choice: Choice,
    *,
    rules: bool = True,
    keywords: Sequence[str] = (),
    ends: Sequence[float] | FloatArray | None = None,
    seasons: Sequence[Collection[str]] | None = None,
) -> list[Measures]:
    """Return what is measured of drafts, all at once.

    ``log_probabilities`` (B,) are those of the whole texts under the model, ``ends`` (B,) those of
    the last characters of their lines, which count as nothing where they are not known. Without
    ``rules``, for texts that keep them anyway or need not, faults of rhyme and tone are not looked
    for. ``keywords`` are what the poems are to be about, ``seasons`` (B,) those of their titles.
    """
    lines = [lines_of(text) for text in texts]
    known_ends = np.zeros(len(texts)) if ends is None else ends
    threads = choice.thread.scores(lines)
    found = []
    for text_lines, asked, log_probability, end, unigram, thread, novelty in zip(
        lines,
        [""] * len(texts) if seasons is None else seasons,
        log_probabilities,
        known_ends,
        choice.unigrams(texts),
        threads.tolist(),
        choice.novelty.check(texts),
        strict=True,
    ):
        chars = "".join(text_lines)
        faults = rule_faults(text_lines) if rules else None
        found.append(
            Measures(
                likelihood=float(log_probability) / max(1, len(chars)),
                ends=float(end) / max(1, len(chars)),
                unigram=unigram,
                thread=thread,
                unseen_pairs=novelty.unseen_pairs / max(1, novelty.num_pairs),
                num_chars=len(chars),
                num_repeats=_num_repeats(text_lines),
                couplet_repeats=_couplet_repeats(text_lines),
                num_copied=len(novelty.copied_lines),
                rhyme_faults=faults.rhyme + faults.same_rhyme if faults else 0,
                tone_faults=faults.tones if faults else 0,
                common=count_common(text_lines) / max(1, len(chars)),
                overuse=overuse(text_lines) / max(1, len(chars)),
                stutters=count_stutters(text_lines),
                colliding_seasons=count_colliding(text_lines, asked),
                missing=sum(_missing(keyword, chars) for keyword in keywords),
            )
        )
    return found


def _num_repeats(lines: Sequence[str]) -> int:
    """Count the characters beyond the first of each kind, and no doublings."""
    chars = "".join(lines)
    doubled = sum(a == b for line in lines for a, b in pairwise(line))
    return len(chars) - len(set(chars)) - doubled


def _couplet_repeats(lines: Sequence[str]) -> int:
    """Count the repeats of each couplet alone."""
    return sum(_num_repeats(lines[first : first + 2]) for first in range(0, len(lines), 2))


def _missing(keyword: str, chars: str) -> float:
    """Return which share of the characters of a keyword does not stand in a poem."""
    return sum(char not in chars for char in keyword) / len(keyword)


@dataclass(frozen=True, slots=True)
class ChoiceJudge:
    """Ranks drafts, or beginnings of equal length, by ``score``.

    With ``novel``, those with a copied line are refused; ``rules`` and ``keywords`` as of
    ``measure``; ``titles`` are those of the poems, each of which has as many drafts, one after the
    other.
    """

    choice: Choice
    weights: Weights = Weights()
    novel: bool = True
    rules: bool = False
    keywords: Sequence[str] = ()
    titles: Sequence[str] = ("",)

    def scores(
        self, texts: Sequence[str], log_probabilities: FloatArray, ends: FloatArray | None = None
    ) -> FloatArray:
        """Return the score of each text (B,).

        ``log_probabilities`` (B,), and ``ends`` (B,) of the last characters of lines, are under the
        model.
        """
        num_drafts = len(texts) // len(self.titles)
        of_poems = map(seasons_of_title, self.titles)
        found = measure(
            texts,
            log_probabilities,
            self.choice,
            rules=self.rules,
            keywords=self.keywords,
            ends=ends,
            seasons=[seasons for seasons in of_poems for _ in range(num_drafts)],
        )
        if not self.novel:
            found = [replace(measures, num_copied=0) for measures in found]
        return np.array([score(measures, self.weights) for measures in found])
