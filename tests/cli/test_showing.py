"""How ``poetgen generate`` shows poems, called in this process."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from poetgen.characters import hanzi_only
from poetgen.cli.generate import generate
from poetgen.config import OccasionConfig, SampleConfig, ShowConfig, VerseConfig
from poetgen.corpus.script import to_traditional
from poetgen.errors import ExistsError, SettingError
from poetgen.networks.model_file import save_model
from poetgen.terminal import display_width
from tests.tiny import HANZI, MARKS, tiny_model

PINYIN, TRADITIONAL, VERTICAL = (
    ShowConfig(**{name: True}) for name in ("pinyin", "traditional", "vertical")
)
START = "白云飞，山月落。"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with two models, one of Chinese, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    save_model(tiny_model(tokens=HANZI + "白飞落" + MARKS), Path("models/tiny.safetensors"))
    save_model(tiny_model(tokens="abc \n"), Path("models/english.safetensors"))
    return tmp_path


def say(capsys, **options):
    """Return what is printed of poems that begin with ``START``."""
    generate(**{"model": "tiny", "start": START, "seed": 1} | options)
    return capsys.readouterr()


@pytest.mark.parametrize("form", ["忆江南", "五绝"])
def test_title_tune_and_poet_are_the_first_columns(form, here, capsys):
    fields = tiny_model(tokens=HANZI + "飞忆南" + MARKS, fields=True)
    save_model(fields, Path("models/titled.safetensors"))
    wanted = {
        "model": "titled",
        "start": "",
        "verse": VerseConfig(form=form, tones="off", rhyme="free"),
        "occasion": OccasionConfig(title="山云", author="江心"),
    }
    title = "忆江南·山云" if form == "忆江南" else "山云"
    assert say(capsys, **wanted).out.splitlines()[0] == f"《{title}》，仿江心"
    rows = say(capsys, **wanted, show=VERTICAL).out.splitlines()
    # A cell is a character or two blanks; two blanks stand between cells.
    cells = [re.findall("([^ ]|  )(?:  |$)", row) for row in rows]
    columns = ["".join(row[at] for row in cells if len(row) > at).strip() for at in range(99)]
    *_, author_column, title_column = filter(None, columns)
    assert (title_column, author_column) == (title, "仿江心")
    traditional = say(capsys, **wanted, show=TRADITIONAL).out.splitlines()[0]
    assert traditional == to_traditional(f"《{title}》，仿江心")


def test_plain_flags_change_nothing(here, capsys):
    assert say(capsys) == say(capsys, show=ShowConfig())


def test_pinyin_stands_above_and_in_json(here, capsys):
    rows = say(capsys, show=PINYIN).out.splitlines()
    assert rows[0].split()[:3] == ["bái", "yún", "fēi"]
    assert "".join("".join(rows[1::2]).split()) == say(capsys).out.replace("\n", "")
    (poem,) = json.loads(say(capsys, show=PINYIN, as_json=True).out)["poems"]
    assert len(poem["pinyin"]) == len(poem["lines"])
    for syllables, line in zip(poem["pinyin"], poem["lines"], strict=True):
        assert len(syllables.split()) == len(hanzi_only(line))


def test_traditional_characters_are_shown_and_in_json(here, capsys):
    plain, shown = say(capsys), say(capsys, show=TRADITIONAL)
    assert shown.out == to_traditional(plain.out) != plain.out
    (poem,) = json.loads(say(capsys, show=TRADITIONAL, as_json=True).out)["poems"]
    assert "\n".join(poem["lines"]) + "\n" == shown.out
    assert poem["text"].startswith("白雲飛")


def test_pinyin_is_the_same_in_both_scripts(here, capsys):
    both = ShowConfig(pinyin=True, traditional=True)
    simplified, traditional = (say(capsys, show=show).out for show in (PINYIN, both))
    assert traditional.splitlines()[0] == simplified.splitlines()[0]
    assert "雲" in traditional


@pytest.mark.parametrize("traditional", [False, True])
def test_columns_are_as_wide_as_the_terminal_at_most(traditional, here, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "22")
    plain = say(capsys, num_poems=3, show=ShowConfig(traditional=traditional)).out
    shown = say(capsys, num_poems=3, show=ShowConfig(traditional=traditional, vertical=True)).out
    assert all(display_width(row) <= 22 for row in shown.splitlines())
    assert sorted(hanzi_only(shown)) == sorted(hanzi_only(plain))
    first = [row[-1:] for row in shown.splitlines()]
    assert "".join(first).startswith("白雲飛" if traditional else "白云飞")


def test_a_card_has_the_poem_and_its_start_as_title(here, capsys):
    said = say(capsys, card=Path("cards/poem.svg"))
    assert said.out == say(capsys).out
    assert "Wrote cards/poem.svg." in said.err
    texts = svg_texts("cards/poem.svg")
    assert texts[0] == "白云飞"
    assert "".join(texts[1:-2]) == hanzi_only(said.out)
    assert texts[-2:] == ["詩", "poetgen · tiny · 1"]


def svg_texts(path):
    root = ElementTree.parse(path).getroot()
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]


def test_several_cards_are_numbered(here, capsys):
    said = say(capsys, card=Path("p.svg"), num_poems=10, as_json=True)
    files = sorted(here.glob("*.svg"))
    assert [file.name for file in files] == [f"p-{number:02}.svg" for number in range(1, 11)]
    for file, poem in zip(files, json.loads(said.out)["poems"], strict=True):
        assert "".join(svg_texts(file)[1:-2]) == hanzi_only(poem["text"])


def test_a_card_is_in_the_script_of_the_poem(here, capsys):
    say(capsys, card=Path("p.svg"), show=TRADITIONAL)
    assert svg_texts("p.svg")[0] == "白雲飛"


def test_a_card_is_replaced_only_by_force(here, capsys):
    Path("p-2.svg").write_text("mine")
    with pytest.raises(ExistsError, match="p-2"):
        say(capsys, card=Path("p.svg"), num_poems=2)
    assert [path.name for path in here.glob("p-*")] == ["p-2.svg"]
    say(capsys, card=Path("p.svg"), num_poems=2, force=True)
    assert svg_texts("p-2.svg")


def test_the_characters_of_a_stranger_make_no_bad_svg(here, capsys):
    save_model(tiny_model(tokens=HANZI + "\r\u202e\ufffe<&"), Path("models/strange.safetensors"))
    hot = SampleConfig(temperature=100)
    say(capsys, model="strange", start="", num_poems=20, sampling=hot, card=Path("p.svg"))
    assert all(svg_texts(file) for file in here.glob("p-*.svg"))


def test_a_poem_that_is_too_long_for_a_card_is_printed_all_the_same(here, capsys):
    with pytest.raises(SettingError, match="at most 60"):
        say(capsys, start="白。" * 70, card=Path("p.svg"))
    assert hanzi_only(capsys.readouterr().out).startswith("白" * 70)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"stream": True, "show": PINYIN}, "--stream and --pinyin"),
        ({"stream": True, "show": TRADITIONAL}, "--stream and --traditional"),
        ({"stream": True, "show": VERTICAL}, "--stream and --vertical"),
        ({"stream": True, "card": Path("p.svg")}, "--stream and --card"),
        ({"show": ShowConfig(vertical=True, pinyin=True)}, "--vertical and --pinyin"),
        ({"show": VERTICAL, "as_json": True}, "--vertical and --json"),
        ({"card": Path("p.jpg")}, "p.jpg is not"),
        ({"card": Path("svg")}, "svg is not"),
        ({"show": PINYIN, "model": "english", "start": ""}, "--pinyin is for Chinese"),
        ({"card": Path("p.svg"), "model": "english", "start": ""}, "--card is for Chinese"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_a_poem_is_written(options, named, here, capsys):
    with pytest.raises(SettingError, match=named):
        say(capsys, **options)
    assert capsys.readouterr().out == ""
    assert not list(here.glob("p*"))
