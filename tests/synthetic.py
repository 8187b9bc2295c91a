"""Poems made by chance: enough like verse to train on, and free to commit."""

from __future__ import annotations

import json
import random
from pathlib import Path

CHARACTERS = "日红山夜湖海月君风花雪水云江春秋人天地心一二三来去白青长远思见闻"
# Few enough that pairs recur, and the names of the forms can be spelled.
TITLED = "五七绝律言杂日红山夜湖海"


def synthetic_poem(
    rng: random.Random, chars: int = 5, lines: int = 4, characters: str = CHARACTERS
) -> str:
    """Return a poem of random characters, by default four lines of five."""
    verses = ["".join(rng.choice(characters) for _ in range(chars)) for _ in range(lines)]
    return "".join(verse + "，。"[number % 2] for number, verse in enumerate(verses))


def write_poems(path: Path, num_poems: int, seed: int = 0) -> None:
    """Write a ``title:content`` file of distinct poems of several lengths."""
    rng = random.Random(seed)
    lines = [
        f"题{number}:{synthetic_poem(rng, rng.choice([5, 7]), rng.choice([4, 8]))}\n"
        for number in range(num_poems)
    ]
    path.write_text("".join(lines), encoding="utf-8")


def write_titled(path: Path, num_poems: int, seed: int = 0, characters: str = TITLED) -> None:
    """Write poems with titles and authors, some of which are missing or cannot be spelled."""
    rng = random.Random(seed)
    poems = [
        {
            "title": rng.choice(["", "囍", "山夜", "红日", "湖海山", "日夜 其二"]),
            "author": rng.choice(["", "囍山", "海日", "红", "夜湖"]),
            "paragraphs": [synthetic_poem(rng, rng.choice([5, 7]), rng.choice([4, 8]), characters)],
        }
        for _ in range(num_poems)
    ]
    path.write_text(json.dumps(poems), encoding="utf-8")
