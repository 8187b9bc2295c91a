"""Options whose plain values need no library to be read.

Typer reads every value with pydantic, and to import that takes longer than to read a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import NoneType
from typing import Any, get_args, get_type_hints

from typer.core import TyperCommand, TyperOption

_DIGITS = re.compile(r"[0-9]{1,15}")
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


def quicken(command: TyperCommand, function: Callable[..., Any]) -> None:
    """Let the options of ``command`` read what is plain, as ``function`` declares their types."""
    hints = get_type_hints(function)
    for place, option in enumerate(command.params):
        if isinstance(option, TyperOption):
            command.params[place] = QuickOption(option, hints[option.name])


class QuickOption(TyperOption):
    """An option that reads plain values itself, and leaves all others to Typer.

    So whatever is wrong or odd is told and read as Typer does it.
    """

    def __init__(self, option: TyperOption, hint: Any) -> None:
        """Take over all of ``option``, which has values of the type ``hint``, or None."""
        vars(self).update(vars(option))
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        self.kind = kinds[0] if NoneType in get_args(hint) else hint

    def process_value(self, ctx: Any, value: Any) -> Any:
        """Turn what was typed, or the default, into the value that the command gets."""
        if self.callback is None and not self.required and not self.multiple:
            if value is self.default:
                return value
            plain = read_plain(value, self.kind) if isinstance(value, str) else None
            if plain is not None and self._is_in_range(plain):
                return plain
        return super().process_value(ctx, value)

    def _is_in_range(self, value: Any) -> bool:
        above = self.min is None or value >= self.min
        return above and (self.max is None or value <= self.max)


def read_plain(text: str, kind: Any) -> str | int | float | None:
    """Return what ``text`` plainly means as a text, a number or a choice; None if it does not."""
    if (kind is str and text.isprintable()) or text in get_args(kind):
        return text
    if kind is int and _DIGITS.fullmatch(text):
        return int(text)
    if kind is float and _DECIMAL.fullmatch(text):
        return float(text)
    return None
