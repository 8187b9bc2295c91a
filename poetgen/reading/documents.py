"""An input, the document that is read from it, and a poem as its source has it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from poetgen.config import Format


class RawPoem(NamedTuple):
    """A poem as its source has it, before any cleaning."""

    text: str
    title: str = ""
    author: str = ""
    dynasty: str = ""


_PLURAL = re.compile(r"s\b")
LeftOut = Literal[
    "headings",
    "prose",
    "notes",
    "prefaces",
    "dates",
    "exercises",
    "pinyin",
    "lines without Chinese",
    "links",
    "menus",
    "page numbers",
    "copyright lines",
    "running headers",
    "table of contents",
    "front matter",
    "empty rows",
    "rows above the header",
    "rows without a poem",
    "records without a poem",
    "sheets without poems",
]
_UNCOUNTABLE = {
    kind: f"lines of {kind.rpartition(' ')[2]}" for kind in ("prose", "pinyin", "table of contents")
}


class Aside(NamedTuple):
    """A part of a source that is left out because it is not a poem, and what it is."""

    kind: LeftOut
    text: str


def count_left_out(kind: str, count: int) -> str:
    """Return how much of a kind is left out in words: 1 heading, 3 lines of prose."""
    words = _UNCOUNTABLE.get(kind, kind)
    return f"{count:,} {_PLURAL.sub('', words, count=1) if count == 1 else words}"


class Reading(NamedTuple):
    """What a reader found in a source; all but the poems as of a ``Document``."""

    poems: list[RawPoem]
    left_out: Mapping[str, int] = MappingProxyType({})
    doubts: Sequence[str] = ()
    asides: Sequence[Aside] = ()
    columns: str = ""


def united_readings(readings: Sequence[Reading]) -> Reading:
    """Return what the parts of a source hold, one after the other."""
    left_out: Counter[str] = Counter()
    for reading in readings:
        left_out.update(reading.left_out)
    return Reading(
        [poem for reading in readings for poem in reading.poems],
        left_out,
        [doubt for reading in readings for doubt in reading.doubts],
        [aside for reading in readings for aside in reading.asides],
        "; ".join(dict.fromkeys(reading.columns for reading in readings if reading.columns)),
    )


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
    "prose", "notes"; ``asides`` are texts among it. ``doubts`` are sentences about what is
    uncertain. ``columns`` says which columns of a table hold what.
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
    asides: Sequence[Aside] = ()
    columns: str = ""
