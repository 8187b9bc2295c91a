"""Markdown and HTML to lines: headings, quotes and text, without markup, code and menus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from poetgen.characters import hanzi_only, unix_newlines
from poetgen.limits import split_lines
from poetgen.reading.blocks import gather_poems
from poetgen.reading.columns import is_poem
from poetgen.reading.documents import Aside, Reading, united_readings
from poetgen.reading.fields import fields_of
from poetgen.reading.lines import Line, Source, spread, tidy
from poetgen.reading.tables import beside_tables, read_grid, take_tables

if TYPE_CHECKING:
    from bs4 import Tag
    from markdown_it.token import Token

# Settings of a page before its text: --- … ---
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_SETTING = re.compile(r"([\w-]+)\s*[:：]\s*['\"]?(.*?)['\"]?\s*")
_MARKDOWN = re.compile(
    r"^(?:#{1,6} +\S|> ?\S|```)|\*\*[^*\s][^*\n]*\*\*|\[[^\]\n]+\]\([^)\n]+\)", re.MULTILINE
)
_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*|<\?xml[^>]*>\s*)*"
    r"<(?:!doctype html|html|head|body|div|p|h[1-6]|section|article|ul|ol|li|table|tr|span|center"
    r"|blockquote)\b",
    re.IGNORECASE | re.DOTALL,
)
_LEFT_OUT_TAGS = ("script", "style", "head", "nav", "header", "footer", "aside", "form", "button")
# What pages call their parts that are not text, as in Readability of Mozilla.
_FURNITURE = re.compile(
    r"(?<![a-z])(?:nav|menu|footer|bread-?crumbs?|crumbs?|side-?bar|side|related|recommend|rec"
    r"|comments?|replies|pager|pagination|tags?|share|social|copyright|toolbar|breadcrumb|ads?"
    r"|pub-date|date)(?![a-z])",
    re.IGNORECASE,
)
# So many short links and nothing else but a label are a menu.
_MANY_LINKS, _MAX_LINK_HANZI, _MAX_MENU_LABEL = 3, 12, 6
_BLOCK_TAGS = re.compile(
    "address|article|blockquote|body|center|dd|div|dl|dt|figcaption|figure|hr|html|li|main|ol|p|pre|"
    "section|table|tbody|td|th|tr|ul"
)
_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))


def is_markdown(text: str) -> bool:
    """Return whether a text has front matter, or the headings, quotes or links of Markdown."""
    return _FRONT_MATTER.match(text) is not None or _MARKDOWN.search(text) is not None


def is_html(text: str) -> bool:
    """Return whether a text begins like a page of HTML."""
    return _HTML.match(text) is not None


def read_markdown(text: str, name: str) -> Reading:
    """Read the poems of a Markdown text: under headings, in quotes, lists or paragraphs.

    Raises:
        SourceError: a line is too long.
    """
    split_lines(text, name)
    text = unix_newlines(text)
    front = _FRONT_MATTER.match(text)
    tables: list[Reading] = []
    lines = list(_markdown_lines(text[front.end() :] if front else text, name, tables))
    if front and not any(line.source == "heading" for line in lines):
        # A page of one poem may name it in its settings.
        lines = [*_settings(front[1]), *lines]
    found = beside_tables(united_readings(tables), gather_poems(lines))
    if front is None:
        return found
    above = Reading([], {"front matter": 1}, asides=[Aside("front matter", front[1])])
    return united_readings([above, found])


def read_html(text: str, name: str) -> Reading:
    """Read the poems of a page of HTML; scripts, menus, headers and footers are left out.

    Raises:
        SourceError: a line is too long.
    """
    split_lines(text, name)
    # Imported late: most texts are not HTML.
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(unix_newlines(text), "html.parser")
    for tag in soup(_LEFT_OUT_TAGS):
        tag.decompose()
    asides: list[Aside] = []
    num_hanzi = len(hanzi_only(soup.get_text()))
    for tag in soup(_is_furniture):
        # What is most of a page is its text, whatever it is called.
        if not tag.decomposed and 2 * len(hanzi_only(tag.get_text())) < num_hanzi:
            asides.append(Aside("menus", " ".join(tag.get_text(" ").split())))
            tag.decompose()
    for tag in soup(["rt", "rp"]):  # the pinyin above characters
        asides.append(Aside("pinyin", tag.get_text()))
        tag.decompose()
    tables = take_tables(soup, name)
    found = gather_poems(list(_html_lines(soup)))
    removed = Reading([], Counter(aside.kind for aside in asides), asides=asides)
    return united_readings([removed, beside_tables(tables, found)])


def _is_furniture(tag: Tag) -> bool:
    """Return whether a part of a page is not its text: a menu, a footer, a list of links."""
    names = " ".join([*(tag.get("class") or []), str(tag.get("id") or "")])
    if _FURNITURE.search(names):
        return True
    if tag.name not in ("div", "p", "ul", "ol", "td"):
        return False
    links = tag.find_all("a")
    if len(links) < _MANY_LINKS or len(tag.find_all(_HEADINGS)) > 1:
        return False
    linked = sum(len(hanzi_only(link.get_text())) for link in links)
    num_others = len(hanzi_only(tag.get_text())) - linked
    return num_others <= _MAX_MENU_LABEL and 0 < linked <= _MAX_LINK_HANZI * len(links)


def _settings(front: str) -> Iterator[Line]:
    """Return the title and the author among the settings of a page as headings."""
    found = map(_SETTING.fullmatch, front.split("\n"))
    values = {match[1]: match[2] for match in found if match}
    fields = fields_of(tuple(values))
    for names, label in ((fields.titles, "题目"), (fields.authors, "作者")):
        filled = [values[name] for name in names if values[name]]
        if filled:
            yield Line(f"{label}：{filled[0]}")


def _markdown_lines(text: str, name: str, tables: list[Reading]) -> Iterator[Line]:
    """Yield the lines of a text, and add to ``tables`` those that have a poem a row."""
    # Imported late: most texts are not Markdown.
    from markdown_it import MarkdownIt

    level = num_quotes = num_lists = 0
    rows: list[list[str]] | None = None  # of the table that the text is in
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        kind = token.type
        if kind == "table_open":
            rows = []
        elif kind == "tr_open" and rows is not None:
            rows.append([])
        elif kind == "inline" and rows:
            rows[-1].append("".join(map(_inline_text, token.children or [])))
        elif kind == "table_close" and rows is not None:
            cells = [Aside("rows without a poem", " ".join(row)) for row in rows]
            other = Reading([], {"rows without a poem": len(cells)}, asides=cells)
            found = read_grid(rows, f"a table of {name}")
            is_found = found is not None and any(is_poem(poem.text) for poem in found.poems)
            tables.append(found if found and is_found else other)
            rows = None
        if rows is not None:
            continue
        if kind == "heading_open":
            level = int(token.tag[1:])
        elif kind.startswith(("blockquote_", "ordered_list_", "bullet_list_")):
            num_quotes += token.nesting * kind.startswith("blockquote")
            num_lists += token.nesting * (not kind.startswith("blockquote"))
            yield Line("")
        elif kind in ("fence", "code_block"):
            yield from (Line(""), *map(Line, map(tidy, token.content.split("\n"))), Line(""))
        elif kind == "hr":
            yield Line("---")
        elif kind == "html_block":
            from bs4 import BeautifulSoup

            yield from _html_lines(BeautifulSoup(token.content, "html.parser"))
        elif kind == "inline":
            content = "".join(map(_inline_text, token.children or []))
            if level:
                yield Line(tidy(content), "heading", level)
            elif _is_bold(token.children or []):
                yield Line(tidy(content), "bold")
            else:
                source: Source = "quote" if num_quotes else "text"
                yield from spread(content, source)
            level = 0
        elif kind == "paragraph_close" and not token.hidden:
            yield Line("")


def _is_bold(tokens: Sequence[Token]) -> bool:
    """Return whether one line is in bold from its beginning to its end."""
    kinds = [token.type for token in tokens if token.type != "text" or token.content]
    ends = kinds[:1] == ["strong_open"] and kinds[-1:] == ["strong_close"]
    return ends and kinds.count("strong_open") == 1 and "softbreak" not in kinds


def _inline_text(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    if token.type == "html_inline":
        return "\n" if token.content.lower().startswith("<br") else ""
    return token.content if token.type in ("text", "code_inline") else ""


def _html_lines(soup: Tag) -> Iterator[Line]:
    """Yield the lines of a page, of which blank ones part the blocks."""
    text, source = "", ""
    quotes = num_bold = 0  # how many characters of the text are in bold
    for kind, value in _events(soup):
        if kind in ("text", "bold"):
            text += value
            num_bold += len(value) * (kind == "bold")
            continue
        # A block begins or ends: what came before it is a paragraph.
        content = "\n".join(" ".join(line.split()) for line in text.split("\n")).strip("\n")
        is_bold = 0 < num_bold == len(text.strip()) and "\n" not in content
        text, num_bold = "", 0
        if content.strip() and source:
            yield Line(tidy(content.replace("\n", " ")), "heading", int(source[1]))
        elif content.strip() and is_bold:
            yield Line(tidy(content), "bold")
        elif content.strip():
            yield from spread(content, "quote" if quotes else "text")
        source = value if kind == "begin" and value in _HEADINGS else ""
        quotes += (value == "blockquote") * {"begin": 1, "end": -1}[kind]
        if value not in ("p", "li"):
            yield Line("")


def _events(soup: Tag) -> Iterator[tuple[str, str]]:
    """Yield the texts of a page, and where its blocks begin and end."""
    from bs4.element import NavigableString, PreformattedString, Tag

    yield "begin", "page"
    open_tags: list[Tag] = []
    for element in soup.descendants:
        while open_tags and open_tags[-1] not in element.parents:
            yield "end", open_tags.pop().name
        if isinstance(element, Tag):
            if element.name == "br":
                yield "text", "\n"
            elif _BLOCK_TAGS.fullmatch(element.name) or element.name in _HEADINGS:
                yield "begin", element.name
                open_tags.append(element)
        elif isinstance(element, NavigableString) and not isinstance(element, PreformattedString):
            is_kept = element.find_parent("pre") is not None
            kind = "bold" if element.find_parent(["b", "strong"]) is not None else "text"
            yield kind, str(element) if is_kept else re.sub(r"\s*\n\s*", "", element)
    yield from (("end", tag.name) for tag in reversed(open_tags))
    yield "end", "page"
