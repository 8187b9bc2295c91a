"""The commands, each imported only when it is asked for.

A poem takes less time than the import of what trains, compares and prepares.
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from poetgen.cli.options import settings_as_flags
from poetgen.cli.quick_options import quicken

NAMES = ("prepare", "train", "generate", "compare", "inspect")
# Typer's own flags have no default, and to turn None into a bool Typer imports pydantic.
FLAGS_OFF = dict.fromkeys(("help", "install_completion", "show_completion"), False)


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        """Take what Typer gives a group; of the commands the names alone are known at first."""
        super().__init__(**attributes)
        self.commands = cast(Any, dict.fromkeys(NAMES))

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """Return a command by its name, or None."""
        return load(cmd_name) if cmd_name in NAMES else None


@functools.cache
def load(name: str) -> TyperCommand:
    """Import and return the command ``name``."""
    function = settings_as_flags(getattr(import_module(f"poetgen.cli.{name}"), name))
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    settings = {"default_map": FLAGS_OFF}
    alone.command(no_args_is_help=name == "prepare", context_settings=settings)(function)
    command = cast(TyperCommand, typer.main.get_command(alone))
    quicken(command, function)
    return command
