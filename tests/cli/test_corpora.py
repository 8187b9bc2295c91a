"""Corpora by name, from the mirror a user gives, through the real command line."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from poetgen.cli.prepare import prepare
from poetgen.config import PrepareConfig
from poetgen.errors import InputError, PoetgenError, SourceError
from tests.command import ENVIRONMENT, assert_two_line_error, poetgen
from tests.real_data import TANG, TIME_MACHINE, needs_english, needs_tang
from tests.synthetic import write_poems


def at_home(tmp_path, mirror=""):
    """Keep the cache in the test's own folder, and take what is fetched from ``mirror``."""
    return {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "POETGEN_MIRROR": str(mirror),
    }


@needs_tang
def test_one_command_leads_from_nothing_to_the_tang_poems(tmp_path):
    done = poetgen("prepare", "tang", cwd=tmp_path, **at_home(tmp_path, TANG))
    assert done.returncode == 0, done.stderr
    meta = json.loads((tmp_path / "corpora/tang/corpus.json").read_text(encoding="utf-8"))
    assert meta["report"]["read"] == 57_607
    assert 55_000 < sum(meta["report"]["kept"].values()) < 56_000
    # The second time everything is in the cache, and the mirror may be gone.
    again = poetgen(
        *("prepare", "tang", "--force"),
        cwd=tmp_path,
        **at_home(tmp_path, "http://127.0.0.1:9/nothing"),
    )
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "corpora/tang/corpus.json").read_text("utf-8")) == meta


@needs_english
def test_prose_goes_from_its_name_to_text_of_its_words(tmp_path):
    environment = at_home(tmp_path, TIME_MACHINE.parent)
    words = ("prepare", "time-machine", "--tokens", "word", "--letters-only")
    assert poetgen(*words, cwd=tmp_path, **environment).returncode == 0
    size = (
        "--hidden-size",
        "16",
        "--embedding-dim",
        "12",
        "--max-minutes",
        "0.02",
        "--engine",
        "numpy",
    )
    trained = poetgen("train", "time-machine", *size, cwd=tmp_path, **environment)
    assert trained.returncode == 0, trained.stderr
    write = ("generate", "--start", "the time traveller", "--seed", "3", "--max-chars", "12")
    plain, streamed, given = (
        poetgen(*write, *extra, cwd=tmp_path, **environment)
        for extra in ([], ["--stream"], ["--json"])
    )
    assert plain.stdout.startswith("the time traveller ")
    assert streamed.stdout == plain.stdout
    (poem,) = json.loads(given.stdout)["poems"]
    assert poem["text"].split() == plain.stdout.split()


def test_what_lies_here_goes_before_what_is_far(tmp_path):
    write_poems(tmp_path / "tang", 60)
    done = poetgen("prepare", "tang", cwd=tmp_path, **at_home(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Read 60 poems" in done.stderr


def test_a_mirror_that_does_not_exist_is_named(tmp_path):
    environment = at_home(tmp_path)
    done = poetgen("prepare", "ci", "--mirror", "no/folder", cwd=tmp_path, **environment)
    assert_two_line_error(done, "There is no mirror no/folder", "--mirror")
    assert not (tmp_path / "corpora").exists()


def test_training_on_nothing_says_how_to_get_it(tmp_path):
    for command in (["train"], ["compare", "lstm", "gru"]):
        done = poetgen(*command, cwd=tmp_path, **at_home(tmp_path))
        assert_two_line_error(done, "no prepared corpus tang", "poetgen prepare tang")
    done = poetgen("train", "mine", cwd=tmp_path, **at_home(tmp_path))
    assert_two_line_error(done, "no prepared corpus mine", "--name mine")


def test_standard_input_is_read_and_needs_a_name(tmp_path):
    write_poems(tmp_path / "poems.txt", 60)
    text = (tmp_path / "poems.txt").read_bytes()
    assert_two_line_error(poetgen("prepare", "-", cwd=tmp_path), "--name")
    done = subprocess.run(
        [sys.executable, "-m", "poetgen", "prepare", "-", "--name", "piped"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        input=text,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    poetgen("prepare", "poems.txt", cwd=tmp_path)
    piped, named = (
        (tmp_path / "corpora" / name / "train.tokens.npy").read_bytes()
        for name in ("piped", "poems")
    )
    assert piped == named


@pytest.mark.parametrize("place", ["src/1.txt", "src/deep/new.jsonl", "corpora/src/list", "link"])
def test_the_list_of_dropped_poems_never_becomes_a_part_of_source_or_corpus(
    tmp_path, monkeypatch, place
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    write_poems(tmp_path / "src/1.txt", 9)
    (tmp_path / "link").symlink_to("src/1.txt")
    before = (tmp_path / "src/1.txt").read_bytes()
    with pytest.raises(InputError, match="lies in "):
        prepare(["src"], list_dropped=Path(place), force=True, quiet=True)
    assert (tmp_path / "src/1.txt").read_bytes() == before
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["1.txt", "link", "src"]


def test_what_was_dropped_is_listed_also_when_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "poems.txt").write_text("题:白日□山尽，黄河入海流。\n", encoding="utf-8")
    with pytest.raises(SourceError, match="Only 0 poems") as error:
        prepare(["poems.txt"], list_dropped=Path("dropped.jsonl"), quiet=True)
    assert "dropped.jsonl" in error.value.advice
    (line,) = (tmp_path / "dropped.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["reason"] == "lacuna"


def test_a_pipe_is_written_to_and_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_poems(tmp_path / "poems.txt", 30)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(PoetgenError, match="Nobody reads from pipe"):
        prepare(["poems.txt"], list_dropped=Path("pipe"), force=True, quiet=True)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    short = PrepareConfig(max_chars=40)
    prepare(["poems.txt"], settings=short, list_dropped=Path("pipe"), force=True, quiet=True)
    lines = os.read(reader, 1 << 16).splitlines()
    os.close(reader)
    assert {json.loads(line)["reason"] for line in lines} == {"too long"}
    assert pipe.is_fifo()


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of this kind is a Unix thing")
@pytest.mark.parametrize("answer", ["n", "y"])
@needs_english
def test_on_a_terminal_train_offers_to_prepare(tmp_path, answer):
    size = [
        "--hidden-size",
        "8",
        "--embedding-dim",
        "8",
        "--max-minutes",
        "0.01",
        "--engine",
        "numpy",
    ]
    code, shown = on_terminal(["train", "time-machine", *size], answer, tmp_path)
    assert "Fetch and prepare it now?" in shown, shown
    assert (tmp_path / "corpora/time-machine").exists() == (answer == "y"), shown
    assert (tmp_path / "models").exists() == (answer == "y")
    assert code == (0 if answer == "y" else 2)


def on_terminal(arguments, answer, cwd):
    """Run poetgen on a terminal of its own, and answer the first question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "poetgen", *arguments],
        cwd=cwd,
        env={**ENVIRONMENT, **at_home(cwd, TIME_MACHINE.parent), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown, answered, end = b"", False, time.monotonic() + 300
    while time.monotonic() < end:
        ready, _, _ = select.select([ours], [], [], 0.2)
        if ready:
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break  # how Linux says that the other side is closed
        elif process.poll() is not None:
            break
        if not answered and b"]:" in shown:
            os.write(ours, f"{answer}\n".encode())
            answered = True
    process.wait(timeout=300)
    os.close(ours)
    return process.returncode, shown.decode("utf-8", "replace")
