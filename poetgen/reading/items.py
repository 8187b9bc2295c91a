"""From lines to blocks, and from blocks to headings and bodies."""

from __future__ import annotations

from collections import Counter
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
from poetgen.reading.documents import Aside, LeftOut
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
    LABEL,
    Kind,
    Line,
    after_date,
    is_prose,
    is_regular,
    kind_of,
    unsigned,
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
    blocks, spaced = _blocks(lines, asides)
    items = list(_items(blocks))
    if spaced is not None:
        # Every line has a blank one below it; titles show where the poems begin.
        closer = list(_items(spaced))
        if any(item.kind == "heading" for item in closer):
            return closer
    return _one_a_line(items) if len(blocks) == 1 else items


def _blocks(lines: Sequence[Line], asides: list[Aside]) -> tuple[list[Block], list[Block] | None]:
    """Divide lines at blank ones; if nearly all lines stand alone, also at wider gaps only."""
    lines = [part for line in lines for part in (unsigned(line) if "—" in line.text else (line,))]
    kinds = [kind_of(line) for line in lines]
    present = {kind for kind, _ in kinds}
    if "note" in present:
        _find_labels(lines, kinds)
    lines = _with_titles_in_letters(lines, kinds)
    repeated: Counter[str] = Counter()
    if "section" in present:
        repeated.update(line.text for line in lines if kind_of(line)[0] == "section")
    blocks: list[Block] = [[]]
    gaps = [0]
    is_dated = False
    depth = 0  # of brackets: a note in them may go over several lines
    for line, (kind, what) in zip(lines, kinds, strict=True):
        if line.is_clean and kind == "text":
            blocks[-1].append((kind, line))
            continue
        within = depth > 0
        if not line.text.isalnum():
            depth += _num_opened(line.text)
        if kind == "blank":
            depth = 0
        elif within:
            kind, what = "text", ""
        if kind == "section" and repeated[line.text] >= 3 and line.source == "text":
            asides.append(Aside("running headers", line.text))
        elif kind == "other":
            if what:
                asides.append(Aside(what, line.text))
        elif kind in ("blank", "break"):
            if blocks[-1]:
                blocks.append([])
                gaps.append(0)
            gaps[-1] += 1 if kind == "blank" else 100
        else:
            blocks[-1].append((kind, line))
            is_dated = is_dated or kind == "date"
    if is_dated:
        blocks = [_without_dates(block, asides) for block in blocks]
        gaps = [gap for gap, block in zip(gaps, blocks, strict=True) if block]
        blocks = [block for block in blocks if block]
    elif not blocks[-1]:
        del blocks[-1], gaps[-1]
    if len(blocks) < 5 or sum(map(_is_open, blocks)) < 0.8 * len(blocks):
        return blocks, None
    widest = max(gaps[1:])
    narrow = min(gaps[1:])
    merged: list[Block] = []
    for block, gap in zip(blocks, gaps, strict=True):
        if merged and (gap == narrow or gap < widest // 2):
            merged[-1] += block
        else:
            merged.append(list(block))
    return blocks, merged


def _find_labels(lines: Sequence[Line], kinds: list[tuple[Kind, LeftOut | Literal[""]]]) -> None:
    """Take 【名句积累】 for the head of notes where notes have such heads and no verse is below."""
    heads = [line.text for line, (kind, _) in zip(lines, kinds, strict=True) if kind == "note"]
    if not any(text.startswith("【") for text in heads):
        return
    for place, line in enumerate(lines):
        if line.text[:1] == "【" and LABEL.fullmatch(line.text) and kinds[place][0] != "note":
            near = [below for below in lines[place + 1 : place + 6] if below.text][:4]
            is_title = any(below.heading and below.heading.author for below in near[:2])
            if near and not (is_title or is_old_verse(near) or is_old_verse(near[1:])):
                kinds[place] = "note", "notes"


def _with_titles_in_letters(
    lines: list[Line], kinds: list[tuple[Kind, LeftOut | Literal[""]]]
) -> list[Line]:
    """Take WiFi for a title if all lines of letters stand so: between blank ones, above Chinese."""
    places = [
        place
        for place, (line, (kind, what)) in enumerate(zip(lines, kinds, strict=True))
        if not line.num_hanzi and (what == "lines without Chinese" or kind == "text")
        if line.text[0].isalpha()  # also WiFi（无线网）
    ]
    found = list(lines)
    for place in places:
        above, below = kinds[place - 1 : place], kinds[place + 1 : place + 3]
        is_apart = all(kind in ("blank", "break") for kind, _ in above + below[:1])
        if not (is_apart and [kind for kind, _ in below[1:]] == ["text"]):
            return lines
        found[place] = Line(lines[place].text, "heading")
        kinds[place] = "heading", ""
    return found


def _without_dates(block: Block, asides: list[Aside]) -> Block:
    """Take the dates out of a block; above verse, what follows a date is a title."""
    rest: Block = []
    for place, (kind, line) in enumerate(block):
        title = after_date(line.text) if kind == "date" else None
        is_head = not rest and block[place + 1 : place + 2] and block[place + 1][0] == "text"
        if title and is_head:
            rest.append(("text", Line(title.strip(), line.source)))
        elif kind == "date":
            asides.append(Aside("dates", line.text))
        else:
            rest.append((kind, line))
    return rest


def _num_opened(text: str) -> int:
    """Return how many more round brackets open in a line than close."""
    return sum(map(text.count, "（(")) - sum(map(text.count, "）)"))


def _is_open(block: Block) -> bool:
    """Return whether a block is one line, with too few clauses for a poem."""
    return len(block) == 1 and (block[0][0] != "text" or len(block[0][1].lengths) <= 2)


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
