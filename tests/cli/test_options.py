"""Options: what they read without a library is what Typer reads with one."""

import copy

import pytest
import typer
from typer.core import TyperOption

from poetgen.cli.app import app
from poetgen.cli.commands import NAMES, load
from poetgen.cli.quick_options import QuickOption, read_plain

COMMANDS = {name: load(name) for name in NAMES}
OPTIONS = [
    pytest.param(option, id=f"{name} {option.opts[0]}")
    for name in NAMES
    for option in COMMANDS[name].params
    if isinstance(option, QuickOption)
]
TEXTS = [
    *("", " ", "日", "a\nb", "\udcff", "\x1b[1m", "auto", "AUTO", "lstm", "true", "poems.txt"),
    *("0", "1", "-1", "+1", "007", "12", " 12 ", "1_000", "１２", "9" * 15, "9" * 30, "0x10"),
    *("0.8", ".8", "8.", "1.0", "1e3", "-0.5", "1.5.2", "nan", "inf", "0.1" + "0" * 30),
]


def read(option, text):
    try:
        value = option.process_value(None, text)
    except typer.BadParameter as error:
        return error.format_message()
    return type(value), repr(value)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_value_is_read_as_typer_reads_it(option):
    plain = copy.copy(option)
    plain.__class__ = TyperOption
    for value in (*TEXTS, option.default):
        assert read(option, value) == read(plain, value), value


def test_what_is_usually_typed_is_plain():
    assert read_plain("日", str) == "日"
    assert (read_plain("12", int), read_plain("0.8", float)) == (12, 0.8)


def test_what_is_on_by_default_can_be_switched_off():
    on = [
        (name, option)
        for name in NAMES
        for option in COMMANDS[name].params
        if option.default is True
    ]
    assert on
    for name, option in on:
        flag = f"--no-{option.name.replace('_', '-')}"
        names = ["x"] * any(one.param_type_name == "argument" for one in COMMANDS[name].params)
        assert COMMANDS[name].make_context(name, [*names, flag]).params[option.name] is False


def test_a_mistyped_command_is_guessed(capsys):
    with pytest.raises(typer.TyperException, match="Did you mean 'train'"):
        app(["trian"], standalone_mode=False)
