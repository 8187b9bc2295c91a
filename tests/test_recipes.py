"""The recipes of docs/recipes.md: their commands, and the figures of their tables."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command import begin, poetgen
from tests.real_data import SHAKESPEARE, TIME_MACHINE, needs_english
from tests.test_readme import commands_of

PAGE = "docs/recipes.md"
# A long training takes minutes, and many times as long on a busy machine. In seconds.
_HOURS = 4 * 3600


def page() -> str:
    return (Path(__file__).parent.parent / PAGE).read_text(encoding="utf-8")


def trainings() -> list[list[str]]:
    """The trainings of the table; others need texts that the user has to get."""
    lines = [shlex.split(line) for line in commands_of(PAGE)]
    return [line[1:] for line in lines if line[:3] == ["poetgen", "train", "bard"]]


def name_of(command: list[str]) -> str:
    return command[command.index("--name") + 1]


def table() -> dict[str, tuple[int, float, float]]:
    """Give steps, our smoothed loss, and the report's, of each recipe."""
    rows = re.findall(r"^\| `(\S+)` \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \|", page(), re.MULTILINE)
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
    done = begin(*command, cwd=bard).wait(_HOURS)
    assert f"Finished after {num_steps:,} steps" in done.stderr
    loss = float(re.search(r"Smoothed loss of a window: ([\d.]+)", done.stderr)[1])
    # Other machines add up in another order; the report is beaten on all.
    assert loss == pytest.approx(ours, rel=0.05)
    assert loss < theirs


@needs_english
def test_the_last_tenth_of_shakespeare_is_held_out(tmp_path):
    text = SHAKESPEARE.read_bytes()
    lines = [line for line in commands_of(PAGE) if "shakespeare-" in line]
    head, tail, prepare, train, compare = map(shlex.split, lines)
    first, last = int(head[2]), int(tail[2])
    assert (head[-2:], tail[-2:]) == ([">", "shakespeare-90.txt"], [">", "shakespeare-10.txt"])
    # No letter is in both, and none is left out.
    assert last == first + 1
    assert first == int(0.9 * len(text))
    (tmp_path / "shakespeare-90.txt").write_bytes(text[:first])
    (tmp_path / "shakespeare-10.txt").write_bytes(text[last - 1 :])
    assert poetgen(*prepare[1:], cwd=tmp_path).returncode == 0
    small = ["--hidden-size", "16", "--embedding-dim", "12", "--max-tokens", "9000"]
    assert poetgen(*train[1:], *small, cwd=tmp_path).returncode == 0
    shorter = [word.replace("ngram:7", "ngram:2") for word in compare[1:]]
    done = poetgen(*shorter, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "shakespeare-10.txt: 929 poems" in done.stderr


def races() -> list[list[str]]:
    """The races on the opening of The Time Machine."""
    lines = [shlex.split(line) for line in commands_of(PAGE)]
    return [line[1:] for line in lines if line[:2] == ["poetgen", "compare"] and "sgd" in line]


def option(command: list[str], flag: str) -> str:
    return command[command.index(flag) + 1]


def contenders_of(command: list[str]) -> list[str]:
    return command[1 : next(i for i, word in enumerate(command) if word.startswith("--"))]


def corpus_of(command: list[str]) -> str:
    return option(command, "--corpus")


def known_by_heart() -> list[tuple[str, str, float, float]]:
    """Return corpus, contender, training perplexity and minutes of each row."""
    row = r"^\| `(book|words)` \| `(\S+)` \| ([\d.]+) \| ([\d.]+) \|"
    found = re.findall(row, page(), re.MULTILINE)
    return [(corpus, name, float(a), float(b)) for corpus, name, a, b in found]


@pytest.fixture(scope="module")
def opening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the corpora of the opening, made by the commands of the page."""
    if shutil.which("sh") is None:
        pytest.skip("no shell here")
    folder = tmp_path_factory.mktemp("opening")
    shutil.copy(TIME_MACHINE, folder / "timemachine.txt")
    lines = commands_of(PAGE)
    for line in (line for line in lines if re.search(r"> (letters|book)\.txt$", line)):
        subprocess.run(["sh", "-c", line], cwd=folder, check=True)
    for line in (line for line in lines if line.startswith("poetgen prepare book.txt")):
        done = poetgen(*shlex.split(line)[1:], cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@needs_english
def test_the_opening_is_that_of_the_textbook(opening):
    original = TIME_MACHINE.read_text(encoding="utf-8")
    letters = (opening / "letters.txt").read_text(encoding="ascii")
    assert letters == re.sub("[^A-Za-z]+", " ", original).lower()[:10_000]
    report = json.loads((opening / "corpora/book/corpus.json").read_text(encoding="utf-8"))
    # With the token of its end.
    assert report["report"]["targets"]["train"] - 1 == len(letters)
    for recited in re.findall("^> (time traveller .*)", page(), re.MULTILINE):
        assert recited in letters


def test_the_table_has_every_contender_of_the_races_in_their_order():
    rows = [(corpus_of(race), name) for race in races() for name in contenders_of(race)]
    assert [row[:2] for row in known_by_heart()] == rows


def test_letters_are_known_by_heart_as_well_as_in_the_report():
    for corpus, name, perplexity, _ in known_by_heart():
        if corpus == "book":
            # The report has one decimal for the others.
            assert perplexity <= 1.05 if name in ("lstm", "gru") else round(perplexity, 1) <= 1.4


@needs_english
@pytest.mark.parametrize("command", races(), ids=lambda command: option(command, "--report"))
def test_a_race_on_the_opening_runs_and_reports_its_training_perplexity(command, opening):
    shorter = [*command, "--budget", "12000", "--hidden-size", "24", "--report", "short"]
    verdict, report = raced(shorter, opening)
    assert [one["name"] for one in verdict["contenders"]] == contenders_of(command)
    assert all(one["runs"][0]["training_perplexity"] > 1 for one in verdict["contenders"])
    assert "| training perplexity |" in report
    assert all(one["poems"][0].startswith(verdict["starts"][0]) for one in verdict["contenders"])


@pytest.mark.long
@needs_english
@pytest.mark.parametrize("command", races(), ids=lambda command: option(command, "--report"))
def test_a_race_on_the_opening_gives_the_figures_of_the_table(command, opening):
    verdict, _ = raced(command, opening, _HOURS)
    rows = {(corpus, name): perplexity for corpus, name, perplexity, _ in known_by_heart()}
    for one in verdict["contenders"]:
        expected = rows[corpus_of(command), one["name"]]
        # Other machines add up in another order.
        assert one["runs"][0]["training_perplexity"] == pytest.approx(expected, rel=0.05)


def raced(command: list[str], folder: Path, seconds: float = 300) -> tuple[dict, str]:
    """Return the report of a race, as JSON and as Markdown."""
    shutil.rmtree(folder / "short", ignore_errors=True)
    done = begin(*command, "--json", cwd=folder).wait(seconds)
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert (folder / option(command, "--plot")).stat().st_size > 0
    return verdict, (folder / verdict["folder"] / "report.md").read_text(encoding="utf-8")
