"""From the fields of a source to its poems: HTML, line breaks, and fields that hold several things.

A title may have its author beside it, and a text may have both above it and notes below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from poetgen.characters import HAN, LINE_MARKS, mostly_han, printable, without_surrogates
from poetgen.reading.blocks import gather_poems
from poetgen.reading.columns import NUM_ROWS_LOOKED_AT
from poetgen.reading.documents import RawPoem, Reading, united_readings
from poetgen.reading.headings import Heading, parse_heading
from poetgen.reading.lines import Line, is_chinese, is_regular, tidy
from poetgen.reading.raw_text import HAS_BREAK, broken, lined
from poetgen.reading.tags import plain

_BARE = re.compile(f"[{HAN}{LINE_MARKS}\\n]+")


def tidied(found: Reading, text: str, name: str, *, has_lines: bool = False) -> Reading:
    r"""Resolve what the fields of poems have from the format of their source, ``text``.

    HTML is taken off, titles are divided from authors, texts of several lines are read like
    running text or punctuated, and half characters, which JSON can spell, become U+FFFD.
    Looking into the source first is quick; hardly any source has these. ``has_lines`` says that
    fields may have line breaks that are not escaped.
    """
    poems = found.poems
    has_escapes = "\\" in text
    has_html = "<" in text or "&" in text or (has_escapes and "\\u00" in text)
    if has_html:
        poems = [RawPoem(*map(plain, poem)) for poem in poems]
    if has_escapes:
        poems = [RawPoem(*map(without_surrogates, poem)) for poem in poems]
    poems = _with_authors(poems)
    # Where titles are missing, they may stand on the lines of the texts.
    are_headed = not any(poem.title for poem in poems) and _most(
        map(_divided, poems[:NUM_ROWS_LOOKED_AT])
    )
    # The first verse of one poem may be its title, but not of most poems.
    repeats = _most(map(_repeats_title, poems[:NUM_ROWS_LOOKED_AT]))
    is_whole = are_headed or repeats
    if not (has_html or has_escapes or has_lines or "|" in text or "/" in text or is_whole):
        return found._replace(poems=poems)
    done: list[RawPoem] = []
    parts = [found]
    for poem in poems:
        if not (is_whole or HAS_BREAK.search(poem.text)):
            done.append(poem)
            continue
        poem = poem._replace(text=broken(poem.text))
        if part := _divided(poem, repeats=repeats):
            parts.append(part)
        done += [one._replace(text=lined(one.text)) for one in (part.poems if part else [poem])]
    found = united_readings(parts)._replace(poems=done)
    if len(parts) == 1:
        return found
    first = parts[1].poems[0]
    doubt = (
        f"{len(parts) - 1} texts of {name} hold titles, authors or notes, too, and are read like "
        f"running text, for example {printable(first.title or first.text[:20])!r}."
    )
    return found._replace(doubts=[*found.doubts, doubt])


def _with_authors(poems: list[RawPoem]) -> list[RawPoem]:
    """Divide titles such as 《春晓》孟浩然, if no poem has an author and half the titles are such.

    The same holds for authors, if no poem has a title.
    """
    for role, other in (("title", "author"), ("author", "title")):
        if any(getattr(poem, other) for poem in poems):
            continue
        if _most(_both_of(getattr(poem, role)) for poem in poems[:NUM_ROWS_LOOKED_AT]):
            return [
                RawPoem(poem.text, head.title, head.author, head.dynasty or poem.dynasty)
                if (head := _both_of(getattr(poem, role)))
                else poem
                for poem in poems
            ]
    return poems


def _both_of(label: str) -> Heading | None:
    """Return the title and the author in a label; None if it does not have both."""
    head = parse_heading(label)
    return head if head and head.title and head.author else None


def _most(found: Iterable[object]) -> bool:
    """Return whether half of the values found are something."""
    passed = list(map(bool, found))
    return 2 * sum(passed) >= len(passed) > 0


def _divided(poem: RawPoem, *, repeats: bool = False) -> Reading | None:
    """Return what a text holds, read like running text; None if there is only verse.

    Below a title that is known, all is verse but for its author, notes and the poems of a
    series; if the text ``repeats`` the title, also but for that and any author.
    """
    raw_lines = poem.text.split("\n")
    if len(raw_lines) > 1 and len(set(map(len, raw_lines))) == 1 and _BARE.fullmatch(poem.text):
        return None  # most poems
    lines = list(map(Line, map(tidy, raw_lines)))
    is_verse = all(line.is_clean for line in lines)
    if is_verse or (is_regular(lines) and mostly_han(poem.text)) or not is_chinese(lines):
        return None
    found = gather_poems(lines)
    named = [one for one in found.poems if one.title or one.author]
    is_sure = (repeats or found.left_out.keys() <= {"notes", "pinyin"}) and all(
        (one.title[:1] in ("", "其") or (repeats and one.title == poem.title))
        and (one.author in ("", poem.author) or repeats)
        for one in named
    )
    is_free = not (poem.title or "prose" in found.left_out)
    if not ((is_sure or is_free) and found.poems and (named or found.left_out)):
        return None
    poems: list[RawPoem] = []
    for text, title, author, dynasty in found.poems:
        if poems and not title:  # a stanza
            poems[-1] = poems[-1]._replace(text=f"{poems[-1].text}\n{text}")
        else:
            title = title if title == poem.title else f"{poem.title} {title}".strip()
            poems.append(RawPoem(text, title, author or poem.author, dynasty or poem.dynasty))
    return found._replace(poems=poems)


def _repeats_title(poem: RawPoem) -> bool:
    """Return whether a text begins with its title, which is also known from elsewhere."""
    beginning = poem.text[: len("".join(poem[1:])) + 9]
    return poem.title != "" and poem.title in beginning and _divided(poem, repeats=True) is not None
