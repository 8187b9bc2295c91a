"""Count the commonest pairs of characters in verse: poetgen/verse/tables/common_pairs.txt.

    poetgen prepare tang
    python -m tools.make_common_pairs tang

A pair is two neighbours inside a line of a training poem. The table has the commonest, one a
line, the commonest first, with how many of 10,000 lines have it.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise

from poetgen.corpus.corpus import decode_poems
from poetgen.corpus.folder import load_corpus
from poetgen.places import find_corpus
from poetgen.verse.common_pairs import TABLE
from poetgen.verse.forms import lines_of

NUM_PAIRS = 300


def main() -> None:
    """Write the table from the corpus that is named."""
    corpus = load_corpus(find_corpus(sys.argv[1]))
    counts, num_lines = Counter[str](), 0
    for poem in decode_poems(corpus.splits["train"], corpus.vocabulary):
        for line in lines_of(poem):
            num_lines += 1
            counts.update({a + b for a, b in pairwise(line)})
    commonest = counts.most_common(NUM_PAIRS)
    rows = [f"{pair} {10_000 * count / num_lines:.1f}\n" for pair, count in commonest]
    TABLE.write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
