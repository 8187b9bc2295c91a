"""Find the pairs that a model writes too often: poetgen/verse/tables/overused_pairs.txt.

    poetgen prepare tang
    python -m tools.make_overused_pairs tang tang 4000

Writes with the model so many poems as by default, a quarter of an hour's work, as if the table were
empty, and counts in how many of them each pair of neighbours inside a line stands. As many are
expected as stand in training poems of the corpus of the same forms. The table has the pairs that
are in a dozen poems and twice as many as expected, one a line, with the natural logarithm of how
many times too often. What it had before stays in it, with the larger number.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from poetgen import generate
from poetgen.corpus.corpus import decode_poems
from poetgen.corpus.folder import load_corpus
from poetgen.places import find_corpus
from poetgen.verse.forms import form_of, lines_of
from poetgen.verse.overused import TABLE, overused_pairs

SEED = 0
MIN_POEMS = 12
MIN_EXCESS = math.log(2)
# So that a pair that stands in no training poem is not too often by an infinite factor.
FLOOR = 2.0


def main() -> None:
    """Write the table from the model and the corpus that are named and so many poems."""
    model, corpus_name, num_poems = sys.argv[1:]
    corpus = load_corpus(find_corpus(corpus_name))
    before = dict(overused_pairs())
    overused_pairs().clear()
    written = generate(model=model, num_poems=int(num_poems), seed=SEED)
    ours, num_ours = count_by_form(poem.text for poem in written)
    real, num_real = count_by_form(decode_poems(corpus.splits["train"], corpus.vocabulary))
    counts, expected = Counter[str](), Counter[str]()
    for form, pairs in ours.items():
        if num_real[form]:
            counts.update(pairs)
            for pair in pairs:
                expected[pair] += real[form][pair] * num_ours[form] / num_real[form]
    excess = {
        pair: math.log((count + FLOOR) / (expected[pair] + FLOOR))
        for pair, count in counts.items()
        if count >= MIN_POEMS
    }
    found = {pair: value for pair, value in excess.items() if value >= MIN_EXCESS}
    largest = {pair: max(found.get(pair, 0.0), before.get(pair, 0.0)) for pair in found | before}
    worst = sorted(largest.items(), key=lambda item: (-item[1], item[0]))
    rows = [f"{pair} {value:.2f}\n" for pair, value in worst]
    TABLE.write_text("".join(rows), encoding="utf-8")


def count_by_form(poems: Iterable[str]) -> tuple[dict[str, Counter[str]], Counter[str]]:
    """Return for each form in how many poems each pair stands, and how many poems there are."""
    pairs: dict[str, Counter[str]] = {}
    numbers = Counter[str]()
    for poem in poems:
        form = form_of(poem)
        if form is None:
            continue
        numbers[form] += 1
        found = {a + b for line in lines_of(poem) for a, b in pairwise(line)}
        pairs.setdefault(form, Counter()).update(found)
    return pairs, numbers


if __name__ == "__main__":
    main()
