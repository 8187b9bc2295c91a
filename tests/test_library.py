"""``import poetgen``: the public names, their types, and the examples of docs/library.md."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import poetgen
from tests.synthetic import write_poems

ROOT = Path(__file__).parents[1]
FUNCTIONS = ("prepare", "train", "generate", "compare", "load_poet", "load_corpus")
HEAVY = {"numpy", "torch", "typer", "rich", "opencc", "safetensors", "platformdirs", "requests"}


def imported_for_types() -> dict[str, str]:
    """The names that type checkers see, and the module each one is from."""
    tree = ast.parse((ROOT / "poetgen" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_see_exactly_the_public_names():
    assert set(imported_for_types()) == set(poetgen.__all__) - {"__version__"}
    assert (ROOT / "poetgen" / "py.typed").is_file()


@pytest.mark.parametrize("name", sorted(set(poetgen.__all__) - {"__version__"}))
def test_a_public_name_is_what_its_module_says(name):
    module = __import__(imported_for_types()[name], fromlist=[name])
    assert getattr(poetgen, name) is getattr(module, name)
    assert name in dir(poetgen)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'recite'"):
        poetgen.recite  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS)
def test_settings_are_keywords_and_everything_is_typed_and_described(name):
    function = getattr(poetgen, name)
    signature = inspect.signature(function)
    first, *others = signature.parameters.values()
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in others)
    assert all(p.default is not inspect.Parameter.empty for p in others)
    assert all(p.annotation is not inspect.Parameter.empty for p in (first, *others))
    assert signature.return_annotation is not inspect.Signature.empty
    assert function.__doc__.strip()


def test_importing_the_library_imports_nothing_heavy():
    code = "import sys, poetgen; poetgen.PoetgenError, poetgen.TrainConfig; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_the_examples_of_the_page_run(tmp_path):
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert all(any(f"poetgen.{name}(" in code for code in examples) for name in FUNCTIONS)
    write_poems(tmp_path / "poems.txt", num_poems=60, seed=3)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(examples)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
