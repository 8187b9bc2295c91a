"""Write docs/commands.md from the commands themselves.

    make docs

Everything below the head of the page comes from what the program declares for its own help, so
nothing of it depends on a terminal, its width or the library that draws the help.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from poetgen.cli.commands import NAMES, load

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"
HEAD = """\
# Commands

Every command, argument and option, with default and range. The program writes this page
(`make docs`); `poetgen COMMAND --help` shows the same. `poetgen --install-completion` sets up
completion for your shell, also of the names of corpora and models.

A poem or a `--json` object goes to standard output, everything else to standard error. Of an
option that is given twice the last counts. An option without a default is off, or its text says
what happens.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | the work failed: for example a full disk, too little memory, a NaN loss |
| 2 | wrong use or wrong input |
| 129 | the terminal was closed (SIGHUP) |
| 130 | Ctrl-C (SIGINT) |
| 141 | nobody reads the output any more (SIGPIPE), as in `poetgen generate -n 1000 \\| head` |
| 143 | `kill` (SIGTERM) |

A training that is stopped in one of the last four ways is saved first; `--resume` continues it.

| environment variable | meaning |
| --- | --- |
| `POETGEN_DEBUG=1` | show the traceback of an error |
| `POETGEN_MIRROR` | the default of `--mirror`, also where `train` and `compare` offer to fetch |
| `OMP_NUM_THREADS` | number of threads that compute, unless `--threads` says otherwise |
| `NO_COLOR` | no colours |
"""
KINDS = {str: "text", int: "integer", float: "number", Path: "path"}


def page() -> str:
    """Return docs/commands.md as it should be."""
    return "\n".join([HEAD, *(section(name, load(name)) for name in NAMES)])


def section(name: str, command: Any) -> str:
    """Return what a command does, how it is called, and its arguments and options."""
    prose = [
        re.sub(r"\[bold\](.*?)\[/bold\]", r"`\1`", " ".join(paragraph.split()))
        for paragraph in command.help.split("\n\n")
    ]
    arguments = [usage_of(one) for one in command.params if one.param_type_name == "argument"]
    usage = f"```\n{' '.join(['poetgen', name, *arguments, '[OPTIONS]'])}\n```"
    table = table_of(["", "value", "default", "meaning"], map(row_of, command.params))
    return "\n\n".join([f"## {name}", *prose, usage, table]) + "\n"


def usage_of(argument: Any) -> str:
    """Return an argument as it is written in a usage line: in brackets if it may be left out."""
    text = argument.metavar.removesuffix("...") + "..." * (argument.nargs == -1)
    return text if argument.required else f"[{text}]"


def row_of(parameter: Any) -> list[str]:
    """Return a parameter as a row: how it is written, its value, its default, its help."""
    if parameter.param_type_name == "argument":
        return [f"`{parameter.metavar}`", "", default_of(parameter), parameter.help]
    flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
    help = parameter.help + (f" Environment: `{parameter.envvar}`." if parameter.envvar else "")
    return [flags, value_of(parameter), default_of(parameter), help]


def value_of(option: Any) -> str:
    """Return what an option takes: nothing, one of a few words, or a kind of value in a range."""
    if option.is_flag:
        return ""
    if option.metavar:
        return f"`{option.metavar}`"
    if choices := get_args(option.kind):
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = KINDS[option.kind]
    if option.min is None:
        return kind
    low, high = (f"{bound or 0:,}".removesuffix(".0") for bound in (option.min, option.max))
    return f"{kind}, {low} or more" if option.max is None else f"{kind}, {low} to {high}"


def default_of(parameter: Any) -> str:
    """Return the value without the option; empty where that is none."""
    if isinstance(parameter.show_default, str):
        return str(parameter.show_default)
    if isinstance(parameter.default, bool):
        return "on" if parameter.default else ""
    return "" if parameter.default in (None, "") else f"`{parameter.default}`"


def table_of(heading: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
