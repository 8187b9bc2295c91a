"""Shell completion of names, asked for as bash and zsh ask for it."""

import re
import subprocess
import sys

import pytest

from poetgen.cli import completion
from poetgen.networks.model_file import save_model
from poetgen.places import NAMED_CORPORA, SHIPPED_MODELS
from tests.command import ENVIRONMENT
from tests.tiny import tiny_model

# Typer finds the variable by the name of the program, which is not that of "python -m".
CODE = "import sys; sys.argv[0] = 'poetgen'; from poetgen.cli import main; main()"


def completed(shell, line, cwd):
    """Return what completes the last word of ``line``; the word is empty after a blank."""
    words = line.split() + [""] * line.endswith(" ")
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={
            **ENVIRONMENT,
            "XDG_DATA_HOME": str(cwd / "data"),
            "_POETGEN_COMPLETE": f"complete_{shell}",
            **asked[shell],
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    if shell == "bash":
        return done.stdout.split()
    return re.findall('"(.*?)"', done.stdout)


@pytest.fixture
def here(tmp_path):
    """A folder with the corpora ``few`` and ``spring`` and the model ``mine``."""
    for name in ("few", "spring"):
        (tmp_path / "corpora" / name).mkdir(parents=True)
        (tmp_path / "corpora" / name / "corpus.json").write_text("never read")
    save_model(tiny_model(), tmp_path / "models/mine.safetensors")
    (tmp_path / "songs.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("poetgen train ", ["few", "spring", *NAMED_CORPORA]),
        ("poetgen train s", ["spring", "song", "shakespeare"]),
        ("poetgen train --arch gru f", ["few"]),
        ("poetgen compare lstm --corpus f", ["few"]),
        ("poetgen compare l", ["lstm"]),
        ("poetgen generate --model ", ["mine", *sorted(SHIPPED_MODELS)]),
        ("poetgen generate --model m", ["mine"]),
        ("poetgen inspect t", ["tang"]),
        ("poetgen prepare t", ["tang", "time-machine"]),
        # Files are completed beside names.
        ("poetgen prepare tang so", ["song", "songs.txt"]),
        # Where there is no name the shell itself completes files.
        ("poetgen prepare x", []),
        ("poetgen train ./f", []),
    ],
)
def test_names_are_completed(here, shell, line, names):
    assert completed(shell, line, here) == names


@pytest.mark.parametrize("complete", ["complete_corpus", "complete_model", "complete_source"])
def test_a_disk_that_cannot_be_read_completes_nothing_and_shows_no_error(
    tmp_path, monkeypatch, complete
):
    def fail(*arguments):
        raise PermissionError("no")

    monkeypatch.chdir(tmp_path)
    for name in ("corpora_here", "models_here"):
        monkeypatch.setattr(completion, name, fail)
    monkeypatch.setattr("os.scandir", fail)
    expected = [] if complete == "complete_model" else list(NAMED_CORPORA)
    assert getattr(completion, complete)("") == expected


def test_completion_loads_no_array_library(here):
    code = (
        "import sys\n"
        "from poetgen.cli import completion\n"
        "assert completion.complete_corpus('f') == ['few']\n"
        "assert completion.complete_model('m') == ['mine']\n"
        "assert not {'numpy', 'safetensors', 'rich'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=here, check=True)
