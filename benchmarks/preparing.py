"""Preparing the Tang and Song poems, against reading them and one pass of OpenCC."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import compare, process
from poetgen.fetching.named import fetch_corpus

# What no preparation can do without: parse every file, convert every text, in one call.
_BASELINE = """
import json, sys
from opencc import OpenCC
poems = [poem for path in sys.argv[1:] for poem in json.load(open(path, encoding="utf-8"))]
OpenCC("t2s").convert("\\n".join("".join(poem["paragraphs"]) for poem in poems))
"""
# One run in a process of its own tells its time and its largest memory.
_ONE_RUN = """
import resource, sys, time
from pathlib import Path
from poetgen.config import PrepareConfig
from poetgen.corpus.prepare import build_corpus
began = time.perf_counter()
report = build_corpus([Path(path) for path in sys.argv[1:]], "x", PrepareConfig()).corpus.report
seconds = time.perf_counter() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(report.read, seconds, memory)
"""
_SIZES = (5, 10, 20, 40, 80, 160, 313)


def rows() -> list[str]:
    """Compare the whole command with the baseline, then show how the cost grows."""
    paths = [*fetch_corpus("tang"), *fetch_corpus("song")]
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "poetgen", "prepare", *map(str, paths), "--name", "both", "--force"]
        ours = process(command, cwd=Path(folder))
        theirs = process(["-c", _BASELINE, *map(str, paths)])
        lines = [compare(ours, theirs, pairs=5).line("prepare / JSON and OpenCC", "at most 3")]
    lines.append(f"{'files':>8} {'poems':>9} {'seconds':>9} {'µs/poem':>9} {'MiB':>7}")
    for count in _SIZES:
        done = subprocess.run(
            [sys.executable, "-c", _ONE_RUN, *map(str, paths[:count])],
            check=True,
            capture_output=True,
            text=True,
        )
        poems, seconds, memory = map(float, done.stdout.split())
        each = 1e6 * seconds / poems
        lines.append(f"{count:8} {poems:9,.0f} {seconds:9.2f} {each:9.1f} {memory:7.0f}")
    return lines
