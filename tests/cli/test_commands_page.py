"""docs/commands.md is what the program says, and the examples of the help are right."""

import re
import shlex

import pytest

from poetgen.cli.commands import NAMES, load
from tests.write_commands import PAGE, page

COMMANDS = {name: load(name) for name in NAMES}


def test_the_page_is_what_the_program_says_of_itself():
    assert PAGE.read_text(encoding="utf-8") == page(), "out of date: run make docs"


@pytest.mark.parametrize("name", NAMES)
def test_every_flag_has_a_row_of_its_own(name):
    text = PAGE.read_text(encoding="utf-8")
    section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == len(COMMANDS[name].params)
    for parameter, row in zip(COMMANDS[name].params, rows, strict=True):
        assert parameter.help.replace("|", "\\|") in row
        if parameter.param_type_name == "option":
            assert all(f"`{flag}`" in row for flag in parameter.opts + parameter.secondary_opts)
        if isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool):
            assert f"| `{parameter.default}` |" in row


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_an_example_that_it_understands(name):
    examples = re.findall(r"\[bold\](poetgen .*?)\[/bold\]", COMMANDS[name].help)
    assert examples
    for example in examples:
        _, command, *arguments = shlex.split(example)
        assert command == name
        COMMANDS[name].make_context(name, arguments)
