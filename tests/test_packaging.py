"""What an installation holds: a wheel carries the model, a checkout finds it."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from poetgen import places
from poetgen.networks.model import num_parameters
from poetgen.networks.model_file import load_model
from tests.command import ENVIRONMENT, poetgen

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "models/tang.safetensors"
MODELS = places.SHIPPED_MODELS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_an_unpacked_wheel_writes_a_poem_far_from_the_checkout(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "import poetgen.cli; assert poetgen.__file__.startswith(sys.path[0])\n"
        "poetgen.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, site, "generate", "--start", "日", "--seed", "1"],
        cwd=elsewhere,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("日")
    assert "model tang" in done.stderr


def test_a_wheel_carries_the_shipped_models_and_nobody_elses(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "/models/" in name]
        wanted = [f"{name}.{end}" for name in MODELS for end in ("safetensors", "md")]
        assert sorted(names) == sorted(f"poetgen/models/{name}" for name in wanted)
        for name in wanted:
            assert archive.read(f"poetgen/models/{name}") == (ROOT / "models" / name).read_bytes()


def test_a_wheel_carries_the_tables_and_the_notice_of_their_sources(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert any(name.endswith(".dist-info/licenses/NOTICE") for name in names)
    for table in (ROOT / "poetgen").glob("*/tables/*.txt"):
        assert table.relative_to(ROOT).as_posix() in names


def test_a_checkout_finds_the_model_beside_the_package(tmp_path):
    if places.shipped_models() != ROOT / "models":
        pytest.skip("the package under test is not installed from this checkout")
    done = poetgen("generate", "--start", "日", "--seed", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_shipped_model_is_small():
    """Its weights, and apart from them the index of the poems that it has read."""
    index = load_model(MODEL).choice.as_arrays()
    num_bytes = sum(array.nbytes for array in index.values())
    assert MODEL.stat().st_size - num_bytes < 12_000_000
    assert sum(index[name].nbytes for name in ("lines", "grams", "pairs")) <= 2_000_000
    assert num_bytes < 3_200_000


@pytest.mark.parametrize("name", MODELS)
def test_every_model_that_ships_is_small_and_has_a_card(name):
    path = ROOT / f"models/{name}.safetensors"
    assert path.stat().st_size < (24_000_000 if name == "tang" else 16_000_000)
    model, card = load_model(path), path.with_suffix(".md").read_text(encoding="utf-8")
    assert card.startswith(f"# Model card: {name}\n")
    assert f"{num_parameters(model.config):,}" in card
    assert f"--name {name}" in card
    # What the record in the file says of the validation split.
    assert f"{model.validation.perplexity_per_token:.2f}" in card


def test_ci_has_one_version_in_the_range_of_every_package_that_users_may_have():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = pyproject["project"]
    extras, groups = project["optional-dependencies"], pyproject["dependency-groups"]
    needed = [Requirement(one) for one in project["dependencies"]]
    others = [Requirement(one) for many in (*extras.values(), *groups.values()) for one in many]
    for one in (*needed, *others):
        assert one.name == "tensorboard" or pinned[one.name] in one.specifier, one
    # A poem needs no torch, and Typer, which changes in small versions, is held below the next.
    assert "torch" not in {one.name for one in needed}
    assert "torch" in {Requirement(one).name for one in extras["train"]}
    assert any(
        bound.operator == "<" for one in needed if one.name == "typer" for bound in one.specifier
    )


def test_the_page_of_dependencies_names_exactly_those_of_the_project():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    always, _, extras = page.partition("\n## Extras\n")
    assert re.findall(r"^\| (\w[\w-]*) \| (?!what for)", always, re.MULTILINE) == [
        Requirement(one).name for one in project["dependencies"]
    ]
    assert sorted(re.findall(r"^\| (\w[\w-]*) \| `(\w+)` \|", extras, re.MULTILINE)) == sorted(
        (Requirement(one).name, extra)
        for extra, needs in project["optional-dependencies"].items()
        for one in needs
    )


@pytest.mark.long
def test_a_fresh_clone_gives_a_poem_with_make_poem(tmp_path):
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    done = subprocess.run(
        ["make", "poem"],
        cwd=tmp_path / "clone",
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "日" in done.stdout


@pytest.mark.long
def test_an_installed_wheel_gives_the_command(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    binaries = tmp_path / "venv/bin"
    install = [binaries / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, wheel], check=True)
    assert not list((tmp_path / "venv").glob("lib/*/site-packages/torch"))
    done = subprocess.run(
        [binaries / "poetgen", "generate", "--start", "日"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("日")
