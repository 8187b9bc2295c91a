"""From blocks to headings and bodies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from poetgen.characters import hanzi_only
from poetgen.reading.context import (
    NEAR,
    Block,
    Layout,
    bare_heading,
    bare_title,
    heads_at,
    is_old_verse,
    is_signed,
    is_titled_anew,
    is_uniform,
    layout_of,
    num_heads_at_end,
    titles_in,
)
from poetgen.reading.division import blocks_of
from poetgen.reading.documents import Aside
from poetgen.reading.headings import (
    Author,
    Heading,
    is_attribution,
    is_below_title,
    is_name,
    is_part,
    parse_author,
    parse_heading,
    without_number,
)
from poetgen.reading.lines import (
    Kind,
    Line,
    after_date,
    is_prose,
    is_regular,
    kind_of,
)
from poetgen.verse.rhymes import rhyme_book

# In a text without blank lines, so many whole poems without a title for each one that has one
# are a poem a line.
_FEW_TITLES = 12


@dataclass
class Item:
    """A heading, a body, or the beginning of notes.

    ``lines`` are those that it was read from. ``level`` 0 is a heading that is inferred,
    ``is_guess`` one that is a title by its length only.
    """

    kind: Literal["heading", "part", "section", "attribution", "notes", "body"]
    heading: Heading = Heading()
    lines: list[Line] = field(default_factory=list)
    level: int = 0
    begins_block: bool = False
    is_guess: bool = False
    is_prose: bool = False


def items_of(lines: Sequence[Line], asides: list[Aside]) -> list[Item]:
    """Divide lines into headings and bodies, and add to ``asides`` what is neither."""
    blocks, spaced = blocks_of(lines, asides)
    items = list(_items(blocks))
    if spaced is not None:
        # Every line has a blank one below it; titles show where the poems begin.
        closer = list(_items(spaced))
        if any(item.kind == "heading" for item in closer):
            return closer
    return _one_a_line(items) if len(blocks) == 1 else items


def _one_a_line(items: list[Item]) -> list[Item]:
    """Divide a text without blank lines into a poem a line, unless titles divide it."""
    lines = [line for item in items if item.kind == "body" for line in item.lines]
    titles = [item for item in items if item.kind in ("heading", "part", "attribution")]
    if titles:
        whole = [line for line in lines if line.is_closed and len(line.lengths) >= 4]
        # A long poem in one metre has one title and many lines, too.
        is_one = len(titles) <= 2 and is_regular(lines)
        if is_one or len(whole) < _FEW_TITLES * len(titles):
            return items
    elif all(map(_may_be_one_of_several, lines)) or _rhyming_couplets(lines):
        return items
    return [
        part
        for item in items
        for part in (
            [Item("body", lines=[line], begins_block=True) for line in item.lines]
            if item.kind == "body"
            else [item]
        )
    ]


def _rhyming_couplets(lines: Sequence[Line]) -> bool:
    """Return whether lines are the couplets of one poem: of one length, with one rhyme."""
    lengths = lines[0].lengths if lines else ()
    if len(lines) < 2 or len(lengths) != 2 or any(line.lengths != lengths for line in lines):
        return False
    book = rhyme_book()
    ends = [book.groups_of(hanzi_only(line.text)[-1:]) for line in lines]
    return bool(frozenset.intersection(*ends))


def _may_be_one_of_several(line: Line) -> bool:
    """Return whether a line may be one of several of a poem: short, or open at its end."""
    return len(line.text) < 8 or (not line.is_closed and len(line.text.split()) == 1)


def _items(blocks: Sequence[Block]) -> Iterator[Item]:
    """Yield the headings and bodies of blocks in their order."""
    layout = layout_of(blocks)
    above: Heading | None = None  # a heading that has no poem yet
    in_notes = False
    for number, block in enumerate(blocks):
        following = blocks[number + 1 : number + 3]
        begins = True
        place = int(block[0][0] == "part" and _numbers_title(block, following, layout))
        if above and above.title and is_titled_anew([line for _, line in block[place:]], above):
            above = None  # the heading is that of a collection
        while place < len(block):
            kind, line = block[place]
            if kind == "text":
                is_first = place == 0 or block[0][0] == "part"
                run = [line]
                for below, line in block[place + 1 :]:
                    if below != "text":
                        break
                    run.append(line)
                usual = layout if is_first else Layout()
                place += len(run)
                for item in _text_items(run, block[place:], following, above, in_notes, usual):
                    item.begins_block, begins = begins, False
                    above = _heading_above(item, above)
                    in_notes = in_notes and above is None
                    yield item
                continue
            place += 1
            item = _marked_item(kind, line)
            is_signature = (
                item.kind == "heading"
                and not item.heading.title
                and bool(item.heading.author)
                and not begins
                and above is None
                and place == len(block)
            )
            if is_signature:
                item.kind = "attribution"
            if item.kind == "section" and (author := _section_author(block[place:])):
                item.heading = item.heading._replace(author=author.name, dynasty=author.dynasty)
                place += 1
            item.begins_block, begins = begins, False
            above = _heading_above(item, above)
            in_notes = item.kind == "notes" or (in_notes and item.kind == "attribution")
            yield item
            if item.heading.rest:
                yield Item("body", lines=[Line(item.heading.rest, line.source)])


def _numbers_title(block: Block, following: Sequence[Block], layout: Layout) -> bool:
    """Return whether 一、 stands above a title, rather than above a part."""
    below = [line for _, line in block[1:]]
    if layout.counted and below and heads_at(below, None, Layout()):
        return True
    may_be = 0 < len(below) <= 3 and not any(line.has_mark for line in below)
    return may_be and bool(following) and block[0][1].text[-1] in "、.．"


def _section_author(below: Block) -> Author | None:
    """Return the author who stands alone below the name of a section or of a collection."""
    author = parse_author(below[0][1].text) if len(below) == 1 else None
    return author if author and (author.certain or is_name(author.name)) else None


def _heading_above(item: Item, above: Heading | None) -> Heading | None:
    """Return what is known about the poem below an item, None if it has begun."""
    new = item.heading
    if item.kind == "attribution" and above is not None:
        is_subtitle = any(is_below_title(line.text) for line in item.lines)
        return above if is_subtitle else Heading(above.title, new.author or above.author)
    if item.kind not in ("heading", "part") or new.rest or not (new.title or above):
        return None
    above = above or Heading()
    return Heading(new.title or above.title, "" if new.whole else new.author or above.author)


def _marked_item(kind: Kind, line: Line) -> Item:
    """Return the item of a line that shows by itself what it is."""
    if kind == "part":
        return Item("part", Heading(is_part(line.text) or ""))
    if kind == "attribution":
        return Item("attribution", is_attribution(line.text) or Heading(), [line])
    if kind == "note":
        return Item("notes", lines=[line])
    if kind == "section":
        return Item("section", Heading(line.text))
    if line.source != "heading":
        return Item("heading", line.heading or Heading())
    by_text, _ = kind_of(Line(line.text))
    if by_text == "date":
        line = Line(after_date(line.text) or line.text, line.source, line.level)
    if by_text in ("part", "note", "section"):
        item = _marked_item(by_text, Line(line.text))
        item.level = line.level
        return item
    found = parse_heading(line.text) or Heading(without_number(line.text))
    return Item("heading", found, [line], line.level)


def _text_items(
    run: list[Line],
    below: Block,
    following: Sequence[Block],
    above: Heading | None,
    in_notes: bool,
    layout: Layout,
) -> Iterator[Item]:
    """Yield the items of lines that only their neighbours explain, ``below`` in their block."""
    if not below and is_signed(run):
        yield from _divided(run[:-1], above, in_notes, layout)
        yield Item("attribution", bare_heading(run[-1], titled=True), [run[-1]])
        return
    num_heads = num_heads_at_end(run, below, following, above, layout)
    body, heads = run[: len(run) - num_heads], run[len(run) - num_heads :]
    for item in _divided(body, above, in_notes, layout):
        if num_heads:
            above = _heading_above(item, above)
        yield item
    for line in heads:
        # Of two lines the first is the title, and so is one above an author.
        is_first = line is not heads[-1] or (bool(below) and below[0][0] == "heading")
        titled = above is not None and not above.author and not is_first
        yield Item("heading", bare_heading(line, titled), [line])
        above = Heading()


def _ends_notes(heads: Sequence[Heading], below: list[Line]) -> bool:
    """Return whether headings begin a poem below notes: above regular verse, or any by a poet."""
    is_titled = any(head.title for head in heads)
    is_by_poet = any(head.author and is_name(head.author) for head in heads)
    return is_old_verse(below) or (is_titled and is_by_poet and not is_prose(below))


def _divided(
    run: list[Line], above: Heading | None, in_notes: bool, layout: Layout
) -> Iterator[Item]:
    """Yield the headings and bodies of lines, by the lines below each."""
    titles = [] if above or in_notes else titles_in(run)
    for title, end in pairwise([*titles, len(run)]):
        yield Item("heading", bare_title(run[title]), is_guess=True)
        yield Item("body", lines=run[title + 1 : end])
    if titles:
        return
    start, place = 0, 0
    while place < len(run):
        if run[place].is_closed and (place > 0 or run[place].heading is None):
            place += 1  # surely a verse: with a mark, a title stands at the top
            continue
        fresh = (
            place == start
            or run[place - 1].is_closed
            or (place - start <= NEAR and is_uniform(run[start:place]))
        )
        heads = []
        if fresh:
            near = run[place : place + NEAR]
            heads = heads_at(
                near, above if place == 0 else None, layout if place == 0 else Layout()
            )
        if heads and in_notes and not _ends_notes(heads, near[len(heads) :]):
            heads = []
        if heads:
            if place > start:
                yield Item("body", lines=run[start:place])
            for heading, line in zip(heads, near, strict=False):
                is_guess = layout.short and place == 0
                yield Item("heading", heading, [line], is_guess=is_guess)
            in_notes = False
            place += len(heads)
            start = place
        place += 1
    if start < len(run):
        yield Item("body", lines=run[start:])
