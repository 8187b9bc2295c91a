"""The corpus that a command learns from, and what to do if it is not there yet."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from poetgen.cli.sources import MIRROR_VARIABLE, is_named
from poetgen.errors import CorpusError

if TYPE_CHECKING:
    from rich.console import Console


def find_or_offer(corpus: str, console: Console) -> Path:
    """Find a prepared corpus; offer to fetch and prepare one that is known by name.

    Raises:
        CorpusError: there is none, and nobody said yes.
    """
    from poetgen.places import find_corpus

    try:
        return find_corpus(corpus)
    except CorpusError as error:
        if not is_named(corpus):
            raise
        if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
            question = f"{error.problem} Fetch and prepare it now?"
            if typer.confirm(question, default=True, err=True):
                from poetgen.cli.prepare import prepare

                prepare([corpus], mirror=os.environ.get(MIRROR_VARIABLE))
                return find_corpus(corpus)
        raise CorpusError(
            error.problem, f"To fetch and prepare it: poetgen prepare {corpus}"
        ) from error
