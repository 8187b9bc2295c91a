"""What reaches a terminal, and what happens where there is none."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from poetgen.cli.app import explain, report
from poetgen.cli.commands import NAMES, load
from poetgen.cli.display import make_answer_console, make_console
from poetgen.cli.heat import shown, text_row, widths
from poetgen.cli.prepare import prepare
from poetgen.errors import InputError
from poetgen.terminal import display_width, json_text, visible
from tests.command import ENVIRONMENT
from tests.synthetic import write_poems

# Escape codes of two kinds, a carriage return, marks that turn or hide text, half a
# character, other line breaks, and what is no character at all.
UNSAFE = "\x1b\x9b\x07\r\x7f\u202e\u2066\u200b\u200f\ufeff\u2028\u2029\ud800\U000e0041\uffff"
# Chinese of two planes, an emoji with joiners, and a character of somebody's own.
SAFE = "日\U00020000，a b\n\t\u3000\N{WOMAN}\u200d\N{PERSONAL COMPUTER}\ue000é"


@pytest.mark.parametrize("char", UNSAFE)
def test_what_a_terminal_would_obey_or_hide_is_shown_as_a_sign(char):
    assert visible(f"日{char}月") == "日\ufffd月"


def test_all_other_text_stays_as_it_is():
    assert visible(SAFE) == SAFE


def test_json_is_safe_and_loses_nothing():
    value = {UNSAFE: [SAFE, UNSAFE, 1.5, None, True], "n": (float("nan"), float("-inf"))}
    text = json_text(value)
    assert visible(text) == text
    assert json.loads(text, parse_constant=pytest.fail) == {
        UNSAFE: [SAFE, UNSAFE, 1.5, None, True],
        "n": [None, None],
    }


@pytest.mark.parametrize("make", [make_console, make_answer_console])
def test_no_console_passes_a_command_on(make, capsys):
    # rich cannot print half a character.
    unsafe = UNSAFE.replace("\ud800", "")
    table = Table.grid()
    table.add_row(unsafe, Text(unsafe), "end")
    for content in (unsafe, Text(unsafe), table):
        make().print(content, markup=False)
    said = "".join(capsys.readouterr())
    assert visible(said) == said
    assert "\ufffd" in said
    assert "end" in said


def test_an_error_is_two_lines_whatever_it_is_about(capsys):
    assert report(InputError(f"a{UNSAFE}b\nc", f"d{UNSAFE}\ne"), "") == 2
    said = capsys.readouterr().err
    assert visible(said) == said
    assert len(said.splitlines()) == 2


def test_a_poem_that_is_dropped_does_not_command_the_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_poems(tmp_path / "poems.txt", 30)
    with (tmp_path / "poems.txt").open("a", encoding="utf-8") as file:
        file.write("缺:\x1b]0;x\x9b2J\u202e日□山尽，黄河入海流。\n")
    prepare(["poems.txt"], name="few")
    said = capsys.readouterr().err
    assert "lacuna" in said
    assert visible(said) == said


def test_tokens_are_drawn_as_wide_as_they_are_measured():
    tokens = ["日", "a", "\t", "\n", " ", *UNSAFE]
    assert len({shown(token) for token in "\t\n "}) == 3
    assert sum(widths(tokens)) == text_row(tokens).cell_len


@pytest.mark.parametrize("command", NAMES)
def test_advice_about_memory_names_options_that_the_command_has(command):
    advice = explain(MemoryError(), command)[1]
    assert advice != explain(MemoryError(), "")[1]
    own = {flag for parameter in load(command).params for flag in parameter.opts}
    assert set(re.findall(r"--?[a-z][a-z-]*", advice)) <= own


# Streams that a shell has closed.


def python(closed, *arguments, cwd):
    """Run Python without some of its standard streams."""
    return subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, *arguments],
        cwd=cwd,
        # Without a buffer every write would fail at once, and nothing would be left for the exit.
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": ""},
        capture_output=True,
        timeout=120,
        check=False,
    )


needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="there is no such shell")


@needs_shell
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    code = (
        "import sys; from poetgen.cli import fill_closed_streams as fill; fill()\n"
        "file = open('poem', 'w'); file.write(f'{file.fileno()}'); file.flush()\n"
        "print('err', file=sys.stderr); assert sys.stdin is None"
    )
    assert python("<&- >&- 2>&-", "-c", code, cwd=tmp_path).returncode == 0
    assert int((tmp_path / "poem").read_text(encoding="utf-8")) > 2


@needs_shell
def test_a_closed_standard_error_changes_nothing_on_standard_output(tmp_path):
    poem = python("2>&-", "-m", "poetgen", "generate", "--seed", "6", cwd=tmp_path)
    assert poem.returncode == 0
    assert b"seed" not in poem.stdout
    assert poem.stdout


@needs_shell
@pytest.mark.parametrize("closed", [">&-", ">/dev/full"])
@pytest.mark.parametrize("command", ["generate --quiet", "generate --json", "inspect tang"])
def test_an_answer_that_cannot_be_written_is_a_failure_in_two_lines(tmp_path, closed, command):
    if closed == ">/dev/full" and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    done = python(closed, "-m", "poetgen", *command.split(), cwd=tmp_path)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert len(lines) == 2
    assert lines[0].startswith("Error: ")


@needs_shell
def test_work_without_an_answer_needs_no_standard_output(tmp_path):
    write_poems(tmp_path / "poems.txt", 30)
    done = python(">&-", "-m", "poetgen", "prepare", "poems.txt", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "corpora/poems").is_dir()


@pytest.mark.parametrize("module", ["typer", "poetgen.cli.app"])
def test_ctrl_c_during_the_imports_shows_no_traceback(tmp_path, module):
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from poetgen.cli import main; main()"
    )
    done = python("", "-c", code, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_chinese_character_is_two_columns_wide():
    assert display_width("床a，") == 5
    assert display_width("lǜ") == display_width("lu\u0308\u0300") == 2
    assert display_width("") == 0
