"""Several processes train as one."""

import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import torch.distributed as dist

from poetgen.corpus.vocabulary import FIELDS, PAD
from poetgen.errors import DeviceError, PoetgenError, SettingError
from poetgen.networks import devices
from poetgen.networks.model_file import load_model
from poetgen.training.batches import Batch, part_of
from poetgen.training.checkpoint import load_checkpoint
from poetgen.training.processes import ALONE, joined
from poetgen.training.run_files import RunFiles
from tests.command import ENVIRONMENT, assert_two_line_error, begin, poetgen, wait_until
from tests.runs import assert_equal_weights, events_of, trainer_of
from tests.synthetic import write_poems, write_titled
from tests.tiny import tiny_corpus

# Without dropout, which every process draws for itself.
TRAIN = [
    *("train", "few", "--arch", "gru", "--device", "cpu", "--precision", "float32"),
    *("--hidden-size", "24", "--embedding-dim", "12", "--dropout", "0", "--batch-tokens", "256"),
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a prepared corpus ``few``."""
    folder = tmp_path_factory.mktemp("processes")
    write_poems(folder / "poems.txt", 60)
    assert poetgen("prepare", "poems.txt", "--name", "few", cwd=folder).returncode == 0
    return folder


def torchrun(*arguments, cwd, size=2):
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    return subprocess.Popen(
        [sys.executable, *command, "-m", "poetgen", *arguments],
        cwd=cwd,
        env={**ENVIRONMENT, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def begin_ranks(*arguments, cwd, size=2, die_at=None, **environment):
    """Start as many processes as torchrun would, without waiting for as many imports of torch."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    meeting |= environment | {"TORCHELASTIC_USE_AGENT_STORE": "True", "WORLD_SIZE": str(size)}
    processes = [
        begin(*arguments, cwd=cwd, die_at=die_at, RANK=str(rank), LOCAL_RANK=str(rank), **meeting)
        for rank in range(size)
    ]
    processes[0].store = store  # for as long as they live
    return processes


def ranks(*arguments, cwd):
    """Let two processes train to the end; give what each has said.

    A thread that waits for Python waits until Python has nothing to do: none may wait for it.
    """
    processes = begin_ranks(*arguments, cwd=cwd, SWITCH_SECONDS="1000")
    done = [process.wait() for process in processes]
    assert [each.returncode for each in done] == [0, 0], done
    return done


def losses_of(folder, name):
    lines = RunFiles(folder / "models", name).metrics.read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return [
        (record["step"], record.get("loss", record.get("validation", {}).get("loss_per_token")))
        for record in records
    ]


@pytest.mark.parametrize("batching", ["poems", "sequential"])
def test_two_processes_learn_what_one_learns_and_go_on_where_they_stopped(workplace, batching):
    # Strips of an odd number: one process has more rows than the other.
    more = ["--batching", batching, "--batch-size", "5", "--seq-len", "16", "--epochs", "3"]
    alone, together = f"alone-{batching}", f"together-{batching}"
    done = poetgen(*TRAIN, *more, "--name", alone, cwd=workplace)
    assert done.returncode == 0, done.stderr
    if batching == "poems":
        process = torchrun(*TRAIN, *more, "--name", together, cwd=workplace)
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    else:
        said = "".join(
            done.stderr for done in ranks(*TRAIN, *more, "--name", together, cwd=workplace)
        )
    # One display.
    assert len(re.findall("^Training ", said, re.MULTILINE)) == 1
    expected, found = losses_of(workplace, alone), losses_of(workplace, together)
    assert [step for step, _ in found] == [step for step, _ in expected]
    assert [loss for _, loss in found] == pytest.approx([loss for _, loss in expected], rel=1e-4)
    models = [load_model(workplace / f"models/{name}.safetensors") for name in (alone, together)]
    for name, weights in models[0].weights.items():
        np.testing.assert_allclose(models[1].weights[name], weights, atol=2e-3, err_msg=name)


def test_two_processes_learn_fields_as_one_does(workplace):
    write_titled(workplace / "titled.json", 60, seed=1)
    assert poetgen("prepare", "titled.json", "--name", "titled", cwd=workplace).returncode == 0
    train = ["train", "titled", *TRAIN[2:], "--epochs", "1"]
    done = poetgen(*train, "--name", "fields-alone", cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert "; with title and author " in done.stderr
    ranks(*train, "--name", "fields-together", cwd=workplace)
    expected, found = (losses_of(workplace, f"fields-{name}") for name in ("alone", "together"))
    assert [loss for _, loss in found] == pytest.approx([loss for _, loss in expected], rel=1e-4)
    alone, together = (
        load_model(workplace / f"models/fields-{name}.safetensors")
        for name in ("alone", "together")
    )
    assert together.vocabulary.fields == alone.vocabulary.fields == FIELDS
    given = together.validation_given.loss_per_token
    assert given == pytest.approx(alone.validation_given.loss_per_token, rel=1e-4)
    # A model that two processes go on from is read by each of them.
    said = ranks(*train, "--name", "next", "--init", "fields-alone", cwd=workplace)[0].stderr
    assert said.count("Beginning with the model fields-alone") == 1


def test_an_interrupted_run_of_two_goes_on_as_two_and_not_as_one(workplace):
    stopped, whole = (RunFiles(workplace / "models", name) for name in ("stopped", "unstopped"))
    # Steps so short that an epoch has a thousand: in it a state is carried.
    more = [*TRAIN, "--dropout", "0.3", "--batching", "sequential", "--batch-size", "2"]
    more += ["--seq-len", "1", "--max-tokens", "160", "--checkpoint-seconds", "0"]
    # Both are killed, while the first one saves, or while they wait for each other.
    processes = begin_ranks(*more, "--name", stopped.name, cwd=workplace, die_at=20)
    for process in processes:
        process.wait()
    latest = stopped.checkpoint if stopped.checkpoint.exists() else stopped.previous
    checkpoint = load_checkpoint(latest)
    step = checkpoint.state.counters.step
    assert step > 0
    assert {"state.0.0", "state.1.0", "random.0.cpu", "random.1.cpu"} <= checkpoint.arrays.keys()
    assert not np.array_equal(checkpoint.arrays["random.0.cpu"], checkpoint.arrays["random.1.cpu"])
    go_on = ["train", "few", "--name", stopped.name, "--resume"]
    assert_two_line_error(poetgen(*go_on, cwd=workplace), "2 processes", "--nproc-per-node 2")
    said = ranks(*go_on, cwd=workplace)[0].stderr
    assert f"Continuing after step {step:,}." in said
    ranks(*more, "--name", whole.name, cwd=workplace)
    assert_equal_weights(load_model(stopped.model).weights, load_model(whole.model).weights)
    assert losses_of(workplace, stopped.name) == losses_of(workplace, whole.name)


@pytest.mark.long
def test_two_processes_that_were_killed_end_as_if_they_had_not_been(workplace):
    train = [*TRAIN, "--dropout", "0.3", "--epochs", "60", "--checkpoint-seconds", "0"]
    killed, whole = (RunFiles(workplace / "models", name) for name in ("killed", "whole"))
    process = torchrun(*train, "--name", killed.name, cwd=workplace)
    deadline = time.monotonic() + 120
    while not killed.previous.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in [process_of_rank(rank, process.pid) for rank in (0, 1)]:
        os.kill(pid, 9)
    process.communicate(timeout=120)
    assert killed.checkpoint.exists()
    for name, more in ((killed.name, ["--resume"]), (whole.name, [])):
        process = torchrun(*train, "--name", name, *more, cwd=workplace)
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    assert_equal_weights(load_model(killed.model).weights, load_model(whole.model).weights)
    assert losses_of(workplace, killed.name) == losses_of(workplace, whole.name)


def test_a_process_that_dies_ends_the_run_with_a_clear_error(workplace):
    files = RunFiles(workplace / "models", "orphan")
    more = ["--name", files.name, "--epochs", "100000", "--checkpoint-seconds", "0"]
    first, second = begin_ranks(*TRAIN, *more, cwd=workplace)
    wait_until(files.previous.exists, first)
    second.kill()
    done = first.wait()
    assert done.returncode == 1
    assert "Error: Another of the 2 processes of this training has died." in done.stderr
    assert "--resume" in done.stderr
    load_checkpoint(files.checkpoint)


def process_of_rank(rank, parent):
    """Find a child of ``parent`` by what torchrun put into its environment."""
    children = subprocess.run(
        ["ps", "--ppid", str(parent), "-o", "pid="], capture_output=True, text=True, check=True
    )
    for pid in map(int, children.stdout.split()):
        with open(f"/proc/{pid}/environ", "rb") as file:
            if f"RANK={rank}".encode() in file.read().split(b"\0"):
                return pid
    raise AssertionError(f"no process has rank {rank}")


# Parts of a batch.


@pytest.mark.parametrize("num_parts", [1, 2, 3, 7])
def test_parts_are_the_batch_and_no_row_is_in_two(num_parts):
    batch = Batch(np.arange(1, 30), 5 * np.arange(5), np.full(5, 4))
    parts = [part_of(batch, number, num_parts) for number in range(num_parts)]
    targets = np.concatenate([part.targets[part.targets != PAD] for part in parts])
    assert sorted(targets.tolist()) == sorted(batch.targets.ravel().tolist())
    for part in parts:
        assert part.inputs.shape == part.targets.shape
        assert len(part.inputs) >= 1


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("batching", ["poems", "sequential"])
@pytest.mark.parametrize("arch", ["rnn", "gru", "lstm"])
def test_a_batch_in_parts_teaches_what_it_teaches_as_a_whole(tmp_path, arch, batching):
    corpus = tiny_corpus(60, seed=8)
    # The last batches have fewer rows than parts.
    settings = {"arch": arch, "batching": batching, "dropout": 0.0, "batch_tokens": 64}
    settings |= {"batch_size": 3, "seq_len": 12, "epochs": 1, "learning_rate": 0.01}
    weights = []
    for parts in (1, 2, 5):
        trainer = trainer_of(corpus, tmp_path / str(parts), accumulate=parts, **settings)
        events_of(trainer)
        weights.append(trainer.engine.weights())
    for found in weights[1:]:
        for name, expected in weights[0].items():
            np.testing.assert_allclose(found[name], expected, atol=5e-3, err_msg=name)
    with pytest.raises(AssertionError):
        assert_equal_weights(weights[1], weights[0])


def test_numpy_works_alone(workplace):
    done = poetgen(*TRAIN, "--engine", "numpy", "--accumulate", "2", cwd=workplace)
    assert_two_line_error(done, "numpy")


def test_a_gpu_is_chosen_before_anything_is_sent(monkeypatch):
    calls = []
    monkeypatch.setattr(devices, "pick_device", lambda wanted: "cuda")
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: calls.append(index))
    monkeypatch.setattr(dist, "init_process_group", lambda backend, **_: calls.append(backend))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: calls.append("end"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    set_environment(monkeypatch, WORLD_SIZE="3", RANK="2", LOCAL_RANK="1")
    with joined("auto") as processes:
        assert (processes.rank, processes.size, processes.local_rank) == (2, 3, 1)
    assert calls == [1, "cpu:gloo,cuda:nccl", "end"]
    set_environment(monkeypatch, WORLD_SIZE="3", RANK="2", LOCAL_RANK="2")
    with pytest.raises(DeviceError, match="there are 2"), joined("auto"):
        pass
    assert calls == [1, "cpu:gloo,cuda:nccl", "end"]


def set_environment(monkeypatch, **values):
    """Set what torchrun would set; None takes a variable away."""
    for name, value in {"MASTER_ADDR": "localhost", "MASTER_PORT": "1", **values}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE"),
        ({"WORLD_SIZE": "9" * 30}, "WORLD_SIZE"),
        ({"RANK": None}, "RANK"),
        ({"RANK": ""}, "RANK"),
        ({"RANK": "2"}, "RANK"),
        ({"LOCAL_RANK": "-1"}, "LOCAL_RANK"),
        ({"MASTER_ADDR": None}, "MASTER_ADDR"),
        ({"MASTER_PORT": ""}, "MASTER_PORT"),
        ({"MASTER_PORT": "65536"}, "MASTER_PORT"),
    ],
)
def test_an_environment_that_torchrun_did_not_make_is_named(monkeypatch, values, name):
    set_environment(monkeypatch, **{"WORLD_SIZE": "2", "RANK": "0", **values})
    with pytest.raises(SettingError, match=name) as caught, joined("cpu"):
        pass
    assert "torchrun" in caught.value.advice


def test_processes_that_do_not_meet_say_where(monkeypatch):
    def fail(*_, **__):
        raise dist.DistNetworkError("the address is in use")

    monkeypatch.setattr(dist, "init_process_group", fail)
    set_environment(monkeypatch, WORLD_SIZE="2", RANK="0")
    with pytest.raises(PoetgenError, match="localhost:1") as caught, joined("cpu"):
        pass
    assert caught.value.exit_code == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has cuda")
def test_processes_that_want_a_gpu_that_is_not_there_say_so(workplace):
    done = poetgen(
        *("train", "few", "--device", "cuda"),
        cwd=workplace,
        WORLD_SIZE="2",
        RANK="0",
        MASTER_ADDR="localhost",
        MASTER_PORT="1",
    )
    assert_two_line_error(done, "cuda", "cpu")


@pytest.mark.parametrize("size", [None, "", "1"])
def test_without_torchrun_there_is_one_process_and_it_asks_nobody(monkeypatch, size):
    set_environment(monkeypatch, WORLD_SIZE=size)
    with joined("cpu") as processes:
        assert processes == ALONE
        assert processes.is_first
        assert processes.gather(3) == [3]
        assert processes.from_first(lambda: 4) == 4
