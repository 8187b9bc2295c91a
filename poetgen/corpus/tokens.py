"""What one token is: a character, or a word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from poetgen.config import TokenKind

# A word with its inner apostrophes and hyphens, a line break, or one other mark.
_WORD = re.compile(r"\n|[^\W_]+(?:['’\-][^\W_]+)*|[^\w\s]|_")
# Marks that follow a word without a blank, and marks that one follows without; full-width
# marks have a blank of their own.
_CLOSING = frozenset(".,;:!?)]}%”’…。，；：！？、）】》」』")
_OPENING = frozenset("([{“‘（【《「『。，；：！？、")


def split_tokens(text: str, kind: TokenKind) -> Sequence[str]:
    """Cut a text into tokens; of words, blanks are left out and line breaks are kept."""
    return text if kind == "char" else _WORD.findall(text)


def join_tokens(tokens: Sequence[str], kind: TokenKind) -> str:
    """Write tokens as text: characters side by side, words with blanks where they belong."""
    return "".join(spaced(tokens, kind))


def spaced(tokens: Sequence[str], kind: TokenKind) -> list[str]:
    """Return each token with the blank before it, if one belongs there."""
    return [spaced_after(before, token, kind) for before, token in pairwise(["", *tokens])]


def spaced_after(before: str, token: str, kind: TokenKind) -> str:
    """Return ``token`` with the blank that belongs between ``before`` and it, if any.

    ``before`` is the token before it, empty at the start of a text.
    """
    if kind == "char" or before in ("", "\n") or token == "\n":
        return token
    return token if token in _CLOSING or before in _OPENING else f" {token}"
