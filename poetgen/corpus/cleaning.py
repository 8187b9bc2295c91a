"""From an editor's page to the poem alone.

Published poems carry the work of their editors: notes in brackets, numbers of notes,
characters described by their parts, holes where a character is lost. ``clean`` removes what
is not the poem, and rejects what is not a whole poem, with a reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

from poetgen.characters import (
    HAN,
    LINE_MARKS,
    LOST,
    full_width,
    hanzi_only,
    is_modern,
    mostly_han,
    punctuated,
    unix_newlines,
)

Reason = Literal[
    "empty",
    "lacuna",
    "unbalanced note",
    "debris",
    "fragment",
    "not verse",
    "too long",
    "duplicate",
    "near-duplicate",
    "other form",
    "other author",
]

# A text shorter than two lines of four characters is a quotation, not a poem.
MIN_HANZI = 8
# No metre has longer lines; the few texts that do are editors' prose.
MAX_LINE_HANZI = 16
# The marks that a poem may end with; any other is replaced by 。
_LAST_MARKS = "。？！"

# Blanks stand between verses of this length, and between the words of a verse.
_MIN_VERSE_HANZI = 4
_LONG_MODERN_LINE = re.compile(f"[{HAN}]{{{2 * MAX_LINE_HANZI + 1}}}")

_NOTE = re.compile(r"（[^（）]*）|\([^()]*\)|〖[^〖〗]*〗|【[^【】]*】|〈[^〈〉]*〉")
# No editor nests notes deeper; what is left then is an unbalanced bracket.
_MAX_NOTE_DEPTH = 100
# [一], [12] and ① are numbers of notes; [溪] is a character that the editor restored.
_NOTE_NUMBER = re.compile(r"[\[［][0-9一二三四五六七八九十○〇]*[\]］]|[①-⑳⑴-⒇❶-❿]")
_RESTORED = re.compile(rf"[\[［]([{HAN}{LINE_MARKS}]*)[\]］]")
# {口馬}, ⿰木養: a glyph described by its parts, whose character is not known here.
_DESCRIBED = re.compile(r"\{[^{}]*\}|[\u2ff0-\u2fff]")
_LOST = re.compile(f"[{LOST}\ue000-\uf8ff\U000f0000-\U0010ffff]")
_BRACKET = re.compile(r"[（）()〖〗【】〈〉\[\]［］{}①-⑳⑴-⒇❶-❿]")
# Quotation marks, dots and dashes.
_SIGNS = re.compile(r"[「」『』“”‘’\"'《》﹁﹂﹃﹄…—·]")
_SPACES = re.compile(r"\s+")
_NOT_VERSE_CHARS = re.compile(f"[^{HAN}{LINE_MARKS}]")
_MARK_AND_BREAK = re.compile(f"[{LINE_MARKS}]\\n")
_MARK_RUN = re.compile(f"[{LINE_MARKS}]{{2,}}")
_LONG_LINE = re.compile(f"[{HAN}]{{{MAX_LINE_HANZI + 1}}}")
_VERSE = re.compile(f"[{HAN}]{{1,{MAX_LINE_HANZI}}}")
# The poem's own number in a list: 1. or 12、
_NUMBER = re.compile(r"^\s*\d{1,5}\s*[.．、)）]")
_NOT_LETTERS = re.compile(r"[^a-z\n]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_SEPARATORS = re.compile(r"[\x85\u2028\u2029]")
# Invisible: direction marks, soft hyphens, byte order marks, variation selectors.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180b-\u180f\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# Zero-width joiners: removed from Chinese; other scripts need them to shape their letters.
_JOINERS = re.compile(r"[\u200c\u200d]")
# Most poems of a good edition: lines with a mark after each, the last one of an end.
_CLEAN_VERSE = re.compile(f"(?:[{HAN}]{{1,{MAX_LINE_HANZI}}}+[{LINE_MARKS}])++(?<=[{_LAST_MARKS}])")
_BESIDE_MARK = re.compile(rf" *([{LINE_MARKS}]) *")


class Cleaned(NamedTuple):
    """A clean poem, or the reason why it is rejected; exactly one of the two is set."""

    text: str | None
    reason: Reason | None


def clean(text: str, *, words: bool = False, prose: bool = False, modern: bool = False) -> Cleaned:
    """Return ``text`` without the editor's work, or the reason why no whole poem is left.

    Chinese text becomes characters and the marks ，。？！；：、 and nothing else; with
    ``words``, also the blanks between its words; modern verse whose lines have no marks keeps
    its line breaks, with ``modern`` also if it has no function words. ``prose``, and text that
    is not Chinese, keeps its letters, punctuation and line breaks.
    """
    if not prose and _is_clean_verse(text):
        return Cleaned(text, None)  # the slow way would leave it as it is
    text = unicodedata.normalize("NFC", without_invisible(text))
    if prose or not mostly_han(text):
        return _clean_plain(text)
    return _clean_verse(text, words, modern)


def are_modern(texts: Iterable[str]) -> bool:
    """Return whether most texts that are unequal lines without marks are modern verse."""
    bare = [lines for text in texts if "\n" in text and (lines := _bare_lines(text))]
    return 2 * sum(is_modern("".join(lines)) for lines in bare) > len(bare)


def letters_only(text: str) -> str:
    """Return lower-case letters, with one blank for every run of anything else, by line.

    No blanks at the ends of a line; empty lines stay empty. So textbooks count the characters
    of *The Time Machine* (Zhang et al., Dive into Deep Learning).
    """
    lines = _NOT_LETTERS.sub(" ", text.lower()).split("\n")
    return "\n".join(line.strip() for line in lines)


def without_invisible(text: str) -> str:
    """Remove control characters, direction marks, soft hyphens and the like, not line breaks."""
    return _INVISIBLE.sub("", text)


def without_notes(text: str) -> str:
    """Remove notes in brackets, nested ones too; a character that was restored, [溪], stays."""
    text = _NOTE_NUMBER.sub("", text)
    text = _RESTORED.sub(r"\1", text)
    # Notes contain notes: remove the innermost until none is left.
    for _ in range(_MAX_NOTE_DEPTH):
        text, num_notes = _NOTE.subn("", text)
        if num_notes == 0:
            break
    return text


def _is_clean_verse(text: str) -> bool:
    """Return whether ``text`` is verse without anything to clean; False if in doubt."""
    return (
        len(text) >= 2 * MIN_HANZI  # at least half of it are characters
        and _CLEAN_VERSE.fullmatch(text) is not None
        and unicodedata.is_normalized("NFC", text)
    )


def _clean_plain(text: str) -> Cleaned:
    text = _LINE_SEPARATORS.sub("\n", unix_newlines(text))
    text = _CONTROL.sub("", text.replace("\t", " "))
    text = "\n".join(re.sub(" +", " ", line).strip() for line in text.strip().split("\n"))
    if not text:
        return Cleaned(None, "empty")
    return Cleaned(text, None)


def _clean_verse(text: str, words: bool, modern: bool) -> Cleaned:
    text = _JOINERS.sub("", text)
    verses = [line.strip() for line in text.splitlines() if line.strip()] if words else text.split()
    bare = None if words else _bare_lines(text)
    if bare and (modern or is_modern("".join(bare))):
        return _verdict("\n".join(bare), _LONG_MODERN_LINE)
    # Verses are often written without marks, separated by line breaks or blanks.
    if len(verses) > 1 and all(_VERSE.fullmatch("".join(verse.split())) for verse in verses):
        text = punctuated(verses)
    elif not words and len(verses) > 1:
        text = _with_commas(text)
    text = _SPACES.sub(" " if words else "", _NUMBER.sub("", text))
    text = full_width(without_notes(text) if _BRACKET.search(text) else text)
    text = _SIGNS.sub("", text)
    if words:
        text = _BESIDE_MARK.sub(r"\1", _SPACES.sub(" ", text)).strip()
    poem, reason = _verdict(_MARK_RUN.sub(_one_mark, text.lstrip(LINE_MARKS)), _LONG_LINE)
    if poem is not None and poem[-1] not in _LAST_MARKS:
        poem = poem.rstrip(LINE_MARKS) + "。"
    return Cleaned(poem, reason)


def _verdict(text: str, long_line: re.Pattern[str]) -> Cleaned:
    """Return ``text``, from which notes are gone, or the reason why it is not a whole poem."""
    if _DESCRIBED.search(text) or _LOST.search(text):
        return Cleaned(None, "lacuna")
    if _BRACKET.search(text):
        return Cleaned(None, "unbalanced note")
    letters = re.sub("[ \n]", "", text)
    if _NOT_VERSE_CHARS.search(letters):
        return Cleaned(None, "debris")
    num_hanzi = len(hanzi_only(text))
    if num_hanzi == 0:
        return Cleaned(None, "empty")
    if num_hanzi < MIN_HANZI:
        return Cleaned(None, "fragment")
    if long_line.search(text.replace(" ", "")):
        return Cleaned(None, "not verse")
    return Cleaned(text, None)


def _bare_lines(text: str) -> list[str] | None:
    """Return the clean lines of a text, of unequal lengths and half of them without a mark.

    None if ``text`` is anything else: modern verse, or a ci whose marks are lost, has such lines.
    """
    if 2 * len(_MARK_AND_BREAK.findall(text)) > text.count("\n") + 1 or "\n" not in text.strip():
        return None
    text = without_notes(text) if _BRACKET.search(text) else text
    lines = [line for line in map(_clean_line, text.splitlines()) if hanzi_only(line)]
    num_bare = sum(line[-1] not in LINE_MARKS for line in lines)
    is_uneven = len(set(map(len, lines))) > 1
    return lines if len(lines) > 1 and is_uneven and 2 * num_bare >= len(lines) else None


def _clean_line(line: str) -> str:
    """Clean a line of modern verse; a blank inside it is a pause."""
    parts = _SIGNS.sub("", full_width(line)).split()
    line = "".join(part if part[-1] in LINE_MARKS else part + "，" for part in parts[:-1])
    return _MARK_RUN.sub(_one_mark, line + "".join(parts[-1:])).lstrip(LINE_MARKS)


def _with_commas(text: str) -> str:
    """Put ，where a blank or a line end stands between two verses, rather than inside one.

    Blanks divide a clause into verses of one length, of four characters or more; line ends
    divide it unless both sides together are as long as most clauses: a verse broken in two.
    """
    clauses = re.split(f"([{LINE_MARKS},.?!;:]+)", text.strip())
    whole = Counter(len(clause.strip()) for clause in clauses[::2] if len(clause.split()) == 1)
    usual = whole.most_common(1)[0][0] if whole else 0
    return "".join(
        _divided_clause(clause, usual) if place % 2 == 0 else clause
        for place, clause in enumerate(clauses)
    )


def _divided_clause(clause: str, usual: int) -> str:
    parts = clause.split()
    if len(parts) < 2 or not all(map(_VERSE.fullmatch, parts)):
        return clause
    lengths = [len(part) for part in parts]
    are_equal = len(set(lengths)) == 1 and lengths[0] >= _MIN_VERSE_HANZI
    are_lines = len(clause.strip().splitlines()) == len(parts) and min(lengths) >= 3
    divides = are_equal or (are_lines and sum(lengths) != usual)
    return ("，" if divides else "").join(parts)


def _one_mark(run: re.Match[str]) -> str:
    # Where a note stood between two marks, the stronger one ends the line.
    return min(run.group(), key="。？！；：，、".index)
