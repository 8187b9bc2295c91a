"""What Tang poems show of readings: the groups that characters rhyme in, the tones that they have.

The poems are those of the training split only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from poetgen.corpus.corpus import Corpus
from poetgen.verse.forms import form_of_lengths, lines_of
from poetgen.verse.rhymes import RhymeGroup, Tone
from poetgen.verse.tones import opposite
from tools.rhyme_sources import PINGSHUI_GROUPS, Readings

PINGSHUI = [
    RhymeGroup(name, "平" if "平" in title else "仄", title) for title, name, _ in PINGSHUI_GROUPS
]
# So many of the places that a pattern of tones fixes have a character of another tone at most.
_MAX_WRONG = 0.1
_MIN_PLACES = 4
_NONE: frozenset[int] = frozenset()
Poem = Sequence[str]  # its lines
Tones = dict[str, Counter[str]]


def training_poems(corpus: Corpus) -> list[Poem]:
    """Return the poems of four or more lines, all equally long."""
    poems = corpus.splits["train"]
    texts = (corpus.vocabulary.decode(poems[index][1:-1].tolist()) for index in range(len(poems)))
    return [
        lines
        for lines in map(lines_of, texts)
        if len(lines) >= 4 and len({len(line) for line in lines}) == 1
    ]


def common_groups(readings: Readings, ends: Iterable[str]) -> frozenset[int]:
    """Return the groups that all these characters share."""
    return frozenset.intersection(*(readings.get(char, _NONE) for char in ends))


def count_rhymes(readings: Readings, poems: Iterable[Poem]) -> dict[str, Counter[int]]:
    """Count the poems in which a character stands where all others rhyme in just one group."""
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for poem in poems:
        ends = [line[-1] for line in poem[1::2]]
        rhymes = set()
        for place, char in enumerate(ends):
            shared = common_groups(readings, [*ends[:place], *ends[place + 1 :]])
            if len(shared) == 1:
                rhymes.add((char, min(shared)))
        for char, group in rhymes:
            found[char][group] += 1
    return found


def tones_of(groups: Iterable[int]) -> set[Tone]:
    """Return the tones of groups of 平水韵."""
    return {PINGSHUI[group].tone for group in groups}


def count_tones(readings: Readings, poems: Iterable[Poem]) -> Tones:
    """Count the tones that regulated poems want where a character stands.

    Of poems that rhyme in a level tone and whose pattern is certain: at the even places, but
    for the last but one of a first line of a couplet, which may be amended (拗救), and at the
    line ends, but for that of the first line, which may rhyme or not.
    """
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for poem in poems:
        rhymes = common_groups(readings, [line[-1] for line in poem[1::2]])
        if form_of_lengths([len(line) for line in poem]) and "平" in tones_of(rhymes):
            for char, tone in _wanted(poem, readings):
                found[char][tone] += 1
    return dict(found)


def _wanted(poem: Poem, readings: Readings) -> Iterator[tuple[str, str]]:
    """Yield characters and the tones that the pattern wants, of a poem that keeps one."""
    # Whether an even place has the tone of the first line's second character: lines go by
    # 对 and 粘, and the even places of a line alternate.
    places = [
        (line[place], ((number + 1) // 2 + place // 2) % 2 == 0)
        for number, line in enumerate(poem)
        for place in range(1, len(line) - 1, 2)
        if number % 2 or place != len(line) - 2
    ]
    known = [
        (min(tones), is_same)
        for char, is_same in places
        if len(tones := tones_of(readings.get(char, _NONE))) == 1
    ]
    level = sum((tone == "平") == is_same for tone, is_same in known)
    if len(known) >= _MIN_PLACES and min(level, len(known) - level) <= _MAX_WRONG * len(known):
        head = "平" if 2 * level > len(known) else "仄"
        for char, is_same in places:
            yield char, head if is_same else opposite(head)
        for number, line in enumerate(poem[1:]):
            yield line[-1], "仄" if number % 2 else "平"
