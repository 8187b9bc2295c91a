"""The recipes of docs/recipes.md: their commands, and the figures of their table."""

import re
import shlex
from pathlib import Path

import pytest

from tests.command import poetgen
from tests.real_data import SHAKESPEARE, needs_english
from tests.test_readme import commands_of

PAGE = "docs/recipes.md"


def trainings() -> list[list[str]]:
    """The trainings of the table; others need texts that the user has to get."""
    lines = [shlex.split(line) for line in commands_of(PAGE)]
    return [line[1:] for line in lines if line[:2] == ["poetgen", "train"] and "--name" in line]


def name_of(command: list[str]) -> str:
    return command[command.index("--name") + 1]


def table() -> dict[str, tuple[int, float, float]]:
    """Give steps, our smoothed loss, and the report's, of each recipe."""
    text = (Path(__file__).parent.parent / PAGE).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\S+)` \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \|", text, re.MULTILINE)
    return {name: (int(n.replace(",", "")), float(a), float(b)) for name, n, a, b in rows}


@pytest.fixture(scope="module")
def bard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the corpus that the recipes begin from."""
    folder = tmp_path_factory.mktemp("bard")
    head, prepare, *_ = (shlex.split(line) for line in commands_of(PAGE))
    assert [*head[:2], head[-1]] == ["head", "-c", "bard.txt"]
    (folder / "bard.txt").write_bytes(SHAKESPEARE.read_bytes()[: int(head[2])])
    assert poetgen(*prepare[1:], cwd=folder).returncode == 0
    return folder


def test_the_table_has_every_recipe_and_each_beats_the_report():
    rows = table()
    assert list(rows) == [name_of(command) for command in trainings()]
    assert all(ours < theirs for _, ours, theirs in rows.values())


@needs_english
@pytest.mark.parametrize("command", trainings(), ids=name_of)
def test_a_recipe_runs_and_tells_its_smoothed_loss(command, bard):
    shorter = [*command, "--max-tokens", "2500", "--name", f"{name_of(command)}-short"]
    done = poetgen(*shorter, cwd=bard)
    assert done.returncode == 0
    assert "Finished after 100 steps" in done.stderr
    assert "Smoothed loss of a window: " in done.stderr


@pytest.mark.long
@needs_english
@pytest.mark.parametrize("command", trainings(), ids=name_of)
def test_a_recipe_gives_the_figure_of_the_table(command, bard):
    num_steps, ours, theirs = table()[name_of(command)]
    done = poetgen(*command, cwd=bard)
    assert f"Finished after {num_steps:,} steps" in done.stderr
    loss = float(re.search(r"Smoothed loss of a window: ([\d.]+)", done.stderr)[1])
    # Other machines add up in another order; the report is beaten on all.
    assert loss == pytest.approx(ours, rel=0.05)
    assert loss < theirs
