"""From one input to its poems."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from poetgen import limits
from poetgen.config import Format
from poetgen.errors import SourceError
from poetgen.foreign.tang_npz import read_tang_npz
from poetgen.reading.archives import ZIP_MAGIC, as_archive
from poetgen.reading.detect import detect_format
from poetgen.reading.documents import Document, Input, RawPoem
from poetgen.reading.encodings import decode
from poetgen.reading.inputs import find_inputs
from poetgen.reading.json_poems import (
    NoPoemsError,
    read_ccpc,
    read_chinese_poetry,
    read_json_lines,
)
from poetgen.reading.lines import num_lines_of
from poetgen.reading.plain import (
    is_prose,
    read_plain,
    read_title_author_content,
    read_title_content,
)
from poetgen.reading.tables import read_csv, read_tsv

# Each takes a text and the name of its input.
_TEXT_READERS: dict[Format, Callable[[str, str], list[RawPoem]]] = {
    "chinese-poetry": read_chinese_poetry,
    "ccpc": read_ccpc,
    "jsonl": read_json_lines,
    "csv": read_csv,
    "tsv": read_tsv,
    "title-content": read_title_content,
    "title-author-content": read_title_author_content,
    "plain": read_plain,
    "prose": read_plain,
}


def read_document(input: Input, format: Format = "auto", encoding: str | None = None) -> Document:
    """Read the poems of one input.

    ``format`` and ``encoding`` overrule what the content says about itself.

    Raises:
        SourceError: the input cannot be read, is empty or too large, is no text, or is not
            written in ``format``; the error names it, and the line or the record.
    """
    data, name = input.read(), input.name
    digest = hashlib.sha256(data).hexdigest()
    is_archive = as_archive(name, partial(io.BytesIO, data)) is not None
    is_npz = data.startswith(ZIP_MAGIC) and not is_archive
    if format == "tang-npz" or (format == "auto" and is_npz):
        return Document(
            name, digest, "tang-npz", poems=[RawPoem(text) for text in read_tang_npz(data, name)]
        )
    if is_archive:
        raise SourceError(f"{name} is an archive within another one.", "Unpack the outer one.")
    text, encoding = decode(data, name, encoding)
    del data  # of a large file this is half of the memory
    if not text or text.isspace():
        raise SourceError(f"{name} is empty.", "Give a file with at least a few poems.")
    wanted, num_lines = format, num_lines_of(text)
    if format == "auto":
        format = detect_format(text)
    try:
        poems = _TEXT_READERS[format](text, name)
    except NoPoemsError as error:
        if not input.found:
            raise SourceError(f"{name} holds {error} and no poems.", "Give poems.") from error
        return Document(name, digest, format, encoding, num_lines, passed_over=str(error))
    _ensure_bounds(poems, name)
    prose = format == "prose" or is_prose(poems)
    if prose and wanted == "auto" and format == "plain":
        format = "prose"
    return Document(name, digest, format, encoding, num_lines, poems, prose)


def _ensure_bounds(poems: list[RawPoem], name: str) -> None:
    """See to it that neither the poems nor one of them fill the memory.

    Raises:
        SourceError: there are too many, or one is too long.
    """
    limits.ensure_few(len(poems), name)
    for number, poem in enumerate(poems, start=1):
        if len(poem.text) > limits.MAX_LINE_CHARS:
            raise SourceError(
                f"Poem {number} of {name} has {len(poem.text):,} characters.",
                f"Part it into poems of {limits.MAX_LINE_CHARS:,} characters at most.",
            )


def read_poems(source: Path, format: Format = "auto") -> list[RawPoem]:
    """Read all poems of a source, be it a file, a folder or an archive.

    Raises:
        SourceError: one of its inputs cannot be read.
    """
    documents = (read_document(input, format) for input in find_inputs([source]))
    return [poem for document in documents for poem in document.poems]


def list_passed_over(documents: Iterable[tuple[str, str]]) -> list[str]:
    """Say in a few sentences which inputs, given with what they hold, had no poems."""
    names = defaultdict(list)
    for name, kind in documents:
        names[kind].append(name)
    return [
        f"{found[0]} holds {kind} and no poems."
        if len(found) == 1
        else f"{len(found)} files, {found[0]} to {found[-1]}, hold {kind} and no poems."
        for kind, found in names.items()
    ]
