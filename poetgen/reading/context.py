"""What a line is by the lines around it: a title above verse, an author below a title."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from poetgen.characters import LINE_MARKS
from poetgen.reading.headings import Heading, is_name, parse_author, without_number
from poetgen.reading.lines import Kind, Line, is_prose, is_regular

# How many lines below a heading are looked at, and how many in one metre are a poem.
NEAR = 100
_MAX_TITLE_HANZI = 60
# 迴波樂 八十九: parts of a title, which are shorter than verses.
_MAX_PART_HANZI = 3

Block = list[tuple[Kind, Line]]


def is_signed(run: Sequence[Line]) -> bool:
    """Return whether the last of some lines is the name of the author, below regular verse."""
    if len(run) < 2 or not run[-2].is_closed or not is_regular(run[:-1]):
        return False
    author = parse_author(run[-1].text)
    return author is not None and (author.certain or is_name(author.name))


def num_heads_at_end(
    run: Sequence[Line], below: Block, following: Sequence[Block], titled: bool
) -> int:
    """Return how many of the last lines, 0 to 2, are the heading of what comes after them.

    ``below`` are the lines below them in their block, which do not begin with text;
    ``following`` the next blocks.
    """
    if run[-1].is_closed:
        return 0
    for size in (2, 1):
        above, tail = run[:-size], run[-size:]
        if len(tail) < size or (above and not above[-1].is_closed):
            continue
        if below:
            is_head = _is_above(tail, *below[0]) and bool(below[1:] or following)
        else:
            is_free = not above or (size == 2 and is_prose(above))
            is_head = is_free and _is_head_alone(tail, following, titled and not above)
        if is_head:
            return size
    return 0


def _is_above(tail: Sequence[Line], kind: Kind, below: Line) -> bool:
    """Return whether lines are a title above a sure author, or above the number of a part."""
    if kind == "part":
        return all(map(_may_be_title, tail)) and (len(tail) == 1 or _is_author(tail[1]))
    heading = below.heading if kind == "heading" else None
    is_author = heading is not None and bool(heading.author) and not heading.title
    return is_author and len(tail) == 1 and not tail[0].is_closed


def _is_author(line: Line) -> bool:
    author = parse_author(line.text)
    return author is not None and (author.certain or is_name(author.name))


def _is_head_alone(run: Sequence[Line], following: Sequence[Block], titled: bool) -> bool:
    """Return whether a whole block, or its end, is the heading of the blocks below it."""
    if not following:
        return False
    kind, below = following[0][0]
    author = parse_author(run[-1].text)
    if len(run) == 2 and not _is_author(run[1]):
        return False
    # The author below it shows that a line with marks is a title.
    is_short = not run[0].is_closed and run[0].num_hanzi <= _MAX_TITLE_HANZI
    if not (_may_be_title(run[-1]) and (_may_be_title(run[0]) or is_short)):
        return False
    if kind == "part":
        return not titled or author is not None
    if kind not in ("text", "heading"):
        return False
    lines = [line for _, line in following[0]]
    if titled:
        return len(run) == 1 and (author is not None or is_old_verse(lines))
    if kind == "heading":
        return below.source == "text" and below.heading is not None and not below.heading.title
    if len(lines) == 1 and _may_be_title(below):
        # A title, an author and the verses, each a block of its own.
        author = parse_author(below.text)
        verse = [line for _, line in following[1]] if len(following) > 1 else []
        return author is not None and (is_name(author.name) or is_old_verse(verse))
    differs = len(run) == 2 or run[0].lengths != below.lengths[:1] or len(lines) > 1
    return differs and (len(lines) > 1 or len(below.lengths) > 1)


def bare_heading(line: Line, titled: bool) -> Heading:
    """Read a line that is known to be a heading: a title, below one an author."""
    author = parse_author(line.text)
    if author and (author.certain or titled):
        return Heading("", author.name, author.dynasty)
    return line.heading or Heading(without_number(line.text).rstrip(":："))


def _may_be_title(line: Line) -> bool:
    """Return whether a line is short, has no mark, and is not verses with blanks between."""
    has_mark = any(mark in line.verse.rstrip("：") for mark in LINE_MARKS)
    if has_mark or not 1 <= line.num_hanzi <= _MAX_TITLE_HANZI:
        return False
    has_author = line.heading is not None and bool(line.heading.author)
    is_couplet = len(line.lengths) > 1 and line.is_even and line.lengths[0] > _MAX_PART_HANZI
    return not is_couplet or has_author


def heads_at(lines: list[Line], titled: bool) -> list[Heading]:
    """Return the headings that the first lines are, judged by the lines below them."""
    first, rest = lines[0], lines[1:]
    if not rest:
        return []
    if first.is_closed and first.heading is None:
        return []
    author = parse_author(first.text)
    pair = _title_and_author(lines)
    if pair:
        return pair
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
    # Above a clean line, verses would have marks, too.
    may_be_title = _may_be_title(first) or (not first.has_mark and rest[0].is_clean)
    if may_be_title and _fits([first], rest):
        return [Heading(without_number(first.text).rstrip(":："))]
    return []


def _title_and_author(lines: list[Line]) -> list[Heading]:
    """Return a title and an author on two lines above verse, or nothing."""
    if len(lines) < 3 or lines[0].is_closed or lines[1].has_mark:
        return []
    title, author = lines[0], parse_author(lines[1].text)
    if author is None or not 0 < title.num_hanzi <= _MAX_TITLE_HANZI:
        return []
    named = author.certain or is_name(author.name)
    if not (named and lines[1].lengths != lines[2].lengths):
        named = _may_be_title(title) and _fits(lines[:2], lines[2:])
    if not named:
        return []
    return [Heading(without_number(title.text)), Heading("", author.name, author.dynasty)]


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


def is_uniform(lines: list[Line]) -> bool:
    """Return whether lines without marks are a whole poem in one metre."""
    return not any(line.has_mark for line in lines) and is_regular(lines)


def is_old_verse(lines: list[Line]) -> bool:
    """Return whether lines begin with two or four whole lines of regular verse."""
    body = list(takewhile(lambda line: line.is_marked, lines)) or lines
    return is_regular(body[:2]) or is_regular(body[:4])
