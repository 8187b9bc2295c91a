"""Learn how titles tell what readers think of poems: poetgen/verse/tables/title_marks.txt.

    python -m tools.make_title_marks

``title_marks.txt.xz`` has one poem a line: its title, its form and its mark, the mean of four from
1 to 5, less that of the other poems that the same readers marked (docs/poets.md). What a form is
worth is taken off; a mark is then predicted from the features of the title by ridge regression.
"""

from __future__ import annotations

import lzma
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.verse.title_marks import TABLE, features_of

MARKS = Path(__file__).with_name("title_marks.txt.xz")
# A feature of so many titles is learned; weights are held near nothing by so much.
MIN_TITLES = 5
RIDGE = 20.0
# The marks of one poem to a title are as uncertain as titles differ from each other by so many
# times.
NOISE = 3.3
SMALLEST = 0.003


def main() -> None:
    """Write the table."""
    weights = learn(read_marks())
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    kept = [f"{feature} {mark:.3f}\n" for feature, mark in best if abs(mark) >= SMALLEST]
    TABLE.write_text("".join(kept), encoding="utf-8")


def read_marks() -> list[tuple[str, str, float]]:
    """Return the titles, forms and marks of all poems."""
    rows = lzma.decompress(MARKS.read_bytes()).decode("utf-8").splitlines()
    return [(title, form, float(mark)) for title, form, mark in (row.split("\t") for row in rows)]


def learn(poems: Sequence[tuple[str, str, float]]) -> dict[str, float]:
    """Return what each feature of a title is worth, from titles, forms and marks of poems."""
    by_form, by_title = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for _, form, mark in poems:
        by_form[form].append(mark)
    for title, form, mark in poems:
        by_title[title].append(mark - float(np.mean(by_form[form])))
    titles = list(by_title)
    marks = np.array([np.mean(by_title[title]) for title in titles])
    sizes = np.array([len(by_title[title]) for title in titles])
    counts = Counter(feature for title in titles for feature in features_of(title))
    features = sorted(feature for feature, count in counts.items() if count >= MIN_TITLES)
    has = np.array([[feature in features_of(title) for feature in features] for title in titles])
    return dict(zip(features, _ridge(has, marks, sizes / (sizes + NOISE)).tolist(), strict=True))


def _ridge(has: FloatArray, marks: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the coefficients (F,) of features (N, F) for marks (N,) with weights (N,)."""
    centred = has - np.average(has, axis=0, weights=weights)
    weighed = (centred * weights[:, None]).T
    found: FloatArray = np.linalg.solve(
        weighed @ centred + RIDGE * np.eye(has.shape[1]),
        weighed @ (marks - np.average(marks, weights=weights)),
    )
    return found


if __name__ == "__main__":
    main()
