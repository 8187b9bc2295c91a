"""Run the benchmarks named; without names all but the long ones. ``reading`` has commands."""

import sys

from benchmarks import (
    book,
    cold_start,
    generation,
    load,
    memory,
    preparing,
    quality,
    reading,
    training,
    verse,
)

BENCHMARKS = {
    "cold-start": cold_start.rows,
    "generation": generation.rows,
    "prepare": preparing.rows,
    "training": training.rows,
    "book": book.rows,
    "load": load.rows,
    "memory": memory.rows,
    "quality": quality.rows,
    "panel": verse.panel_rows,
    "weights": verse.weights_rows,
}
# Half an hour, and an hour; some minutes, without anything of others beside ours.
LONG = {"quality", "memory", "panel", "weights"}

if sys.argv[1:2] == ["reading"]:
    sys.exit(reading.main(sys.argv[2:]))

print(f"{'what':<58} {'ours':>11} {'theirs':>11} {'ratio':>8}   bound")
for name, rows in BENCHMARKS.items():
    if name in sys.argv[1:] or (len(sys.argv) == 1 and name not in LONG):
        for row in rows():
            print(row, flush=True)
