"""What stands among verses and is none: prefaces, glosses, labels, sentences of prose."""

from __future__ import annotations

import re
from collections.abc import Sequence

from poetgen.characters import HAN, is_modern, num_modern_words
from poetgen.reading.lines import Line, is_prose, is_regular

# A line of prose among verses is longer than they are.
_MIN_PARAGRAPH_HANZI, _MIN_PARAGRAPH_WORDS = 24, 3
# No stanza is shorter; it may be the text of a button, or the title of a poem that is lost.
_SCRAP_HANZI = 8
# Below regular verse, a line in another metre that is not longer is no stanza.
_MAX_REMARK_HANZI = 16
_PREFACE = re.compile(
    r"^[（(]?(?:小|原|自|并)?序[)）]?[:：\s]|作此|赋此|因赋|遂赋|为赋|以纪|以记|戏作|兼怀|赋之|用韵|次韵|故作|所作|而作|乃作|赋诗|命曰"
    r"|此[曲词詞篇诗詩阕闋]|自度|以寄"
)
# No metre has longer clauses.
_MAX_CLAUSE_HANZI = 11
# Such a share of the other poems show how a poem ends.
_USUALLY = 0.8
_NO_VERSE = re.compile("[0-9A-Za-z]")
# 浥：湿润 and 标签：唐诗, but not 老人说：…
_LABELLED = re.compile(rf"([{HAN}]{{0,5}}[^\W曰云道说說言问問答歌唱])[:：]\s*\S")


def is_paragraph(line: Line) -> bool:
    """Return whether a line among verses is a paragraph of prose."""
    return (
        line.num_hanzi > _MIN_PARAGRAPH_HANZI
        and num_modern_words(line.text) >= _MIN_PARAGRAPH_WORDS
        and is_prose([line])
    )


def is_preface(first: Line) -> bool:
    """Return whether a line below a title and above verses says how the poem came about."""
    return first.is_closed and not first.is_even and _PREFACE.search(first.text) is not None


def is_other_metre(lines: Sequence[Line], below: Sequence[Line]) -> bool:
    """Return whether lines are one sentence, and those below it verse with no clause as long."""
    [first, *others] = lines
    lengths = {length for line in below for length in line.lengths}
    is_sentence = not others and first.is_closed and len(first.lengths) > 1 and not first.is_even
    return is_sentence and len(lengths) == 1 and not lengths & {*first.lengths}


def num_verses(lines: Sequence[Line], poem: Sequence[Line], title: str) -> int:
    """Return how many of ``lines`` are verse; those after them speak about the poem.

    ``poem`` are its verses above. A gloss has a word of the poem before its colon; below regular
    verse, so does any label or modern sentence in another metre.
    """
    if all(line.is_clean and "：" not in line.text for line in lines):
        return len(lines)
    for place, line in enumerate(lines):
        above = [*poem, *lines[:place]]
        if above and _is_about(line, above, title):
            return place
    are_labels = len(lines) > 1 and all(_LABELLED.match(line.text) for line in lines)
    return 0 if are_labels else len(lines)


def has_label(line: Line) -> bool:
    """Return whether a line begins with a label or a word and a colon."""
    return _LABELLED.match(line.text) is not None


def _is_about(line: Line, poem: Sequence[Line], title: str) -> bool:
    label = _LABELLED.match(line.text)
    if not (label or num_modern_words(line.text)) or (line.heading and line.heading.rest):
        return False
    if is_regular(poem) and not {*line.lengths} <= {*poem[0].lengths}:
        return True
    words = title + "".join(verse.text for verse in poem)
    return label is not None and poem[-1].is_closed and label[1] in words


def is_scrap(lines: Sequence[Line], poem: Sequence[Line]) -> bool:
    """Return whether a block below a poem is too short, or too different, for a stanza of it."""
    [first, *others] = lines
    if not others and _NO_VERSE.search(first.text) and not _NO_VERSE.search(poem[-1].text):
        return True  # 3条回复
    if not others and poem[-1].is_closed and not first.has_mark and first.num_hanzi <= _SCRAP_HANZI:
        return True
    if is_regular(poem):
        is_single = not others and len(first.lengths) == 1 and first.has_mark and first.is_closed
        lengths = {length for line in lines for length in line.lengths}
        if not (is_single or not lengths <= {*poem[0].lengths}):
            return False
        is_spoken = not others and num_modern_words(first.text) > 0
        return is_spoken or sum(line.num_hanzi for line in lines) <= _MAX_REMARK_HANZI
    # A poem without marks has no stanza with marks.
    are_bare = len(poem) > 2 and not any(line.has_mark for line in poem)
    return are_bare and len(lines) <= 2 and lines[-1].is_closed and lines[-1].has_mark


def is_lone_sentence(lines: Sequence[Line]) -> bool:
    """Return whether lines are one modern sentence, of one or two clauses of unequal lengths."""
    [first, *others] = lines
    is_one = not others and first.is_closed and first.has_mark and len(first.lengths) <= 2
    is_uneven = len(first.lengths) == 1 or not first.is_even
    is_spoken = num_modern_words(first.text) > 0 or (
        max(first.lengths, default=0) > _MAX_CLAUSE_HANZI and is_modern(first.text)
    )
    return is_one and is_uneven and is_spoken


def is_cut_off(poem: Sequence[Line], others: Sequence[Sequence[Line]]) -> bool:
    """Return whether the last poem of a text ends without its last mark, and most others with."""
    num_closed = sum(lines[-1].is_closed for lines in others)
    return not poem[-1].is_closed and num_closed >= max(2, _USUALLY * len(others))
