"""The memory of an hour's training with the defaults, minute by minute."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from poetgen.config import PrepareConfig
from poetgen.corpus.folder import save_corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.fetching.named import fetch_corpus

_MINUTES = 60
_SHOWN = (1, 5, 10, 20, 30, 45, 60)


def rows() -> Iterator[str]:
    """Train, and read now and then how much memory the process holds (Linux)."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = build_corpus(fetch_corpus("tang"), "tang", PrepareConfig()).corpus
        save_corpus(corpus, Path(folder) / "corpora/tang")
        command = [sys.executable, "-m", "poetgen", "train", "tang", "--quiet"]
        command += ["--max-minutes", str(_MINUTES + 1)]
        with subprocess.Popen(command, cwd=folder) as process:
            began = time.monotonic()
            for minutes in _SHOWN:
                time.sleep(max(0.0, began + 60 * minutes - time.monotonic()))
                what = f"memory after {minutes} minutes of training"
                bound = "at most 1,200, and no more than after 5" if minutes > 5 else ""
                yield f"{what:<58} {_mebibytes(process.pid):9,.0f} MiB {bound:>38}"


def _mebibytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = (line for line in lines if line.startswith("VmRSS"))
    return int(resident.split()[1]) / 1024
