"""Run all benchmarks, or those named."""

import sys

from benchmarks import cold_start, generation, preparing, training

BENCHMARKS = {
    "cold-start": cold_start.rows,
    "generation": generation.rows,
    "prepare": preparing.rows,
    "training": training.rows,
}

print(f"{'what':<58} {'ours':>11} {'theirs':>11} {'ratio':>8}   bound")
for name, rows in BENCHMARKS.items():
    if len(sys.argv) == 1 or name in sys.argv[1:]:
        for row in rows():
            print(row, flush=True)
