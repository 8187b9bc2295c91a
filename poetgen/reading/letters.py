"""Poems in alphabets: a title, "by" an author, and stanzas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from poetgen.reading.documents import Aside, RawPoem, Reading
from poetgen.reading.lines import Line

# Lower case, because a verse may begin "By Jupiter"; a dash is not part of any verse.
_BY = re.compile(r"\s*(?:by|—|--)\s*([A-Z][\w.'’-]*(?: [A-Z][\w.'’-]*){0,3})\s*")


def gather_letters(lines: Iterable[Line]) -> Reading:
    """Return the poems in the lines of a page: what stands between two headings is one poem.

    Without headings, each block between blank lines is one.
    """
    poems: list[RawPoem] = []
    title, is_fresh = "", False
    asides: list[Aside] = []
    for is_block, group in groupby(lines, key=_is_text):
        block = [line.text for line in group]
        if not is_block:
            for text in filter(None, block):
                if is_fresh:
                    asides.append(Aside("headings", title))
                title, is_fresh = text, True
            continue
        poem = signed(RawPoem("\n".join(block), title))
        if title and not is_fresh and poems:
            poem = poems[-1]._replace(text=f"{poems[-1].text}\n\n{poem.text}".strip("\n"))
            del poems[-1]
        poems.append(poem)
        is_fresh = False
    return Reading(poems, {"headings": len(asides)} if asides else {}, asides=asides)


def signed_all(poems: Iterable[RawPoem]) -> Iterator[RawPoem]:
    """Take titles and authors off the heads of blocks, or from blocks of their own above them."""
    head = RawPoem("")
    for poem in poems:
        lines = poem.text.split("\n")
        match = _BY.fullmatch(lines[1]) if len(lines) == 2 else None
        if match:
            head = RawPoem("", lines[0].strip(), match[1])
            continue
        yield poem._replace(title=head.title, author=head.author) if head.title else signed(poem)
        head = RawPoem("")


def _is_text(line: Line) -> bool:
    return line.source != "heading" and bool(line.text)


def signed(poem: RawPoem) -> RawPoem:
    r"""Take "by" an author, and a title above it, off the head of a poem.

    >>> signed(RawPoem("The Tyger\nby William Blake\nTyger Tyger, burning bright,")).author
    'William Blake'
    """
    lines = poem.text.split("\n")
    place = 0 if poem.title else 1
    match = _BY.fullmatch(lines[place]) if len(lines) > place + (not poem.title) else None
    if match is None:
        return poem
    title = poem.title or lines[0].strip()
    return RawPoem("\n".join(lines[place + 1 :]).strip("\n"), title, match[1])
