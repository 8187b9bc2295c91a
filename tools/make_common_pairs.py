"""Count the commonest pairs in verse: poetgen/verse/tables/common_pairs.txt, doublings.txt.

    poetgen prepare tang
    python -m tools.make_common_pairs tang

A pair is two neighbours inside a line of a training poem. A table has the commonest, of all or
of those of one character twice, one a line, the commonest first, with how many of 10,000 lines
have it.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise

from poetgen.corpus.corpus import decode_poems
from poetgen.corpus.folder import load_corpus
from poetgen.places import find_corpus
from poetgen.verse.common_pairs import DOUBLINGS, TABLE
from poetgen.verse.forms import lines_of

NUM_PAIRS = NUM_DOUBLINGS = 300


def main() -> None:
    """Write the tables from the corpus that is named."""
    corpus = load_corpus(find_corpus(sys.argv[1]))
    counts, num_lines = Counter[str](), 0
    for poem in decode_poems(corpus.splits["train"], corpus.vocabulary):
        for line in lines_of(poem):
            num_lines += 1
            counts.update({a + b for a, b in pairwise(line)})
    doubled = Counter({pair: count for pair, count in counts.items() if pair[0] == pair[1]})
    for table, found, number in ((TABLE, counts, NUM_PAIRS), (DOUBLINGS, doubled, NUM_DOUBLINGS)):
        commonest = found.most_common(number)
        rows = [f"{pair} {10_000 * count / num_lines:.1f}\n" for pair, count in commonest]
        table.write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
