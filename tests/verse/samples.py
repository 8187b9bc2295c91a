"""Verse made by chance, of many characters, and what can be said of it slowly."""

import random

# More than the 60 that the thread leaves out.
ALPHABET = "".join(chr(0x4E00 + 7 * number) for number in range(90))


def chance_poems(num_poems: int, seed: int = 0, alphabet: str = ALPHABET) -> list[str]:
    """Write poems of 4 or 8 lines of 5 or 7 characters, the first ones of them more common."""
    rng = random.Random(seed)
    weights = [1 / (3 + number) for number in range(len(alphabet))]
    poems = []
    for _ in range(num_poems):
        length, num_lines = rng.choice([5, 7]), rng.choice([4, 8])
        lines = ["".join(rng.choices(alphabet, weights, k=length)) for _ in range(num_lines)]
        poems.append("".join(line + "，。"[i % 2] for i, line in enumerate(lines)))
    return poems


def lines_in(poem: str) -> list[str]:
    """Split a poem at its marks."""
    return poem.replace("。", "，").rstrip("，").split("，")
