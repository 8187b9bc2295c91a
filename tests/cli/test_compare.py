"""``poetgen compare`` through real processes: tables, JSON, exit codes, kills."""

import json
import math
import os
import shlex
import signal
import subprocess
import sys

import pytest

from poetgen.config import PrepareConfig
from poetgen.corpus.folder import save_corpus
from poetgen.corpus.prepare import build_corpus
from tests.command import ENVIRONMENT, assert_two_line_error, begin, poetgen, start, wait_until
from tests.synthetic import write_poems

TINY = [
    *("--hidden-size", "16", "--embedding-dim", "12", "--device", "cpu", "--engine", "numpy"),
    *("--batch-tokens", "256", "--corpus", "few", "--samples", "0"),
]
DIVERGES = [
    *("gru:learning_rate=1e+30", "rnn:learning_rate=0.1", "--optimizer", "sgd"),
    *("--grad-clip", "0", "--schedule", "constant", "--warmup", "0"),
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a prepared corpus ``few``."""
    folder = tmp_path_factory.mktemp("workplace")
    write_poems(folder / "poems.txt", 120)
    corpus = build_corpus([folder / "poems.txt"], "few", PrepareConfig()).corpus
    save_corpus(corpus, folder / "corpora/few")
    (folder / "drawn.svg").mkdir()
    return folder


def object_of(done):
    """The one object on stdout."""
    answer = json.loads(done.stdout)
    assert answer["exit_code"] == done.returncode
    return answer


def test_compare_shows_a_table_and_leaves_a_report(workplace):
    done = poetgen(
        *["compare", "lstm", "rnn", "--budget", "3000", "--start", "山", *TINY, "--samples", "3"],
        cwd=workplace,
    )
    assert done.returncode == 0, done.stderr
    for word in ("parameters", "lstm", "rnn", "perplexity", "山"):
        assert word in done.stdout
    assert "The report and the models are in reports/lstm-rnn." in done.stderr
    report = json.loads((workplace / "reports/lstm-rnn/report.json").read_text("utf-8"))
    assert [one["name"] for one in report["contenders"]] == ["lstm", "rnn"]
    assert all(one["perplexity_per_hanzi"] > 1 for one in report["contenders"])
    assert report["command"].startswith("poetgen compare lstm rnn --budget 3000")


def test_json_is_one_object_with_what_each_run_had(workplace):
    command = ["compare", "gru", "rnn:hidden_size=20", "--budget", "500", "--seeds", "2", "--json"]
    answer = object_of(poetgen(*command, *TINY, cwd=workplace))
    assert (answer["error"], answer["exit_code"], answer["equal"]) == (None, 0, "parameters")
    assert [one["name"] for one in answer["contenders"]] == ["gru", "rnn:hidden_size=20"]
    for one in answer["contenders"]:
        assert [run["seed"] for run in one["runs"]] == [0, 1]
        for run in one["runs"]:
            assert 500 <= run["tokens"] < 800
            assert (run["status"], run["device"], run["precision"]) == ("done", "cpu", "float32")
            assert run["threads"] >= 1
        mean = sum(run["figures"]["perplexity_per_token"] for run in one["runs"]) / 2
        assert one["perplexity_per_token"] == pytest.approx(mean)


def test_tokens_are_those_really_trained(workplace):
    command = ["compare", "gru", "rnn", "--budget", "100000000", "--max-minutes", "0.03", "--json"]
    answer = object_of(poetgen(*command, *TINY, cwd=workplace))
    for one in answer["contenders"]:
        (run,) = one["runs"]
        assert run["status"] == "time"
        assert 0 < run["tokens"] < 10_000_000
        assert run["curve"][-1]["tokens"] == run["tokens"]
    assert sum(one["runs"][0]["total_seconds"] for one in answer["contenders"]) < 6


def test_the_long_race_that_is_suggested_can_be_run_at_once(workplace):
    options = ["--report", "reports/quick", "--plot=quick.svg", "--max-minutes", "0.01", *TINY]
    done = poetgen("compare", *options, "--", "gru", "rnn", cwd=workplace)
    assert done.returncode == 0, done.stderr
    suggested = shlex.split(done.stderr.partition("The long one: poetgen ")[2].splitlines()[0])
    assert suggested[-5:] == ["--budget", "20000000", "--", "gru", "rnn"]
    longer = poetgen(*suggested, cwd=workplace)
    assert longer.returncode == 0, longer.stderr
    assert "are in reports/gru-rnn" in longer.stderr


def test_a_text_without_hanzi_has_no_perplexity_per_hanzi(tmp_path):
    text = "It was at ten o'clock to-day that the first of all machines began its way.\n" * 300
    lines = [f"{number} {line}" for number, line in enumerate(text.splitlines())]
    (tmp_path / "story.txt").write_text("\n".join(lines), encoding="utf-8")
    options = ["--name", "few", "--format", "prose"]
    assert poetgen("prepare", "story.txt", *options, cwd=tmp_path).returncode == 0
    done = poetgen("compare", "gru", "rnn", "--budget", "3000", *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "hanzi" not in done.stdout
    report = json.loads((tmp_path / "reports/gru-rnn/report.json").read_text("utf-8"))
    assert all(one["perplexity_per_hanzi"] is None for one in report["contenders"])


def test_a_contender_that_diverges_is_shown_and_the_exit_code_says_so(workplace):
    command = ["compare", *DIVERGES, "--budget", "2000", *TINY, "--report", "reports/diverged"]
    done = poetgen(*command, cwd=workplace)
    assert done.returncode == 1
    assert "Error: gru:learning_rate=1e+30: The loss or its gradient is NaN" in done.stderr
    assert "diverged" in done.stdout
    # Also if all of it was found before.
    answer = object_of(poetgen(*command, "--resume", "--json", cwd=workplace))
    assert answer["exit_code"] == 1
    assert [one["runs"][0]["status"] for one in answer["contenders"]] == ["diverged", "done"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_race_gives_its_object_and_goes_on(workplace, number):
    folder = workplace / f"reports/stopped-{number}"
    command = [
        *("compare", "rnn", "gru", "lstm", "--budget", "30000", "--json", *TINY),
        *("--report", str(folder), "--checkpoint-seconds", "0"),
    ]
    running = start(*command, cwd=workplace)
    wait_until((folder / "gru.checkpoint").exists, running)
    running.send_signal(number)
    out, said = running.communicate(timeout=300)
    done = subprocess.CompletedProcess(command, running.returncode, out, said)
    assert done.returncode == 128 + number, said
    answer = object_of(done)
    first, second, third = (one["runs"][0] for one in answer["contenders"])
    assert first["status"] == "done"
    assert first["figures"]["perplexity_per_token"] > 1
    assert (second["status"], third["reason"]) == ("interrupted", "It was not begun.")
    assert "To continue: poetgen compare rnn gru lstm" in said
    again = object_of(poetgen(*command, "--resume", cwd=workplace))
    assert [one["runs"][0]["status"] for one in again["contenders"]] == ["done"] * 3
    assert again["contenders"][0]["runs"][0] == first


def test_a_second_signal_gives_the_object_too(workplace):
    folder = workplace / "reports/twice"
    command = ["compare", "rnn", "gru", "--budget", "100000000", "--json", *TINY]
    running = start(*command, "--report", str(folder), cwd=workplace)
    wait_until((folder / "rnn.safetensors").exists, running)
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGINT)
    out, said = running.communicate(timeout=300)
    answer = object_of(subprocess.CompletedProcess(command, running.returncode, out, said))
    assert answer["exit_code"] == 130
    assert len(answer["contenders"]) == 2


def test_a_race_whose_reader_left_is_saved(workplace):
    # stderr is a pipe that nobody reads, as of a terminal that was closed.
    folder = workplace / "reports/gone"
    command = ["compare", "rnn", "gru", "--budget", "20000", *TINY, "--report", str(folder)]
    gone, pipe = os.pipe()
    os.close(gone)
    done = subprocess.run(
        [sys.executable, "-m", "poetgen", *command],
        cwd=workplace, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=pipe, check=False,
    )  # fmt: skip
    os.close(pipe)
    assert done.returncode == 141
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert {one["runs"][0]["status"] for one in report["contenders"]} == {"interrupted"}
    assert poetgen(*command, "--resume", cwd=workplace).returncode == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_race_that_was_killed_now_and_then_ends_with_the_same_bytes(workplace, seed):
    command = ["compare", "rnn", "gru", "--budget", "4000", "--checkpoint-seconds", "0", *TINY]
    folders = [workplace / f"reports/{name}-{seed}" for name in ("killed", "whole")]
    killed, whole = ([*command, "--report", str(folder)] for folder in folders)
    for number, die_at in enumerate((11, 23, 37, 60)):
        more = ["--resume"] if number else []
        done = begin(*killed, *more, cwd=workplace, die_at=die_at + 3 * seed).wait()
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        assert "Error" not in done.stderr
    assert poetgen(*killed, "--resume", cwd=workplace).returncode == 0
    assert poetgen(*whole, cwd=workplace).returncode == 0
    ours, theirs = (
        {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
        for folder in folders
    )
    assert len(ours) == 2
    assert ours == theirs
    assert not [path for path in folders[0].iterdir() if ".part" in path.name]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lstm"], ["two contenders", "lstm gru"]),
        (["lstm", "transformer"], ["no contender transformer", "gru"]),
        (["lstm", "LSTM"], ["twice"]),
        (["lstm:hidden_size=x", "gru"], ["lstm", "hidden-size"]),
        (["lstm", "gru", "--start", "龘"], ["does not know"]),
        (["lstm", "gru", "--equal", "time"], ["--max-minutes"]),
        (["lstm", "gru", "--equal", "luck"], ["--equal"]),
        (["lstm", "gru", "--budget", "none"], ["--budget"]),
        (["lstm", "gru", "--dropout", "2"], ["--dropout"]),
        (["lstm", "poems.txt"], ["poems.txt is not a model file", "ngram:5"]),
        (["lstm", "./poems.txt"], ["poems.txt is not a whole model"]),
        (["lstm", "gru", "--resume", "--force"], ["--resume", "--force"]),
        (["lstm", "gru", "--resume", "--report", "nowhere"], ["no race to resume"]),
        (["lstm", "gru", "--report", "corpora"], ["corpora is already there"]),
        (["lstm", "gru", "--report", "poems.txt"], ["poems.txt is a file", "--report DIR"]),
        (["lstm", "gru", "--report", "poems.txt/a", "--force"], ["poems.txt is a file"]),
        (["lstm", "gru", "--report", "poems.txt", "--resume"], ["poems.txt is a file"]),
        (["lstm", "gru", "--report", ""], ["--report is empty", "folder"]),
        (["lstm", "gru", "--on", ""], ["--on is empty", "leave it out"]),
        (["lstm", "gru", "--plot", "curves.jpg"], ["curves.jpg"]),
        (["lstm", "gru", "--plot", "drawn.svg", "--force"], ["drawn.svg is a folder"]),
        (["lstm", ""], ["contender is empty", "lstm gru"]),
        (["lstm", " "], ["contender is empty"]),
        (["lstm", "ngram:5 "], ["blank", "Write it without: ngram:5"]),
        (["gru", "lstm:"], ["lstm:", "hidden_size=512"]),
        (["gru", "lstm:hidden_size="], ["hidden_size=", "hidden_size=512"]),
        (["gru", ":5"], ["no contender :5", "ngram:5"]),
        (["gru", "ngram:"], ["not an n-gram", "ngram:5"]),
    ],
    ids=" ".join,
)
def test_wrong_use_gives_two_lines_and_with_json_one_object(workplace, words, expected):
    command = ["compare", *words, "--corpus", "few"]
    assert_two_line_error(poetgen(*command, cwd=workplace), *expected)
    done = poetgen(*command, "--json", cwd=workplace)
    answer = object_of(done)
    assert (answer["contenders"], answer["exit_code"]) == ([], 2)
    assert answer["error"]["problem"] in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_perplexities_are_finite_numbers(workplace):
    command = ["compare", "gru", "rnn", "--budget", "300", "--json", "-q", *TINY]
    done = poetgen(*command, cwd=workplace)
    assert done.stderr == ""
    for one in object_of(done)["contenders"]:
        (run,) = one["runs"]
        assert one["perplexity_per_token"] == pytest.approx(
            math.exp(run["figures"]["loss_per_token"])
        )
