"""The commands, each imported only when it is asked for.

A poem takes less time than to import what trains, compares and prepares.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from poetgen.cli.options import settings_as_flags
from poetgen.cli.quick_options import quicken

NAMES = ("prepare", "train", "generate", "compare", "inspect")
# Typer's own flags have no default, and to make a bool of None Typer imports pydantic.
FLAGS_OFF = dict.fromkeys(("help", "install_completion", "show_completion"), False)


class Commands(TyperGroup):
    """The group of all commands, in which to look one up is to import it."""

    def __init__(self, **attributes: Any) -> None:
        """Take what Typer gives a group, but for the commands."""
        super().__init__(**attributes)
        self.commands = cast(dict[str, Any], _Late())


class _Late(Mapping[str, TyperCommand]):
    def __getitem__(self, name: str) -> TyperCommand:
        if name not in NAMES:
            raise KeyError(name)
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


@functools.cache
def _load(name: str) -> TyperCommand:
    function = settings_as_flags(getattr(import_module(f"poetgen.cli.{name}"), name))
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    settings = {"default_map": FLAGS_OFF}
    alone.command(no_args_is_help=name == "prepare", context_settings=settings)(function)
    command = cast(TyperCommand, typer.main.get_command(alone))
    quicken(command, function)
    return command
