"""The text of a field: its separators, and its lines without marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from poetgen.characters import (
    END_MARKS,
    HAN,
    LINE_MARKS,
    full_width,
    mostly_han,
    punctuated,
)
from poetgen.reading.documents import RawPoem

# No 。 within a line: where the source has them, a line without one at its end is not finished.
_VERSES = re.compile(rf"[{HAN}]{{1,16}}(?:[{LINE_MARKS.replace('。', '')}\s]+[{HAN}]{{1,16}})*")
_BETWEEN_VERSES = re.compile(rf"[{LINE_MARKS}\s|/]+")
_INNER_MARK = re.compile(f"[{LINE_MARKS}]")
# Line breaks that a program wrote out, and the separator of verses in corpora.
HAS_BREAK = re.compile(r"[\n|/]|\\n")
_BREAKS = re.compile(r"\s*(?:\\r)?\\n\s*|\s*\|\s*")
# {亻|口/工}: a character by its parts. Beside a mark or a letter a slash has another sense.
_NO_SLASH = re.compile(rf"\{{|[{LINE_MARKS}]\s*/|/\s*[{LINE_MARKS}/a-zA-Z\d]")


def broken(text: str) -> str:
    r"""Return a Chinese text with a line break for each bar, slash and written-out ``\n``."""
    is_apart = "/" in text and not _NO_SLASH.search(text)
    if is_apart and 4 * text.count("/") >= len(verses_of(text)):
        text = text.replace("/", "|")
    has_break = "\\n" in text or ("|" in text and "{" not in text)
    return _BREAKS.sub("\n", text) if has_break and mostly_han(text) else text


def lined(text: str) -> str:
    """Return a text of several lines with 。 after each, if its marks stand only within lines.

    春眠不觉晓，处处闻啼鸟 / 夜来风雨声，花落知多少 is two sentences. Verses that have no mark at
    all stay on their lines; cleaning puts marks between them.
    """
    lines = text.strip().split("\n") if "\n" in text else []
    return joined(lines) if len(lines) > 1 and are_verses(lines) else text


def are_verses(lines: Iterable[str]) -> bool:
    """Return whether these are Chinese verses, of which half or more have no mark at their end."""
    stripped = [line for line in (full_width(line.strip()) for line in lines) if line]
    bare = [line[-1] not in LINE_MARKS for line in stripped]
    return (
        any(bare[:-1])
        and 2 * sum(bare) >= len(bare)
        and all(_VERSES.fullmatch(line.rstrip(LINE_MARKS)) for line in stripped)
    )


def joined(lines: Iterable[str]) -> str:
    """Join verses of which some have no mark at their end.

    If there are marks within them, each that has none gets 。; if there are marks at some ends,
    ，and 。 in turn. Without any mark they stay on their lines; cleaning punctuates them.
    """
    lines = [full_width(line) for line in map(str.strip, lines) if line]
    if any(_INNER_MARK.search(line[:-1]) for line in lines):
        return "".join(line if line[-1] in LINE_MARKS else f"{line}。" for line in lines)
    if any(line[-1] in LINE_MARKS for line in lines[:-1]):
        return punctuated(lines)
    return "\n".join(lines)


def verses_of(text: str) -> list[str]:
    """Split a Chinese text at its marks, blanks and line breaks."""
    return [verse for verse in _BETWEEN_VERSES.split(full_width(text)) if verse]


def united(poems: Sequence[RawPoem]) -> list[RawPoem] | None:
    """Return the poems of which ``poems`` has one verse each, in turn, under equal titles.

    None if most are more than a verse, all are sentences, or one has no title.
    """
    if all(poem.text[-1:] in END_MARKS for poem in poems):
        return None
    num_verses = sum(len(poem.text) <= 17 and len(verses_of(poem.text)) == 1 for poem in poems)
    if len(poems) < 2 or 10 * num_verses < 9 * len(poems) or not mostly_han(poems[0].text):
        return None
    groups = [list(group) for _, group in groupby(poems, key=lambda poem: poem[1:])]
    if len(groups) == len(poems) or not all(group[0].title for group in groups):
        return None
    texts = ("\n".join(poem.text for poem in group) for group in groups)
    return [group[0]._replace(text=lined(text)) for group, text in zip(groups, texts, strict=True)]
