"""Where torch is not installed poetgen works with numpy, and says how to get torch."""

import json
import subprocess
import sys

import pytest

from poetgen.cli.app import explain
from poetgen.config import TrainConfig
from poetgen.errors import DeviceError, SettingError
from poetgen.networks import torch_optional
from poetgen.networks.model_file import load_model
from poetgen.training import engine
from poetgen.training.checkpoint import load_checkpoint
from poetgen.training.engine import pick_engine
from tests.command import ENVIRONMENT, assert_two_line_error, poetgen
from tests.synthetic import write_poems

# One interpreter for all commands: nothing of torch can be found by it.
WITHOUT = """
import contextlib, io, json, os, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
from poetgen.cli import main
told = []
for arguments, environment in json.loads(sys.stdin.read()):
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["poetgen", *arguments]
    os.environ.update(environment)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    for name in environment:
        del os.environ[name]
    told.append([code, out.getvalue(), err.getvalue()])
assert "torch" not in sys.modules
print(json.dumps(told))
"""
SMALL = ["--hidden-size", "9", "--embedding-dim", "5"]
TRAIN = ["train", "few", *SMALL]
WORK = {
    "prepare": ["prepare", "poems.txt", "--name", "few"],
    "train": [*TRAIN, "--name", "m", "--max-tokens", "200"],
    "begin": [*TRAIN, "--name", "r", "--engine", "auto", "--max-minutes", "0"],
    "resume": ["train", "few", "--name", "r", "--resume", "--max-minutes", "0", "--engine", "auto"],
    "generate": ["generate", "--model", "m", "--start", "日", "--seed", "1", "--device", "cpu"],
    "inspect": ["inspect", "m", "--text", "日"],
    "compare": ["compare", "rnn", "gru", "--corpus", "few", "--budget", "200", *SMALL],
    "help": ["compare", "--help"],
}
TWO = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
REFUSED = {
    "device": ([*TRAIN, "--device", "cuda"], {}, "--device cuda"),
    "mps": ([*TRAIN, "--device", "mps", "--engine", "torch"], {}, "--device mps"),
    "engine": ([*TRAIN, "--engine", "torch"], {}, "--engine torch"),
    "write": (["generate", "--model", "m", "--device", "cuda"], {}, "--device cuda"),
    "race": (["compare", "gru", "rnn", "--corpus", "few", "--device", "cuda"], {}, "--device cuda"),
    "ranks": (TRAIN, TWO, "2 processes"),
    "tensorboard": ([*TRAIN, "--name", "t", "--tensorboard"], {}, "poetgen[tensorboard]"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Where the commands ran, and what each of them said."""
    folder = tmp_path_factory.mktemp("without")
    write_poems(folder / "poems.txt", 60, 8)
    commands = [(words, {}) for words in WORK.values()]
    commands += [(words, environment) for words, environment, _ in REFUSED.values()]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        cwd=folder,
        env=ENVIRONMENT,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, dict(zip([*WORK, *REFUSED], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", WORK)
def test_every_command_works_without_torch(told, name):
    code, _, err = told[1][name]
    assert not code, err


def test_a_training_says_once_that_numpy_computes_and_how_to_get_torch(told):
    for name in ("train", "begin"):
        lines = [line for line in told[1][name][2].splitlines() if "torch" in line]
        assert lines == [torch_optional.NO_TORCH]
        assert "pip install 'poetgen[train]'" in lines[0]


def test_what_is_stored_is_the_engine_that_computed(told):
    folder, said = told
    assert load_model(folder / "models/m.safetensors").training["engine"] == "numpy"
    stored = load_checkpoint(folder / "models/r.checkpoint").state.training
    assert stored.engine == "numpy"
    # It was begun with numpy, which was told then.
    assert "torch" not in said["resume"][2]


def test_a_run_that_numpy_began_stays_with_numpy_where_torch_is(told):
    folder, _ = told
    again = ["train", "few", "--name", "r", "--resume", "--max-minutes", "0"]
    assert poetgen(*again, cwd=folder).returncode == 0
    stored = load_checkpoint(folder / "models/r.checkpoint").state.training
    assert stored.engine == "numpy"
    assert_two_line_error(poetgen(*again, "--engine", "torch", cwd=folder), "--engine numpy")


def test_the_answers_are_there(told):
    said = told[1]
    assert said["generate"][1].startswith("日")
    assert "perplexity per token" in said["compare"][1]


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_torch_names_the_extra_in_two_lines(told, name):
    code, out, err = told[1][name]
    assert code == 2
    assert out == ""
    *before, problem, advice = err.splitlines()
    assert problem.startswith("Error: ")
    assert REFUSED[name][2] in problem + advice
    assert "pip install 'poetgen[" in advice
    assert before == []


@pytest.mark.parametrize("there", [True, False])
def test_which_engine_computes(monkeypatch, there):
    for module in (engine, torch_optional):
        monkeypatch.setattr(module, "has_torch", lambda: there)
    assert TrainConfig().engine == "auto"
    assert pick_engine("auto", "auto") == pick_engine("auto", "cpu") == ["numpy", "torch"][there]
    assert pick_engine("numpy", "auto") == "numpy"
    if there:
        assert pick_engine("torch", "cuda") == pick_engine("auto", "mps") == "torch"
        return
    with pytest.raises(DeviceError, match="--device cuda needs torch"):
        pick_engine("auto", "cuda")
    with pytest.raises(SettingError, match="--engine torch needs torch"):
        pick_engine("torch", "auto")


def test_a_package_that_cannot_be_imported_is_no_fault_of_ours():
    error = ModuleNotFoundError("No module named 'sympy'", name="sympy")
    problem, advice, _ = explain(error, "train")
    assert "sympy" in problem
    assert "fault in poetgen" not in advice
    assert "pip install" in advice


def test_a_missing_part_of_torch_is_not_taken_for_a_missing_torch(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "torch").mkdir()
    stub = tmp_path / "torch/__init__.py"
    stub.write_text("raise ModuleNotFoundError('No module named torch')")
    assert not torch_optional.has_torch()
    stub.write_text("import a_part_that_is_not_there")
    with pytest.raises(ModuleNotFoundError, match="a_part"):
        torch_optional.has_torch()
