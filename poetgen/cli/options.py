"""From settings to flags: each field of a settings class becomes one option."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from poetgen.errors import ExistsError, SettingError
from poetgen.files import is_stream
from poetgen.settings import Settings, flag_of

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on stderr but errors.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is already there.")]


def ensure_new(path: Path, force: bool) -> None:
    """Refuse to replace a file without ``force``; a pipe or a device is never replaced.

    Raises:
        ExistsError: the file exists.
    """
    if path.exists() and not force and not is_stream(path):
        raise ExistsError(f"{path} is already there.", "Give --force to replace it.")


def ensure_picture(path: Path) -> None:
    """Refuse a name that is not that of a picture.

    Raises:
        SettingError: it ends neither with .png nor with .svg.
    """
    if path.suffix not in (".png", ".svg"):
        raise SettingError(f"{path} is not a .png or .svg file.", "Give a name that ends so.")


def given_settings(context: typer.Context, kind: type[Settings]) -> set[str]:
    """Return the names of the settings that stand on the command line."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    sources = {name: context.get_parameter_source(name) for name in names}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}


class Without(frozenset[str]):
    """Of an annotated settings class, the fields that get no flag and keep their defaults."""


def settings_as_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` for Typer, with one option for each field of a settings class.

    The command itself still receives one settings object, checked and frozen; so a setting is
    declared once, in ``config.py``, however many commands have it.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, tuple[type[Settings], list[str]]] = {}
    parameters = []
    for parameter in signature(command).parameters.values():
        hint = hints[parameter.name]
        kind, *extra = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if isinstance(kind, type) and issubclass(kind, Settings):
            left_out = {name for one in extra if isinstance(one, Without) for name in one}
            options = [option for option in _options(kind) if option.name not in left_out]
            groups[parameter.name] = kind, [option.name for option in options]
            parameters += options
        else:
            parameters.append(parameter.replace(annotation=hint, kind=Parameter.KEYWORD_ONLY))
    # Typer wants parameters without a default first.
    parameters.sort(key=lambda parameter: parameter.default is not Parameter.empty)

    def run(**values: Any) -> None:
        for name, (group, names) in groups.items():
            values[name] = group(**{field: values.pop(field) for field in names})
        command(**values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _options(group: type[Settings]) -> list[Parameter]:
    hints, options = get_type_hints(group), []
    for field in fields(group):  # type: ignore[arg-type]
        flag = flag_of(field.name, field.metadata["flag"])
        if field.default is True:
            flag += f"/--no-{flag[2:]}"
        about = {key: field.metadata[key] for key in ("help", "min", "max")}
        option = Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default)
        options.append(
            option.replace(annotation=Annotated[hints[field.name], typer.Option(flag, **about)])
        )
    return options
