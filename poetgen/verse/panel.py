"""The panel: what can be counted of many poems, to be held against the poems of poets.

Each figure is one in which sampled poems differ from real ones. docs/verse.md has it for the
poems of the Tang that are held out, beside those of the model that ships.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from poetgen.characters import hanzi_only
from poetgen.verse.choice import Choice
from poetgen.verse.forms import form_of, lines_of
from poetgen.verse.keeping import RuleFaults, rule_faults


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures of a set of poems; shares are 0 to 1, and None where no poem has what is counted.

    Args:
        num_poems: how many there are.
        unseen_pairs: share of neighbours inside a line that no training poem has. Those that
            the index finds by mistake are made up for.
        repeats: characters beyond the first of each kind, a poem.
        thread: mean thread of the lines.
        copied: share of poems with a line that stands whole in a training poem.
        rhymes: share of poems whose even lines rhyme.
        same_rhyme: share of poems with a rhyme character used twice.
        tones: share of 绝句 and 律诗 without a wrong tone.
        parallelism: how alike in kind the facing characters of the middle couplets of 律诗 are,
            mean cosine; see ``Kinship``.
        parallelism_zero: the same when the second line is that of the next poem of its length.
        distinct_1, distinct_2: different characters, and different pairs of neighbours, a
            character written. Only of sets of equal size can they be compared.
    """

    num_poems: int
    unseen_pairs: float | None
    repeats: float | None
    thread: float | None
    copied: float | None
    rhymes: float | None
    same_rhyme: float | None
    tones: float | None
    parallelism: float | None
    parallelism_zero: float | None
    distinct_1: float | None
    distinct_2: float | None


def panel(
    poems: Sequence[str],
    choice: Choice,
    check: Callable[[Sequence[str]], RuleFaults] = rule_faults,
) -> Panel:
    """Return the panel of some poems; ``check`` finds the faults of one, given as its lines."""
    lines = [lines_of(poem) for poem in poems]
    chars = [hanzi_only(poem) for poem in poems]
    found = choice.novelty.check(poems)
    faults = [check(poem) for poem in lines]
    facing = [(poem[i], poem[i + 1]) for poem in lines if _is_eight(poem) for i in (2, 4)]
    num_pairs = sum(novelty.num_pairs for novelty in found)
    missed = sum(novelty.unseen_pairs for novelty in found) / max(1, num_pairs)
    num_chars = sum(map(len, chars))
    neighbours = {line[i : i + 2] for poem in lines for line in poem for i in range(len(line) - 1)}
    return Panel(
        num_poems=len(poems),
        unseen_pairs=missed / (1 - choice.novelty.pairs.false_alarm_rate) if num_pairs else None,
        repeats=_mean([len(text) - len(set(text)) for text in chars]),
        thread=_mean(choice.thread.scores(lines).tolist()),
        copied=_mean([bool(novelty.copied_lines) for novelty in found]),
        rhymes=_mean([fault.rhyme == 0 for fault in faults]),
        same_rhyme=_mean([fault.same_rhyme > 0 for fault in faults]),
        tones=_mean(
            [fault.tones == 0 for fault, poem in zip(faults, poems, strict=True) if form_of(poem)]
        ),
        parallelism=_mean([choice.kinship.parallelism(*pair) for pair in facing]),
        parallelism_zero=_mean([choice.kinship.parallelism(*pair) for pair in _mixed(facing)]),
        distinct_1=len(set().union(*chars)) / num_chars if num_chars else None,
        distinct_2=len(neighbours) / num_chars if num_chars else None,
    )


def _is_eight(lines: Sequence[str]) -> bool:
    return len(lines) == 8 and len(set(map(len, lines))) == 1


def _mixed(couplets: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return couplets whose second lines are each of the next poem with lines of that length."""
    by_length: dict[int, list[tuple[str, str]]] = {}
    for couplet in couplets:
        by_length.setdefault(len(couplet[0]), []).append(couplet)
    return [
        # A poem has two middle couplets.
        (couplets[i][0], couplets[(i + 2) % len(couplets)][1])
        for couplets in by_length.values()
        if len(couplets) > 2
        for i in range(len(couplets))
    ]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
