"""The command line through real processes: answers, errors, exit codes, streams."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ENVIRONMENT, assert_two_line_error, poetgen, start, wait_until
from tests.synthetic import write_poems

TINY = ["--hidden-size", "16", "--embedding-dim", "12", "--device", "cpu"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with a prepared corpus ``few`` and a model ``few-gru``, made by the commands."""
    folder = tmp_path_factory.mktemp("workplace")
    write_poems(folder / "poems.txt", 120)
    done = poetgen("prepare", "poems.txt", "--name", "few", cwd=folder)
    assert done.returncode == 0, done.stderr
    done = poetgen("train", "few", "--arch", "gru", "--epochs", "2", *TINY, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_prepare_says_what_it_kept_and_dropped(tmp_path):
    write_poems(tmp_path / "poems.txt", 30)
    with (tmp_path / "poems.txt").open("a", encoding="utf-8") as file:
        file.write("缺:白日□山尽，黄河入海流。\n短:山月。\n")
    done = poetgen(
        "prepare", "poems.txt", "--name", "few", "--list-dropped", "dropped.jsonl", cwd=tmp_path
    )
    assert done.returncode == 0
    assert done.stdout == ""
    assert "Read 32 poems (title-content, utf-8), kept 30" in done.stderr
    lines = (tmp_path / "dropped.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["reason"] for line in lines} == {"lacuna", "fragment"}
    for reason in ("lacuna", "fragment"):
        assert reason in done.stderr


def test_prepare_overwrites_only_with_force(workplace):
    before = (workplace / "corpora/few/corpus.json").read_bytes()
    assert_two_line_error(
        poetgen("prepare", "poems.txt", "--name", "few", cwd=workplace), "--force"
    )
    assert (
        poetgen("prepare", "poems.txt", "--name", "few", "--force", cwd=workplace).returncode == 0
    )
    assert (workplace / "corpora/few/corpus.json").read_bytes() == before


def test_train_shows_loss_poems_and_a_real_line(workplace):
    done = poetgen("train", "few", "--arch", "rnn", "--epochs", "1", *TINY, cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    for word in ("loss", "perplexity", "tokens/s", "left", "real", "guess", "models/few-rnn"):
        assert word in done.stderr
    assert "\x1b" not in done.stderr, "a pipe gets no colour and no bars"


def test_a_second_training_takes_a_free_name_and_a_taken_name_needs_force(workplace):
    done = poetgen("train", "few", "--arch", "gru", "--epochs", "1", *TINY, cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert (workplace / "models/few-gru-2.safetensors").is_file()
    taken = ["train", "few", "--arch", "gru", "--name", "few-gru"]
    assert_two_line_error(poetgen(*taken, cwd=workplace), "already there", "--force")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_best_model_and_says_how_to_go_on(workplace, number, code):
    name = f"stopped-{code}"
    train = ["train", "few", "--engine", "numpy", "--epochs", "100000", *TINY]
    running = start(*train, "--name", name, cwd=workplace)
    model = workplace / f"models/{name}.safetensors"
    wait_until(model.exists, running)
    running.send_signal(number)
    _, said = running.communicate(timeout=300)
    assert running.returncode == code, said
    advice = f"poetgen train few --name {name} --resume"
    assert advice in said
    assert poetgen("generate", "--model", name, "--start", "山", cwd=workplace).returncode == 0
    done = poetgen(*advice.split()[1:], "--max-minutes", "0.001", cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert "Continuing after step" in done.stderr
    assert_two_line_error(
        poetgen(*advice.split()[1:], "--hidden-size", "17", cwd=workplace), "--hidden-size"
    )


def test_the_poem_goes_to_stdout_and_everything_else_to_stderr(workplace):
    done = poetgen("generate", "--model", "few-gru", "--start", "山", "--seed", "5", cwd=workplace)
    assert done.returncode == 0
    assert done.stdout.startswith("山")
    assert done.stdout.endswith("\n")
    assert "seed 5" in done.stderr
    assert "few-gru" in done.stderr
    quiet = poetgen(
        "generate", "--model", "few-gru", "--start", "山", "--seed", "5", "--quiet", cwd=workplace
    )
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")


def test_json_text_and_stream_say_the_same(workplace):
    arguments = ["generate", "--model", "few-gru", "--start", "山", "--seed", "5", "-n", "3"]
    arguments += ["--best-of", "1"]  # a poem that is streamed is not chosen
    plain = poetgen(*arguments, cwd=workplace).stdout
    assert poetgen(*arguments, "--stream", cwd=workplace).stdout == plain
    answer = json.loads(poetgen(*arguments, "--json", cwd=workplace).stdout)
    assert answer["model"] == "few-gru"
    assert answer["seed"] == 5
    poems = ["\n".join(poem["lines"]) for poem in answer["poems"]]
    assert "\n\n".join(poems) + "\n" == plain
    assert all("".join(poem["lines"]) == poem["text"] for poem in answer["poems"])


def test_a_seed_that_was_told_repeats_the_poem(workplace):
    first = poetgen("generate", "--model", "few-gru", cwd=workplace)
    seed = first.stderr.rsplit("seed ", 1)[1].strip()
    again = poetgen("generate", "--model", "few-gru", "--seed", seed, cwd=workplace)
    assert again.stdout == first.stdout


def test_without_a_model_the_newest_of_the_folder_writes_else_the_one_that_ships(
    workplace, tmp_path
):
    newest = max((workplace / "models").glob("*.safetensors"), key=lambda p: p.stat().st_mtime_ns)
    done = poetgen("generate", "--json", cwd=workplace)
    assert json.loads(done.stdout)["model"] == newest.stem
    done = poetgen("generate", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["model"] == "tang"


@pytest.mark.parametrize("locale", [{"PYTHONIOENCODING": "gbk"}, {"LC_ALL": "C", "LANG": "C"}])
def test_output_is_utf_8_whatever_the_locale_says(tmp_path, locale):
    start = "䴖"  # the shipped model knows it, and GBK has no code for it
    with pytest.raises(UnicodeEncodeError):
        start.encode("gbk")
    done = poetgen("generate", "--start", start, "--seed", "3", cwd=tmp_path, fresh=True, **locale)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(start)


@pytest.mark.parametrize("number", [1, 60])
def test_a_reader_that_leaves_early_makes_no_noise(workplace, number):
    # It has left before anything is written: how much fits into a pipe does not matter.
    # One poem is written at the end, sixty (more than a buffer) while there is more to come.
    gone, pipe = os.pipe()
    os.close(gone)
    command = ["generate", "--model", "few-gru", "-n", str(number), "--seed", "1", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "poetgen", *command],
        cwd=workplace,
        env=ENVIRONMENT,
        stdout=pipe,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(pipe)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("make", ["missing", "empty", "rubbish", "two encodings", "one poem"])
def test_a_source_that_cannot_be_used_gives_two_lines(tmp_path, make):
    source = tmp_path / "poems.txt"
    if make == "empty":
        source.write_bytes(b"")
    elif make == "rubbish":
        source.write_bytes(bytes(range(256)) * 50)
    elif make == "two encodings":
        line = "题:白日依山尽，黄河入海流。\n"
        source.write_bytes(line.encode("utf-8") + line.encode("gb18030"))
    elif make == "one poem":
        source.write_text("题:白日依山尽，黄河入海流。\n", encoding="utf-8")
    done = poetgen("prepare", "poems.txt", "--name", "bad", cwd=tmp_path)
    assert_two_line_error(done, "one encoding" if make == "two encodings" else "Give")
    assert not (tmp_path / "corpora").exists()


def test_wrong_use_gives_two_lines(workplace):
    (workplace / "models/half.safetensors").write_bytes(
        (workplace / "models/few-gru.safetensors").read_bytes()[:-1000]
    )
    os.utime(workplace / "models/half.safetensors", (0, 0))
    for arguments, word in [
        (["train", "few", "--arch", "transformer"], "lstm"),
        (["train", "nowhere"], "poetgen prepare"),
        (["generate", "--model", "nothing"], "poetgen train"),
        (["generate", "--model", "half"], "half.safetensors"),
        (["generate", "--model", "poems.txt/x"], "poems.txt/x"),
        (["generate", "--start", "\U0002ffff"], "try one of"),
        (["generate", "--temp", "nan"], "--temp"),
        (["generate", "--stream", "--json"], "--stream"),
        (["train", "few", "--name", "../up"], "name"),
        (["train", "few", "--resume", "--name", "never"], "never"),
        (["generate", "--nonsense"], "generate --help"),
        (["recite"], "recite"),
    ]:
        assert_two_line_error(poetgen(*arguments, cwd=workplace), word)


def test_a_device_that_is_not_there_names_those_that_are(workplace):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    for command in ("train few --arch gru", "generate --model few-gru"):
        done = poetgen(*command.split(), "--device", "cuda", cwd=workplace)
        assert_two_line_error(done, "cuda", "cpu")


def test_a_traceback_appears_only_when_asked_for(workplace):
    arguments = ["generate", "--model", "nothing"]
    assert "Traceback" in poetgen(*arguments, cwd=workplace, POETGEN_DEBUG="1").stderr
    assert "Traceback" not in poetgen(*arguments, cwd=workplace, POETGEN_DEBUG="0").stderr


def test_force_replaces_a_corpus_and_nothing_else(tmp_path):
    write_poems(tmp_path / "poems.txt", 60)
    (tmp_path / "corpora/mine").mkdir(parents=True)
    (tmp_path / "corpora/mine/notes.txt").write_text("keep me", encoding="utf-8")
    done = poetgen("prepare", "poems.txt", "--name", "mine", "--force", cwd=tmp_path)
    assert_two_line_error(done, "notes.txt", "another --name")
    assert (tmp_path / "corpora/mine/notes.txt").read_text(encoding="utf-8") == "keep me"
    before = (tmp_path / "poems.txt").read_bytes()
    listing = ("--list-dropped", "poems.txt", "--force")
    assert_two_line_error(poetgen("prepare", "poems.txt", *listing, cwd=tmp_path), "is a source")
    assert (tmp_path / "poems.txt").read_bytes() == before


@pytest.mark.parametrize("part", ["train.tokens", "train.offsets", "validation.tokens"])
@pytest.mark.parametrize("damage", ["empty", "one byte"])
def test_a_damaged_corpus_is_named(tmp_path, part, damage):
    write_poems(tmp_path / "poems.txt", 60)
    poetgen("prepare", "poems.txt", cwd=tmp_path)
    path = tmp_path / f"corpora/poems/{part}.npy"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(b"" if damage == "empty" else data)
    assert_two_line_error(
        poetgen("train", "poems", cwd=tmp_path), "corpora/poems is not a whole corpus", "--force"
    )


def test_what_cannot_be_resumed_is_told_apart(workplace):
    shutil.copy(workplace / "models/few-gru.safetensors", workplace / "models/over.safetensors")
    over = poetgen("train", "few", "--name", "over", "--resume", cwd=workplace)
    assert_two_line_error(over, "is finished", "another --name")
    never = poetgen("train", "few", "--name", "never", "--resume", cwd=workplace)
    assert_two_line_error(never, "no run never", "Leave --resume out")
    again = poetgen("train", "few", "--name", "over", cwd=workplace)
    assert_two_line_error(again, "already there")
    assert "--resume" not in again.stderr


def test_odd_words_give_plain_errors(workplace):
    for arguments, words in (
        (["generate", "--temp", "inf"], ["--temp", "out of range"]),
        (["prepare", "poems.txt", "--name", " "], ["as a name"]),
    ):
        assert_two_line_error(poetgen(*arguments, cwd=workplace), *words)
    bare = poetgen(cwd=workplace)
    assert bare.returncode == 2
    assert "Error" not in bare.stderr
