"""Read poems out of files: chinese-poetry JSON, ``title:content`` lines, plain text.

What a file holds is told from its content, never from its name alone::

    [{"title": "…", "author": "…", "paragraphs": ["…，…。"]}]     chinese-poetry
    静夜思:床前明月光，疑是地上霜。…                               title-content
    (poems with blank lines between them, or one poem a line)    plain
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from poetgen.config import Format
from poetgen.errors import SourceError
from poetgen.text.characters import END_MARKS, mostly_han

_TITLED = re.compile(r"([^:：，。？！；]{1,80})[:：](\S.*)")
_BLANK_LINE = re.compile(r"\n[ \t\u3000]*\n")
_SUFFIXES = {".json", ".txt"}


class RawPoem(NamedTuple):
    """A poem as its source has it, before any cleaning."""

    text: str
    title: str = ""
    author: str = ""


def find_files(source: Path) -> list[Path]:
    """List the files of a source: the file itself, or every .json and .txt below a folder.

    The order is by the numbers in the names, so ``poet.tang.2000`` comes before ``.10000``
    and the same folder gives the same order on every machine.

    Raises:
        SourceError: nothing is there, or the folder holds no such file.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise SourceError(
            f"There is no file or folder {source}.",
            "Give a JSON or text file with poems, or a folder of such files.",
        )
    found = [path for path in source.rglob("*") if path.suffix in _SUFFIXES and path.is_file()]
    if not found:
        raise SourceError(
            f"The folder {source} holds no .json or .txt file.",
            "Give a folder with poems in JSON or text files, or name one file.",
        )
    return sorted(found, key=_natural)


def _natural(path: Path) -> tuple[object, ...]:
    parts = re.split(r"(\d+)", path.as_posix())
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)


def read_poems(path: Path, format: Format = "auto") -> list[RawPoem]:
    """Read the poems of one file.

    Raises:
        SourceError: the file cannot be read, is not UTF-8 text, is empty, or is not
            written in ``format``.
    """
    text = _read_text(path)
    if format == "auto":
        format = detect_format(text)
    if format == "chinese-poetry":
        return list(_read_chinese_poetry(path, text))
    if format == "title-content":
        return list(_read_title_content(path, text))
    return list(_read_plain(text))


def detect_format(text: str) -> Format:
    """Tell which of the three formats ``text`` is written in."""
    if text.lstrip()[:1] in ("[", "{"):
        return "chinese-poetry"
    lines = [line for line in text.splitlines() if line.strip()][:1000]
    titled = sum(1 for line in lines if _split_title(line) is not None)
    return "title-content" if titled * 10 >= len(lines) * 9 else "plain"


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {error.strerror}.", "Check the name and the permissions."
        ) from error
    if b"\x00" in data[:8192]:
        raise SourceError(
            f"{path} is not a text file.", "Give a JSON or text file with poems, in UTF-8."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8: byte {error.start} cannot be read.",
            "Convert it first, for example: iconv -f GB18030 -t UTF-8 OLD > NEW",
        ) from error
    if not text.strip():
        raise SourceError(f"{path} is empty.", "Give a file with at least a few poems.")
    return text


def _read_chinese_poetry(path: Path, text: str) -> Iterator[RawPoem]:
    try:
        records = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SourceError(
            f"{path} is not valid JSON: {error}.",
            "Fetch the file again, or give --format plain if it is meant to be text.",
        ) from error
    for number, record in enumerate(records if isinstance(records, list) else [records]):
        lines = record.get("paragraphs") if isinstance(record, dict) else None
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise SourceError(
                f"Record {number} of {path} has no list of lines under 'paragraphs'.",
                "Give JSON as in the chinese-poetry collection: "
                '[{"title": "…", "author": "…", "paragraphs": ["…"]}].',
            )
        yield RawPoem("".join(lines), _string(record, "title"), _string(record, "author"))


def _string(record: dict[str, Any], key: str) -> str:
    value = record.get(key, "")
    return value if isinstance(value, str) else ""


def _split_title(line: str) -> tuple[str, str] | None:
    match = _TITLED.fullmatch(line.strip())
    return (match[1], match[2]) if match else None


def _read_title_content(path: Path, text: str) -> Iterator[RawPoem]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        split = _split_title(line)
        if split is None:
            raise SourceError(
                f"Line {number} of {path} is not written title:content.",
                "Correct the line, or give --format plain if the poems have no titles.",
            )
        yield RawPoem(split[1].strip(), split[0].strip())


def _read_plain(text: str) -> Iterator[RawPoem]:
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if _BLANK_LINE.search(text):
        poems = _BLANK_LINE.split(text)
    else:
        poems = text.split("\n")
        # Verses of one poem on lines of their own, rather than one poem a line.
        if len(poems) > 1 and all(len(poem) < 8 or poem[-1] not in END_MARKS for poem in poems):
            poems = [text] if mostly_han(text) else poems
    for poem in poems:
        if poem.strip():
            yield RawPoem(poem.strip("\n"))


def is_prose(poems: Sequence[RawPoem]) -> bool:
    """Tell whether texts are running prose: untitled paragraphs of letters, lines filled.

    Verse breaks its lines; the lines of prose are as long as the page allows, so most of
    them are nearly as long as the longest.
    """
    if not poems or any(poem.title for poem in poems):
        return False
    lines = [line for poem in poems for line in poem.text.splitlines()[:-1] if line.strip()]
    if len(lines) < 20 or mostly_han("".join(lines[:200])):
        return False
    lengths = sorted(map(len, lines))
    return lengths[len(lengths) // 2] >= 0.75 * lengths[len(lengths) * 99 // 100]
