"""Run the benchmarks named; without names all but the long ones."""

import sys

from benchmarks import cold_start, generation, load, memory, preparing, quality, training

BENCHMARKS = {
    "cold-start": cold_start.rows,
    "generation": generation.rows,
    "prepare": preparing.rows,
    "training": training.rows,
    "load": load.rows,
    "memory": memory.rows,
    "quality": quality.rows,
}
# Half an hour, and an hour.
LONG = {"quality", "memory"}

print(f"{'what':<58} {'ours':>11} {'theirs':>11} {'ratio':>8}   bound")
for name, rows in BENCHMARKS.items():
    if name in sys.argv[1:] or (len(sys.argv) == 1 and name not in LONG):
        for row in rows():
            print(row, flush=True)
