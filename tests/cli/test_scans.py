"""``poetgen inspect --verse``: scans of poems, from wherever they come."""

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from poetgen import SearchConfig, VerseConfig, load_poet
from poetgen.verse.faults import Kind
from poetgen.verse.layout import couplets
from poetgen.verse.tunes import tunes
from tests.command import assert_two_line_error, poetgen

PAGE = Path(__file__).parents[2] / "docs" / "verse.md"
# By the tones 仄仄平平仄, 平平仄仄平, 平平平仄仄, 仄仄仄平平.
GOOD = "月月天天月，天天月月东。天天天月月，月月月天公。"
BAD = GOOD.replace("天天月月东", "天天天月东").replace("月月月天公", "月天月月楼")


def test_a_text_is_shown_line_by_line_with_its_tones_and_rhyme(tmp_path):
    done = poetgen("inspect", "--verse", GOOD, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "五绝, 仄起首句不入韵",
        "  月月天天月  仄仄平平仄",
        "  天天月月东  平平仄仄平  A",
        "  天天天月月  平平平仄仄",
        "  月月月天公  仄仄仄平平  A",
        "  A 上平一东 东公",
        "  no fault",
    ]


def test_a_fault_is_marked_at_its_place_and_explained(tmp_path):
    shown = poetgen("inspect", "--verse", BAD, "--form", "五绝", cwd=tmp_path).stdout
    assert "  月天月月楼  仄[平]仄[仄]平  A  ×" in shown.splitlines()
    assert "fault: line 4: 楼 does not rhyme with 东 (上平一东; 失韵)" in shown
    assert "fault: line 4, character 2: 天 is level (平), wanted is oblique (仄)" in shown
    assert "no fault" not in shown


def test_a_file_of_poems_is_scanned_poem_by_poem(tmp_path):
    (tmp_path / "mine.txt").write_text(
        f"望月\n某甲\n{GOOD}\n\n望天\n某乙\n{BAD}\n", encoding="utf-8"
    )
    done = poetgen("inspect", "--verse", "mine.txt", cwd=tmp_path)
    assert done.returncode == 0
    heads = [line for line in done.stdout.splitlines() if line and line[0] != " "]
    assert [head.split(":")[0] for head in heads] == ["望月 某甲", "望天 某乙"]
    assert "1 of 2 poems have a form and no fault" in done.stderr


# Short lines and long ones: reading would take some for titles.
SONG = "月天天月天天，月天东。\n天月天天月月，月月天天月月天公。\n月天。"


def heads(shown):
    return [line for line in shown.splitlines() if line and line[0] != " "]


@pytest.mark.parametrize("marks", ["，。", ",."])
def test_blocks_of_verse_between_blank_lines_are_poems(marks, tmp_path):
    text = f"{SONG}\n\n{SONG}\n \n{SONG}\n".translate(str.maketrans("，。", marks))
    (tmp_path / "poems.txt").write_text(text, encoding="utf-8")
    for source in ("poems.txt", text):
        done = poetgen("inspect", "--verse", source, "--json", cwd=tmp_path)
        poems = json.loads(done.stdout)["poems"]
        assert [len(poem["lines"]) for poem in poems] == [5, 5, 5]
        assert not any(poem["title"] for poem in poems)


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        (GOOD.replace("。", "。\n"), ["五绝, 仄起首句不入韵"]),
        # The tune 渔歌子, a sentence a line.
        (
            "月月天天月月东。\n天天天月月天公。\n天月月，月天通。\n天天月月月天红。\n",
            ["渔歌子"],
        ),
        # A poem a line.
        (f"{GOOD}\n{GOOD}\n", ["五绝, 仄起首句不入韵"] * 2),
    ],
)
def test_lines_without_blank_ones_are_one_poem_only_if_it_has_a_form(text, forms, tmp_path):
    (tmp_path / "poems.txt").write_text(text, encoding="utf-8")
    assert heads(poetgen("inspect", "--verse", "poems.txt", cwd=tmp_path).stdout) == forms


@pytest.mark.long
def test_what_the_model_writes_of_each_tune_is_read_as_written(tmp_path):
    poet = load_poet("tang")
    poems = [
        poem.text
        for name in tunes()
        for poem in poet.iter_poems(
            poet.request(verse=VerseConfig(form=name)), 2, 5, SearchConfig(best_of=1)
        )
    ]
    printed = "\n\n".join("\n".join(couplets(poem)) for poem in poems)
    (tmp_path / "poems.txt").write_text(printed, encoding="utf-8")
    done = poetgen("inspect", "--verse", "poems.txt", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)["poems"]
    assert [poem["text"] for poem in found] == poems
    assert not any(poem["title"] for poem in found)


def test_a_lost_character_is_shown(tmp_path):
    shown = poetgen("inspect", "--verse", "□□" + GOOD[2:], cwd=tmp_path).stdout
    assert shown.splitlines()[:2] == ["五绝, 仄起首句不入韵", "  □□天天月  ？？平平仄"]
    assert "no fault" in shown


def test_what_is_neither_a_file_nor_verse_is_told_so(tmp_path):
    done = poetgen("inspect", "--verse", "The quick brown fox.", cwd=tmp_path)
    assert done.stderr.splitlines()[0] == (
        "Error: 'The quick brown fox.' is neither a file nor Chinese verse."
    )


def test_json_has_every_place(tmp_path):
    (tmp_path / "bad.txt").write_text(BAD, encoding="utf-8")
    done = poetgen("inspect", "--verse", "bad.txt", "--form", "五绝", "--json", cwd=tmp_path)
    (poem,) = json.loads(done.stdout)["poems"]
    assert (poem["form"], poem["opening"], poem["book"]) == ("五绝", "仄起首句不入韵", "pingshui")
    assert poem["text"] == BAD
    assert poem["lines"][1] == {
        "text": "天天天月东",
        "tones": "平平平仄平",
        "template": "平平中仄平",
        "rhyme": "A",
    }
    assert poem["rhymes"] == [{"letter": "A", "group": "上平一东", "chars": "东楼"}]
    assert {(one["kind"], one["line"], one["place"]) for one in poem["faults"]} >= {
        ("失韵", 4, None),
        ("平仄", 4, 2),
    }


def test_a_book_and_a_strict_reading_can_be_asked_for(tmp_path):
    amended = GOOD.replace("天天天月月", "天天月天月")
    options = ["--rhyme-book", "new"]
    assert "remark: line 3" in poetgen("inspect", "--verse", amended, cwd=tmp_path).stdout
    assert (
        "fault: line 3" in poetgen("inspect", "--verse", amended, "--strict", cwd=tmp_path).stdout
    )
    shown = poetgen("inspect", "--verse", GOOD, *options, "--json", cwd=tmp_path).stdout
    assert json.loads(shown)["poems"][0]["book"] == "new"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--verse", "none.txt"], "none.txt"),
        (["--verse", "empty.txt"], "empty.txt"),
        (["--verse", "english.txt"], "english.txt"),
        (["--verse", ""], "--verse"),
        (["--verse", "。，"], "。，"),
        (["--verse", GOOD, "--form", "浣溪纱沙"], "浣溪纱沙"),
        (["--verse", GOOD, "--rhyme-book", "old"], "old"),
        (["tang", "--verse", GOOD], "--verse"),
        (["--verse", GOOD, "--plot", "a.png"], "--verse"),
        (["--form", "五绝"], "--verse"),
        (["tang", "--strict"], "--verse"),
    ],
)
def test_bad_input_is_two_lines(words, named, tmp_path):
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    (tmp_path / "english.txt").write_text("The moon.\n", encoding="utf-8")
    assert_two_line_error(poetgen("inspect", *words, cwd=tmp_path), named)


def test_the_examples_of_the_page_show_what_is_printed(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"```\n\$ poetgen (inspect [^\n]+)\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for command, shown in examples:
        assert poetgen(*shlex.split(command), cwd=tmp_path).stdout == shown


def test_the_page_lists_the_tunes():
    page = PAGE.read_text(encoding="utf-8")
    page = page.partition("## Forms and tunes")[2].partition("\n## ")[0]
    num_tunes = sum(":" not in name for name in tunes())
    assert f"{num_tunes} tunes are known" in page
    rows = re.findall(r"^\| (\S+) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    listed = {name: (others, variants) for name, others, variants in rows}
    for name, tune in tunes().items():
        others, variants = listed[name.partition(":")[0]]
        assert all(
            one.partition(":")[0] in (*others.split(), name.partition(":")[0]) for one in tune.names
        )
        assert ":" not in name or name.partition(":")[2] in variants.split()


def test_the_page_explains_every_kind_of_finding():
    rows = re.findall(r"^\| (\S+) \| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(get_args(Kind)) <= set(rows)
