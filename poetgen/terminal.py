"""Text that is safe to print: a terminal obeys some characters instead of showing them.

Whatever poetgen prints may come from a stranger: a poem, a token, a model card, a file name.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from typing import Any

# Unicode categories: control, format and surrogate characters, line and paragraph separators.
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Emoji and several scripts need joiners, which only shape the letters beside them.
_KEPT = "\n\t\u200c\u200d"


def visible(text: str) -> str:
    """Return ``text`` with U+FFFD for each character that a terminal would obey or hide.

    These are escape codes, carriage returns, bidirectional marks, invisible characters and
    the like; newlines and tabs stay.
    """
    return _replaced(text, lambda char: "\ufffd")


def json_text(value: Any) -> str:
    """Return ``value`` as JSON that is safe to print.

    What a terminal would obey is written as an escape, so nothing is lost. NaN and infinity,
    which JSON lacks, become null.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, indent=2, allow_nan=False)
    return _replaced(text, _escaped)


def display_width(text: str) -> int:
    """Return the columns that ``text`` takes in a terminal: two for each Chinese character.

    Source: Unicode Standard Annex 11 (East Asian Width); ambiguous characters count as narrow.
    """
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "FW")
        for char in text
    )


def _replaced(text: str, instead: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(instead(char) if _is_unsafe(char) else char for char in text)


def _is_unsafe(char: str) -> bool:
    is_noncharacter = ord(char) & 0xFFFE == 0xFFFE  # such as U+FFFE, which XML refuses
    return is_noncharacter or (unicodedata.category(char) in _UNSAFE and char not in _KEPT)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
