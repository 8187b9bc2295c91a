"""What ``prepare`` shows and lists, through the real command line."""

import json
import re

import pytest

from poetgen.corpus.folder import load_corpus
from poetgen.corpus.split import SPLITS
from tests.command import assert_two_line_error, poetgen
from tests.synthetic import write_poems


@pytest.fixture
def poems(tmp_path):
    write_poems(tmp_path / "poems.txt", 60)
    return tmp_path


def test_prepare_shows_title_form_and_lines_of_some_poems(poems):
    done = poetgen("prepare", "poems.txt", cwd=poems)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    shown = done.stderr.splitlines()
    assert shown[0] == "poems.txt (title-content, utf-8): 3 of 60 poems"
    source = dict(line.split(":") for line in (poems / "poems.txt").read_text("utf-8").splitlines())
    heads = [line for line in shown if re.match("  题", line)]
    assert len(heads) == 3
    assert heads[0].startswith("  题0 · ")
    for head in heads:
        title, form = head.split(" · ")
        text, start = source[title.strip()], shown.index(head) + 1
        lines = [line.strip() for line in shown[start : start + text.count("。")]]
        assert "".join(lines) == text
        assert form in ("五绝", "七绝", "五律", "七律")
    # Always the same ones.
    again = poetgen("prepare", "poems.txt", "--force", cwd=poems)
    assert again.stderr == done.stderr


@pytest.mark.parametrize("preview", [0, 1, 60, 1000])
def test_the_preview_has_as_many_poems_as_asked_for(poems, preview):
    done = poetgen("prepare", "poems.txt", "--dry-run", "--preview", str(preview), cwd=poems)
    assert len(re.findall("^  题", done.stderr, re.MULTILINE)) == min(60, preview)


def test_a_source_of_which_nothing_is_kept_is_shown_so(poems):
    (poems / "again.txt").write_bytes((poems / "poems.txt").read_bytes())
    done = poetgen("prepare", "poems.txt", "again.txt", "--dry-run", cwd=poems)
    assert "again.txt (title-content, utf-8): no poem is kept" in done.stderr


def test_a_table_of_forms_counts_titles_and_poems(poems):
    done = poetgen("prepare", "poems.txt", "--dry-run", cwd=poems)
    assert "60 have a title, 0 an author, 0 a dynasty." in done.stderr
    rows = re.findall(r"^(五绝|七绝|五律|七律) +(\d+) ", done.stderr, re.MULTILINE)
    assert sum(int(count) for _, count in rows) == 60
    assert not any(line.endswith(" ") for line in done.stderr.splitlines())


def test_a_dry_run_shows_the_same_and_leaves_nothing(poems):
    dry = poetgen("prepare", "poems.txt", "--dry-run", cwd=poems)
    assert dry.returncode == 0, dry.stderr
    assert [path.name for path in poems.iterdir()] == ["poems.txt"]
    *shown, last = dry.stderr.splitlines()
    assert "leave --dry-run out" in last
    done = poetgen("prepare", "poems.txt", cwd=poems)
    assert done.stderr.splitlines()[:-1] == shown


def test_quiet_shows_nothing(poems):
    done = poetgen("prepare", "poems.txt", "--quiet", cwd=poems)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_warning_comes_before_what_to_do_next(tmp_path):
    (tmp_path / "two.txt").write_text(
        "一:春眠不觉晓，处处闻啼鸟。\n二:床前明月光，疑是地上霜。\n", encoding="utf-8"
    )
    done = poetgen("prepare", "two.txt", cwd=tmp_path)
    *_, warning, last = done.stderr.splitlines()
    assert warning.startswith("Warning: ")
    assert "unknown" in warning
    assert last.startswith("Wrote ")


def test_the_list_of_kept_poems_is_the_corpus(poems):
    done = poetgen("prepare", "poems.txt", "--list-kept", "kept.jsonl", cwd=poems)
    assert done.returncode == 0, done.stderr
    lines = (poems / "kept.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    assert all(list(one) == ["title", "author", "dynasty", "split", "text"] for one in entries)
    corpus = load_corpus(poems / "corpora/poems")
    for split in SPLITS:
        texts = [one["text"] for one in entries if one["split"] == split]
        found = corpus.splits[split]
        decoded = [corpus.vocabulary.decode(found[i][1:-1]) for i in range(len(found))]
        assert texts == decoded
    assert {one["title"] for one in entries} == {f"题{number}" for number in range(60)}


def test_the_list_of_kept_poems_replaces_nothing(poems):
    (poems / "kept.jsonl").write_text("mine")
    words = ("prepare", "poems.txt", "--list-kept")
    done = poetgen(*words, "kept.jsonl", cwd=poems)
    assert_two_line_error(done, "kept.jsonl is already there", "--force")
    done = poetgen(*words, "poems.txt", "--force", cwd=poems)
    assert_two_line_error(done, "poems.txt is a source", "--list-kept")
    both = ("list.jsonl", "--list-dropped", "list.jsonl")
    assert_two_line_error(poetgen(*words, *both, cwd=poems), "cannot hold both lists")
    assert (poems / "kept.jsonl").read_text() == "mine"
    assert not (poems / "corpora").exists()


def test_prepare_without_a_source_says_what_to_give(tmp_path):
    done = poetgen("prepare", "--name", "few", cwd=tmp_path)
    assert_two_line_error(done, "nothing to prepare", "a file, a folder or a name")


def test_the_vocabulary_of_another_corpus_is_named(poems):
    assert poetgen("prepare", "poems.txt", "--name", "large", cwd=poems).returncode == 0
    write_poems(poems / "few.txt", 5, seed=2)
    prepare = ("prepare", "few.txt", "--vocabulary", "large")
    done = poetgen(*prepare, cwd=poems)
    assert done.returncode == 0, done.stderr
    size = len(load_corpus(poems / "corpora" / "large").vocabulary.tokens)
    assert f"Vocabulary: {size} tokens, those of large." in done.stderr
    done = poetgen(*prepare, "--min-count", "2", "--force", cwd=poems)
    assert_two_line_error(done, "--vocabulary", "--min-count")
