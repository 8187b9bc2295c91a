"""The base of all settings: fields that are declared once, with default, help and range."""

from __future__ import annotations

import functools
import math
from dataclasses import field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from poetgen.errors import SettingError


def setting(
    default: Any,
    help: str,
    *,
    min: float | None = None,
    max: float | None = None,
    flag: str | None = None,
) -> Any:
    """Declare a field: its default, the help that users read, its closed range.

    ``flag`` replaces the spelling that follows from the field's name (``temperature`` is
    ``--temp``).
    """
    return field(default=default, metadata={"help": help, "min": min, "max": max, "flag": flag})


def flag_of(name: str, flag: str | None) -> str:
    """Return the command-line flag of a field."""
    return flag or "--" + name.replace("_", "-")


def changed(settings: Settings) -> set[str]:
    """Return the names of the settings that differ from the defaults."""
    return {
        field.name
        for field in fields(settings)  # type: ignore[arg-type]
        if getattr(settings, field.name) != field.default
    }


class Settings:
    """Base of all settings: refuses values of another type or outside the declared range."""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            SettingError: a value has another type, is outside its range, NaN or infinite.
        """
        hints = _hints_of(type(self))  # type: ignore[arg-type]
        for declared in fields(self):  # type: ignore[arg-type]
            value, hint = getattr(self, declared.name), hints[declared.name]
            if not _fits(hint, value):
                flag = flag_of(declared.name, declared.metadata["flag"])
                raise SettingError(f"{flag} cannot be {value!r:.50}.", f"Give {_described(hint)}.")
            low, high = declared.metadata["min"], declared.metadata["max"]
            if value is None or (low is None and high is None):
                continue
            # Written so that NaN, which compares false with everything, is refused.
            inside = (low is None or value >= low) and (high is None or value <= high)
            if not inside or value == math.inf:
                flag = flag_of(declared.name, declared.metadata["flag"])
                if high is None:
                    bounds = f"of at least {low}"
                else:
                    bounds = f"of at most {high}" if low is None else f"from {low} to {high}"
                raise SettingError(f"{flag} {value} is out of range.", f"Give a value {bounds}.")


@functools.cache
def _hints_of(kind: type[Settings]) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(hint: Any, value: object) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if kinds := get_args(hint):
        return any(_fits(kind, value) for kind in kinds)
    # An int may stand for a float, but True is not an int.
    return type(value) in {hint, int if hint is float else hint}


def _described(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of: {', '.join(map(str, get_args(hint)))}"
    if kinds := get_args(hint):
        return " or ".join(_described(kind) for kind in kinds)
    names = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}
    return names.get(hint, "None")
