"""Poems out of texts: how each format is written and detected, and what is refused."""

import hashlib
import json
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen import limits
from poetgen.characters import hanzi_only
from poetgen.config import Format
from poetgen.corpus.cleaning import clean
from poetgen.errors import SourceError
from poetgen.reading import (
    Input,
    RawPoem,
    describe_ignored,
    find_inputs,
    read_document,
    read_poems,
)
from poetgen.reading.formats import detect_format
from poetgen.reading.inputs import SUFFIXES
from tests.real_data import SHAKESPEARE, TANG, TIME_MACHINE, needs_english, needs_tang

POEM = "床前明月光，疑是地上霜。"
OTHER = "春眠不觉晓，处处闻啼鸟。"
RECORDS = [
    {"title": "静夜思", "author": "李白", "paragraphs": ["床前明月光，", "疑是地上霜。"]},
    {"title": "春晓", "author": "孟浩然", "paragraphs": [OTHER]},
]
BOTH = [RawPoem(POEM, "静夜思", "李白"), RawPoem(OTHER, "春晓", "孟浩然")]
TITLED = [RawPoem(POEM, "静夜思"), RawPoem(OTHER, "春晓")]
UNTITLED = [RawPoem(POEM), RawPoem(OTHER)]


def json_lines(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def written(tmp_path, text, name="poems.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def given_text(text, *, name="poems.txt", found=False):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return Input(name, lambda: data, found)


def read(text, format="auto", **options):
    return read_document(given_text(text, **options), format)


def texts(poems):
    return [poem.text for poem in poems]


# --- two lines of every format --------------------------------------------------------------

SAMPLES = {
    "chinese-poetry": (json.dumps(RECORDS, ensure_ascii=False), BOTH),
    "ccpc": (
        json_lines(
            {
                "dynasty": "Tang",
                "author": "李白",
                "content": "床前明月光|疑是地上霜",
                "title": "静夜思",
            },
            {"author": "孟浩然", "content": "春眠不觉晓|处处闻啼鸟", "title": "春晓"},
        ),
        [BOTH[0]._replace(dynasty="Tang"), BOTH[1]],
    ),
    "jsonl": (
        json_lines(
            {"text": POEM, "title": "静夜思", "author": "李白"},
            {"text": OTHER, "title": "春晓", "author": "孟浩然"},
        ),
        BOTH,
    ),
    "csv": (f"题目,作者,内容\n静夜思,李白,{POEM}\n春晓,孟浩然,{OTHER}\n", BOTH),
    "tsv": (f"title\tauthor\tcontent\n静夜思\t李白\t{POEM}\n春晓\t孟浩然\t{OTHER}\n", BOTH),
    "title-content": (f"静夜思:{POEM}\n春晓:{OTHER}\n", TITLED),
    "title-author-content": (f"静夜思::李白::{POEM}\n春晓::孟浩然::{OTHER}\n", BOTH),
    "plain": (f"{POEM}\n\n{OTHER}\n", UNTITLED),
}


@pytest.mark.parametrize("format", SAMPLES)
@pytest.mark.parametrize("name", ["poems", "poems.json", "poems.csv", "poems.txt", "poems.npz"])
def test_a_format_is_detected_from_the_content_whatever_the_name(format, name):
    text, poems = SAMPLES[format]
    document = read(text, name=name)
    assert (document.format, document.poems) == (format, poems)
    assert (document.name, document.encoding, document.prose) == (name, "utf-8", False)


@pytest.mark.parametrize("format", SAMPLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_format_that_is_given_is_read_with_any_end_of_line(format, newline):
    text, poems = SAMPLES[format]
    document = read(text.replace("\n", newline), format)
    assert (document.format, document.poems) == (format, poems)
    assert document.num_lines == len(text.splitlines())


def test_a_document_knows_the_hash_of_its_bytes_and_counts_blank_lines():
    document = read("一\n\n\n二")
    assert document.num_lines == 4
    assert document.sha256 == hashlib.sha256("一\n\n\n二".encode()).hexdigest()


@given(poems=st.lists(st.text("日月山水", min_size=9, max_size=20), min_size=1, max_size=6))
def test_every_format_gives_back_the_poems_that_were_written(poems):
    poems = [f"{poem}。" for poem in poems]
    records = [{"title": "题", "paragraphs": [poem]} for poem in poems]
    for text in (
        json.dumps(records),
        json_lines(*records),
        "\n".join(["title,text", *(f"题,{poem}" for poem in poems)]),
        "\n".join(["title\ttext", *(f"题\t{poem}" for poem in poems)]),
        "\n".join(f"题:{poem}" for poem in poems),
        "\n".join(f"题::人::{poem}" for poem in poems),
        "\n".join(poems),
        "\n\n".join(poems),
    ):
        assert texts(read(text).poems) == poems


# --- the collection chinese-poetry ----------------------------------------------------------


def test_one_json_object_is_one_poem():
    assert read(json.dumps(RECORDS[1], ensure_ascii=False)).poems == BOTH[1:]
    assert read(json.dumps(RECORDS[1], indent=2)).poems == BOTH[1:]


@pytest.mark.parametrize(
    ("record", "poem"),
    [
        (
            {"title": "离骚", "section": "离骚", "author": "屈原", "content": [POEM]},
            ("离骚", "屈原"),
        ),
        ({"title": "关雎", "chapter": "国风", "section": "周南", "content": [POEM]}, ("关雎", "")),
        ({"title": "浣溪沙", "para": [POEM], "author": "纳兰性德"}, ("浣溪沙", "纳兰性德")),
        ({"author": "和岘", "paragraphs": [POEM], "rhythmic": "导引"}, ("导引", "和岘")),
        ({"rhythmic": "导引", "title": "导引·春", "paragraphs": [POEM]}, ("导引·春", "")),
        ({"rhythmic": "导引", "title": "", "paragraphs": [POEM]}, ("导引", "")),
        ({"chapter": "学而篇", "paragraphs": [POEM]}, ("学而篇", "")),
        ({"content": POEM, "comment": ["曹秋岳曰"]}, ("", "")),
        ({"title": "甲", "paragraphs": [POEM], "strains": ["平"], "id": "1"}, ("甲", "")),
    ],
)
def test_every_folder_of_the_collection_is_read(record, poem):
    assert read(json.dumps([record])).poems == [RawPoem(POEM, *poem)]


def test_a_book_hands_its_title_and_author_down_to_its_chapters():
    book = {
        "title": "千家诗",
        "author": "谢枋得",
        "abstract": ["不是诗"],
        "content": [
            {
                "type": "五言绝句",
                "content": [
                    {"chapter": "春晓", "author": "孟浩然", "paragraphs": [OTHER]},
                    {
                        "chapter": "秋兴",
                        "paragraphs": [{"subchapter": "其一", "paragraphs": [POEM]}],
                    },
                    {"subchapter": None, "paragraphs": [OTHER]},
                ],
            }
        ],
    }
    assert read(json.dumps(book)).poems == [
        RawPoem(OTHER, "春晓", "孟浩然"),
        RawPoem(POEM, "秋兴", "谢枋得"),
        RawPoem(OTHER, "千家诗", "谢枋得"),
    ]


@pytest.mark.parametrize(
    "record", [{"paragraphs": []}, {"paragraphs": [""], "title": None}, {"text": None}]
)
def test_a_json_poem_without_lines_title_or_author_is_an_empty_poem(record):
    assert read(json.dumps([record])).poems == [RawPoem("", "", "")]


def test_lines_of_letters_are_not_glued_to_each_other():
    [poem] = read('[{"lines": ["Tyger Tyger, burning bright,", "“In the forests"]}]').poems
    assert poem.text == "Tyger Tyger, burning bright,\n“In the forests"
    [poem] = read('[{"lines": ["[一]床前", "“明月光"]}]').poems
    assert poem.text == "[一]床前“明月光"


@pytest.mark.parametrize("text", ["[", '[{"paragraphs": ["日"]}', "{]", "[" * 100_000])
def test_broken_json_is_refused_by_the_name_of_its_file(text):
    with pytest.raises(SourceError, match=r"broken\.json is not valid JSON"):
        read(text, name="broken.json")


def test_json_that_is_nested_deeply_is_refused_however_deeply():
    for depth in (20, 150, 100_000):
        text = '{"content": [' * depth + "1" + "]}" * depth
        with pytest.raises(SourceError, match="nested too deeply"):
            read(text, "chinese-poetry")


def test_a_number_that_is_too_long_is_not_json():
    with pytest.raises(SourceError, match="is not valid JSON"):
        read('[{"text": ' + "1" * 10_000 + "}]")


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        *((record, "is not an object") for record in (1, "日", None, [])),
        ({}, r"fields \(none\)"),
        ({"id": 1, "noise": 2}, r"fields \(id, noise\)"),
        ({"paragraphs": 1}, "no lines of text under 'paragraphs'"),
        ({"paragraphs": {"日": 1}}, "no lines of text under 'paragraphs'"),
        ({"paragraphs": [1]}, "no lines of text under 'paragraphs'"),
        ({"paragraphs": ["日", {"paragraphs": []}]}, "no lines of text"),
    ],
)
def test_json_of_another_shape_is_refused_by_the_number_of_the_record(record, problem):
    with pytest.raises(SourceError, match=f"^Record 2 of poems.txt .*{problem}") as error:
        read(json.dumps([*RECORDS, record]))
    assert "paragraphs" in error.value.advice


@pytest.mark.parametrize(
    ("companions", "kind"),
    [
        ([{"desc": "诗人", "name": "李白", "id": "1"}], "a list of authors"),
        ([{"description": "词人", "name": "和岘", "short_description": None}], "a list of authors"),
        ([{"baidu": 1, "author": "和岘", "rhythmic": "导引", "google": 2}], "search ranks"),
        ([{"strains": ["平平仄"], "id": "1"}], "tone patterns"),
        ({"title": "南唐", "desc": ["二主"]}, "an introduction"),
        ({"name": "chinese-poetry", "version": "2.0.1", "description": "…"}, "the description"),
        ({"{不/几}": [{"font": "A", "unicode": "4E00"}], "{丷/八}": []}, "a table of rare"),
    ],
)
def test_a_file_beside_the_poems_is_ignored_and_named(companions, kind):
    text = json.dumps(companions, ensure_ascii=False)
    document = read(text, found=True)
    assert document.poems == []
    assert kind in document.ignored_as
    sentence = f"poems.txt holds {document.ignored_as} and no poems."
    assert describe_ignored([document, read(POEM)]) == [sentence]
    with pytest.raises(SourceError, match=f"poems.txt holds {kind}"):
        read(text)  # for the user asked for this very file


def test_a_list_of_authors_with_a_poem_in_it_is_not_ignored():
    records = [{"name": "李白", "desc": "诗人"}, RECORDS[0]]
    with pytest.raises(SourceError, match="Record 0"):
        read(json.dumps(records), found=True)


def test_many_files_that_are_ignored_are_one_sentence():
    ranks = '[{"baidu": 1, "google": 2}]'
    documents = [read(ranks, name=f"{number}.json", found=True) for number in range(3)]
    [sentence] = describe_ignored(documents)
    assert sentence == "3 files, 0.json to 2.json, hold search ranks and no poems."


# --- JSON lines -----------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["text", "content", "poem", "body", "paragraphs", "Text", "诗"])
def test_json_lines_may_call_the_poem_by_any_usual_name(field):
    lines = json_lines({field: POEM, "title": "甲"}, {"title": "乙", field: OTHER})
    assert read(lines).poems == [RawPoem(POEM, "甲"), RawPoem(OTHER, "乙")]


def test_json_lines_without_a_known_field_are_refused_with_the_fields_that_are_there():
    with pytest.raises(SourceError, match=r"Line 2 of poems.txt has no poem.*\(id, noise\)"):
        read(json_lines({"text": POEM}, {"id": 1, "noise": POEM}))


def test_a_broken_line_of_json_is_refused_by_its_number():
    with pytest.raises(SourceError, match=r"Line 3 of poems\.txt is not valid JSON"):
        read(json_lines(*RECORDS) + '{"text": "日"\n')


def test_verses_of_ccpc_get_the_marks_that_it_leaves_out():
    record = {"content": "白日依山尽|黄河入海流|欲穷千里目？|更上一层楼"}
    poem = "白日依山尽，黄河入海流。欲穷千里目？更上一层楼。"
    assert read(json_lines(record)).poems == [RawPoem(poem)]
    assert read(json_lines(record, {"content": "日"}, {"content": ""}), "ccpc").poems == [
        RawPoem(poem),
        RawPoem("日。"),
        RawPoem(""),
    ]


def test_bars_in_letters_do_not_separate_verses():
    assert read(json_lines({"content": "a | b"}, {"content": "c"})).format == "jsonl"


# --- tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["text", "Content", " poem ", "正文", "诗", "原文", "內容"])
def test_a_column_of_poems_may_have_any_usual_name(column):
    table = f"id,{column},author\n1,{POEM},李白\n2,{OTHER},\n"
    assert read(table).poems == [RawPoem(POEM, "", "李白"), RawPoem(OTHER)]


def test_cells_may_hold_separators_line_breaks_and_quotation_marks():
    table = 'Title,Poem,Poet\r\n"A, B","one\r\n""two""",C\r\n'
    assert read(table).poems == [RawPoem('one\n"two"', "A, B", "C")]


def test_a_table_of_semicolons_is_a_csv_too():
    document = read(f"title;text\n静夜思;{POEM}\n春晓;{OTHER}\n")
    assert (document.format, document.poems) == ("csv", TITLED)


def test_a_table_of_one_column_is_recognised_by_its_quotation_marks():
    assert read('text\n"First Citizen:\nSpeak, speak."\n').format == "csv"
    assert read("poem\nby me\n").format == "plain"
    assert read(f"poem\n{POEM}\n", "csv").poems == [RawPoem(POEM)]


def test_a_table_without_poems_is_refused_with_the_columns_that_are_there():
    with pytest.raises(SourceError, match=r"no column .* it has title, author, year") as error:
        read("title,author,year\n静夜思,李白,726\n")
    assert "content" in error.value.advice
    with pytest.raises(SourceError, match="it has 一, 二"):
        read("一,二\n三,四\n", "csv")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a,b,c", "Line 3 of .* has 3 cells, but the header has 2"),
        ("a", "Line 3 of .* has 1 cells"),
        ('"a"b,c', "Line 3 of .* is not a row"),
        ('a,"b', "is not a row of a table"),
    ],
)
def test_a_broken_row_is_refused_by_its_line(row, problem):
    with pytest.raises(SourceError, match=problem):
        read(f"title,text\nx,y\n{row}\n")


def test_a_cell_of_a_whole_play_is_read():
    play = "To be, or not to be. " * 50_000
    assert texts(read(f'title,text\nHamlet,"{play}"\n').poems) == [play]


def test_an_empty_cell_is_an_empty_poem():
    assert read(f"title,text\n甲,\n乙,{POEM}\n").poems == [RawPoem("", "甲"), RawPoem(POEM, "乙")]


# --- lines with titles ----------------------------------------------------------------------


@pytest.mark.parametrize("colon", ":：")
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n"])
def test_a_line_of_title_and_content_is_a_poem(colon, newline):
    text = f"静夜思{colon}{POEM}{newline}春晓{colon}{OTHER}{newline}"
    assert read(text).poems == TITLED


def test_only_the_first_colon_ends_the_title():
    [poem] = read("君不见:君不见：黄河之水天上来", "title-content").poems
    assert poem == RawPoem("君不见：黄河之水天上来", "君不见")


def test_only_the_first_two_double_colons_split_a_line():
    assert read("题::人::一::二\n").poems == [RawPoem("一::二", "题", "人")]
    assert read("题：：人：：一：：二\n").poems == [RawPoem("一：：二", "题", "人")]


def test_a_line_may_have_an_empty_field():
    poems = read(f"::李白::{POEM}\n题::::{POEM}\n题::李白::\n").poems
    assert poems == [RawPoem(POEM, "", "李白"), RawPoem(POEM, "题"), RawPoem("", "题", "李白")]


@pytest.mark.parametrize("format", ["title-content", "title-author-content"])
def test_a_line_without_a_title_is_refused_by_its_number(format):
    with pytest.raises(SourceError, match="Line 3 of"):
        read(f"静夜思::李白::{POEM}\n\n{OTHER}\n", format)


def test_one_untitled_line_in_ten_still_is_a_file_with_titles():
    titled = [f"题{number}:{POEM}" for number in range(9)]
    assert detect_format("\n".join([*titled, OTHER])) == "title-content"
    assert detect_format("\n".join([*titled[:8], OTHER])) == "plain"


def test_only_cr_and_lf_break_lines():
    assert read("题:日\u2028月\x0b山\x85水").poems == [RawPoem("日\u2028月\x0b山\x85水", "题")]


# --- plain text and prose -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["第一。", f"{POEM}\n{OTHER}", "To be:\nor not", ":日", "日：", "[Verse 1]\nla la", "{口馬}日"],
)
def test_text_without_titles_is_plain(text):
    assert detect_format(text) == "plain"


def test_a_play_whose_speakers_stand_alone_is_plain():
    assert detect_format("First Citizen:\nBefore we proceed.\n\nAll:\nSpeak, speak.") == "plain"


def test_a_text_with_commas_is_not_a_table():
    assert detect_format("Text, of all the words,\nthe best,\nis this\n") == "plain"
    assert detect_format("Poem, and poem;\nand much more than that, if you ask\nyes") == "plain"


@pytest.mark.parametrize("blank", ["\n\n", "\n \n", "\n\u3000\t\n", "\n\n\n\n", "\r\n\r\n"])
def test_blank_lines_separate_poems(blank):
    verses = "举头望明月，\n低头思故乡。"
    assert texts(read(f"{verses}{blank}{OTHER}\n").poems) == [verses, OTHER]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_without_blank_lines_a_line_of_whole_sentences_is_a_poem(newline):
    assert texts(read(POEM + newline + OTHER + newline).poems) == [POEM, OTHER]


def test_verses_on_lines_of_their_own_are_one_poem():
    verses = "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡"
    assert texts(read(verses).poems) == [verses]


def test_unpunctuated_english_lines_stay_poems_of_their_own():
    poems = read("the cat sat on the mat\nthe dog ate the log\n").poems
    assert texts(poems) == ["the cat sat on the mat", "the dog ate the log"]


def test_filled_lines_are_prose_and_may_be_declared_so():
    filled = "\n\n".join("\n".join(["it was a dark and stormy night"] * 9) for _ in range(4))
    document = read(filled)
    assert (document.format, document.prose, len(document.poems)) == ("prose", True, 4)
    assert read(filled, "plain").prose
    assert read(POEM, "prose").prose
    assert not read(POEM).prose


@pytest.mark.parametrize("data", [b"", " \n\u3000\n".encode(), b"\xef\xbb\xbf", b"\xff\xfe"])
def test_nothing_is_refused_as_empty(data):
    with pytest.raises(SourceError, match=r"poems.txt is empty"):
        read(data)


# --- the real texts -------------------------------------------------------------------------


def test_a_source_of_several_files_is_read_in_one_go(tmp_path):
    written(tmp_path, SAMPLES["csv"][0], "2.csv")
    written(tmp_path, SAMPLES["jsonl"][0], "10.jsonl")
    assert read_poems(tmp_path) == BOTH * 2


@needs_tang
def test_the_tang_files_are_58_in_order_and_hold_57607_poems():
    inputs = find_inputs([TANG])
    assert [input.name.rpartition("/")[2] for input in inputs] == [
        f"poet.tang.{number}000.json" if number else "poet.tang.0.json" for number in range(58)
    ]
    documents = [read_document(input) for input in inputs]
    poems = [poem for document in documents for poem in document.poems]
    assert len(poems) == 57_607
    assert all(poem.author for poem in poems)
    assert sum(not hanzi_only(poem.text) for poem in poems) < 200
    first = json.loads((TANG / "poet.tang.0.json").read_text(encoding="utf-8"))
    assert documents[0].poems == [
        RawPoem("".join(each["paragraphs"]), each["title"], each["author"]) for each in first
    ]


@needs_english
@pytest.mark.parametrize(
    ("path", "format", "num_lines"),
    [(TIME_MACHINE, "prose", 3_221), (SHAKESPEARE, "prose", 40_000)],
)
def test_the_english_texts_lose_no_word(path, format, num_lines):
    text = path.read_text(encoding="utf-8")
    [input] = find_inputs([path])
    document = read_document(input)
    assert (document.format, document.num_lines) == (format, num_lines)
    assert " ".join(texts(document.poems)).split() == text.removeprefix("\ufeff").split()


# --- the page for users ---------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
BLOCKS = re.findall(
    r"^### `([a-z-]+)`$[^#]*?^```[a-z]+\n(.*?)^```$",
    PAGE.read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_the_page_shows_every_format():
    headings = re.findall(r"^### `([a-z-]+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [name for name in get_args(Format) if name != "auto"]
    # What is not text cannot be shown.
    assert [name for name, _ in BLOCKS] == [
        name for name in headings if name not in ("docx", "xlsx", "tang-npz")
    ]


@pytest.mark.parametrize(("format", "sample"), BLOCKS)
def test_the_samples_of_the_page_are_read_as_it_says(format, sample):
    document = read(sample, format if format == "prose" else "auto")
    assert document.format == format
    assert document.poems[0].text.startswith(("床前明月光，疑是地上霜。", "The Time"))
    has_title = format not in ("plain", "prose")
    assert (document.poems[0].title == "静夜思") == has_title


def test_the_page_names_the_limits_and_the_suffixes():
    text = PAGE.read_text(encoding="utf-8")
    for limit in (f"{limits.MAX_BYTES // 2**20} MiB", f"{limits.MAX_LINE_CHARS:,} characters"):
        assert limit in text
    assert f"{limits.MAX_MEMBERS:,} members" in text
    assert f"{limits.MAX_POEMS:,} lines" in text
    assert f"{limits.MAX_JSON_VALUES:,} values" in text
    assert all(f"`{suffix}`" in text for suffix in SUFFIXES)


@pytest.mark.parametrize("head", [[], ["春晓"], ["春晓", "孟浩然"]])
@pytest.mark.parametrize("marks", [["", "", "", ""], ["，", "。", "，", "。"]])
def test_a_poem_in_lines_may_have_its_title_and_author_above_it(tmp_path, head, marks):
    verses = ["春眠不觉晓", "处处闻啼鸟", "夜来风雨声", "花落知多少"]
    lines = [verse + mark for verse, mark in zip(verses, marks, strict=True)]
    path = tmp_path / "poems.txt"
    path.write_text("\n\n".join(["\n".join([*head, *lines])] * 2), encoding="utf-8")
    for poem in read_poems(path):
        assert poem == RawPoem("\n".join(lines), *head)
        assert clean(poem.text).text == "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"


def test_verses_separated_by_blanks_are_a_poem_a_line(tmp_path):
    path = tmp_path / "poems.txt"
    path.write_text("春眠不觉晓 处处闻啼鸟\n白日依山尽　黄河入海流\n", encoding="utf-8")
    cleaned = [clean(poem.text).text for poem in read_poems(path)]
    assert cleaned == ["春眠不觉晓，处处闻啼鸟。", "白日依山尽，黄河入海流。"]


def test_the_number_of_a_poem_in_a_list_is_taken_out():
    assert clean("12. 白日依山尽，黄河入海流。").text == "白日依山尽，黄河入海流。"
