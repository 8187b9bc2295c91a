"""A verdict as the terminal shows it."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from poetgen.cli.display import make_answer_console
from poetgen.cli.verdict import print_verdict
from poetgen.comparison.rows import sections
from poetgen.comparison.sentences import findings
from poetgen.terminal import display_width
from poetgen.verse.layout import couplets
from tests.comparison.verdicts import chinese, english

MAKERS = pytest.mark.parametrize("make", [chinese, english])


def on_terminal(verdict, width, **options):
    """Print a verdict on a terminal; its lines without control codes."""
    options = {"force_terminal": True, "color_system": "standard"} | options
    console = Console(file=io.StringIO(), width=width, highlight=False, **options)
    print_verdict(console, verdict)
    return re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue()).splitlines()


def in_pipe(verdict, capsys):
    print_verdict(make_answer_console(), verdict)
    return capsys.readouterr().out.splitlines()


@MAKERS
@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(tmp_path, make, width):
    assert max(map(display_width, on_terminal(make(tmp_path), width))) <= width


@MAKERS
@pytest.mark.parametrize("width", [60, 80, 140])
def test_every_figure_is_in_the_terminal_whatever_its_width(tmp_path, make, width):
    verdict = make(tmp_path)
    text = "\n".join(on_terminal(verdict, width))
    for section in sections(verdict):
        for row in section.rows:
            assert row.label in text
            assert all(cell in text for cell in row.cells)


@MAKERS
def test_a_pipe_has_one_table_and_no_curves_colours_and_padding(tmp_path, make, capsys):
    verdict = make(tmp_path)
    lines = in_pipe(verdict, capsys)
    assert not any(line.endswith(" ") or "\x1b" in line for line in lines)
    assert not re.search("[\u2800-\u28ff]", "".join(lines))
    for section in sections(verdict):
        for row in section.rows:
            wanted = [row.label, *row.cells]
            assert [line for line in lines if re.split(r"\s{2,}", line.strip()) == wanted]


def test_poems_stand_side_by_side_in_columns_of_their_width(tmp_path, capsys):
    verdict = chinese(tmp_path)
    lines = in_pipe(verdict, capsys)
    (heading,) = [line for line in lines if re.fullmatch(r"gru\s+lstm\s+tang", line)]
    at = [display_width(heading[: heading.index(name)]) for name in ("gru", "lstm", "tang")]
    for number in range(2):
        row = next(
            line
            for line in lines
            if line.startswith(couplets(verdict.contenders[0].poems[0])[number])
        )
        for place, left in zip((0, 1, 3), at, strict=True):
            couplet = couplets(verdict.contenders[place].poems[0])[number]
            assert display_width(row[: row.index(couplet)]) == left


def test_a_narrow_terminal_breaks_poems_at_their_marks(tmp_path):
    verdict = chinese(tmp_path)
    lines = on_terminal(verdict, 70)
    first, second = re.findall("[^，。]+[，。]", couplets(verdict.contenders[0].poems[0])[0])
    place = next(number for number, line in enumerate(lines) if line.startswith(first))
    assert second not in lines[place]
    assert lines[place + 1].startswith(second)


def test_poems_of_long_lines_are_wrapped_to_stand_side_by_side(tmp_path):
    lines = on_terminal(english(tmp_path), 80)
    assert [line for line in lines if line.count("The mind is the cause") == 2]


@pytest.mark.parametrize("options", [{"no_color": True}, {"color_system": None, "no_color": True}])
def test_without_colours_each_curve_has_its_sign(tmp_path, options):
    lines = on_terminal(english(tmp_path), 80, **options)
    assert any(line.endswith("o lstm") for line in lines)
    assert any(line.endswith("+ gru") for line in lines)


def test_curves_are_against_time_where_time_was_made_equal(tmp_path):
    verdict = english(tmp_path)
    assert "training tokens" in "".join(on_terminal(verdict, 80))
    timed = "".join(on_terminal(replace(verdict, equal="time"), 80))
    assert "seconds, validation and samples included" in timed
    assert "made equal: time" in timed


def test_what_was_found_stands_last(tmp_path):
    lines = on_terminal(chinese(tmp_path), 1000)
    said = findings(chinese(tmp_path))
    assert lines[-len(said) :] == said


def test_a_race_that_failed_shows_why_and_no_curves_and_poems(tmp_path, capsys):
    verdict = chinese(tmp_path)
    failed = replace(verdict, contenders=[verdict.contenders[2]], differences=[])
    assert in_pipe(failed, capsys)[-1].startswith("rnn, seeds 1 to 3: failed. No space left")
    assert "perplexity per token" not in "".join(on_terminal(failed, 80))


def test_controls_in_a_poem_do_nothing(tmp_path, capsys):
    verdict = chinese(tmp_path)
    strange = replace(verdict.contenders[0], poems=["a\x1b[2Jb"], name="gru\u202e")
    text = "\n".join(in_pipe(replace(verdict, contenders=[strange]), capsys))
    assert "a\ufffd[2Jb" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
