"""Real texts: where they are found, and the marks that skip a test where they are not.

They come from the folder that POETGEN_TEST_CORPORA names, else from ``../shared/corpora`` beside
the checkout, else from the cache that ``poetgen prepare`` fills. A folder has them as the cache
has them (``tang/``, ``time-machine/``, ``shakespeare/``) or as they are published
(``chinese-poetry/全唐诗/``, ``timemachine.txt``, ``tinyshakespeare.txt``).
"""

import os
from pathlib import Path

import pytest

from poetgen.fetching.named import cache_folder

_NAMED = os.environ.get("POETGEN_TEST_CORPORA")
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpora"
_ROOTS = [Path(_NAMED).resolve()] if _NAMED else [_BESIDE, cache_folder()]


def _find(*paths: str) -> Path:
    """Return the first of ``paths`` that is in a folder of texts, else one that is nowhere."""
    places = [root / path for root in _ROOTS for path in paths]
    return next((place for place in places if place.exists()), places[0])


TANG = _find("chinese-poetry/全唐诗", "全唐诗", "tang")
TIME_MACHINE = _find("timemachine.txt", "time-machine/timemachine.txt")
SHAKESPEARE = _find("tinyshakespeare.txt", "shakespeare/tinyshakespeare.txt")
# What the shipped manifest was made from.
FACTS = _find("manifest.json")

HAS_TANG = len(list(TANG.glob("poet.tang.*.json"))) == 58
HAS_ENGLISH = TIME_MACHINE.is_file() and SHAKESPEARE.is_file()
_ELSE = "or set POETGEN_TEST_CORPORA (see CONTRIBUTING.md)"
NO_TANG = f"the Tang poems are not here: run poetgen prepare tang once, {_ELSE}"
NO_ENGLISH = (
    "the English texts are not here: run poetgen prepare time-machine and poetgen prepare "
    f"shakespeare once, {_ELSE}"
)
needs_tang = pytest.mark.skipif(not HAS_TANG, reason=NO_TANG)
needs_english = pytest.mark.skipif(not HAS_ENGLISH, reason=NO_ENGLISH)
