"""Where the real texts lie, and the mark that skips a test where they do not."""

from pathlib import Path

import pytest

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
TANG = CORPORA / "chinese-poetry" / "全唐诗"
TIME_MACHINE = CORPORA / "timemachine.txt"
SHAKESPEARE = CORPORA / "tinyshakespeare.txt"

needs_tang = pytest.mark.skipif(not TANG.is_dir(), reason=f"the Tang poems are not in {TANG}")
needs_english = pytest.mark.skipif(
    not (TIME_MACHINE.is_file() and SHAKESPEARE.is_file()),
    reason=f"the English texts are not in {CORPORA}",
)
