"""The text of a field as its source has it: HTML, separators and lines without marks resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable

from poetgen.characters import (
    HAN,
    LINE_MARKS,
    full_width,
    mostly_han,
    punctuated,
    without_surrogates,
)
from poetgen.reading.documents import RawPoem
from poetgen.reading.tags import plain

# No 。 within a line: where the source has them, a line without one at its end is not finished.
_VERSES = re.compile(rf"[{HAN}]{{1,16}}(?:[{LINE_MARKS.replace('。', '')}\s]+[{HAN}]{{1,16}})*")
_INNER_MARK = re.compile(f"[{LINE_MARKS}]")
# Line breaks that a program wrote out, and the separator of verses in corpora.
_BREAKS = re.compile(r"\s*(?:\\r)?\\n\s*|\s*[|｜]\s*")


def tidied(poems: list[RawPoem], text: str) -> list[RawPoem]:
    """Resolve what the fields of ``poems`` have from the format of their source, ``text``.

    HTML is taken off; half characters, which JSON can spell, become U+FFFD. Looking into the
    source first is quick; hardly any source has either.
    """
    if "<" in text or "&" in text or "\\u00" in text:
        poems = [RawPoem(*map(plain, poem)) for poem in poems]
    if "\\" in text:
        poems = [RawPoem(*map(without_surrogates, poem)) for poem in poems]
    if "\n" in text or "\\" in text or "|" in text or "｜" in text:
        poems = [
            poem._replace(text=lined(poem.text))
            if not poem.text.isprintable()
            or "\\" in poem.text
            or "|" in poem.text
            or "｜" in poem.text
            else poem
            for poem in poems
        ]
    return poems


def lined(text: str) -> str:
    r"""Return a text of several lines with 。 after each, if its marks stand only within lines.

    春眠不觉晓，处处闻啼鸟 / 夜来风雨声，花落知多少 is two sentences. Verses that have no mark at
    all stay on their lines; cleaning puts marks between them. A written-out ``\n`` and a bar
    in Chinese text end a line.
    """
    # A bar may also describe a character by its parts: {亻|口/工}.
    has_break = "\\n" in text or (("|" in text or "｜" in text) and "{" not in text)
    if has_break and mostly_han(text):
        text = _BREAKS.sub("\n", text)
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
