"""The live display of a training, on terminals of every width."""

import io
import re

import pytest
from rich.console import Console

from poetgen.cli.display import TrainingDisplay, make_answer_console, print_table
from poetgen.training.events import Progress, Started

STARTED = Started(
    name="m",
    device="cpu",
    precision="float32",
    num_parameters=1,
    steps_per_epoch=1,
    total_steps=1,
    resumed_at_step=0,
)
PROGRESS = Progress(
    step=123_456,
    total_steps=1_000_000,
    epoch=12.34,
    loss=5.678,
    learning_rate=0.001,
    tokens_per_second=123_456,
    num_threads=4,
    elapsed_seconds=3600,
    fraction_done=0.125,
    smooth_loss=101.25,
)
# The most important first.
NUMBERS = ["12%", "loss 5.678", "perplexity 292.4", "left 7:00:00", "epoch 12.34"]
NUMBERS += ["smooth loss 101.25", "123,456 tokens/s"]


def shown(width):
    """Return the last line on a terminal of so many columns, without colours."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    with TrainingDisplay(console) as display:
        display.show(STARTED)
        display.show(PROGRESS)
    text = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())
    return text.rstrip().splitlines()[-1].rstrip()


@pytest.mark.parametrize("width", range(20, 160, 7))
def test_no_number_is_cut_however_narrow_the_terminal(width):
    line = shown(width)
    assert len(line) <= width
    found = [number for number in NUMBERS if number in line]
    assert found == NUMBERS[: len(found)]
    # Nothing but these numbers, blanks and the bar.
    for number in found:
        line = line.replace(number, "")
    assert not set(line) - set(" ━╺╸")


def test_a_narrow_terminal_shows_what_matters_and_a_wide_one_everything():
    assert all(number in shown(50) for number in NUMBERS[:3])
    assert all(number in shown(140) for number in NUMBERS)
    assert "━" in shown(140)


def test_after_a_run_that_has_failed_the_next_one_is_shown():
    console = Console(file=io.StringIO(), width=140, force_terminal=True)
    with TrainingDisplay(console) as display:
        for _ in range(2):
            display.show(STARTED)
            display.show(PROGRESS)
            display.end_run()
            console.print("It has failed.")
    assert console.file.getvalue().count("It has failed.") == 2
    assert "Training m on cpu" in console.file.getvalue().rpartition("It has failed.")[0]


@pytest.mark.parametrize("force_terminal", [False, True])
def test_a_table_shows_every_cell_and_ends_its_lines_with_text_in_a_pipe(force_terminal):
    console = Console(file=io.StringIO(), width=70, force_terminal=force_terminal)
    rows = [["春", "1", "short"], ["夏夜", "1,000", "a longer last cell"]]
    print_table(console, {"name": "left", "count": "right", "what": "left"}, rows)
    text = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())
    lines = text.splitlines()
    assert [line.split() for line in lines[1:]] == [" ".join(row).split() for row in rows]
    assert force_terminal or not any(line.endswith(" ") for line in lines)


def test_a_pipe_gets_long_lines_whole(capsys):
    make_answer_console().print("日" * 300)
    assert capsys.readouterr().out == "日" * 300 + "\n"
