"""What a line is by the lines around it: a title above verse, an author below a title."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, takewhile
from operator import itemgetter
from typing import NamedTuple

from poetgen.characters import LINE_MARKS, num_modern_words
from poetgen.reading.headings import (
    Author,
    Heading,
    is_below_title,
    is_name,
    parse_author,
    without_number,
)
from poetgen.reading.lines import Kind, Line, is_prose, is_regular

# How many lines below a heading are looked at, and how many in one metre are a poem.
NEAR = 100
_MAX_TITLE_HANZI = 60
_MAX_AUTHOR_HANZI = 12
# 迴波樂 八十九: parts of a title, which are shorter than verses.
_MAX_PART_HANZI = 3

# No title of a modern poem that stands directly above its verses is surely longer.
_MAX_SHORT_TITLE = 4
# So many blocks show how the others are written, if so large a share of them agree.
_NUM_ALIKE, _SHARE_ALIKE = 4, 0.8

Block = list[tuple[Kind, Line]]


class Layout(NamedTuple):
    """How most blocks of a text are written, which decides where one alone leaves a doubt.

    ``num_heads`` lines stand above marked verse in its block, a title and an author; titles
    stand ``apart`` in blocks of their own, with ``num_apart`` lines; they are ``short`` lines
    directly above verses without marks; or they, or those of sections, are ``numbered`` lines;
    or they are ``counted`` by numbers on lines of their own; or several are ``marked`` as
    headings by the source.
    """

    num_heads: int = 0
    num_apart: int = 0
    short: bool = False
    numbered: bool = False
    counted: bool = False
    marked: bool = False


def layout_of(blocks: Sequence[Block]) -> Layout:
    """Return how most blocks of a text are written."""
    texts = [
        [line for kind, line in block if kind == "text"]
        if all(kind in ("text", "part") for kind, _ in block)
        else []
        for block in blocks
    ]
    num_bare = Counter(
        sum(1 for _ in takewhile(lambda line: not line.is_marked, lines))
        for lines in texts
        if len(lines) > 1 and any(line.is_marked for line in lines)
    )
    usual, count = max(num_bare.items(), key=itemgetter(1), default=(0, 0))
    num_heads = usual if count >= max(_NUM_ALIKE, _SHARE_ALIKE * num_bare.total()) else 0
    apart = Counter(
        len(lines)
        for lines, below in pairwise(texts)
        if 0 < len(lines) < 3 <= len(below) + 1 and all(map(_may_be_title, lines))
        if _is_pair(lines) or (len(lines) == 1 and not below[0].is_marked)
    )
    num_apart = next((size for size in (1, 2) if apart[size] > 1), 0)
    headings = [line for block in blocks for kind, line in block if kind == "heading"]
    has_titles = any(line.heading and line.heading.title for line in headings)
    open_blocks = [
        lines for lines in texts if len(lines) > 2 and not any(line.has_mark for line in lines)
    ]
    num_short = sum(map(is_below_short_title, open_blocks))
    short = not (num_apart or has_titles) and num_short >= max(2, len(open_blocks) / 2)
    num_numbered = sum(
        len(lines) == 1 and has_number(lines[0]) and _may_be_title(lines[0]) for lines in texts
    )
    firsts = [
        block[1][1].text
        for block in blocks
        if len(block) > 2 and block[0][0] == "part" and "其" not in block[0][1].text
    ]
    are_different = len(set(firsts)) == len(firsts) > 1
    counted = are_different and 2 * len(firsts) >= len(blocks)
    num_marked = sum(line.source == "heading" for line in headings)
    return Layout(num_heads, num_apart, short, num_numbered > 1, counted, num_marked > 1)


def is_below_short_title(lines: Sequence[Line]) -> bool:
    """Return whether the first line is very short, and shorter than those below it."""
    return (
        0 < lines[0].num_hanzi <= _MAX_SHORT_TITLE
        and lines[0].num_hanzi < min(line.num_hanzi for line in lines[1:3])
        and num_modern_words("".join(line.text for line in lines)) > 0
    )


def _is_pair(lines: Sequence[Line]) -> bool:
    """Return whether two short lines may be a title and an author."""
    return len(lines) == 2 and parse_author(lines[1].text) is not None


def titles_in(run: Sequence[Line]) -> list[int]:
    """Return the places of the titles in lines without marks and blank lines between, or [].

    Either each title has four or eight verses of one length below it, or all titles are of one
    or two characters, and no verse is.
    """
    if not run or run[-1].has_mark:
        return []
    lengths = [line.num_hanzi for line in run]
    if len(set(lengths)) == 1 or any(line.has_mark or len(line.lengths) != 1 for line in run):
        return []
    num_lines = len(run)
    # From the end: whether what begins at a place is poems, and how long the first one is.
    sizes = {num_lines: 0}
    for place in range(num_lines - 1, -1, -1):
        for size in (8, 4):
            end = place + 1 + size
            if end in sizes and len(set(lengths[place + 1 : end])) == 1:
                sizes[place] = 1 + size
    if 0 in sizes and sizes[0] < num_lines:
        places = [0]
        while (end := places[-1] + sizes[places[-1]]) < num_lines:
            places.append(end)
        return places
    places = [place for place, length in enumerate(lengths) if length <= 2]
    gaps = [below - above for above, below in pairwise([*places, num_lines])]
    return places if len(places) > 2 and places[0] == 0 and min(gaps) > 2 else []


def is_signed(run: Sequence[Line]) -> bool:
    """Return whether the last of some lines is the name of the author, below regular verse."""
    if len(run) < 2 or run[-1].is_marked or not (run[-2].is_closed and is_regular(run[:-1])):
        return False
    author = parse_author(run[-1].text)
    return author is not None and (author.certain or is_name(author.name))


def num_heads_at_end(
    run: Sequence[Line],
    below: Block,
    following: Sequence[Block],
    above: Heading | None,
    layout: Layout,
) -> int:
    """Return how many of the last lines, 0 to 2, are the heading of what comes after them.

    ``below`` are the lines below them in their block, which do not begin with text;
    ``following`` the next blocks; ``above`` is a heading that has no poem yet.
    """
    if run[-1].is_closed:
        return 0
    for size in (2, 1):
        rest, tail = run[:-size], run[-size:]
        if len(tail) < size or (rest and not rest[-1].is_closed):
            continue
        if below:
            is_head = _is_above(tail, *below[0]) and bool(below[1:] or following)
        else:
            is_free = not rest or (size == 2 and is_prose(rest))
            is_head = is_free and _is_head_alone(tail, following, None if rest else above, layout)
        if is_head:
            return size
    return 0


def _is_above(tail: Sequence[Line], kind: Kind, below: Line) -> bool:
    """Return whether lines are a title above a sure author, or above the number of a part."""
    if kind == "part":
        return all(map(_may_be_title, tail)) and (len(tail) == 1 or _is_author(tail[1]))
    if kind == "attribution":
        return len(tail) == 1 and _may_be_title(tail[0]) and is_below_title(below.text)
    heading = below.heading if kind == "heading" else None
    is_author = heading is not None and bool(heading.author) and not heading.title
    return is_author and len(tail) == 1 and not tail[0].is_closed


def _is_author(line: Line) -> bool:
    author = parse_author(line.text)
    return author is not None and (author.certain or is_name(author.name))


def _is_head_alone(
    run: Sequence[Line], following: Sequence[Block], above: Heading | None, layout: Layout
) -> bool:
    """Return whether a whole block, or its end, is the heading of the blocks below it."""
    if not following:
        return False
    kind, below = following[0][0]
    author = parse_author(run[-1].text)
    if len(run) == 2 and not (_is_author(run[1]) or (layout.num_apart == 2 and author)):
        return False
    # The author below it shows that a line with marks is a title.
    is_short = not run[0].is_closed and run[0].num_hanzi <= _MAX_TITLE_HANZI
    if not (_may_be_title(run[-1]) and (_may_be_title(run[0]) or is_short)):
        return False
    if kind == "part":
        return above is None or author is not None
    if layout.numbered and len(run) == 1 and has_number(run[0]):
        return True
    if kind == "section" or (kind == "heading" and len(run) == 2):
        return len(run) == 2
    if kind not in ("text", "heading"):
        return False
    lines = [line for _, line in following[0]]
    is_of_one_poet = above is not None and bool(above.title and above.author)
    if above is not None and len(run) == 1 and not (is_of_one_poet and layout.num_apart == 1):
        is_author = author is not None and not above.author
        is_above_author = len(lines) == 1 and _is_author(below) and len(following) > 1
        return is_author or is_above_author or is_old_verse(lines)
    if kind == "heading":
        return below.source == "text" and below.heading is not None and not below.heading.title
    if len(run) == 2 and len(lines) == 1 and _is_author(run[1]) and len(following) > 1:
        return True  # of a book, above the title of its first poem
    if len(lines) == 1 and _may_be_title(below):
        # A title, an author and the verses, each a block of its own.
        author = parse_author(below.text)
        verse = [line for _, line in following[1]] if len(following) > 1 else []
        return author is not None and (is_name(author.name) or is_old_verse(verse))
    differs = len(run) == 2 or run[0].lengths != below.lengths[:1] or len(lines) > 1
    is_usual = layout.num_heads > 0 and below.is_marked
    return is_usual or (differs and (len(lines) > 1 or len(below.lengths) > 1))


def bare_heading(line: Line, titled: bool) -> Heading:
    """Read a line that is known to be a heading: a title, below one an author."""
    author = parse_author(line.text)
    if author and (author.certain or titled):
        return Heading("", author.name, author.dynasty)
    return line.heading or bare_title(line)


def _may_be_title(line: Line) -> bool:
    """Return whether a line is short, has no mark, and is not verses with blanks between."""
    has_mark = line.has_mark and any(mark in line.verse.rstrip("：") for mark in LINE_MARKS)
    if has_mark or not 1 <= line.num_hanzi <= _MAX_TITLE_HANZI:
        return False
    has_author = line.heading is not None and bool(line.heading.author)
    is_couplet = len(line.lengths) > 1 and line.is_even and line.lengths[0] > _MAX_PART_HANZI
    return not is_couplet or has_author


def heads_at(lines: list[Line], above: Heading | None, layout: Layout) -> list[Heading]:
    """Return the headings that the first lines are, judged by the lines below them.

    ``above`` is a heading directly above them, ``layout`` that of the text if they begin a block.
    """
    first, rest = lines[0], lines[1:]
    if not rest or (first.is_closed and (above is not None or first.heading is None)):
        return []
    author = parse_author(first.text)
    are_bare = len(lines) > 3 and not any(line.has_mark for line in lines[:3])
    if above is None and are_bare and lines[3].is_marked and _is_author(lines[2]):
        pair = _title_and_author(lines[1:], Layout())
        return [bare_title(first), *pair] if pair else []  # with a collection's name above
    pair = _title_and_author(lines, layout if above is None else Layout())
    if pair:
        return pair
    if above is not None:
        is_author = author is not None and _may_be_title(first) and not first.is_marked
        if (
            is_author
            and author
            and not above.author
            and (author.certain or is_name(author.name) or _fits([first], rest))
        ):
            return [Heading("", author.name, author.dynasty)]
    differs = first.lengths != rest[0].lengths
    if first.heading and first.heading.author and differs and not first.heading.rest:
        fits = first.heading.certain or _fits([first], rest) or len(rest[0].lengths) > 2
        if fits:
            return [first.heading]
    if above is not None:
        return []
    # Above a clean line, verses would have marks, too.
    may_be_title = _may_be_title(first) or (not first.has_mark and rest[0].is_clean)
    is_short = layout.short and len(rest) > 1 and is_below_short_title(lines)
    # Where titles are headings, a line above two or three without marks begins a stanza.
    is_stanza = layout.marked and len(lines) < 5 and not any(line.has_mark for line in lines)
    if may_be_title and not is_stanza and (is_short or _fits([first], rest)):
        return [bare_title(first)]
    return []


def is_titled_anew(lines: Sequence[Line], above: Heading) -> bool:
    """Return whether a block below a heading has a title of its own, above regular verse."""
    first, *verse = lines
    may_be_title = not first.has_mark and _may_be_title(first)
    is_no_author = bool(above.author) or parse_author(first.text) is None
    is_above_verse = bool(verse) and verse[0].is_marked and is_old_verse(verse)
    return may_be_title and is_no_author and is_above_verse and _fits([first], verse)


def has_number(line: Line) -> bool:
    """Return whether a line begins with the number of a list."""
    return without_number(line.text) != line.text


def bare_title(line: Line) -> Heading:
    """Return a line without the number of a list as a title."""
    return Heading(without_number(line.text).rstrip(":："))


def _title_and_author(lines: list[Line], layout: Layout) -> list[Heading]:
    """Return a title and an author on two lines above verse, or nothing."""
    if len(lines) < 3 or lines[0].is_closed or lines[1].is_marked:
        return []
    title, author = lines[0], parse_author(lines[1].text)
    is_usual = layout.num_heads == 2 and lines[2].is_marked and not title.is_marked
    if is_usual and lines[1].num_hanzi <= _MAX_AUTHOR_HANZI:
        found = author or Author(lines[1].text)
        return [bare_title(title), Heading("", found.name, found.dynasty)]
    if lines[1].has_mark:
        return []
    if author is None or not 0 < title.num_hanzi <= _MAX_TITLE_HANZI:
        return []
    named = author.certain or is_name(author.name)
    if not (named and lines[1].lengths != lines[2].lengths):
        named = _may_be_title(title) and _fits(lines[:2], lines[2:])
    if not named:
        return []
    return [bare_title(title), Heading("", author.name, author.dynasty)]


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
    if num_modern_words("".join(line.text for line in run)):
        return False
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
