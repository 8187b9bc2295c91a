"""What goes in and what comes out: an input, a document, a poem as its source has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from poetgen.config import Format


class RawPoem(NamedTuple):
    """A poem as its source has it, before any cleaning."""

    text: str
    title: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """One text that can be read: a file, a member of an archive, standard input.

    ``read`` gives its bytes, unpacked, and raises SourceError where that cannot be done.
    ``found`` tells that it came to light in a folder or an archive; what the user named
    has to hold poems, while what lies beside poems may also be something else.
    """

    name: str
    read: Callable[[], bytes]
    found: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """The poems of one input, and what was learnt about it on the way.

    ``sha256`` is that of the unpacked bytes. ``num_lines`` counts the lines of a text,
    blank ones included. ``encoding`` is empty and ``num_lines`` 0 where there is no text.
    ``passed_over`` says what an input holds that belongs to a collection of poems without
    being poems, such as "a list of authors"; then there are no poems.
    """

    name: str
    sha256: str
    format: Format
    encoding: str = ""
    num_lines: int = 0
    poems: list[RawPoem] = field(default_factory=list)
    prose: bool = False
    passed_over: str | None = None
