"""The rooms of the design: imports point downward, and heavy ones are late."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import poetgen
from poetgen.cli.commands import NAMES
from tests.synthetic import write_poems

PACKAGE = Path(poetgen.__file__).parent

# The rooms, from the ground up; those of one floor may know each other, but not in a circle.
GROUND = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
FLOORS: list[set[str]] = [
    GROUND,
    {"reading", "fetching", "foreign", "verse"},
    {"corpus"},
    {"networks"},
    {"generation"},
    {"training"},
    {"inspection", "comparison"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path: Path) -> list[str]:
    """List every module that ``path`` imports anywhere in its text."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            found.append(node.module or "")
    return found


def rooms_imported(path: Path) -> set[str]:
    parts = [name.split(".") for name in imports_of(path)]
    return {part[1] for part in parts if part[0] == "poetgen" and len(part) > 1}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it_or_beside_it(path):
    here = room_of(path)
    for other in rooms_imported(path) - {here}:
        assert FLOOR_OF[other] <= FLOOR_OF[here], f"{path} imports {other}"


@pytest.mark.parametrize("level", ["rooms", "modules"])
def test_imports_go_round_in_no_circle(level):
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        one, others = room_of(path), rooms_imported(path)
        if level == "modules":
            one = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
            others = {name.removeprefix("poetgen.") for name in imports_of(path)}
        graph.setdefault(one, set()).update(others - {one})
    # What imports nothing but what is settled is settled, too.
    settled: set[str] = set()
    while new := {one for one in graph if not graph[one] & graph.keys() - settled} - settled:
        settled |= new
    assert not graph.keys() - settled


def test_the_picture_of_the_rooms_has_the_arrows_of_the_imports():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.partition("```mermaid\n")[2].partition("```")[0]
    rooms = set().union(*FLOORS) - GROUND - {"__main__"}
    graph: dict[str, set[str]] = {room: set() for room in rooms}
    for path in MODULES:
        if room_of(path) in rooms:
            graph[room_of(path)] |= rooms_imported(path) & rooms - {room_of(path)}

    def reached_from(room: str) -> set[str]:
        return graph[room].union(*map(reached_from, graph[room]))

    # An arrow that follows from two others would only hide them.
    needed = {
        (room, other)
        for room, others in graph.items()
        for other in others
        if not any(other in reached_from(between) for between in others)
    }
    assert set(re.findall(r"(\w+) --> (\w+)", picture)) == needed
    assert set(re.findall(r"(\w+)\[", picture)) == rooms


def test_verse_knows_no_other_room():
    for path in MODULES:
        if room_of(path) == "verse":
            assert not rooms_imported(path) - {"verse"} - GROUND


def test_only_the_top_floor_knows_the_terminal():
    for path in MODULES:
        tops = {name.split(".")[0] for name in imports_of(path)}
        assert room_of(path) == "cli" or not tops & {"typer", "rich"}, path
        assert "click" not in tops, path


def test_the_core_never_prints():
    for path in MODULES:
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert room_of(path) == "cli" or "print" not in calls, path


def test_one_place_decides_how_consoles_print():
    # A console of rich reads markup in what it prints, and so in names and paths.
    makers = {
        path
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id.endswith("Console")
    }
    assert len(makers) == 1, makers


def imported_at_once(path: Path) -> set[str]:
    """List the modules that are imported when ``path`` is: not in functions, not for types."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""}
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def needs_torch(names: Iterable[str]) -> bool:
    return any(name.partition(".")[0] == "torch" for name in names)


def test_torch_is_known_to_two_rooms_and_imported_only_by_what_needs_it():
    late = {path for path in MODULES if needs_torch(imports_of(path))}
    assert {room_of(path) for path in late} == {"networks", "training"}
    at_once = {path for path in late if needs_torch(imported_at_once(path))}
    names = {
        ".".join(("poetgen", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in at_once
    }
    assert names
    # Whatever imports one of them at its top would bring torch along, unseen.
    assert {path for path in MODULES if imported_at_once(path) & names} <= at_once


def test_no_module_has_outgrown_its_room():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {str(path): length for path, length in lengths.items() if length > 400}


def modules_loaded_by(*arguments: str) -> set[str]:
    """Run the command line in a fresh interpreter and name the modules it loaded."""
    code = (
        "import sys, poetgen.cli\n"
        "try:\n    poetgen.cli.main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print('LOADED', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


def test_help_needs_neither_torch_nor_numpy():
    for arguments in (["--help"], ["train", "--help"], ["generate", "--help"], ["--version"]):
        assert not modules_loaded_by(*arguments) & {"torch", "numpy"}


def test_a_poem_on_the_cpu_needs_no_torch_and_no_dictionary():
    loaded = modules_loaded_by("generate", "--start", "日", "--temp", "0.8")
    assert "numpy" in loaded
    assert not loaded & {"torch", "opencc", "rich", "pydantic"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("poetgen.")}
    assert rooms - GROUND == {"cli", "generation", "networks", "corpus", "verse"}
    assert {name for name in NAMES if f"poetgen.cli.{name}" in loaded} == {"generate"}


def test_prepare_needs_no_torch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "poems.txt").write_text(
        "一:白日依山尽，黄河入海流。\n二:床前明月光，疑是地上霜。\n", encoding="utf-8"
    )
    assert "torch" not in modules_loaded_by("prepare", "poems.txt", "--name", "two")


def test_training_with_numpy_needs_no_torch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_poems(tmp_path / "poems.txt", 60, 8)
    assert "torch" not in modules_loaded_by("prepare", "poems.txt", "--name", "few")
    run = ["train", "few", "--engine", "numpy", "--hidden-size", "9", "--embedding-dim", "5"]
    assert "torch" not in modules_loaded_by(*run, "--max-tokens", "200")
    assert "torch" not in modules_loaded_by("generate", "--model", "few-lstm")
