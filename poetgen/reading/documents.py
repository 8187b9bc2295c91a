"""An input, the document that is read from it, and a poem as its source has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from poetgen.config import Format


class RawPoem(NamedTuple):
    """A poem as its source has it, before any cleaning."""

    text: str
    title: str = ""
    author: str = ""
    dynasty: str = ""


class Reading(NamedTuple):
    """What a reader found in a source; ``left_out`` and ``doubts`` as of a ``Document``."""

    poems: list[RawPoem]
    left_out: Mapping[str, int] = MappingProxyType({})
    doubts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """One text to be read: a file, a member of an archive, standard input.

    ``read`` returns its bytes, unpacked, or raises SourceError. ``found`` marks an input that
    was found in a folder or an archive: only there a file without poems may be ignored.
    """

    name: str
    read: Callable[[], bytes]
    found: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """The poems of one input, and how it was read.

    ``sha256`` is that of the unpacked bytes. ``num_lines`` counts the lines of a text, blank
    ones included. For an ``.npz``, ``encoding`` is empty and ``num_lines`` is 0.
    ``ignored_as`` says what a file is that belongs to a collection but has no poems, such as
    "a list of authors". ``left_out`` counts what was not read as verse, by kind: "headings",
    "prose", "notes". ``doubts`` are sentences about what is uncertain.
    """

    name: str
    sha256: str
    format: Format
    encoding: str = ""
    num_lines: int = 0
    poems: list[RawPoem] = field(default_factory=list)
    prose: bool = False
    ignored_as: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    doubts: Sequence[str] = ()
