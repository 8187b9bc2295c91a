"""What a shell completes: names of corpora and models, looked up as fast as a key is pressed.

Where the disk cannot be read there is nothing to complete; an error here would be printed into
the line that somebody types.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from poetgen.config import ARCHS
from poetgen.places import NAMED_CORPORA, corpora_here, models_here


def complete_corpus(incomplete: str) -> list[str]:
    """Return the corpora that are prepared here, and those that can be fetched."""
    return _starting(incomplete, [*_names(corpora_here), *NAMED_CORPORA])


def complete_model(incomplete: str) -> list[str]:
    """Return the models that are here."""
    return _starting(incomplete, _names(models_here))


def complete_contender(incomplete: str) -> list[str]:
    """Return what can be compared: architectures, models, and n-grams."""
    return _starting(incomplete, [*ARCHS, *_names(models_here), "ngram:5"])


def complete_source(incomplete: str) -> list[str]:
    """Return the corpora that can be fetched, and files beside them.

    Without a name the shell completes files itself, which it does better.
    """
    named = _starting(incomplete, NAMED_CORPORA)
    files: list[str] = []
    if named:
        with suppress(OSError):
            files = [
                entry.name + os.sep * entry.is_dir()
                for entry in sorted(os.scandir(), key=lambda entry: entry.name)
                if not entry.name.startswith(".")
            ]
    return [*named, *_starting(incomplete, files)]


def _names(list_here: Callable[[], dict[str, Path]]) -> list[str]:
    with suppress(OSError):
        return list(list_here())
    return []


def _starting(incomplete: str, names: list[str] | tuple[str, ...]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
