"""From lines to blocks: at blank lines, without what is left out by its own line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from poetgen.reading.context import Block, is_old_verse
from poetgen.reading.documents import Aside, LeftOut
from poetgen.reading.lines import LABEL, Kind, Line, after_date, kind_of, unsigned


def blocks_of(lines: Sequence[Line], asides: list[Aside]) -> tuple[list[Block], list[Block] | None]:
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
        for place, line in enumerate(lines)
        if not line.num_hanzi and line.text[:1].isalpha()  # also WiFi（无线网）
        if kinds[place][1] == "lines without Chinese" or kinds[place][0] == "text"
    ]
    if not places:
        return lines
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
