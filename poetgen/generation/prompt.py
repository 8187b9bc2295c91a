"""From what a user types to tokens that a model knows."""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path

from poetgen.characters import LINE_MARKS, STARTS, full_width, mostly_han, unix_newlines
from poetgen.corpus.tokens import split_tokens
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import PromptError, SourceError

_STANDARD_INPUT = Path("-")


def read_start(path: Path) -> str:
    """Return the start of a poem that a file holds, or standard input for ``-``.

    The encoding follows from the bytes. The line break at the end of a file ends its last
    line and is not part of the start.

    Raises:
        PromptError: the file cannot be read, or is not a text.
    """
    from poetgen.reading.encodings import decode

    if path == _STANDARD_INPUT and sys.stdin is None:
        raise PromptError("There is no standard input here.", "Give a file to --start-file.")
    try:
        data = sys.stdin.buffer.read() if path == _STANDARD_INPUT else path.read_bytes()
        text = decode(data, name_of(path)).text
    except OSError as error:
        raise PromptError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Give a text file to --start-file, or - for standard input.",
        ) from error
    except SourceError as error:
        raise PromptError(error.problem, "Write the start as a text in UTF-8.") from error
    return unix_newlines(text).removesuffix("\n")


def name_of(path: Path) -> str:
    """Return how a file is named to the user."""
    return "standard input" if path == _STANDARD_INPUT else str(path)


def split_words(text: str) -> list[str]:
    """Return the words of a list, with commas, semicolons, 、 or blanks between them."""
    return [word for word in re.split("[,，、;；\\s]+", text) if word]


def encode_prompt(start: str, vocabulary: Vocabulary, source: str | None = None) -> list[int]:
    """Return the token ids of the start of a poem; ``source`` names the file it was read from.

    Half-width punctuation is read as full-width if the model knows only that, and a token
    the model does not know is tried in its other script (simplified or traditional) and in
    lower case.

    Raises:
        PromptError: a token is unknown in every form; if it is from a file, the error says
            where.
    """
    text = start = unicodedata.normalize("NFC", start)
    if any(mark in vocabulary for mark in LINE_MARKS):
        start = "".join(char if char in vocabulary else full_width(char) for char in start)
        if vocabulary.kind == "char" and mostly_han(start):
            # Verse has no spaces but between words; people type them between lines.
            start = "".join(start.split())
    tokens = []
    for token in split_tokens(start, vocabulary.kind):
        known = _known_form(token, vocabulary)
        if known is None:
            where = "" if source is None else f" ({source}, {_place(token, text, vocabulary)})"
            raise _unknown(token, where, vocabulary)
        tokens.append(known)
    return vocabulary.encode(tokens)


def encode_wish(flag: str, text: str, vocabulary: Vocabulary) -> list[int]:
    """Return the token ids of what a user wishes with a flag other than ``--start``.

    Raises:
        PromptError: a token is unknown in every form; it names the flag.
    """
    try:
        return encode_prompt(text, vocabulary)
    except PromptError as error:
        raise PromptError(
            f"{flag} {text}: {error.problem[:1].lower()}{error.problem[1:]}",
            "Leave it out, or write it with characters that poems have.",
        ) from error


def _known_form(token: str, vocabulary: Vocabulary) -> str | None:
    if token in vocabulary:
        return token
    if any("\ud800" <= char <= "\udfff" for char in token):
        return None  # half a character, which no dictionary has
    from poetgen.corpus.script import to_simplified, to_traditional

    forms = (to_simplified(token), to_traditional(token), token.lower())
    return next((form for form in forms if form in vocabulary), None)


def _place(token: str, text: str, vocabulary: Vocabulary) -> str:
    """Return the line and column of the first ``token`` in ``text``, which holds it."""
    # As it was typed: spaces may be gone and marks be wider by now.
    place = 0
    for written in split_tokens(text, vocabulary.kind):
        place = text.index(written, place)
        if token in (written, full_width(written)):
            break
        place += len(written)
    before = text[:place]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _unknown(token: str, where: str, vocabulary: Vocabulary) -> PromptError:
    kind = "character" if vocabulary.kind == "char" else "word"
    known = [start for start in STARTS if start in vocabulary]
    examples = " ".join(known or vocabulary.tokens[:8])
    return PromptError(
        f"The model does not know {token!r}{where} in any form.",
        f"It knows {len(vocabulary.tokens):,} {kind}s; try one of: {examples}",
    )
