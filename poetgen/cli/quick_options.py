"""Options whose plain values are read without a library.

Typer reads every value with pydantic, whose import takes longer than loading a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import NoneType
from typing import Any, get_args, get_type_hints

from typer.core import TyperCommand, TyperOption

_INTEGER = re.compile(r"[0-9]{1,15}")
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


def quicken(command: TyperCommand, function: Callable[..., Any]) -> None:
    """Replace the options of ``command`` by quick ones, with the types that ``function`` has."""
    hints = get_type_hints(function)
    for place, option in enumerate(command.params):
        if isinstance(option, TyperOption):
            command.params[place] = QuickOption(option, hints[option.name])


class QuickOption(TyperOption):
    """An option that reads plain values itself and leaves all others, and errors, to Typer."""

    def __init__(self, option: TyperOption, hint: Any) -> None:
        """Copy ``option``, whose values have the type ``hint``."""
        vars(self).update(vars(option))
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        self.kind = kinds[0] if NoneType in get_args(hint) else hint

    def process_value(self, ctx: Any, value: Any) -> Any:
        """Return what the command gets for a typed value or the default."""
        if self.callback is None and not self.required and not self.multiple:
            if value is self.default:
                return value
            plain: Any = read_plain(value, self.kind) if isinstance(value, str) else None
            in_range = plain is not None and (self.min is None or plain >= self.min)
            if in_range and (self.max is None or plain <= self.max):
                return plain
        return super().process_value(ctx, value)


def read_plain(text: str, kind: Any) -> str | int | float | None:
    """Return ``text`` as a value of the type ``kind``, or None where that is not plain."""
    if (kind is str and text.isprintable()) or text in get_args(kind):
        return text
    if kind is int and _INTEGER.fullmatch(text):
        return int(text)
    if kind is float and _DECIMAL.fullmatch(text):
        return float(text)
    return None
