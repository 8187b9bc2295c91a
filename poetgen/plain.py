"""Plain values, as JSON has them, read back into the dataclasses that they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

# A larger count would not fit into an array.
_LARGEST = 2**63
# What JSON makes of containers.
_CONTAINERS: dict[Any, Any] = {Sequence: list, Mapping: dict}


def names_of(kind: type) -> set[str]:
    """Return the names of the fields of a dataclass."""
    return {field.name for field in fields(kind)}


def read_plain(kind: type[T], values: object) -> T:
    """Return the dataclass of which ``dataclasses.asdict`` gave ``values``, with all types checked.

    A field that is missing among ``values`` has its default.

    Raises:
        ValueError: a name is unknown or missing, or a value has another type, is NaN or huge.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{values!r:.50} is not a {kind.__name__}")
    if unknown := sorted(values.keys() - names_of(kind)):
        raise ValueError(f"unknown {unknown[0]!r:.50}")
    for field in fields(kind):  # type: ignore[arg-type]
        required = field.default is MISSING and field.default_factory is MISSING
        if required and field.name not in values:
            raise ValueError(f"{field.name} is missing")
    hints = get_type_hints(kind)
    return kind(**{name: _read(hints[name], name, value) for name, value in values.items()})


def _read(hint: Any, name: str, value: object) -> object:
    if hint is Any:
        return value
    if isinstance(hint, type) and is_dataclass(hint):
        return read_plain(hint, value)
    container = get_origin(hint)
    container = _CONTAINERS.get(container, container)
    if container in (list, dict):
        if not isinstance(value, container):
            raise ValueError(f"{name} cannot be {value!r:.50}")
        *keys, item = get_args(hint)
        if keys:
            return {_read(keys[0], name, k): _read(item, name, v) for k, v in value.items()}
        return [_read(item, name, each) for each in value]
    if container is Literal:
        fits = value in get_args(hint)
    elif choices := get_args(hint):
        if value is None and NoneType in choices:
            return None
        return _read(next(choice for choice in choices if choice is not NoneType), name, value)
    else:
        # In JSON an int 1 may stand for a float, but True is not an int, nor is 1.0.
        fits = type(value) in {hint, int if hint is float else hint}
    if isinstance(value, int):
        fits = fits and -_LARGEST <= value < _LARGEST
    if not fits or value != value:  # NaN
        raise ValueError(f"{name} cannot be {value!r:.50}")
    return value
