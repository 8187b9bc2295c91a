"""Measure the table of tunes on the poems of a corpus that it was not learned from.

python -m tools.measure_tunes ci1
"""

from __future__ import annotations

import random
import sys
from collections import Counter

from poetgen import load_corpus
from poetgen.characters import is_hanzi
from poetgen.verse.scan import Scan, scan
from poetgen.verse.tones import EITHER
from poetgen.verse.tunes import find_tunes

SHUFFLES = 3


def main() -> None:
    """Print how many poems are recognised, and how much of their tunes they keep."""
    corpus, counts = load_corpus(sys.argv[1]), Counter[str]()
    rng = random.Random(1)
    for split, poems in corpus.splits.items():
        if split == "train":
            continue
        for index, about in enumerate(corpus.about(split)):
            variants = find_tunes(about.title)
            text = corpus.vocabulary.decode(poems[index])
            if not variants:
                continue
            counts["poems of known tunes"] += 1
            found = scan(text)
            names = [tune.name for tune in variants]
            if found.form not in names:
                counts["recognised as another form" if found.form else "not recognised"] += 1
                continue
            counts["recognised"] += 1
            counts["as another variant"] += found.form != names[0]
            count(found, "", counts)
            for _ in range(SHUFFLES):
                mixed = shuffled(text, rng)
                counts["shuffled, recognised"] += scan(mixed).form in names
                count(scan(mixed, form=found.form), "shuffled, ", counts)
    for name, number in counts.items():
        print(f"{name:<38} {number:>9,}")


def count(found: Scan, prefix: str, counts: Counter[str]) -> None:
    """Count the places of a poem and what is said against it."""
    kinds = Counter(fault.kind for fault in found.faults)
    remarks = Counter(remark.kind for remark in found.remarks)
    wanted = sum(tone != EITHER for line in found.lines for tone in line.template)
    counts[prefix + "poems"] += 1
    counts[prefix + "places with a tone"] += wanted
    counts[prefix + "tone faults"] += kinds["平仄"]
    counts[prefix + "tone remarks"] += remarks["平仄"]
    counts[prefix + "rhyme places"] += sum(len(rhyme.chars) for rhyme in found.rhymes)
    counts[prefix + "rhyme faults"] += kinds["失韵"]
    counts[prefix + "rhyme remarks"] += remarks["借韵"]
    counts[prefix + "repetitions missing"] += remarks["叠句"]
    counts[prefix + "poems without a tone fault"] += not kinds["平仄"]
    counts[prefix + "poems without a rhyme fault"] += not kinds["失韵"]
    counts[prefix + "poems without a fault"] += not kinds
    counts[prefix + "poems with one fault at most"] += kinds.total() <= 1


def shuffled(text: str, rng: random.Random) -> str:
    """Return a poem with its characters in another order, and its marks in their places."""
    chars = [char for char in text if is_hanzi(char)]
    rng.shuffle(chars)
    return "".join(chars.pop() if is_hanzi(char) else char for char in text)


if __name__ == "__main__":
    main()
