"""Text for a terminal, which obeys some characters instead of showing them.

Whatever poetgen prints may come from a stranger: a poem, a token, a card, a file name.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from typing import Any

# Control and format characters, half characters, and separators of lines and paragraphs.
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Joiners only shape the letters beside them: emoji and several scripts need them.
_KEPT = "\n\t\u200c\u200d"


def visible(text: str) -> str:
    """Return ``text`` with U+FFFD for each character that a terminal would obey or hide.

    These are escape codes, carriage returns, bidirectional marks, invisible characters and
    the like; line breaks and tabs stay.
    """
    return _replaced(text, lambda char: "\ufffd")


def json_text(value: Any) -> str:
    """Return ``value`` as JSON that a terminal can show.

    What would be a command to the terminal is written as an escape, so nothing is lost. A
    number that is infinite or NaN, which JSON does not have, becomes null.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, indent=2, allow_nan=False)
    return _replaced(text, _escaped)


def _replaced(text: str, instead: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(instead(char) if _is_unsafe(char) else char for char in text)


def _is_unsafe(char: str) -> bool:
    is_noncharacter = ord(char) & 0xFFFE == 0xFFFE  # U+FFFE and its like, which XML refuses
    return is_noncharacter or (unicodedata.category(char) in _UNSAFE and char not in _KEPT)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
