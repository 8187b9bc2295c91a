"""Every command of the READMEs, run in the order in which a reader meets them."""

import json
import random
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.command import assert_two_line_error, poetgen
from tests.real_data import HAS_TANG, TANG
from tests.synthetic import synthetic_poem, write_poems

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "README.zh.md"]

# A reader has time; a test has not. The commands themselves stay as they are written.
SHORTER = {
    "train": [
        *("--max-minutes", "0.01"),
        # So many that the time ends the run, and there is something to go on with.
        *("--epochs", "100000", "--hidden-size", "16", "--embedding-dim", "12"),
    ],
    "compare": ["--budget", "500", "--hidden-size", "16", "--embedding-dim", "12"],
}


def commands_of(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.partition(" #")[0].strip() for line in lines if line.strip()]


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_readme_works(page, tmp_path):
    write_poems(tmp_path / "poems.txt", 60)
    (tmp_path / "全唐诗").mkdir()
    rng = random.Random(1)
    poems = [{"title": "题", "paragraphs": [synthetic_poem(rng)]} for _ in range(60)]
    (tmp_path / "全唐诗/poet.tang.0.json").write_text(
        json.dumps(poems, ensure_ascii=False), encoding="utf-8"
    )
    lines = [line for line in commands_of(page) if not line.startswith("make ")]
    # What is fetched by name comes from the real files where they are at hand.
    environment = {"POETGEN_MIRROR": str(TANG), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    if not HAS_TANG:
        lines = [line.replace("prepare tang", "prepare 全唐诗 --name tang") for line in lines]
    assert {shlex.split(line)[1] for line in lines} >= {"prepare", "train", "generate", "compare"}
    for line in lines:
        name, *arguments = shlex.split(line)
        assert name == "poetgen"
        shorter = SHORTER.get(arguments[0], [])
        # A run that goes on keeps its size; only its time may be given anew.
        extra = shorter[:2] if "--resume" in line else shorter
        if "--init" in line:  # the model that it begins with has the size
            extra = shorter[:4]
        if "--on" in line:  # nothing is trained
            extra = []
        done = poetgen(*arguments, *extra, cwd=tmp_path, **environment)
        if "--device cuda" in line and not has_cuda():
            assert_two_line_error(done, "cuda", "cpu")
        else:
            assert done.returncode == 0, (line, done.stderr)
        if arguments == ["prepare", "tang"]:
            # A whole dynasty was prepared; what follows works with sixty poems of it as well.
            small = ["prepare", "全唐诗", "--name", "tang", "--force"]
            assert poetgen(*small, cwd=tmp_path).returncode == 0


def test_the_targets_that_the_readme_names_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"\bmake ([a-z-]+)\b`?", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {"poem", "test", "check", "check-long", "bench"} <= set(named)
    for target in set(named):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_make_help_has_every_target_and_says_what_it_does():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    ).stdout
    listed = dict(re.findall(r"^make ([a-z-]+) +(\S.*)$", shown, re.MULTILINE))
    assert list(listed) == re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert set(listed) == set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())


def test_the_poems_of_the_readme_are_what_the_shipped_model_writes(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"```\n(\$ poetgen generate .*?)\n```", text, re.DOTALL)
    assert len(shown) == 2
    for example in shown:
        command, _, poem = example.partition("\n")
        done = poetgen(*shlex.split(command)[2:], "--model", ROOT / "models/tang", cwd=tmp_path)
        assert done.stdout.strip() == poem.strip()


@pytest.mark.parametrize("flags", [("--pinyin",), ("--vertical", "--traditional")], ids=str)
def test_the_poems_of_the_page_on_verse_are_what_the_shipped_model_writes(tmp_path, flags):
    page = (ROOT / "docs/verse.md").read_text(encoding="utf-8")
    command = ["generate", "--start", "日", "--seed", "6", *flags]
    assert shlex.join(["poetgen", *command]).replace("'", "") in page
    done = poetgen(*command, "--model", ROOT / "models/tang", cwd=tmp_path)
    assert f"```\n{done.stdout.rstrip()}\n```" in page


def test_the_links_of_the_pages_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("models/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (page.parent / target).exists(), (page, target)


def test_the_modules_that_the_pages_name_exist():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    pages.remove(ROOT / "CHANGELOG.md")  # it tells of the past
    for page in pages:
        for path in re.findall(r"(?:poetgen|tests)/[\w/]+\.py", page.read_text(encoding="utf-8")):
            assert (ROOT / path).is_file(), (page, path)
