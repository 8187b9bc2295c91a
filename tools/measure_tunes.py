"""Measure the table of tunes on the poems of a corpus that it was not learned from.

python -m tools.measure_tunes ci1
"""

from __future__ import annotations

import sys
from collections import Counter

from poetgen import load_corpus
from poetgen.verse.scan import scan
from poetgen.verse.tones import EITHER
from poetgen.verse.tunes import find_tune


def main() -> None:
    """Print how many poems are recognised, and how much of their tunes they keep."""
    corpus, counts = load_corpus(sys.argv[1]), Counter[str]()
    for split, poems in corpus.splits.items():
        if split == "train":
            continue
        for index, about in enumerate(corpus.about(split)):
            tune = find_tune(about.title)
            if tune is None:
                continue
            found = scan(corpus.vocabulary.decode(poems[index]))
            counts["poems of known tunes"] += 1
            if found.form != tune.name:
                counts["recognised as another form" if found.form else "not recognised"] += 1
                continue
            kinds = Counter(fault.kind for fault in found.faults)
            counts["recognised"] += 1
            counts["fixed places"] += sum(
                tone != EITHER for line in found.lines for tone in line.template
            )
            counts["tone faults"] += kinds["平仄"]
            counts["rhyme places"] += sum(len(rhyme.chars) for rhyme in found.rhymes)
            counts["rhyme faults"] += kinds["失韵"]
            counts["poems without a tone fault"] += not kinds["平仄"]
            counts["poems without a rhyme fault"] += not kinds["失韵"]
            counts["poems without a fault"] += not kinds
    for name, count in counts.items():
        print(f"{name:<28} {count:>7,}")


if __name__ == "__main__":
    main()
