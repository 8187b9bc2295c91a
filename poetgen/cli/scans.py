"""Scans of poems, as a person reads them: tones beside each line, then what breaks a rule."""

from __future__ import annotations

import re
from dataclasses import asdict, astuple
from pathlib import Path

from rich.text import Text

from poetgen.characters import (
    HAN,
    LINE_MARKS,
    LOST,
    full_width,
    hanzi_only,
    mostly_han,
    unix_newlines,
)
from poetgen.cli.display import make_answer_console, make_console
from poetgen.config import RhymeBookName
from poetgen.corpus.cleaning import MAX_LINE_HANZI, clean
from poetgen.errors import SourceError
from poetgen.reading import Input, RawPoem, find_inputs, read_document
from poetgen.reading.encodings import decode
from poetgen.terminal import json_text
from poetgen.verse.scan import Scan, scan

# As wide as a Chinese character.
_BLANK = "\u3000"
_LINE_OF_VERSE = re.compile(f"(?:[{HAN}{LOST}]{{1,{MAX_LINE_HANZI}}}[{LINE_MARKS}])+")


def print_scans(
    source: str, form: str | None, book: RhymeBookName | None, *, strict: bool, as_json: bool
) -> None:
    """Scan the poems of a file, of standard input (-) or of the text itself, and print the scans.

    Raises:
        SourceError: there is no such file, or it has no Chinese verse.
        SettingError: there is no such form.
    """
    poems = [poem for poem in _poems(source) if hanzi_only(poem.text)]
    if not poems:
        name = "Standard input" if source == "-" else source
        raise SourceError(f"{name} holds no Chinese verse.", "Give poems in Chinese characters.")
    scans = [scan(poem.text, book, form=form, strict=strict) for poem in poems]
    if as_json:
        values = [
            {"title": poem.title, "author": poem.author, "text": poem.text, **asdict(one)}
            for poem, one in zip(poems, scans, strict=True)
        ]
        print(json_text({"poems": values}))
        return
    console = make_answer_console()
    for number, (poem, one) in enumerate(zip(poems, scans, strict=True)):
        if number:
            console.print()
        for line in _shown(poem, one):
            console.print(line, soft_wrap=True)
    if len(poems) > 1:
        num_clean = sum(not one.faults and one.form is not None for one in scans)
        make_console().print(f"{num_clean:,} of {len(poems):,} poems have a form and no fault.")


def _poems(source: str) -> list[RawPoem]:
    """Return the poems, without notes and marks of editors where that can be told."""
    if not source.strip():
        raise SourceError("--verse is empty.", "Give a file, - for standard input, or a poem.")
    if source == "-" or _is_there(Path(source)):
        poems = [poem for one in find_inputs([Path(source)]) for poem in _poems_in(one)]
    elif mostly_han(source):
        poems = _poems_in(Input("--verse", lambda: source.encode("utf-8", "replace")), "utf-8")
    else:
        raise SourceError(
            f"{source!r} is neither a file nor Chinese verse.",
            "Give a file with poems, - for standard input, or a poem in Chinese characters.",
        )
    return [poem._replace(text=clean(poem.text).text or poem.text) for poem in poems]


def _poems_in(one: Input, encoding: str | None = None) -> list[RawPoem]:
    document = read_document(one, encoding=encoding)
    if document.format not in ("plain", "prose"):
        return document.poems
    # What generate writes has no titles, which a line of verse may be taken for.
    blocks = _blocks_of_verse(decode(one.read(), one.name, encoding).text)
    is_one = len(blocks) == 1 and _has_form(blocks[0])
    if len(blocks) > 1 or (is_one and not any(_has_form(poem.text) for poem in document.poems)):
        return [RawPoem(block) for block in blocks]
    return document.poems


def _has_form(text: str) -> bool:
    return scan(text).form is not None


def _blocks_of_verse(text: str) -> list[str]:
    """Return the blocks between blank lines, or none if not all lines are verse with marks."""
    blocks = re.split(r"\n\s*\n", unix_newlines(text).strip())
    lines = [line.strip() for block in blocks for line in full_width(block).split("\n")]
    return blocks if all(map(_LINE_OF_VERSE.fullmatch, lines)) else []


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a poem may be too long for a file name
        return False


def _shown(poem: RawPoem, found: Scan) -> list[Text]:
    """Return the lines that show a scan."""
    rhymes = [" ".join(filter(None, astuple(rhyme))) for rhyme in found.rhymes]
    about = [" ".join(filter(None, (poem.title, poem.author)))]
    about.append(", ".join(filter(None, (found.form or "no known form", found.opening))))
    shown = [Text(": ".join(filter(None, about)), style="bold")]
    wrong = {(fault.line, fault.place) for fault in found.faults}
    width = max(len(line.text) for line in found.lines)
    for number, line in enumerate(found.lines, start=1):
        row = Text(f"  {line.text}{_BLANK * (width - len(line.text))}  ")
        for place, tone in enumerate(line.tones, start=1):
            is_wrong = (number, place) in wrong
            row.append(f"[{tone}]" if is_wrong else tone, style="red" if is_wrong else "")
        row.append(f"  {line.rhyme}")
        if (number, None) in wrong:
            row.append("  ×", style="red")
        row.rstrip()
        shown.append(row)
    shown += [Text(f"  {rhyme}") for rhyme in rhymes]
    for heading, findings in (("fault", found.faults), ("remark", found.remarks)):
        for one in findings:
            places = [("line", one.line), ("character", one.place)]
            where = ", ".join(f"{name} {value}" for name, value in places if value is not None)
            style = "red" if heading == "fault" else "dim"
            shown.append(Text(f"  {': '.join(filter(None, (heading, where, one.message)))}", style))
    if found.form is not None and not found.faults:
        shown.append(Text("  no fault"))
    return shown
