"""HTML within a field: taken off, with its line breaks kept."""

from __future__ import annotations

import html
import re

# Only what is surely HTML: <门系> is a character described by its parts.
_HTML = re.compile(
    r"</?(?:p|br|div|span|font|a|b|i|u|em|strong|center|h[1-6]|ul|ol|li|table|tbody|tr|td|th|img"
    r"|sup|sub|ruby|rb|rt|rp|small|blockquote|pre|poem|section|article|script|style)(?:\s[^<>]*)?/?>"
    r"|<!--|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});"
)
# Before each tag of a block, the closing one included.
_BREAK = re.compile(r"(?=</?(?:br|p|div|li|tr|h[1-6]|blockquote|section)\b)", re.IGNORECASE)
# Broken comments take quadratic time; a poem with so many tags is dropped by cleaning.
_MAX_TAGS = 10_000
# Notes and readings between the lines, and what is not text at all.
_LEFT_OUT = ("script", "style", "sup", "rt", "rp")
_BLANKS = re.compile(r"[^\S\n\u3000]+")


def plain(text: str) -> str:
    """Return ``text`` without HTML: entities resolved, a line for each block and ``<br>``.

    Notes (``<sup>``) and readings (``<rt>``) are left out. Text without HTML stays as it is;
    tags may have been written as entities, ``&lt;br&gt;``.
    """
    for _ in range(2):
        if _HTML.search(text) is None or text.count("<") > _MAX_TAGS:
            break
        text = _without_tags(text)
    return text


def _without_tags(text: str) -> str:
    if "<" not in text:
        return _stripped(html.unescape(text))
    # Imported late: most sources have no HTML.
    from bs4 import BeautifulSoup

    # Line breaks are put in before: changing a deeply nested tree takes quadratic time.
    soup = BeautifulSoup(_BREAK.sub("\n", text), "html.parser")
    for tag in soup.find_all(_LEFT_OUT):
        tag.extract()
    return _stripped(soup.get_text())


def _stripped(text: str) -> str:
    lines = (_BLANKS.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
