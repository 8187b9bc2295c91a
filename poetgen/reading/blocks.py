"""From lines to poems: the one step that decides what is a title, an author, a body, notes.

The lines of any source, plain text, Markdown, HTML or a Word file, are first divided into
blocks (``division``), and these into headings and bodies (``items``), by each line (``lines``,
``headings``) and its neighbours (``context``). Then each body is given to the heading above it,
and what is not verse is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from operator import itemgetter

from poetgen.characters import printable
from poetgen.reading.context import has_number
from poetgen.reading.documents import Aside, LeftOut, RawPoem, Reading
from poetgen.reading.headings import (
    Heading,
    is_below_title,
    is_name,
    parse_author,
    without_dashes,
)
from poetgen.reading.items import Item, items_of
from poetgen.reading.letters import gather_letters
from poetgen.reading.lines import (
    BOLD_LEVEL,
    Line,
    is_chinese,
    is_prose,
    is_regular,
    with_bold_headings,
)
from poetgen.reading.remarks import (
    has_label,
    is_cut_off,
    is_lone_sentence,
    is_other_metre,
    is_paragraph,
    is_preface,
    is_scrap,
    num_verses,
)

# More blocks than this under one heading are poems without titles, not stanzas of one poem.
_MAX_STANZAS = 12
# Where so many poems have titles, a line above the first title is not a poem.
_MANY_TITLES = 2
_MAX_VERSE_HANZI = 24
# As many times as much prose as verse: a novel with poems in it, to be learned as prose.
_MOSTLY_PROSE = 20
_CONTENTS = re.compile("目录|目錄|目次")


@dataclass
class _Draft:
    """A poem with the blocks of lines that belong to it."""

    title: str
    author: str
    dynasty: str
    stanzas: list[list[Line]]

    def lines(self) -> list[Line]:
        """Return the lines of all stanzas."""
        return [line for stanza in self.stanzas for line in stanza]

    def poem(self) -> RawPoem:
        text = "\n\n".join("\n".join(line.text for line in each) for each in self.stanzas)
        return RawPoem(text, self.title, self.author, self.dynasty)


def gather_poems(lines: Sequence[Line]) -> Reading:
    """Return the poems in the lines of a source.

    Nothing is lost: each line is part of a poem or of a heading, or is counted as left out.
    """
    if not is_chinese(lines):
        return gather_letters(lines)
    asides: list[Aside] = []
    lines = with_bold_headings(lines)
    return _Assembly(items_of(lines, asides), asides).gathered()


class _Assembly:
    """Gives each body to the heading above it, item by item."""

    def __init__(self, items: Sequence[Item], asides: list[Aside]) -> None:
        self._items = items = [part for item in items for part in _without_prose(item)]
        self._asides = asides
        self._drafts: list[_Draft] = []
        self._head = Heading()
        self._title = ""  # of all parts
        self._level = 0
        self._title_lines: list[Line] = []
        self._group = (Heading(), 0)  # an author above several titles, and its level
        self._is_signed = False  # whether a line below the poem ended it
        self._is_fresh = False  # whether the heading still has no body
        self._in_notes = False
        self._in_contents = False
        self._prose: list[Line] = []
        self._without_poem: list[str] = []
        self._divided: list[str] = []  # titles of several whole poems
        bodies = [item for item in items if item.kind == "body"]
        for item in bodies:
            item.is_prose = is_prose(item.lines)
        verse = [item for item in bodies if not item.is_prose]
        headings = [
            item for item in items if item.kind in ("heading", "part") and item.heading.title
        ]
        num_prose = sum(line.num_hanzi for item in bodies for line in item.lines)
        num_verse = sum(line.num_hanzi for item in verse for line in item.lines)
        self._is_prose = not verse or num_prose - num_verse > _MOSTLY_PROSE * num_verse
        self._quoted = (
            sum(item.lines[0].source == "quote" for item in verse) * 2 > len(headings) > 0
        )
        self._num_titles = len(headings)
        authors = [item.heading.author for item in items if item.kind == "heading"]
        authors = list(filter(None, authors))
        self._is_of_one_poet = len(set(authors)) == 1 or 2 * len(authors) <= len(headings)
        num_long = sum(sum(len(line.lengths) for line in item.lines) >= 4 for item in verse)
        self._has_long = 2 * num_long > len(verse)
        few = 3 if len(headings) == 1 else _MAX_STANZAS
        self._has_stanzas = len(verse) <= few * len(headings)

    def gathered(self) -> Reading:
        """Return the poems of all items."""
        for item, below in zip_longest(self._items, self._items[1:]):
            if item.kind == "body":
                self._add_body(item, below)
            elif item.kind == "notes":
                self._in_notes = True
                self._leave_out("notes", item.lines)
            elif item.kind == "section":
                self._in_notes = False
                self._drop_title()
                self._head, self._title, self._is_fresh = Heading(), "", False
                self._asides.append(Aside("headings", item.heading.title))
                self._in_contents = _CONTENTS.search(item.heading.title) is not None
                author = item.heading.author  # of all poems of the section
                if author:
                    self._group = (Heading("", author, item.heading.dynasty), 0)
            elif item.kind == "attribution":
                self._attribute(item)
            else:
                self._begin(item)
        self._drop_title()
        return Reading(
            [draft.poem() for draft in self._drafts],
            Counter(aside.kind for aside in self._asides),
            self._doubts(),
            self._asides,
        )

    def _leave_out(self, kind: LeftOut, lines: Sequence[Line]) -> None:
        self._asides += [Aside(kind, line.text) for line in lines]

    def _leave_out_prose(self, lines: Sequence[Line]) -> None:
        if not self._drafts and len(lines) == 1 and not lines[0].has_mark:
            self._leave_out("headings", lines)  # the name of the collection
            return
        self._leave_out("prose", lines)
        self._prose += lines

    def _begin(self, item: Item) -> None:
        """Take a heading: a title, an author, or one after the other."""
        self._in_notes = self._in_contents = False
        new = item.heading
        if item.level == BOLD_LEVEL and self._is_fresh and self._head.title:
            author = parse_author(new.title)
            if author and is_name(author.name) and not self._head.author:
                new = Heading("", author.name, author.dynasty)
        if item.kind == "part":
            head = self._head if self._title else Heading()
            base = self._title
            if self._is_fresh and head.title != base:
                self._drop_title()
            self._head = head._replace(title=f"{base} {new.title}".strip() if base else new.title)
            self._is_fresh = True
            return
        if not self._is_fresh:
            self._head = Heading()
        elif new.title and self._head.title:
            author = parse_author(self._head.title)
            if item.level > self._level > 0 and author and (author.certain or is_name(author.name)):
                self._group = (Heading("", author.name, author.dynasty), self._level)
                self._asides.append(Aside("headings", self._head.title))
            else:
                is_numbered = any(map(has_number, self._title_lines))  # 一、春天的诗
                self._drop_title(is_section=is_numbered or item.level > self._level > 0)
            self._head = Heading()
        if item.level and item.level <= self._group[1]:
            self._group = (Heading(), 0)
        above = self._group[0]
        self._head = Heading(
            new.title or (new.author and self._head.whole) or self._head.title,
            new.author or self._head.author or above.author,
            new.dynasty or self._head.dynasty or above.dynasty,
            whole=new.whole,
        )
        if new.title:
            self._title = new.title
            self._level = item.level
            self._title_lines = item.lines
        self._is_fresh = True

    def _drop_title(self, *, is_section: bool = False) -> None:
        """Count a title that has no poem; above the titles of a section, that is no doubt."""
        if not (self._is_fresh and self._head.title):
            return
        self._asides.append(Aside("headings", self._head.title))
        if not self._drafts and self._is_of_one_poet and self._head.author:
            # Whose poems all of them are.
            self._group = (Heading("", self._head.author, self._head.dynasty), 0)
        elif not is_section:
            self._without_poem.append(self._head.title)

    def _add_body(self, item: Item, below: Item | None) -> None:
        lines = item.lines
        if self._in_notes:
            if not (item.begins_block and is_regular(lines) and not is_prose(lines)):
                self._leave_out("notes", lines)
                return
            self._in_notes = False
        if self._in_contents and not any(line.has_mark for line in lines):
            self._leave_out("table of contents", lines)
            return
        self._in_contents = False
        poem = self._drafts[-1].lines() if self._drafts and not self._is_fresh else []
        place = num_verses(lines, poem, self._head.title)
        remarks = lines[place:]
        if remarks:
            lines = lines[:place]
        if remarks and has_label(remarks[0]):
            self._leave_out("notes", remarks)
        elif remarks:
            self._leave_out_prose(remarks)
        if not lines:
            return
        if not self._is_prose and self._is_aside(item, lines, poem, below):
            self._leave_out_prose(lines)
            return
        begins = self._is_fresh or self._is_signed or not self._drafts
        if begins or not self._head.title:
            continues = not begins and not item.begins_block
        else:
            continues = not item.begins_block or self._is_stanza(lines)
        is_apart = below is not None and is_other_metre(lines, below.lines)
        if self._is_fresh and (is_preface(lines[0]) or (self._head.title and is_apart)):
            is_above = len(lines) > 1 or (below is not None and below.kind == "body")
            self._leave_out("prefaces", lines[:is_above])
            lines = lines[is_above:]
        if not lines:
            return
        if continues and item.begins_block:
            self._drafts[-1].stanzas.append(lines)
        elif continues:
            self._drafts[-1].stanzas[-1] = [*self._drafts[-1].stanzas[-1], *lines]
        else:
            head = self._head if self._is_fresh or self._has_stanzas else Heading()
            if head.title and not self._is_fresh:
                self._divided.append(head.title)
            self._drafts.append(_Draft(head.title, head.author, head.dynasty, [lines]))
        self._is_fresh = self._is_signed = False

    def _is_aside(
        self, item: Item, lines: list[Line], poem: list[Line], below: Item | None
    ) -> bool:
        """Return whether lines are not verse, but prose or a scrap of something else.

        ``poem`` are the verses above them, if they may go on with these.
        """
        if self._quoted and lines[0].source != "quote":
            return True
        num_clauses = sum(len(line.lengths) for line in lines)
        is_short = num_clauses <= 2 + (len(lines) == 1 and not lines[0].is_closed)
        is_first = self._num_titles >= _MANY_TITLES and not self._drafts and is_short
        is_above = below is not None and below.kind == "heading" and not lines[0].is_even
        if is_first and (is_above or not self._head.title):
            return True
        is_below = bool(poem) and item.begins_block
        if is_below and self._head.title and is_scrap(lines, poem):
            return True
        if (
            self._has_long
            and is_lone_sentence(lines)
            and not (self._is_fresh and self._head.author)
        ):
            return True
        # Below a title and an author even two sentences are a poem, and so are its stanzas.
        is_signed = bool(self._head.title and self._head.author)
        is_stanza = is_below and len(lines) > 1 and not is_regular(poem)
        may_be_verse = is_signed and (self._is_fresh or is_stanza)
        is_one = item.is_prose if lines is item.lines else is_prose(lines)
        return is_one and not (
            may_be_verse and all(line.num_hanzi <= _MAX_VERSE_HANZI for line in lines)
        )

    def _is_stanza(self, lines: list[Line]) -> bool:
        """Return whether a block goes on with the poem above it, which has a title."""
        whole = (4, 8)
        above = self._drafts[-1].stanzas[-1]
        both_whole = all(
            is_regular(each) and sum(len(line.lengths) for line in each) in whole
            for each in (above, lines)
        )
        return self._has_stanzas and not both_whole

    def _attribute(self, item: Item) -> None:
        """Take a line with dashes: above a poem a subtitle, below it whose it is."""
        found = item.heading
        is_subtitle = any(is_below_title(line.text) for line in item.lines)
        if self._is_fresh and self._head.title and is_subtitle:
            [line] = item.lines
            self._head = self._head._replace(
                title=f"{self._head.title}——{without_dashes(line.text)}"
            )
            return
        if self._is_fresh or not self._drafts:
            self._begin(Item("heading", found))
            return
        if is_subtitle:
            self._leave_out("notes", item.lines)
            return
        draft = self._drafts[-1]
        draft.title = found.title or draft.title
        draft.author = draft.author or found.author
        draft.dynasty = draft.dynasty or found.dynasty
        self._head, self._is_signed = Heading(), True

    def _doubts(self) -> list[str]:
        guessed = [item.heading.title for item in self._items if item.is_guess]
        titled = [draft for draft in self._drafts if draft.title]
        untitled = [draft for draft in self._drafts if not draft.title]
        many = len(titled) > max(len(untitled), 2)
        short = "guessed, because short lines stand above longer verses"
        below = "the title of another, with several whole poems below it"
        prose = [line.text for line in self._prose]
        among = [draft.stanzas[0][0].text for draft in untitled if many]
        doubts = [
            *_told(prose, "line looks", "lines look", "like prose, not like verse"),
            *_told(self._without_poem, "title has", "titles have", "no poem below"),
            *_told(guessed, "title is", "titles are", short),
            *_told(among, "poem has", "poems have", "no title, and most have one"),
            *_told(self._divided, "poem has", "poems have", below),
        ]
        if self._is_prose and len(self._drafts) > 1:
            doubts.append("This looks like prose. If it is, give --format prose.")
        if self._drafts and is_cut_off(
            self._drafts[-1].lines(), [draft.lines() for draft in self._drafts[:-1]]
        ):
            shown = printable(self._drafts[-1].lines()[-1].text[-20:])
            doubts.append(f"The last poem may be cut off; it ends with {shown!r}.")
        return doubts


def _told(examples: Sequence[str], one: str, several: str, what: str) -> Iterator[str]:
    """Yield a sentence about how many lines are in doubt, if any, with the first of them."""
    if examples:
        shown = printable(" ".join(examples[0][:20].split()))
        count = f"{len(examples):,} {one if len(examples) == 1 else several}"
        yield f"{count} {what}, for example {shown!r}."


def _without_prose(item: Item) -> list[Item]:
    """Divide a body at lines that are prose, each for itself, between lines that are not."""
    if len(item.lines) < 2:
        return [item]
    is_prose_at = list(map(is_paragraph, item.lines))
    if not any(is_prose_at) or all(is_prose_at):
        return [item]
    groups = groupby(zip(is_prose_at, item.lines, strict=True), key=itemgetter(0))
    parts = [Item("body", lines=[line for _, line in group]) for _, group in groups]
    parts[0].begins_block = item.begins_block
    return parts
