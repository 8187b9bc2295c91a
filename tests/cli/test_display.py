"""The live display of a training, on terminals of every width."""

import io
import re

import pytest
from rich.console import Console

from poetgen.cli.display import TrainingDisplay
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
