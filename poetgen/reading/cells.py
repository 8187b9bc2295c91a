"""From the fields of a source to its poems: HTML, line breaks, and fields that hold several things.

A title may have its author beside it, and a text may have both above it and notes below it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from poetgen.characters import hanzi_only, mostly_han, printable, without_surrogates
from poetgen.reading.blocks import gather_poems
from poetgen.reading.columns import NUM_ROWS_LOOKED_AT, is_dynasty
from poetgen.reading.documents import RawPoem, Reading
from poetgen.reading.headings import parse_heading
from poetgen.reading.lines import Line, is_regular, tidy
from poetgen.reading.raw_text import HAS_BREAK, broken, lined
from poetgen.reading.tags import plain


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
    has_breaks = has_html or has_escapes or has_lines or "|" in text
    are_headed = _are_headed(poems)
    if not (has_breaks or are_headed):
        return found._replace(poems=poems)
    left_out, first, num_divided = Counter(found.left_out), "", 0
    done: list[RawPoem] = []
    for poem in poems:
        if are_headed or HAS_BREAK.search(poem.text):
            poem = poem._replace(text=broken(poem.text))
            if divided := _divided(poem):
                left_out.update(divided.left_out)
                first, num_divided = first or poem.text, num_divided + 1
                done += [one._replace(text=lined(one.text)) for one in divided.poems]
                continue
            poem = poem._replace(text=lined(poem.text))
        done.append(poem)
    doubts = list(found.doubts)
    if num_divided:
        doubts.append(
            f"{num_divided} texts of {name} hold titles, authors or notes, too, and are read like "
            f"running text, for example {printable(' '.join(first.split())[:20])!r}."
        )
    return found._replace(poems=done, left_out=left_out, doubts=doubts)


def _with_authors(poems: list[RawPoem]) -> list[RawPoem]:
    """Divide titles such as 《春晓》孟浩然, if no poem has an author and half the titles are such.

    The same holds for authors, if no poem has a title.
    """
    for role, other in (("title", "author"), ("author", "title")):
        if not poems or any(getattr(poem, other) for poem in poems):
            continue
        looked_at = [getattr(poem, role) for poem in poems[:NUM_ROWS_LOOKED_AT]]
        if 2 * sum(_names_both(label) for label in looked_at) < max(sum(map(bool, looked_at)), 1):
            continue
        return [
            RawPoem(poem.text, head.title, head.author, head.dynasty or poem.dynasty)
            if (head := parse_heading(getattr(poem, role))) and head.title and head.author
            else poem
            for poem in poems
        ]
    return poems


def _names_both(label: str) -> bool:
    head = parse_heading(label)
    return head is not None and bool(head.title and head.author)


def _are_headed(poems: Sequence[RawPoem]) -> bool:
    """Return whether no poem has a title, and half of the texts begin with one on their line."""
    if not poems or poems[0].title or any(poem.title for poem in poems):
        return False
    heads = [Line(poem.text).heading for poem in poems[:NUM_ROWS_LOOKED_AT]]
    return 2 * sum(head is not None and bool(head.title and head.rest) for head in heads) >= len(
        heads
    )


def _divided(poem: RawPoem) -> Reading | None:
    """Return what a text of several lines holds, read like running text; None if only verse.

    The lines above it that repeat its title and its author are left out. Below a title that is
    known, all else is verse, but for notes and the poems of a series.
    """
    if not mostly_han(poem.text):
        return None
    lines = [Line(tidy(line)) for line in poem.text.split("\n")]
    num_repeated = next((n for n, line in enumerate(lines) if not _repeats(line.text, poem)), 0)
    lines = lines[num_repeated:]
    if not num_repeated and (all(line.is_clean for line in lines) or is_regular(lines)):
        return None
    found = gather_poems(lines)
    titles = [one.title for one in found.poems if one.title]
    is_certain = not poem.title or all(title.startswith("其") for title in titles)
    if not (is_certain and found.poems and (titles or found.left_out)) or "prose" in found.left_out:
        if not num_repeated:
            return None
        text = "\n".join(line.text for line in lines)
        return Reading([poem._replace(text=text)])
    if not titles:
        text = "\n".join(one.text for one in found.poems)
        author = poem.author or next((one.author for one in found.poems), "")
        return Reading([poem._replace(text=text, author=author)], found.left_out)
    return Reading(
        [
            RawPoem(
                one.text,
                f"{poem.title} {one.title}".strip(),
                one.author or poem.author,
                one.dynasty or poem.dynasty,
            )
            for one in found.poems
        ],
        found.left_out,
    )


def _repeats(line: str, poem: RawPoem) -> bool:
    """Return whether a line says nothing but the title, the author and the dynasty of a poem."""
    rest = line
    for label in poem[1:]:
        rest = rest.replace(label, "", 1) if label else rest
    rest = hanzi_only(rest)
    return rest != hanzi_only(line) and (not rest or is_dynasty(rest) or rest == "作者")
