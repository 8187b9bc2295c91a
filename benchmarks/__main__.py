"""Run the benchmarks named; without names all but the long ones."""

import sys

from benchmarks import cold_start, generation, load, memory, preparing, quality, training, verse

BENCHMARKS = {
    "cold-start": cold_start.rows,
    "generation": generation.rows,
    "prepare": preparing.rows,
    "training": training.rows,
    "load": load.rows,
    "memory": memory.rows,
    "quality": quality.rows,
    "panel": verse.panel_rows,
    "weights": verse.weights_rows,
}
# Half an hour, and an hour; some minutes, without anything of others beside ours.
LONG = {"quality", "memory", "panel", "weights"}

print(f"{'what':<58} {'ours':>11} {'theirs':>11} {'ratio':>8}   bound")
for name, rows in BENCHMARKS.items():
    if name in sys.argv[1:] or (len(sys.argv) == 1 and name not in LONG):
        for row in rows():
            print(row, flush=True)
