"""Trainings that are killed, starved or shut out, as whole processes: nothing is lost."""

import ctypes
import errno
import json
import mmap
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.table import Table

from poetgen.cli.app import main
from poetgen.cli.display import make_answer_console, make_console
from poetgen.config import PrepareConfig
from poetgen.corpus.folder import load_corpus, save_corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.errors import ExistsError, PoetgenError, ShortageError
from poetgen.networks.model_file import load_model
from poetgen.places import shipped_models
from poetgen.shortage import ensure_memory, give_memory_back, shortage_in
from poetgen.training.checkpoint import load_checkpoint, use_latest
from poetgen.training.numpy_engine import NumpyEngine
from poetgen.training.run_files import SUFFIXES, RunFiles
from tests.command import (
    ENVIRONMENT,
    assert_two_line_error,
    begin,
    poetgen,
    start,
    wait_until,
)
from tests.synthetic import write_poems

# A checkpoint after every report, so that a kill is likely to meet one.
TRAIN = [
    *("train", "few", "--arch", "gru", "--device", "cpu", "--hidden-size", "24"),
    *("--embedding-dim", "12", "--batch-tokens", "128", "--checkpoint-seconds", "0"),
]
NUMPY = [*TRAIN, "--engine", "numpy"]


@pytest.fixture
def workplace(tmp_path) -> Path:
    """A folder with a prepared corpus ``few``."""
    prepare_in(tmp_path)
    return tmp_path


def prepare_in(folder):
    source = folder / "poems.txt"
    write_poems(source, 120)
    save_corpus(build_corpus([source], "few", PrepareConfig()).corpus, folder / "corpora/few")


def records_of(files):
    records = [json.loads(line) for line in files.metrics.read_text("utf-8").splitlines()]
    return [{k: v for k, v in record.items() if k not in ("clock", "run")} for record in records]


def kill_again_and_again(workplace, engine, count, epochs):
    """Train with ``count`` kills in the midst of saving; compare with an unharmed run."""
    files = RunFiles(workplace / "models", f"killed-{engine}")
    train = [*TRAIN, "--engine", engine, "--epochs", str(epochs)]
    rng = random.Random(7)
    steps, damaged = [0], 0
    for number in range(count):
        more = ["--resume"] if number else []
        # The first run has saved something before it is killed.
        dies = begin(
            *(*train, "--name", files.name, *more), cwd=workplace, die_at=rng.randint(9, 30)
        )
        done = dies.wait()
        assert done.returncode == -signal.SIGKILL, done.stderr
        damaged += "previous checkpoint is used" in done.stderr
        assert "Error" not in done.stderr, done.stderr
        # Whatever lies there is whole, and no step that was saved is lost.
        # (Looked at without use_latest, which would put it in order.)
        latest = files.checkpoint if files.checkpoint.exists() else files.previous
        steps.append(load_checkpoint(latest).state.counters.step)
        assert steps[-1] >= steps[-2]
        if files.model.exists():
            load_model(files.model)
    done = poetgen(*train, "--name", files.name, "--resume", cwd=workplace)
    assert done.returncode == 0, done.stderr
    whole = RunFiles(files.folder, f"whole-{engine}")
    done = poetgen(*train, "--name", whole.name, cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert not list(files.folder.glob(".*.part"))
    killed, unharmed = load_model(files.model), load_model(whole.model)
    for name, weights in unharmed.weights.items():
        np.testing.assert_array_equal(killed.weights[name], weights, err_msg=name)
    assert killed.validation == unharmed.validation
    assert records_of(files) == records_of(whole)
    return f"{count} kills, at last after {steps[-1]} steps; {damaged} found half a save"


def test_a_run_that_was_killed_now_and_then_ends_as_if_it_had_not_been(workplace):
    kill_again_and_again(workplace, "numpy", count=4, epochs=4)


@pytest.mark.long
@pytest.mark.parametrize(("engine", "count", "epochs"), [("numpy", 100, 100), ("torch", 50, 60)])
def test_a_run_that_was_killed_a_hundred_times_ends_as_if_it_had_not_been(
    workplace, capsys, engine, count, epochs
):
    counts = kill_again_and_again(workplace, engine, count, epochs)
    with capsys.disabled():
        print(f"\n{engine}: {counts}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once_without_damage(workplace, number):
    # Validating takes long enough for the second signal to come before the end.
    running = start(*NUMPY, "--name", "m", "--epochs", "100000", cwd=workplace)
    files = RunFiles(workplace / "models", "m")
    wait_until(files.model.exists, running)
    running.send_signal(number)
    running.send_signal(number)
    _, said = running.communicate(timeout=300)
    assert running.returncode in (130, 143, -number), said
    assert "Traceback" not in said
    use_latest(files, lambda checkpoint: checkpoint)
    load_model(files.model)


def test_a_run_that_nobody_reads_any_more_is_saved_and_ends(workplace):
    files = RunFiles(workplace / "models", "m")
    # One checkpoint at the beginning, and none of its own accord.
    running = start(
        *NUMPY, "--name", "m", "--epochs", "100000", "--checkpoint-seconds", "1000", cwd=workplace
    )
    assert "Training" in running.stderr.readline()
    running.stderr.close()
    # As a shell tells of SIGPIPE.
    assert running.wait(timeout=300) == 141
    running.stdout.close()
    checkpoint = load_checkpoint(files.checkpoint)
    assert checkpoint.state.counters.step > 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_run_whose_terminal_is_closed_is_saved(workplace):
    import fcntl
    import pty
    import termios

    files = RunFiles(workplace / "models", "m")
    ours, theirs = pty.openpty()
    more = ["--name", "m", "--epochs", "100000", "--checkpoint-seconds", "1000"]
    running = subprocess.Popen(
        [sys.executable, "-m", "poetgen", *NUMPY, *more],
        cwd=workplace, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while b"guess" not in said:  # shown after the first steps
        said += os.read(ours, 65536)
    os.close(ours)
    assert running.wait(timeout=300) != 0
    assert load_checkpoint(files.checkpoint).state.counters.step > 0


def test_a_second_training_on_one_name_is_refused_while_the_first_lives(workplace):
    name = ["--name", "m", "--epochs", "100000"]
    running = begin(*NUMPY, *name, cwd=workplace)
    files = RunFiles(workplace / "models", "m")
    try:
        wait_until(files.checkpoint.exists, running)
        for more in (["--force"], ["--resume"]):
            done = poetgen(*NUMPY, "--name", "m", *more, cwd=workplace)
            assert_two_line_error(done, "Another training", "--name")
    finally:
        running.kill()
        running.wait()
    done = poetgen(*NUMPY, "--name", "m", "--resume", "--max-minutes", "0.001", cwd=workplace)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("number", "kind", "word"),
    [
        (errno.EWOULDBLOCK, ExistsError, "Another training"),
        (errno.EACCES, ExistsError, "Another training"),
        (errno.ENOLCK, PoetgenError, os.strerror(errno.ENOLCK)),
        (errno.ENOTSUP, PoetgenError, os.strerror(errno.ENOTSUP)),
    ],
)
def test_only_a_lock_that_somebody_holds_is_a_training(tmp_path, monkeypatch, number, kind, word):
    def fail(handle, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.raises(PoetgenError, match=word) as caught, RunFiles(tmp_path, "m").held():
        pass
    assert type(caught.value) is kind


def test_a_changed_corpus_is_refused_with_both_fingerprints(workplace):
    done = poetgen(*TRAIN, "--name", "m", "--max-minutes", "0.001", cwd=workplace)
    assert done.returncode == 0, done.stderr
    before = load_checkpoint(workplace / "models/m.checkpoint").state.corpus
    write_poems(workplace / "poems.txt", 121)
    assert (
        poetgen("prepare", "poems.txt", "--name", "few", "--force", cwd=workplace).returncode == 0
    )
    after = json.loads((workplace / "corpora/few/corpus.json").read_text("utf-8"))["fingerprint"]
    assert before != after
    done = poetgen(*TRAIN, "--name", "m", "--resume", cwd=workplace)
    assert_two_line_error(done, before, after)


@pytest.mark.usefixtures("one_thread")
def test_what_a_run_cannot_go_on_from_is_said_in_two_lines(workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    train = [*TRAIN, "--engine", "numpy"]
    spoilt = ["--learning-rate", "1e38", "--warmup", "0", "--epochs", "1"]
    assert run_main(monkeypatch, *train, "--name", "spoilt", *spoilt) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[-2].startswith("Error: The loss or its gradient is NaN or infinite")
    assert not any(line.startswith("Finished") for line in said)
    for name, seed in (("m", "0"), ("other", "1")):
        more = ["--name", name, "--seed", seed, "--max-minutes", "0.001"]
        assert run_main(monkeypatch, *train, *more) == 0
    shutil.copy("models/other.checkpoint", "models/m.checkpoint")
    capfd.readouterr()
    assert run_main(monkeypatch, "train", "few", "--name", "m", "--resume") == 2
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 2
    assert "another run" in said[0]
    # Of a damaged one the previous is used, and that is told.
    Path("models/m.checkpoint").write_bytes(b"damaged")
    more = ["--resume", "--max-minutes", "0.002"]
    assert run_main(monkeypatch, "train", "few", "--name", "m", *more) == 0
    assert "The previous checkpoint is used instead." in capfd.readouterr().err


# Files that are there already.


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_that_a_run_left_is_replaced_without_force(workplace, monkeypatch, capfd, suffix):
    monkeypatch.chdir(workplace)
    left = Path(f"models/m{suffix}")
    left.parent.mkdir()
    left.write_text("what it measured")
    train = [*TRAIN, "--engine", "numpy", "--max-tokens", "200"]
    assert run_main(monkeypatch, *train, "--name", "m") == 2
    assert str(left) in capfd.readouterr().err
    assert [path.name for path in Path("models").iterdir()] == [left.name]
    # A name that nobody gave goes out of its way.
    left.rename(f"models/few-gru{suffix}")
    assert run_main(monkeypatch, *train) == 0
    assert Path("models/few-gru-2.safetensors").exists()
    assert Path(f"models/few-gru{suffix}").read_text() == "what it measured"


def test_a_run_that_cannot_begin_takes_nothing_from_the_one_it_would_replace(
    workplace, monkeypatch, capfd
):
    monkeypatch.chdir(workplace)
    train = [*TRAIN, "--engine", "numpy", "--name", "m"]
    assert run_main(monkeypatch, *train, "--max-minutes", "0.001") == 0
    before = {path: path.read_bytes() for path in Path("models").iterdir()}
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert run_main(monkeypatch, *train, "--force", "--tensorboard") == 2
    assert "poetgen[tensorboard]" in capfd.readouterr().err
    assert {path: path.read_bytes() for path in Path("models").iterdir()} == before
    assert RunFiles(Path("models"), "m").checkpoint in before


# Names and paths that look like something else.

ODD = "x[v2]y [/z] :cat:'s"


@pytest.mark.parametrize("make", [make_console, make_answer_console])
def test_what_is_printed_is_printed_as_it_is(capsys, make):
    make().print(ODD)
    assert "".join(capsys.readouterr()) == f"{ODD}\n"
    table = Table.grid()
    table.add_row(ODD)
    make().print(table)
    assert "".join(capsys.readouterr()).rstrip() == ODD


@pytest.mark.usefixtures("one_thread")
def test_a_race_may_be_reported_anywhere(workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    Path("corpora/few").rename("my [c]")
    options = ["--batch-tokens", "128", "--hidden-size", "9", "--embedding-dim", "5"]
    race = ["compare", "gru", "lstm", "--corpus", "./my [c]", "--report", ODD, *options]
    assert run_main(monkeypatch, *race, "--max-minutes", "0.01", "--device", "cpu") == 0
    said = capfd.readouterr().err
    assert f"The report and the models are in {ODD}." in said
    assert "--corpus './my [c]'" in said


def test_the_printed_command_goes_on_with_a_run_on_an_oddly_named_corpus(
    workplace, monkeypatch, capfd
):
    monkeypatch.chdir(workplace)
    Path("corpora/few").rename("p[b]q r")
    train = ["train", "./p[b]q r", *TRAIN[2:], "--engine", "numpy"]
    assert run_main(monkeypatch, *train, "--max-minutes", "0.001") == 0
    said = capfd.readouterr().err
    command = re.search(r"poetgen (train .* --resume)", said)[1]
    assert shlex.split(command) == ["train", "./p[b]q r", "--name", "p-b-q-r-gru", "--resume"]
    # Without a name, the newest run on that corpus is taken.
    for go_on in (shlex.split(command), [*train, "--resume"]):
        assert run_main(monkeypatch, *go_on, "--max-minutes", "0.001") == 0
        assert "p-b-q-r-gru" in capfd.readouterr().err


# Folders that are full or closed.


def fail_once_full(monkeypatch, after):
    """Let the disk be full from the ``after``-th whole file on; give a way to make room."""
    write, calls = Path.write_bytes, []

    def write_bytes(path, data):
        calls.append(path)
        if len(calls) > after:
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["poetgen", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("after", [2, 5, 9])
def test_a_disk_that_is_full_ends_the_run_and_loses_nothing(workplace, monkeypatch, capfd, after):
    monkeypatch.chdir(workplace)
    arguments = [*NUMPY, "--epochs", "2"]
    with monkeypatch.context() as patch:
        fail_once_full(patch, after)
        assert run_main(patch, *arguments, "--name", "m") == 1
    lines = capfd.readouterr().err.splitlines()
    assert "No space left on device" in lines[-2]
    assert "space" in lines[-1]
    files = RunFiles(Path("models"), "m")
    assert not list(files.folder.glob(".*.part"))
    assert run_main(monkeypatch, *arguments, "--name", "m", "--resume") == 0
    assert run_main(monkeypatch, *arguments, "--name", "whole") == 0
    whole = load_model(RunFiles(Path("models"), "whole").model).weights
    for name, weights in load_model(files.model).weights.items():
        np.testing.assert_array_equal(weights, whole[name])


@contextmanager
def mounted(folder, options):
    """A small file system of its own with a corpus; skip where none can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        prepare_in(folder)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(path):
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.long
def test_a_small_disk_that_runs_full_while_saving_and_has_room_again(tmp_path):
    with mounted(tmp_path / "disk", "size=1200k") as disk:
        train = [*TRAIN, "--engine", "numpy", "--epochs", "30", "--name", "m"]
        ballast = disk / "ballast"
        running = start(*train, cwd=disk)
        files = RunFiles(disk / "models", "m")
        wait_until(files.previous.exists, running)
        with pytest.raises(OSError, match="No space"):
            fill_up(ballast)
        _, said = running.communicate(timeout=300)
        assert running.returncode == 1, said
        assert "No space left on device" in said
        use_latest(files, lambda checkpoint: checkpoint)
        ballast.unlink()
        done = poetgen(*train, "--resume", cwd=disk)
        assert done.returncode == 0, done.stderr
        done = poetgen(*train[:-1], "whole", cwd=disk)
        whole = load_model(files.folder / "whole.safetensors")
        for name, weights in load_model(files.model).weights.items():
            np.testing.assert_array_equal(weights, whole.weights[name])


@pytest.mark.long
def test_a_read_only_folder_is_found_out_before_the_first_step(tmp_path):
    with mounted(tmp_path / "disk", "size=4m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = poetgen(*TRAIN, "--name", "m", cwd=disk)
        assert done.returncode == 1
        assert "Read-only file system" in done.stderr
        assert "Training" not in done.stderr
        assert len(done.stderr.splitlines()) == 2


@pytest.mark.usefixtures("one_thread")
def test_a_folder_that_cannot_be_written_is_found_out_before_the_first_step(
    workplace, monkeypatch, capfd
):
    # Whoever is root may write anywhere; but nobody can write into a file.
    (workplace / "models").write_text("in the way")
    monkeypatch.chdir(workplace)
    assert run_main(monkeypatch, *TRAIN, "--name", "m") in (1, 2)
    said = capfd.readouterr().err
    assert "models" in said
    assert "Training" not in said
    assert len(said.splitlines()) == 2


# What the machine has no more of.


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        ImportError("x.so: cannot allocate memory in static TLS block"),
        OSError("libtorch_global_deps.so: failed to map segment from shared object"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        OSError(errno.EINVAL, "The paging file is too small for this operation to complete"),
        type("PanicException", (BaseException,), {})("PyObject pointer is null"),
        caused(ImportError("Importing the numpy C-extensions failed."), MemoryError()),
    ],
    ids=lambda error: f"{type(error).__name__}: {error}"[:40],
)
def test_a_lack_of_memory_names_the_options_that_help(workplace, monkeypatch, capfd, error):
    def fail(*_):
        raise error

    monkeypatch.chdir(workplace)
    monkeypatch.setattr(NumpyEngine, "train_step", fail)
    assert run_main(monkeypatch, *TRAIN, "--engine", "numpy", "--name", "m") == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[-2] == "Error: There is not enough memory."
    assert "--batch-tokens" in lines[-1]
    assert "--hidden-size" in lines[-1]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("could not create a primitive descriptor for an LSTM"),
        FileNotFoundError(errno.ENOENT, "No such file", "cannot allocate memory.txt"),
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
        KeyError("out of memory"),
        ValueError("too many open files"),
    ],
    ids=str,
)
def test_what_is_no_lack_is_not_taken_for_one(error):
    assert shortage_in(error) is None


def test_a_lack_of_threads_is_told():
    error = shortage_in(RuntimeError("can't start new thread"))
    assert "threads" in error.problem
    assert error.exit_code == 1


def test_memory_that_no_machine_has_is_asked_for_before_a_library_needs_it():
    ensure_memory(2**20)
    with pytest.raises(ShortageError, match="not enough memory"):
        ensure_memory(2**60)


def test_a_file_that_cannot_be_opened_is_not_called_damaged(workplace):
    resource = pytest.importorskip("resource", reason="this system has no limits of open files")
    corpus, model = workplace / "corpora/few", shipped_models() / "tang.safetensors"
    load_corpus(corpus)
    load_model(model)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    for load, path in ((load_corpus, corpus), (load_model, model)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            with pytest.raises(PoetgenError) as caught:
                load(path)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert type(caught.value) is ShortageError
        assert "ulimit -n" in caught.value.advice


@pytest.mark.skipif(
    not (sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")),
    reason="needs glibc",
)
def test_memory_between_blocks_in_use_goes_back_to_the_system():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

    # Blocks too small to be mapped by themselves, of which every tenth stays in use.
    blocks = [np.ones(100_000, np.uint8) for _ in range(500)]
    kept = blocks[::10]
    del blocks
    before = resident()
    give_memory_back()
    assert before - resident() > 20_000_000
    assert all(block.all() for block in kept)


@pytest.mark.long
def test_a_process_that_gets_no_more_memory_says_what_to_lower(workplace):
    resource = pytest.importorskip("resource", reason="this system has no limits of memory")

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))

    done = subprocess.run(
        [sys.executable, "-m", "poetgen", *TRAIN, "--name", "m", "--hidden-size", "30000"],
        cwd=workplace,
        env=ENVIRONMENT,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "not enough memory" in done.stderr
    assert "--hidden-size" in done.stderr
