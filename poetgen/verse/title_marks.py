"""How readers like the poems of models by their titles: those to 题山寺 better than 奉和圣制.

A small model knows some subjects better than others. Readers marked its poems, and the marks follow
in part from the title: from its characters, their pairs, the first one, and how many there are. The
table is made by ``tools/make_title_marks.py``; docs/poets.md says what it is worth.
"""

from __future__ import annotations

import functools

from poetgen.verse.rhymes import TABLES

TABLE = TABLES / "title_marks.txt"
_MAX_LENGTH = 9


@functools.cache
def title_marks() -> dict[str, float]:
    """Return by how many marks poems are better for each feature of their titles."""
    rows = (row.split() for row in TABLE.read_text("utf-8").splitlines())
    return {feature: float(mark) for feature, mark in rows}


def features_of(title: str) -> frozenset[str]:
    """Return the features of a title: 山, 山寺, ^题 for its beginning and 3 for its length."""
    pairs = {title[place : place + 2] for place in range(len(title) - 1)}
    return frozenset({*title, *pairs, f"^{title[:1]}", f"{min(len(title), _MAX_LENGTH)}"})


def mark_of_title(title: str) -> float:
    """Return by how many marks, on a scale of 1 to 5, poems to a title are likely to be better."""
    return sum(title_marks().get(feature, 0.0) for feature in features_of(title))
