"""Tell by its first lines how a text is written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from poetgen.characters import mostly_han, unix_newlines
from poetgen.config import Format
from poetgen.reading.documents import RawPoem
from poetgen.reading.plain import split_title, split_title_author
from poetgen.reading.tables import is_table

# So much is looked at, however long the text is.
_HEAD_CHARS = 20_000
_JSON_LIST = re.compile(r'\s*\[\s*(?:[\[\]{"]|$)')
_JSON_OBJECT = re.compile(r'\s*\{\s*(?:["}\]]|$)')
_FIRST_LINE = re.compile(r"\s*([^\r\n]*)\s*")


def detect_format(text: str) -> Format:
    """Tell which format ``text`` is written in: JSON, a table, lines with titles, or plain."""
    head = text[:_HEAD_CHARS]
    if _JSON_LIST.match(head):
        return "chinese-poetry"
    if _JSON_OBJECT.match(head):
        return _kind_of_objects(text)
    head = unix_newlines(head)
    if is_table(head, ",") or is_table(head, ";"):
        return "csv"
    if is_table(head, "\t"):
        return "tsv"
    if _most_lines_are(head, split_title_author):
        return "title-author-content"
    return "title-content" if _most_lines_are(head, split_title) else "plain"


def _kind_of_objects(text: str) -> Format:
    first = _FIRST_LINE.match(text)
    assert first is not None
    is_alone = first.end() == len(text)
    if not first[1].rstrip().endswith("}") or not (is_alone or text[first.end()] == "{"):
        return "chinese-poetry"
    if _is_ccpc(first[1]):
        return "ccpc"
    return "chinese-poetry" if is_alone else "jsonl"


def _is_ccpc(line: str) -> bool:
    """Recognise the corpus of Tsinghua: an object whose ``content`` is 白日依山尽|黄河入海流."""
    if len(line) > _HEAD_CHARS:
        return False
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False  # and whoever reads it learns why
    content = record.get("content") if isinstance(record, dict) else None
    return isinstance(content, str) and "|" in content and mostly_han(content)


def _most_lines_are(head: str, split: Callable[[str], RawPoem | None]) -> bool:
    lines = [line for line in head.split("\n") if line.strip()]
    if len(head) == _HEAD_CHARS and len(lines) > 1:
        del lines[-1]  # it may be cut
    return 10 * sum(split(line) is not None for line in lines) >= 9 * len(lines)
