"""From lines to poems: the one step that decides what is a title, an author, a body, notes.

The lines of any source, plain text, Markdown, HTML or a Word file, are first divided into
headings and bodies (``_items``), by each line and its neighbours. Then each body is given to
the heading above it (``_assembled``), and what is not verse is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

from poetgen.characters import printable
from poetgen.reading.documents import RawPoem, Reading
from poetgen.reading.headings import (
    Heading,
    is_attribution,
    is_name,
    is_part,
    parse_author,
    parse_heading,
    without_number,
)
from poetgen.reading.lines import Kind, Line, is_prose, is_regular, kind_of

# More blocks than this under one heading are poems without titles, not stanzas of one poem.
_MAX_STANZAS = 12
_MAX_TITLE_HANZI = 30
# As many times as much prose as verse: a novel with poems in it, to be learned as prose.
_MOSTLY_PROSE = 20
_PREFACE = re.compile(
    r"^[（(]?(?:小|原|自|并)?序[)）]?[:：\s]|作此|赋此|因赋|遂赋|为赋|以纪|以记|戏作|兼怀|赋之|用韵|次韵|故作|所作|而作|乃作|赋诗|命曰"
)


@dataclass
class _Item:
    """A heading, a body, or the beginning of notes; ``level`` 0 is a heading that is inferred."""

    kind: Literal["heading", "part", "section", "attribution", "notes", "body"]
    heading: Heading = Heading()
    lines: list[Line] = field(default_factory=list)
    level: int = 0
    begins_block: bool = False


@dataclass
class _Draft:
    """A poem with the blocks of lines that belong to it."""

    title: str
    author: str
    dynasty: str
    stanzas: list[list[Line]]

    def poem(self) -> RawPoem:
        text = "\n\n".join("\n".join(line.text for line in each) for each in self.stanzas)
        return RawPoem(text, self.title, self.author, self.dynasty)


def gather_poems(lines: Iterable[Line]) -> Reading:
    """Return the poems in the lines of a source that is mostly Chinese.

    Nothing is lost: each line is part of a poem or of a heading, or is counted as left out.
    """
    left_out: Counter[str] = Counter()
    blocks, spaced = _blocks(lines, left_out)
    items = list(_items(blocks))
    if spaced is not None:
        # Every line has a blank one below it; titles show where the poems begin.
        closer = list(_items(spaced))
        if any(item.kind == "heading" for item in closer):
            items = closer
    if not any(item.kind in ("heading", "part", "attribution") for item in items):
        items = _one_a_line(items)
    return _assembled(items, left_out)


# --- lines to blocks ------------------------------------------------------------------------

_Block = list[tuple[Kind, Line]]


def _blocks(
    lines: Iterable[Line], left_out: Counter[str]
) -> tuple[list[_Block], list[_Block] | None]:
    """Divide lines at blank ones; if nearly all lines stand alone, also at wider gaps only."""
    kinds = [(line, *kind_of(line)) for line in lines]
    repeated = Counter(line.text for line, kind, _ in kinds if kind == "section")
    blocks: list[_Block] = [[]]
    gaps = [0]
    depth = 0  # of brackets: a note in them may go over several lines
    for line, kind, what in kinds:
        within, depth = depth > 0, depth + _num_opened(line.text)
        if kind == "blank":
            depth = 0
        elif within:
            kind, what = "text", ""
        if kind == "section" and repeated[line.text] >= 3 and line.source == "text":
            left_out["running headers"] += 1
        elif kind == "other":
            if what:
                left_out[what] += 1
        elif kind in ("blank", "break"):
            if blocks[-1]:
                blocks.append([])
                gaps.append(0)
            gaps[-1] += 1 if kind == "blank" else 100
        else:
            blocks[-1].append((kind, line))
    if not blocks[-1]:
        del blocks[-1], gaps[-1]
    if len(blocks) < 5 or sum(map(_is_open, blocks)) < 0.8 * len(blocks):
        return blocks, None
    widest = max(gaps[1:])
    narrow = min(gaps[1:])
    merged: list[_Block] = []
    for block, gap in zip(blocks, gaps, strict=True):
        if merged and (gap == narrow or gap < widest // 2):
            merged[-1] += block
        else:
            merged.append(list(block))
    return blocks, merged


def _num_opened(text: str) -> int:
    """Return how many more round brackets open in a line than close."""
    return sum(map(text.count, "（(")) - sum(map(text.count, "）)"))


def _is_open(block: _Block) -> bool:
    """Return whether a block is one line, with too few clauses for a poem."""
    return len(block) == 1 and (block[0][0] != "text" or len(block[0][1].lengths) <= 2)


def _one_a_line(items: list[_Item]) -> list[_Item]:
    """Divide one block without headings into a poem a line, unless its lines are open verses."""
    bodies = [item for item in items if item.kind == "body"]
    if len(bodies) != 1 or all(map(_may_be_one_of_several, bodies[0].lines)):
        return items
    divided = [_Item("body", lines=[line], begins_block=True) for line in bodies[0].lines]
    place = items.index(bodies[0])
    return [*items[:place], *divided, *items[place + 1 :]]


def _may_be_one_of_several(line: Line) -> bool:
    """Return whether a line may be one of several of a poem: short, or open at its end."""
    return len(line.text) < 8 or (not line.is_closed and len(line.text.split()) == 1)


# --- blocks to headings and bodies ----------------------------------------------------------


def _items(blocks: Sequence[_Block]) -> Iterator[_Item]:
    """Yield the headings and bodies of blocks in their order."""
    titled = in_notes = False
    for number, block in enumerate(blocks):
        following = blocks[number + 1] if number + 1 < len(blocks) else []
        begins = only_heads = True
        place = 0
        while place < len(block):
            kind, line = block[place]
            if kind == "text":
                run = [line for _, line in takewhile(lambda one: one[0] == "text", block[place:])]
                place += len(run)
                alone = place == len(block) and only_heads
                title = run.pop() if _is_above_author(run, block[place:]) else None
                divided = list(_divided(run, following if alone else [], titled, in_notes))
                if title:
                    divided.append(_Item("heading", _bare_heading(title, titled=False)))
                for item in divided:
                    item.begins_block, begins = begins, False
                    only_heads = only_heads and item.kind != "body"
                    titled = item.kind == "heading" and (titled or bool(item.heading.title))
                    in_notes = in_notes and not titled
                    yield item
                continue
            place += 1
            item = _marked_item(kind, line)
            was_titled = titled
            is_signature = (
                item.kind == "heading"
                and not item.heading.title
                and bool(item.heading.author)
                and not begins
                and not titled
                and place == len(block)
            )
            if is_signature:
                item.kind = "attribution"
            item.begins_block, begins = begins, False
            rest = item.heading.rest
            titled = item.kind in ("heading", "part") and not rest
            titled = titled and (was_titled or bool(item.heading.title))
            in_notes = item.kind == "notes" or (in_notes and item.kind == "attribution")
            yield item
            if rest:
                only_heads = False
                yield _Item("body", lines=[Line(rest, line.source)])


def _marked_item(kind: Kind, line: Line) -> _Item:
    """Return the item of a line that shows by itself what it is."""
    if kind == "part":
        return _Item("part", Heading(is_part(line.text) or ""))
    if kind == "attribution":
        return _Item("attribution", is_attribution(line.text) or Heading())
    if kind == "note":
        return _Item("notes", lines=[line])
    if kind == "section":
        return _Item("section", Heading(line.text))
    if line.source != "heading":
        return _Item("heading", line.heading or Heading())
    by_text, _ = kind_of(Line(line.text))
    if by_text in ("part", "note", "section"):
        item = _marked_item(by_text, Line(line.text))
        item.level = line.level
        return item
    found = parse_heading(line.text) or Heading(without_number(line.text))
    return _Item("heading", found, level=line.level)


def _divided(run: list[Line], following: _Block, titled: bool, in_notes: bool) -> Iterator[_Item]:
    """Yield the headings and bodies of lines that only their neighbours explain."""
    if following and _is_head_alone(run, following, titled):
        for line in run:
            yield _Item("heading", _bare_heading(line, titled))
            titled = True
        return
    start, place = 0, 0
    while place < len(run):
        fresh = place == start or run[place - 1].is_closed or _is_uniform(run[start:place])
        heads = _heads_at(run[place:], titled and place == 0) if fresh else []
        if heads and in_notes and not _is_old_verse(run[place + len(heads) :]):
            heads = []
        if heads:
            if place > start:
                yield _Item("body", lines=run[start:place])
            for heading in heads:
                yield _Item("heading", heading)
            in_notes = False
            place += len(heads)
            start = place
        place += 1
    if start < len(run):
        yield _Item("body", lines=run[start:])


def _is_above_author(run: list[Line], below: _Block) -> bool:
    """Return whether the last of some lines is a title, because a sure author stands below it."""
    if not below or below[0][0] != "heading":
        return False
    heading = below[0][1].heading
    is_author = heading is not None and bool(heading.author) and not heading.title
    is_fresh = len(run) == 1 or run[-2].is_closed
    return is_author and len(below) > 1 and is_fresh and not run[-1].is_closed


def _is_head_alone(run: list[Line], following: _Block, titled: bool) -> bool:
    """Return whether a whole block is the heading of the next one."""
    if (
        len(run) > 2
        or not all(map(_may_be_title, run))
        or following[0][0] not in ("text", "heading")
    ):
        return False
    kind, below = following[0]
    author = parse_author(run[-1].text)
    if len(run) == 2 and (author is None or not (author.certain or is_name(author.name))):
        return False
    if titled and author is None and len(run) == 1:
        return _is_old_verse([line for _, line in following])
    if titled:
        return len(run) == 1
    if kind == "heading":
        return below.source == "text" and below.heading is not None and not below.heading.title
    lines = [line for _, line in following]
    if len(lines) == 1 and _may_be_title(below):
        # A title, an author and the verses, each a block of its own.
        return parse_author(below.text) is not None and is_name(below.text)
    differs = len(run) == 2 or run[0].lengths != below.lengths[:1] or len(lines) > 1
    return differs and (len(lines) > 1 or len(below.lengths) > 1)


def _bare_heading(line: Line, titled: bool) -> Heading:
    """Read a line that is known to be a heading: a title, below one an author."""
    author = parse_author(line.text)
    if author and (author.certain or titled):
        return Heading("", author.name, author.dynasty)
    return line.heading or Heading(without_number(line.text))


def _may_be_title(line: Line) -> bool:
    """Return whether a line is short, has no mark, and is not verses with blanks between."""
    if line.has_mark or not 1 <= line.num_hanzi <= _MAX_TITLE_HANZI:
        return False
    has_author = line.heading is not None and bool(line.heading.author)
    return len(line.lengths) == 1 or not line.is_even or has_author


def _heads_at(lines: list[Line], titled: bool) -> list[Heading]:
    """Return the headings that the first lines are, judged by the lines below them."""
    first, rest = lines[0], lines[1:]
    if not rest:
        return []
    author = parse_author(first.text)
    if titled:
        is_author = author is not None and _may_be_title(first) and not first.is_marked
        if (
            is_author
            and author
            and (author.certain or is_name(author.name) or _fits([first], rest))
        ):
            return [Heading("", author.name, author.dynasty)]
    differs = first.lengths != rest[0].lengths
    if first.heading and first.heading.author and differs and not first.heading.rest:
        fits = first.heading.certain or _fits([first], rest) or len(rest[0].lengths) > 2
        if fits:
            return [first.heading]
    if titled:
        return []
    second = parse_author(rest[0].text) if len(rest) > 1 and not rest[0].has_mark else None
    if second and not first.is_closed and first.num_hanzi <= _MAX_TITLE_HANZI:
        named = second.certain or is_name(second.name)
        above = named and rest[0].lengths != rest[1].lengths
        if above or (_may_be_title(first) and _fits(lines[:2], lines[2:])):
            title = without_number(first.text)
            return [Heading(title), Heading("", second.name, second.dynasty)]
    if _may_be_title(first) and _fits([first], rest):
        return [Heading(without_number(first.text))]
    return []


def _fits(head: list[Line], body: list[Line]) -> bool:
    """Return whether ``body`` begins with verse of which the lines of ``head`` are no part."""
    if not body:
        return False
    if body[0].is_marked:
        lengths = [
            one for line in takewhile(lambda line: line.is_marked, body) for one in line.lengths
        ]
        # 床前明月光 / 疑是地上霜。 is a couplet with a mark at its end only.
        is_couplet = len(lengths) % 2 == 1 and {*lengths} == {*head[-1].lengths}
        return len(lengths) >= 2 and not is_couplet
    if body[0].has_mark:
        return len(body[0].lengths) > 1 and body[0].is_even
    run = list(takewhile(lambda line: line.lengths == body[0].lengths and not line.has_mark, body))
    num_clauses = len(run) * len(body[0].lengths)
    if "·" in head[0].text and len(body) > 1:
        return True
    if not body[0].is_even or num_clauses % 2 or len(run) < 2:
        return False
    differs = not {*head[-1].lengths} & {*body[0].lengths}
    return differs or (len(head) == 1 and len(run) == len(body) and num_clauses in (4, 8))


def _is_uniform(lines: list[Line]) -> bool:
    """Return whether lines without marks are a whole poem in one metre."""
    return is_regular(lines) and not any(line.has_mark for line in lines)


def _is_old_verse(lines: list[Line]) -> bool:
    body = list(takewhile(lambda line: line.is_marked, lines)) or lines
    return is_regular(body[:2]) or is_regular(body[:4])


# --- headings and bodies to poems -----------------------------------------------------------


def _assembled(items: Sequence[_Item], left_out: Counter[str]) -> Reading:
    return _Assembly(items, left_out).gathered()


class _Assembly:
    """Gives each body to the heading above it, item by item."""

    def __init__(self, items: Sequence[_Item], left_out: Counter[str]) -> None:
        self._items = items
        self._left_out = left_out
        self._drafts: list[_Draft] = []
        self._head = Heading()
        self._title = ""  # of all parts
        self._level = 0
        self._group = (Heading(), 0)  # an author above several titles, and its level
        self._is_signed = False  # whether a line below the poem ended it
        self._is_fresh = False  # whether the heading still has no body
        self._in_notes = False
        self._prose: list[Line] = []
        self._without_poem: list[str] = []
        self._num_divided = 0
        bodies = [item for item in items if item.kind == "body"]
        verse = [item for item in bodies if not is_prose(item.lines)]
        headings = [
            item for item in items if item.kind in ("heading", "part") and item.heading.title
        ]
        num_prose = sum(line.num_hanzi for item in bodies for line in item.lines)
        num_verse = sum(line.num_hanzi for item in verse for line in item.lines)
        self._is_prose = not verse or num_prose - num_verse > _MOSTLY_PROSE * num_verse
        self._quoted = (
            sum(item.lines[0].source == "quote" for item in verse) * 2 > len(headings) > 0
        )
        few = 3 if len(headings) == 1 else _MAX_STANZAS
        self._has_stanzas = len(verse) <= few * len(headings)

    def gathered(self) -> Reading:
        """Return the poems of all items."""
        for item in self._items:
            if item.kind == "body":
                self._add_body(item)
            elif item.kind == "notes":
                self._in_notes = True
                self._left_out["notes"] += 1
            elif item.kind == "section":
                self._in_notes = False
                self._drop_title()
                self._head, self._title, self._is_fresh = Heading(), "", False
                self._left_out["headings"] += 1
            elif item.kind == "attribution":
                self._attribute(item.heading)
            else:
                self._begin(item)
        self._drop_title()
        return Reading(
            [draft.poem() for draft in self._drafts], dict(self._left_out), self._doubts()
        )

    def _begin(self, item: _Item) -> None:
        """Take a heading: a title, an author, or one after the other."""
        self._in_notes = False
        new = item.heading
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
                self._left_out["headings"] += 1
            else:
                self._drop_title()
            self._head = Heading()
        if item.level and item.level <= self._group[1]:
            self._group = (Heading(), 0)
        above = self._group[0]
        self._head = Heading(
            new.title or self._head.title,
            new.author or self._head.author or above.author,
            new.dynasty or self._head.dynasty or above.dynasty,
        )
        if new.title:
            self._title = new.title
            self._level = item.level
        self._is_fresh = True

    def _drop_title(self) -> None:
        """Count a title that has no poem."""
        if self._is_fresh and self._head.title:
            self._left_out["headings"] += 1
            self._without_poem.append(self._head.title)

    def _add_body(self, item: _Item) -> None:
        lines = item.lines
        if self._in_notes:
            if not (item.begins_block and is_regular(lines) and not is_prose(lines)):
                self._left_out["notes"] += len(lines)
                return
            self._in_notes = False
        is_aside = self._quoted and lines[0].source != "quote"
        if not self._is_prose and (is_aside or is_prose(lines)):
            self._left_out["prose"] += len(lines)
            self._prose += lines
            return
        if self._is_fresh or not self._head.title or not self._drafts:
            begins = self._is_fresh or self._is_signed or item.begins_block
            continues = not begins and bool(self._drafts)
        else:
            continues = not item.begins_block or self._is_stanza(lines)
        if continues and item.begins_block:
            self._drafts[-1].stanzas.append(lines)
        elif continues:
            self._drafts[-1].stanzas[-1] = [*self._drafts[-1].stanzas[-1], *lines]
        else:
            head = self._head if self._is_fresh or self._has_stanzas else Heading()
            if self._is_fresh and len(lines) > 1 and _is_preface(lines[0], lines[1:]):
                self._left_out["prefaces"] += 1
                lines = lines[1:]
            self._num_divided += not self._is_fresh and bool(head.title)
            self._drafts.append(_Draft(head.title, head.author, head.dynasty, [lines]))
        self._is_fresh = self._is_signed = False

    def _is_stanza(self, lines: list[Line]) -> bool:
        """Return whether a block goes on with the poem above it, which has a title."""
        whole = (4, 8)
        above = self._drafts[-1].stanzas[-1]
        both_whole = all(
            is_regular(each) and sum(len(line.lengths) for line in each) in whole
            for each in (above, lines)
        )
        return self._has_stanzas and not both_whole

    def _attribute(self, found: Heading) -> None:
        """Take the line below a poem that says whose it is."""
        if self._is_fresh or not self._drafts:
            self._begin(_Item("heading", found))
            return
        draft = self._drafts[-1]
        draft.title = draft.title or found.title
        draft.author = draft.author or found.author
        draft.dynasty = draft.dynasty or found.dynasty
        self._head, self._is_signed = Heading(), True

    def _doubts(self) -> list[str]:
        doubts = []
        if self._is_prose and len(self._drafts) > 1:
            doubts.append("This looks like prose. If it is, give --format prose.")
        if self._prose:
            shown = printable(self._prose[0].text[:20])
            doubts.append(
                f"{len(self._prose)} lines look like prose and are left out, for example {shown!r}."
            )
        if self._without_poem:
            shown = printable(self._without_poem[0][:20])
            doubts.append(
                f"{len(self._without_poem)} titles have no poem below them, for example {shown!r}."
            )
        if self._num_divided:
            doubts.append(
                f"{self._num_divided} poems have the title of the poem above them, because a title "
                "has several whole poems below it."
            )
        return doubts


def _is_preface(first: Line, rest: Sequence[Line]) -> bool:
    """Return whether the first line below a title tells how the poem came about."""
    return (
        first.is_closed and not first.is_even and bool(rest) and bool(_PREFACE.search(first.text))
    )
