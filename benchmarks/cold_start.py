"""A poem from a cold start, against importing torch."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import compare, process

COMMANDS = [
    ("generate --best-of 1", "at most 0.20", ["--start", "日", "--temp", "0.8", "--best-of", "1"]),
    (
        "generate, the best of 16",
        "at most 0.35",
        ["--start", "日", "--temp", "0.8", "--best-of", "16"],
    ),
    ("generate --form 七律, the best of 8", "at most 0.35", ["--form", "七律", "--best-of", "8"]),
    ("generate, by default", "at most 0.45", []),
    ("generate --form 七律, by default", "at most 0.45", ["--form", "七律"]),
]


def rows() -> Iterator[str]:
    """Measure whole processes."""
    torch = process(["-c", "import torch"])
    for name, bound, options in COMMANDS:
        poem = process(["-m", "poetgen", "generate", *options, "--seed", "1"])
        yield compare(poem, torch, pairs=9).line(f"{name} / import torch", bound)
