"""``poetgen train CORPUS --init MODEL``, through the real command line."""

import pytest

from poetgen.networks.model_file import load_model
from tests.command import assert_two_line_error, poetgen
from tests.synthetic import TITLED, write_titled

TRAIN = ("--engine", "numpy", "--epochs", "1")
SHAPE = ("--arch", "gru", "--hidden-size", "9", "--embedding-dim", "5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two corpora, and a model ``large`` of the first."""
    folder = tmp_path_factory.mktemp("init")
    write_titled(folder / "large.json", 60, seed=1)
    write_titled(folder / "mine.json", 8, seed=2, characters=TITLED + "鹤")
    for source in ("large.json", "mine.json"):
        assert poetgen("prepare", source, cwd=folder).returncode == 0
    done = poetgen("train", "large", "--name", "large", *TRAIN, *SHAPE, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_model_goes_on_and_says_from_where(folder):
    done = poetgen("train", "mine", "--init", "large", "--name", "next", *TRAIN, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    first, *_ = done.stderr.splitlines()
    assert first == "Beginning with the model large. Characters of mine that are new to it: 1."
    assert "step 0: validation perplexity " in done.stderr
    assert "; with title and author " in done.stderr
    model = load_model(folder / "models" / "next.safetensors")
    assert model.config.hidden_size == 9
    shown = poetgen("inspect", "next", cwd=folder).stdout
    assert "init large" in shown
    assert "learning_rate 0.0005" in shown
    assert "metrics validation given title and author " in shown


def test_a_training_that_makes_nothing_better_says_that_the_model_is_unchanged(folder):
    wreck = ("--learning-rate", "3", "--warmup", "0")
    done = poetgen(
        "train", "large", "--init", "large", "--name", "same", *TRAIN, *wreck, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "No step was better than large itself" in done.stderr
    ours, theirs = (load_model(folder / f"models/{name}.safetensors") for name in ("same", "large"))
    assert all((ours.weights[name] == theirs.weights[name]).all() for name in theirs.weights)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--init", "large", "--hidden-size", "768"), ("large has --hidden-size 9", "Leave")),
        (("--init", "lage"), ("There is no model lage", "Did you mean large?")),
    ],
    ids=["shape", "missing"],
)
def test_what_cannot_be_the_beginning_is_an_error_of_two_lines(folder, flags, words):
    done = poetgen("train", "mine", "--name", "wrong", *TRAIN, *flags, cwd=folder)
    assert_two_line_error(done, *words)
    assert not list((folder / "models").glob("wrong*"))
