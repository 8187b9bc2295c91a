"""From the bytes of one input to its poems: detect how they are written, and read them."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from poetgen import limits
from poetgen.characters import mostly_han, unix_newlines
from poetgen.config import Format
from poetgen.errors import SourceError
from poetgen.foreign.tang_npz import read_tang_npz
from poetgen.reading.archives import OLE_MAGIC, ZIP_MAGIC, as_archive, packed_kind
from poetgen.reading.documents import Document, Input, RawPoem, Reading
from poetgen.reading.encodings import decode
from poetgen.reading.inputs import find_inputs
from poetgen.reading.json_poems import (
    NoPoemsError,
    read_ccpc,
    read_chinese_poetry,
    read_json_lines,
)
from poetgen.reading.markup import is_html, is_markdown, read_html, read_markdown
from poetgen.reading.office import read_docx
from poetgen.reading.plain import (
    is_prose,
    is_titled,
    paragraphs,
    read_plain,
    read_titled,
    split_title,
    split_title_author,
)
from poetgen.reading.sheets import read_workbook
from poetgen.reading.tables import is_table, read_table

# Each takes a text and the name of its input.
_TEXT_READERS: dict[Format, Callable[[str, str], Reading | list[RawPoem]]] = {
    "chinese-poetry": read_chinese_poetry,
    "ccpc": read_ccpc,
    "jsonl": read_json_lines,
    "csv": partial(read_table, delimiters=",;|"),  # Excel may write semicolons
    "tsv": partial(read_table, delimiters="\t"),
    "title-content": partial(read_titled, split=split_title, form="title:content"),
    "title-author-content": partial(
        read_titled, split=split_title_author, form="title::author::content"
    ),
    "markdown": read_markdown,
    "html": read_html,
    "plain": read_plain,
    "prose": paragraphs,
}
# Each takes the bytes of a file and its name.
_PACKED_READERS: dict[str, Callable[[bytes, str], Reading]] = {
    "xlsx": read_workbook,
    "docx": read_docx,
}
# How much of a text is looked at to detect its format.
_HEAD_CHARS = 20_000
_JSON_LIST = re.compile(r'\s*\[\s*(?:[\[\]{"]|$)')
_JSON_OBJECT = re.compile(r'\s*\{\s*(?:["}\]]|$)')
_FIRST_LINE = re.compile(r"\s*([^\r\n]*)\s*")


def read_document(input: Input, format: Format = "auto", encoding: str | None = None) -> Document:
    """Read the poems of one input.

    ``format`` and ``encoding`` overrule what the content says about itself.

    Raises:
        SourceError: the input cannot be read, is empty or too large, is not text, or is not
            written in ``format``; the error names it, and the line or the record.
    """
    data, name = input.read(), input.name
    digest = hashlib.sha256(data).hexdigest()
    is_archive = as_archive(name, partial(io.BytesIO, data)) is not None
    packed = packed_kind(io.BytesIO(data)) if data.startswith(ZIP_MAGIC) else None
    if format == "tang-npz" or (format == "auto" and packed == "npz"):
        poems = [RawPoem(text) for text in read_tang_npz(data, name)]
        return Document(name, digest, "tang-npz", poems=poems)
    if is_archive:
        raise SourceError(f"{name} is an archive within another one.", "Unpack the outer one.")
    if format in _PACKED_READERS or packed in _PACKED_READERS:
        kind: Format = "docx" if "docx" in (format, packed) else "xlsx"
        reading = _PACKED_READERS[kind](data, name)
        _ensure_bounds(reading.poems, name)
        return Document(name, digest, kind, **reading._asdict())
    if packed is not None or data.startswith(OLE_MAGIC):
        what = f"an .{packed} file" if packed else "an old .xls or .doc file, or has a password"
        raise SourceError(
            f"{name} is {what}.",
            "Open it where it was made and save it as .csv (tables) or .txt, in UTF-8.",
        )
    text, encoding = decode(data, name, encoding)
    del data  # half of the memory that a large file takes
    if not text or text.isspace():
        raise SourceError(f"{name} is empty.", "Give a file with at least a few poems.")
    wanted, num_lines = format, limits.count_lines(text)
    if format == "auto":
        format = detect_format(text)
    try:
        found = _TEXT_READERS[format](text, name)
    except NoPoemsError as error:
        if not input.found:
            raise SourceError(f"{name} holds {error} and no poems.", "Give poems.") from error
        return Document(name, digest, format, encoding, num_lines, ignored_as=str(error))
    reading = found if isinstance(found, Reading) else Reading(found)
    _ensure_bounds(reading.poems, name)
    prose = format == "prose" or is_prose(reading.poems)
    if prose and wanted == "auto" and format == "plain":
        format = "prose"
    return Document(name, digest, format, encoding, num_lines, prose=prose, **reading._asdict())


def _ensure_bounds(poems: list[RawPoem], name: str) -> None:
    """Ensure that neither the number of poems nor one of them fills the memory."""
    limits.ensure_few(len(poems), name)
    for number, poem in enumerate(poems, start=1):
        if len(poem.text) > limits.MAX_LINE_CHARS:
            raise SourceError(
                f"Poem {number} of {name} has {len(poem.text):,} characters.",
                f"Split it into poems of at most {limits.MAX_LINE_CHARS:,} characters.",
            )


def read_poems(source: Path, format: Format = "auto") -> list[RawPoem]:
    """Read all poems of a file, a folder or an archive.

    Raises:
        SourceError: one of its inputs cannot be read.
    """
    documents = (read_document(input, format) for input in find_inputs([source]))
    return [poem for document in documents for poem in document.poems]


def describe_ignored(documents: Iterable[Document]) -> list[str]:
    """Return a sentence about the documents without poems of each kind."""
    names = defaultdict(list)
    for document in documents:
        if document.ignored_as is not None:
            names[document.ignored_as].append(document.name)
    return [
        f"{found[0]} holds {kind} and no poems."
        if len(found) == 1
        else f"{len(found)} files, {found[0]} to {found[-1]}, hold {kind} and no poems."
        for kind, found in names.items()
    ]


def detect_format(text: str) -> Format:
    """Return how ``text`` is written: JSON, a table, lines with titles, or plain."""
    head = text[:_HEAD_CHARS]
    if _JSON_LIST.match(head):
        return "chinese-poetry"
    if _JSON_OBJECT.match(head):
        return _detect_json(text)
    head = unix_newlines(head)
    if is_html(head):
        return "html"
    if is_markdown(head) and not _most_lines_are(head, is_titled):
        return "markdown"
    if any(is_table(head, delimiter) for delimiter in ",;|"):
        return "csv"
    if is_table(head, "\t"):
        return "tsv"
    if _most_lines_are(head, split_title_author):
        return "title-author-content"
    return "title-content" if _most_lines_are(head, is_titled) else "plain"


def _detect_json(text: str) -> Format:
    """Return which of the formats a text has that begins with an object."""
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
        return False  # reading it will say why
    content = record.get("content") if isinstance(record, dict) else None
    return isinstance(content, str) and "|" in content and mostly_han(content)


def _most_lines_are(head: str, split: Callable[[str], object]) -> bool:
    lines = [line for line in head.split("\n") if line.strip()]
    if len(head) == _HEAD_CHARS and len(lines) > 1:
        del lines[-1]  # it may be cut
    return 10 * sum(bool(split(line)) for line in lines) >= 9 * len(lines)
