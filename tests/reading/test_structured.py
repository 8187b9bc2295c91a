"""Poems in JSON, tables and workbooks as people and scrapers write them."""

import csv
import datetime
import io
import json
import random
import re
import zipfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen import limits
from poetgen.corpus.cleaning import clean
from poetgen.corpus.prepare import build_corpus
from poetgen.corpus.titles import clean_origin, clean_title
from poetgen.errors import SourceError
from poetgen.reading import Input, RawPoem, find_inputs, read_document, read_poems
from poetgen.reading.columns import Columns
from poetgen.reading.tags import plain
from tests.reading.test_formats import PAGE
from tests.synthetic import synthetic_poem

RNG = random.Random(12)
HEADS = [
    ("静夜思", "李白", "唐"),
    ("春晓", "孟浩然", "唐"),
    ("登鹳雀楼", "王之涣", "唐"),
    ("江雪", "柳宗元", "唐"),
    ("相思", "王维", "唐"),
    ("早发白帝城", "李白", "唐"),
    ("山行", "杜牧", "唐"),
    ("如梦令", "李清照", "宋"),
]
POEMS = [
    (*head, synthetic_poem(RNG, chars=7 if place in (5, 6) else 5))
    for place, head in enumerate(HEADS)
]
RECORDS = [{"title": t, "author": a, "dynasty": d, "content": x} for t, a, d, x in POEMS]
PROSE = "明亮的月光洒在了窗户纸上，好像地上泛起了一层霜。我抬起头来看着那一轮明月，想起了家乡。"


def halves(text):
    return re.findall("[^。]+。", text)


def verses(text):
    return re.findall("[^，。]+", text)


def to_json(value, **options):
    return json.dumps(value, ensure_ascii=False, **options)


def lines(values):
    return "\n".join(map(to_json, values))


def table(rows, delimiter=",", **options):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, **options).writerows(rows)
    return stream.getvalue()


def read(text, name="poems", format="auto"):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    return read_document(Input(name, lambda: data), format)


def ensure_read(text, roles):
    """Ensure that all poems are read, with the labels that ``roles`` names: t, a and d."""
    document = read(text)
    assert [clean(poem.text).text for poem in document.poems] == [x for *_, x in POEMS]
    labels = [tuple(poem)[1:] for poem in document.poems]
    assert labels == [
        tuple(part if role in roles else "" for role, part in zip("tad", poem[:3], strict=True))
        for poem in POEMS
    ]
    return document


def html(text):
    return "<p>" + "</p><p>".join(halves(text)) + "&nbsp;</p>"


# What each is, how it is written, and which labels it has.
JSON = {
    "bare verses": ([{"title": t, "paragraphs": verses(x)} for t, a, d, x in POEMS], "t"),
    "marks only within lines": (
        [{"title": t, "paragraphs": [half[:-1] for half in halves(x)]} for t, a, d, x in POEMS],
        "t",
    ),
    "blanks within lines": (
        [{"paragraphs": [half[:-1].replace("，", " ") for half in halves(x)]} for *_, x in POEMS],
        "",
    ),
    "line breaks": ([{"content": "\n".join(verses(x))} for *_, x in POEMS], ""),
    "line breaks, marks within": (
        [{"content": "\n".join(half[:-1] for half in halves(x))} for *_, x in POEMS],
        "",
    ),
    "bars": ([{"title": t, "content": "|".join(verses(x))} for t, a, d, x in POEMS], "t"),
    "an API": ({"code": 0, "msg": "ok", "data": {"total": 8, "list": RECORDS}}, "tad"),
    "an API with other names": (
        {"data": {"list": [{"t": t, "w": a, "c": x} for t, a, d, x in POEMS]}},
        "ta",
    ),
    "strings": ([x for *_, x in POEMS], ""),
    "poems under titles": ({t: x for t, a, d, x in POEMS}, "t"),
    "lines under titles": ({t: halves(x) for t, a, d, x in POEMS}, "t"),
    "HTML": ([{"title": f"{t}&nbsp;", "content": html(x)} for t, a, d, x in POEMS], "t"),
    "HTML without marks": (
        [{"title": t, "content": f"<p>{'<br/>'.join(verses(x))}</p>"} for t, a, d, x in POEMS],
        "t",
    ),
    "HTML under titles": ({t: html(x) for t, a, d, x in POEMS}, "t"),
    "Elasticsearch": (
        {"took": 3, "hits": {"hits": [{"_id": "1", "_source": record} for record in RECORDS]}},
        "tad",
    ),
    "an author with a name": (
        [{"title": t, "author": {"name": a, "dynasty": d}, "content": x} for t, a, d, x in POEMS],
        "tad",
    ),
    "lists of cells": ([[t, a, x] for t, a, d, x in POEMS], "ta"),
    "lists of cells with a header": (
        [["title", "author", "content"], *([t, a, x] for t, a, d, x in POEMS)],
        "ta",
    ),
    "lists of lines": ([halves(x) for *_, x in POEMS], ""),
    "lists of verses": ([verses(x) for *_, x in POEMS], ""),
    "lists in lists": (
        [{"title": t, "content": [verses(half) for half in halves(x)]} for t, a, d, x in POEMS],
        "t",
    ),
    "a field for each verse": (
        [
            {"title": t} | {f"line{n}": verse for n, verse in enumerate(verses(x))}
            for t, a, d, x in POEMS
        ],
        "t",
    ),
    "authors with their poems": (
        [
            {"name": a, "desc": "诗人", "poems": [{"title": t, "content": x}]}
            for t, a, d, x in POEMS
        ],
        "ta",
    ),
    "details": ([{"title": t, "detail": {"author": a, "text": x}} for t, a, d, x in POEMS], "ta"),
    "GraphQL": ({"data": {"poems": {"edges": [{"node": record} for record in RECORDS]}}}, "tad"),
    "records under numbers": ({str(n): record for n, record in enumerate(RECORDS)}, "tad"),
    "pandas": (
        {
            "title": {str(n): poem[0] for n, poem in enumerate(POEMS)},
            "content": {str(n): poem[3] for n, poem in enumerate(POEMS)},
        },
        "t",
    ),
    "pandas, by lists": (
        {"title": [poem[0] for poem in POEMS], "content": [poem[3] for poem in POEMS]},
        "t",
    ),
    "pandas, split": (
        {"columns": ["title", "content"], "index": [0], "data": [[t, x] for t, a, d, x in POEMS]},
        "t",
    ),
    # Written after the code.
    "WordPress": (
        [
            {
                "id": 1,
                "title": {"rendered": t},
                "content": {"rendered": html(x), "protected": False},
            }
            for t, a, d, x in POEMS
        ],
        "t",
    ),
    "sections": (
        {
            "sections": [
                {"name": "五绝", "poems": RECORDS[:5]},
                {"name": "其余", "poems": RECORDS[5:]},
            ]
        },
        "tad",
    ),
    "poets": (
        {
            "poets": [
                {"name": a, "dynasty": d, "works": [{"title": t, "content": x}]}
                for t, a, d, x in POEMS
            ]
        },
        "tad",
    ),
    "Firebase": ({f"-Mab{n}": {"title": p[0], "text": p[3]} for n, p in enumerate(POEMS)}, "t"),
    "rows of an API": (
        {"total": 8, "rows": [["题目", "正文"], *([t, x] for t, a, d, x in POEMS)]},
        "t",
    ),
    "verses that are objects": (
        [{"title": t, "verses": [{"text": verse} for verse in verses(x)]} for t, a, d, x in POEMS],
        "t",
    ),
    "numbered verses": (
        [
            {"title": t, "verses": [{"no": n, "v": verse} for n, verse in enumerate(verses(x))]}
            for t, a, d, x in POEMS
        ],
        "t",
    ),
    "stanzas": (
        [{"title": t, "stanzas": [halves(x)[:1], halves(x)[1:]]} for t, a, d, x in POEMS],
        "t",
    ),
    "MongoDB": (
        [{"_id": {"$oid": "5f"}, "poem": {"title": t, "lines": verses(x)}} for t, a, d, x in POEMS],
        "t",
    ),
    "readings over characters": (
        [
            {"title": t, "content": re.sub("([^，。])", r"<ruby>\1<rt>yuè</rt></ruby>", x)}
            for t, a, d, x in POEMS
        ],
        "t",
    ),
    "tags as entities": ([{"title": t, "content": f"&lt;p&gt;{x}"} for t, a, d, x in POEMS], "t"),
    "years": ({"2020": [x for *_, x in POEMS[:3]], "2021": [x for *_, x in POEMS[3:]]}, ""),
    "deep down": ({"a": {"b": {"c": [{"d": {"e": record}} for record in RECORDS]}}}, "tad"),
    "other texts beside": (
        [{"title": t, "content": x, "translation": PROSE, "notes": ["注"]} for t, a, d, x in POEMS],
        "t",
    ),
    "other texts beside, other names": (
        [{"a": t, "b": x, "c": PROSE, "e": "https://example.org/1"} for t, a, d, x in POEMS],
        "t",
    ),
}


@pytest.mark.parametrize("sample", JSON)
def test_poems_are_found_in_json_of_any_shape(sample):
    value, roles = JSON[sample]
    ensure_read(to_json(value), roles)
    ensure_read(to_json(value, indent=2), roles)
    ensure_read(json.dumps(value), roles)  # with escapes


@pytest.mark.parametrize("sample", [name for name in JSON if isinstance(JSON[name][0], list)])
def test_poems_are_found_in_lines_of_json(sample):
    values, roles = JSON[sample]
    if not isinstance(values[0], str):
        ensure_read(lines(values), roles)


def test_values_of_json_may_follow_each_other():
    ensure_read(",\n".join(map(to_json, RECORDS)) + ",\n", "tad")
    ensure_read("\n".join(to_json(record, indent=1) for record in RECORDS), "tad")


CSV = {
    "no header": (table([(t, a, x) for t, a, d, x in POEMS]), "ta"),
    "no header, two columns": (table([(t, x) for t, a, d, x in POEMS]), "t"),
    "no header, the text first": (table([(x, t, a) for t, a, d, x in POEMS]), "ta"),
    "no header, five columns": (
        table([(n, t, d, a, x) for n, (t, a, d, x) in enumerate(POEMS)]),
        "tad",
    ),
    "no header, tabs": (table([(t, a, x) for t, a, d, x in POEMS], "\t"), "ta"),
    "id,poem_title,poem_text": (
        table([("id", "poem_title", "poem_text"), *((1, t, x) for t, a, d, x in POEMS)]),
        "t",
    ),
    "pinyin names": (
        table([("no", "biaoti", "zuozhe", "chaodai", "shici"), *((1, *p) for p in POEMS)]),
        "tad",
    ),
    "Chinese names": (
        table([("编号", "诗题名", "何人", "所属朝代", "全文"), *((1, *p) for p in POEMS)]),
        "tad",
    ),
    "Excel": (
        "\ufeff" + table([("标题", "作者", "内容"), *(p[:2] + p[3:] for p in POEMS)], ";"),
        "ta",
    ),
    "sep=": ("sep=;\r\n" + table([("title", "text"), *((p[0], p[3]) for p in POEMS)], ";"), "t"),
    "GB18030": (
        table([("标题", "作者", "内容"), *(p[:2] + p[3:] for p in POEMS)]).encode("gb18030"),
        "ta",
    ),
    "line breaks": (
        table([("title", "text"), *((t, "\n".join(halves(x))) for t, a, d, x in POEMS)]),
        "t",
    ),
    "line breaks without marks": (
        table([("title", "text"), *((t, "\n".join(verses(x))) for t, a, d, x in POEMS)]),
        "t",
    ),
    "written-out line breaks": (
        table([("title", "text"), *((t, "\\n".join(halves(x))) for t, a, d, x in POEMS)]),
        "t",
    ),
    "an index": (
        table([("", "title", "text"), *((n, p[0], p[3]) for n, p in enumerate(POEMS))]),
        "t",
    ),
    "equal names": (
        table([("title", "title", "text", "text"), *(("", t, x, x) for t, a, d, x in POEMS)]),
        "t",
    ),
    "empty columns": (
        table([("title", "", "text", ""), *((t, "", x, "") for t, a, d, x in POEMS)]),
        "t",
    ),
    "missing values": (
        table([("title", "author", "text"), *((t, "NaN", x) for t, a, d, x in POEMS)]),
        "t",
    ),
    "commas without quotes": (
        "title,author,text\n"
        + "".join(f"{t},{a},{x.replace('，', ',')}\n" for t, a, d, x in POEMS),
        "ta",
    ),
    "HTML": (table([("title", "text"), *((f"<b>{p[0]}</b>", html(p[3])) for p in POEMS)]), "t"),
    "a column for each verse": (
        table(
            [("名", "一", "二", "三", "四"), *((t, *verses(x)) for t, a, d, x in POEMS)],
        ),
        "t",
    ),
    # Written after the code.
    "Excel's Unicode text": (
        table([("标题", "作者", "内容"), *(p[:2] + p[3:] for p in POEMS)], "\t").encode("utf-16"),
        "ta",
    ),
    "addresses and dates": (
        table(
            [
                ("url", "crawl_time", "biaoti", "zuozhe", "zhengwen"),
                *(("https://x.cn/1", "2024-01-02", t, a, x) for t, a, d, x in POEMS),
            ]
        ),
        "ta",
    ),
    "traditional names": (
        table([("詩題", "詩人", "詩文"), *(p[:2] + p[3:] for p in POEMS)]),
        "ta",
    ),
    "blanks after commas": (
        "id, title, author, text\n" + "".join(f"1, {t}, {a}, {x}\n" for t, a, d, x in POEMS),
        "ta",
    ),
    "rows without their last cells": (
        "title,text,notes\n" + "".join(f"{t},{x}\n" for t, a, d, x in POEMS),
        "t",
    ),
    "bars": ("title|author|text\n" + "".join(f"{t}|{a}|{x}\n" for t, a, d, x in POEMS), "ta"),
    "a verse in each row": (
        table(
            [("title", "author", "line"), *((t, a, v) for t, a, d, x in POEMS for v in verses(x))]
        ),
        "ta",
    ),
    "a translation": (table([("a", "b", "c"), *((p[0], p[3], PROSE) for p in POEMS)]), "t"),
    "quotes everywhere": (
        table([("Poem Title", "Poem Text"), *((p[0], p[3]) for p in POEMS)], quoting=csv.QUOTE_ALL),
        "t",
    ),
}


@pytest.mark.parametrize("sample", CSV)
def test_poems_are_found_in_tables_of_any_shape(sample):
    text, roles = CSV[sample]
    assert ensure_read(text, roles).format in ("csv", "tsv")


# --- what is uncertain is said --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (CSV["no header"][0], "no header, and columns known by content: text 'column 3'"),
        (CSV["pinyin names"][0], "columns known by content: text 'shici', title 'biaoti'"),
        (CSV["commas without quotes"][0], "8 rows of poems have more cells than the header"),
        (CSV["a verse in each row"][0], "a verse in each row"),
        (to_json(JSON["an API with other names"][0]), "fields are known by their contents"),
        (to_json(JSON["poems under titles"][0]), "names of fields are read as titles"),
        (to_json({"李白": [POEMS[0][3], POEMS[5][3]]}), "names above poems are read as authors"),
    ],
)
def test_what_is_guessed_is_said_in_one_sentence(text, doubt):
    [sentence] = read(text).doubts
    assert doubt in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        to_json(RECORDS),
        lines(RECORDS),
        CSV["Excel"][0],
        to_json(JSON["Elasticsearch"][0]),
        to_json(JSON["WordPress"][0]),
    ],
)
def test_known_names_leave_no_doubt(text):
    document = read(text)
    assert (list(document.doubts), dict(document.left_out)) == ([], {})


def test_rows_and_records_that_are_no_poems_are_counted():
    rows = [
        ("我的诗集",),
        ("title", "author", "text"),
        *(p[:2] + p[3:] for p in POEMS),
        ("", "", ""),
    ]
    assert read(table(rows), format="csv").left_out == {"empty rows": 1, "rows above the header": 1}
    hits = [{"_source": record} for record in [*RECORDS, {"error": 1}]]
    assert read(to_json({"hits": hits})).left_out == {"records without a poem": 1}


def test_names_above_poems_are_authors_or_dynasties():
    poems = {"唐": {"李白": {"静夜思": POEMS[0][3]}}, "宋": {"李清照": {"如梦令": POEMS[7][3]}}}
    assert read(to_json(poems)).poems == [
        RawPoem(POEMS[0][3], "静夜思", "李白", "唐"),
        RawPoem(POEMS[7][3], "如梦令", "李清照", "宋"),
    ]
    by_author = {"poems": {"李白": [POEMS[0][3], POEMS[5][3]], "王维": [POEMS[4][3]]}}
    assert [poem.author for poem in read(to_json(by_author)).poems] == ["李白", "李白", "王维"]


def test_a_column_of_works_has_the_titles_and_one_of_readers_no_authors():
    header = ("序号", "班级", "朗诵者", "作品", "原文")
    rows = [(n, f"六({n})班", "王梓涵", t, x) for n, (t, a, d, x) in enumerate(POEMS, start=1)]
    found = read(table([("节目单", "", "", "", ""), header, *rows]))
    assert found.poems == [RawPoem(x, t) for t, _, _, x in POEMS]


def test_the_user_of_an_export_is_the_author_of_its_notes():
    notes = [{"title": t, "content": x} for t, _, _, x in POEMS]
    found = read(json.dumps({"user": {"nickname": "阿木", "id": 7}, "notes": notes}))
    assert found.poems == [RawPoem(x, t, "阿木") for t, _, _, x in POEMS]


def test_numbers_are_titles_and_missing_numbers_are_nothing():
    text = '[{"title": 7, "author": NaN, "content": "%s"}, {"title": 2.5, "content": NaN}]'
    assert read(text % POEMS[0][3]).poems == [RawPoem(POEMS[0][3], "7"), RawPoem("", "2.5")]
    assert read(f"title,text\n7,{POEMS[0][3]}\nx,NULL\n").poems == [
        RawPoem(POEMS[0][3], "7"),
        RawPoem("", "x"),
    ]


def test_verses_separated_by_commas_are_no_table():
    text = "".join(x.replace("，", ",") + "\n" for *_, x in POEMS)
    document = read(text)
    assert (document.format, len(document.poems)) == ("plain", 8)
    titled = "".join(f"{t}:{x.replace('，', ',')}\n" for t, a, d, x in POEMS)
    assert read(titled).format == "title-content"


def test_a_table_without_verse_is_refused_with_its_columns_and_the_format():
    rows = [("id", "poem_title", "poem_words"), *((n, f"Song {n}", "red") for n in range(4))]
    with pytest.raises(SourceError, match="it has id, poem_title, poem_words") as error:
        read(table(rows))
    assert "--format csv" in error.value.advice


def test_other_languages_are_read_by_their_line_breaks():
    rows = [
        ("id", "poem_title", "poem_words"),
        *((n, f"Song {n}", "red rose\nblue sea") for n in "ab"),
    ]
    assert read(table(rows)).poems == [RawPoem("red rose\nblue sea", f"Song {n}") for n in "ab"]


def test_a_list_of_authors_is_still_none_of_poems():
    authors = [{"name": "李白", "desc": x, "id": str(n)} for n, (*_, x) in enumerate(POEMS)]
    with pytest.raises(SourceError, match="holds a list of authors and no poems"):
        read(to_json(authors))


def test_lines_of_which_some_end_in_marks_stay_as_they_are():
    damaged = ["日月山水日", "日月山水，日月山水。", "日月山水。"]
    assert read(to_json([{"paragraphs": damaged}])).poems[0].text == "".join(damaged)
    described = "日月山水{口|馬}，日月山水日。"
    assert read(to_json([{"paragraphs": [described]}])).poems[0].text == described


# --- HTML -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>日月<br>山水</p>", "日月\n山水"),
        ("日月<br />山水", "日月\n山水"),
        ("<div><p>日月</p>\n<p>山水</p></div>", "日月\n山水"),
        ("&ldquo;日月&rdquo;&nbsp;山&#27700;", "“日月” 山水"),
        ('<span class="a">日</span>月<sup>[1]</sup>', "日月"),
        ("<script>x()</script><style>p {}</style>日月", "日月"),
        ("<!-- 注 -->日月", "日月"),
        ("&lt;br&gt;日月", "日月"),
        ("休<门系><门坐>，<辶它>逗", "休<门系><门坐>，<辶它>逗"),
        ("a < b & c > d", "a < b & c > d"),
        ("AT&T; R&D", "AT&T; R&D"),
    ],
)
def test_tags_and_entities_are_taken_off_and_nothing_else(text, expected):
    assert plain(text) == expected


@given(st.text("<>/&;pbr日 \n!-#x1"))
def test_any_tags_can_be_taken_off(text):
    plain(f"<br>{text}")


@pytest.mark.parametrize("tag", ["<p>", "<!--", "<p ", "<a b="])
def test_many_tags_take_little_time(tag):
    plain(f"<br>{tag * 4_900}")
    plain(f"<br>{tag * 900_000}")


def test_a_table_of_a_page_is_read_like_any_table():
    rows = [f"<tr><td>{t}</td><td>{a}</td><td>{html(x)}</td></tr>" for t, a, d, x in POEMS]
    head = "<tr><th>标题</th><th>作者</th><th>内容</th></tr>"
    for start in (head, ""):
        ensure_read(f"<table>\n{start}\n" + "\n".join(rows) + "\n</table>", "ta")
        ensure_read(f"<html><body><table>{start}{''.join(rows)}</table></body></html>", "ta")


# --- workbooks ------------------------------------------------------------------------------

HEADER = ("标题", "作者", "朝代", "内容")


def workbook(*sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"第{number}页")
        for row in rows:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_every_sheet_of_a_workbook_is_a_table():
    document = ensure_read(workbook([HEADER, *POEMS[:3]], [HEADER, *POEMS[3:]]), "tad")
    assert (document.format, document.encoding, document.num_lines) == ("xlsx", "", 0)
    assert not document.doubts


def test_a_sheet_without_a_header_is_read_by_its_content():
    document = ensure_read(workbook(POEMS), "tad")
    assert "sheet 第0页 has no header" in document.doubts[0]


def test_what_surrounds_the_table_of_a_sheet_is_left_out_and_counted():
    rows = [("我的诗集",), (), HEADER, *POEMS, (None, None), ("", "", "", "")]
    document = ensure_read(workbook(rows, [("说明",)]), "tad")
    assert document.left_out["rows above the header"] == 2
    assert document.left_out["sheets without poems"] == 1


def test_cells_may_be_numbers_dates_formulas_and_html():
    x = POEMS[0][3]
    rows = [
        ("title", "author", "content"),
        (1, None, html(x)),
        (2.5, "李白", x),
        (datetime.date(2024, 1, 2), "", x),
        ("=1+1", "", x),  # a formula without a saved value
    ]
    poems = read(workbook(rows)).poems
    assert {clean(poem.text).text for poem in poems} == {x}
    assert [poem.title for poem in poems] == ["1", "2.5", "2024-01-02 00:00:00", ""]


def test_a_workbook_is_found_in_folders_and_archives(tmp_path):
    data = workbook([HEADER, *POEMS])
    (tmp_path / "poems.xlsx").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("a/poems.xlsx", data)
    assert len(read_poems(tmp_path)) == 16
    (tmp_path / "poems").write_bytes(data)
    assert len(read_poems(tmp_path / "poems")) == 8


def test_a_workbook_without_poems_is_refused_by_its_columns():
    with pytest.raises(SourceError, match=r"sheet 第0页 has no column .* it has 日期, 数"):
        read(workbook([("日期", "数"), (1, 2)]))


def test_a_workbook_of_empty_cells_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(limits, "MAX_JSON_VALUES", 50_000)
    book = openpyxl.Workbook()
    for row in range(1, 9):
        book.active.cell(row=row, column=16_000, value="x")
    stream = io.BytesIO()
    book.save(stream)
    with pytest.raises(SourceError, match="more than 50,000 cells"):
        read(stream.getvalue())
    monkeypatch.setattr(limits, "MAX_BYTES", 1_000)
    with pytest.raises(SourceError, match="more than 1,000 bytes"):
        read(workbook([HEADER, *POEMS]))


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in members.items():
            archive.writestr(path.replace("__", "/"), content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old .xls or .doc file"),
        (zipped(mimetype="x", **{"content.xml": "x"}), r"an \.ods file"),
    ],
)
def test_other_office_files_are_refused_with_how_to_save_them(tmp_path, data, what):
    path = tmp_path / "poems.bin"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=what) as error:
        read_document(*find_inputs([path]))
    assert ".csv" in error.value.advice


BOOK = workbook([HEADER, *POEMS[:2]])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_change_to_a_workbook_is_read_or_refused(data):
    members = {}
    with zipfile.ZipFile(io.BytesIO(BOOK)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    path = data.draw(st.sampled_from(sorted(members)))
    changed = bytearray(members[path])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(changed)))
        changed[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=6))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, bytes(changed) if name == path else content)
    try:
        document = read(stream.getvalue())
    except SourceError as error:
        assert error.advice.endswith(".")  # noqa: PT017
    else:
        assert all(isinstance(part, str) for poem in document.poems for part in poem)


# --- several things in one field ------------------------------------------------------------

MODERN = "面朝着大海\n我坐在这里\n海边\n有一只鸟"
# A page of a poem in one cell, and the roles that are read from it.
CELLS = {
    "a page": ("{t}\n{a}\n{x}", "ta"),
    "marks and a dynasty": ("《{t}》\n[{d}] {a}\n{lines}", "tad"),
    "one line": ("《{t}》{a}：{x}", "ta"),
    "labels": ("题目：{t}\n作者：{a}\n正文：{x}", "ta"),
    "notes": ("{t}\n{a}\n{x}\n【注释】①举：抬起。\n【译文】明亮的月光洒在了窗户纸上。", "ta"),
}


def cells(template):
    return [
        template.format(t=t, a=a, d=d, x=x, lines="\n".join(halves(x))) for t, a, d, x in POEMS[:7]
    ]


def ensure_first_seven(document, roles="ta"):
    assert [clean(poem.text).text for poem in document.poems] == [x for *_, x in POEMS[:7]]
    labels = [(clean_title(poem.title), *clean_origin(*poem[2:])) for poem in document.poems]
    assert labels == [
        tuple(part if role in roles else "" for role, part in zip("tad", poem[:3], strict=True))
        for poem in POEMS[:7]
    ]


@pytest.mark.parametrize("sample", CELLS)
def test_a_text_with_title_and_author_is_read_like_running_text(sample):
    template, roles = CELLS[sample]
    texts = cells(template)
    for document in (
        read(table([("id", "poem"), *enumerate(texts)])),
        read(to_json(texts)),
        read(to_json([{"title": p[0], "text": x} for p, x in zip(POEMS, texts, strict=False)])),
        read(lines({"id": n, "content": text} for n, text in enumerate(texts))),
        read(workbook([("编号", "全诗"), *enumerate(texts)])),
    ):
        ensure_first_seven(document, roles)
        assert document.doubts[-1].startswith("7 texts of ")


def test_lines_that_repeat_the_labels_of_all_rows_are_left_out():
    rows = [(t, a, f"{t}\n{d}·{a}\n{x}") for t, a, d, x in POEMS[:7]]
    ensure_first_seven(read(table([("title", "author", "text"), *rows])), "tad")
    rows = [("窗", "甲", "窗\n是你"), ("鸟", "甲", MODERN), ("路", "甲", MODERN[::-1])]
    poems = read(table([("title", "author", "text"), *rows])).poems
    assert [poem.text for poem in poems] == ["窗\n是你", MODERN, MODERN[::-1]]


def test_below_a_title_that_is_known_a_text_is_verse_but_for_notes_and_parts():
    x, y = POEMS[0][3], POEMS[1][3]
    rows = [
        ("title", "author", "text"),
        ("绝句二首", "杜甫", f"其一\n{x}\n其二\n{y}"),
        ("a", "王维", f"chuáng qián míng yuè guāng\n{x}"),
        ("b", "王维", f"{y}\n①举：抬起。"),
        ("c", "", MODERN),
    ]
    document = read(table(rows))
    assert document.poems == [
        RawPoem(x, "绝句二首 其一", "杜甫"),
        RawPoem(y, "绝句二首 其二", "杜甫"),
        RawPoem(x, "a", "王维"),
        RawPoem(y, "b", "王维"),
        RawPoem(MODERN, "c"),
    ]
    assert document.left_out == {"pinyin": 1, "notes": 1}


@pytest.mark.parametrize(
    "template", ["{t}/{a}", "{t}（{a}）", "《{t}》{a}", "{a}《{t}》", "{t} {a}", "{t}-{a}"]
)
@pytest.mark.parametrize("name", ["题目", "诗名（作者）", "题目/作者", "出处"])
def test_a_title_with_its_author_is_divided_if_no_poem_has_an_author(template, name):
    rows = [(template.format(t=t, a=a), x) for t, a, d, x in POEMS[:7]]
    ensure_first_seven(read(table([(name, "正文"), *rows])))
    ensure_first_seven(read(to_json([{"title": title, "text": x} for title, x in rows])))


def test_titles_that_name_a_friend_stay_whole():
    titles = ["赠汪伦", "送孟浩然之广陵", "寄李白", "闻王昌龄左迁龙标遥有此寄"]
    rows = [(title, poem[3]) for title, poem in zip(titles, POEMS, strict=False)]
    assert [p.title for p in read(table([("title", "text"), *rows])).poems] == titles
    rows = [(f"{t}（{a}）", "甲", x) for t, a, d, x in POEMS]
    poems = read(table([("title", "author", "text"), *rows])).poems
    assert [poem.title for poem in poems] == [row[0] for row in rows]


def test_famous_couplets_have_the_title_and_the_author_of_their_source():
    couplets = [(halves(x)[0], f"{a}《{t}》") for t, a, d, x in POEMS[:7]]
    for text in (table([("名句", "出处"), *couplets]), to_json(couplets)):
        poems = read(text).poems
        assert [poem[1:3] for poem in poems] == [poem[:2] for poem in POEMS[:7]]
        assert [poem.text for poem in poems] == [couplet for couplet, _ in couplets]


def test_a_column_of_few_values_is_not_one_of_authors():
    forms = [("五绝", t, x) for t, a, d, x in POEMS]
    for header in ([], [("kind", "t", "x")]):
        ensure_read(table([*header, *forms]), "t")
    rows = [("五绝", "", t, x) for t, a, d, x in POEMS]
    ensure_read(table([*rows, ("合计", "8首", "", "")]), "t")
    remarked = [("要背" if n % 2 else "", t, x) for n, (t, a, d, x) in enumerate(POEMS)]
    ensure_read(table(remarked, "\t"), "t")


# --- rows that are not poems ----------------------------------------------------------------

THREE = [("序号", "题目", "作者", "内容"), *((n, t, a, x) for n, (t, a, d, x) in enumerate(POEMS))]


@pytest.mark.parametrize(
    "row",
    [
        ("合计", 8, "", ""),
        ("合计", "8首", "", ""),
        ("", "", "", "合计 8"),
        ("", "共8首", "", ""),
        ("", "备注", "", "以上诗歌选自语文课本"),
        ("", "合计", "8首", ""),
        THREE[0],
    ],
)
def test_sums_and_remarks_are_counted_and_listed_and_not_read_as_poems(row):
    for document in (
        ensure_read(table([*THREE, row]), "ta"),
        ensure_read(workbook([*THREE, row]), "ta"),
    ):
        if row != THREE[0]:
            assert document.left_out == {"rows without a poem": 1}
            [aside] = document.asides
            assert aside == ("rows without a poem", " ".join(str(cell) for cell in row if cell))


def test_verse_in_letters_may_have_numbers():
    rows = [("title", "author", "text"), ("A", "", "Catch 22 and me"), ("B", "C", "red\nrose")]
    document = read(table(rows))
    assert [poem.title for poem in document.poems] == ["A", "B"]


def test_what_is_left_out_of_a_table_is_listed_with_what_is_dropped(tmp_path):
    path = tmp_path / "poems.csv"
    path.write_text(table([*THREE, ("合计", 8, "", ""), ("", "甲", "乙", "日")]), encoding="utf-8")
    prepared = build_corpus([path], "x")
    assert prepared.corpus.report.dropped == {"fragment": 1}
    assert {(one.reason, one.poem.text) for one in prepared.dropped} == {
        ("fragment", "日"),
        ("rows without a poem", "合计 8"),
    }


def test_rows_above_a_header_are_recognised_by_their_cells_also_of_unknown_names():
    header, *rows = [("篇", "何人", "全诗"), *(p[:2] + p[3:] for p in POEMS)]
    above = [("唐诗精选", "", ""), ("", "", "")]
    for rows_above in (above, [("唐诗精选",)], [("诗词信息", "", "内容")]):
        names = ("题目", "作者", "正文") if rows_above[0][-1] == "内容" else header
        document = ensure_read(table([*rows_above, names, *rows]), "ta")
        assert document.left_out == {"rows above the header": len(rows_above)}
    document = ensure_read(table([("唐诗精选",), *THREE]), "ta")
    assert document.asides == [("rows above the header", "唐诗精选")]
    assert len(read(table([("唐诗",), *THREE[:3]])).poems) == 2


def test_a_second_header_begins_a_table_of_its_own():
    first = [("题目", "作者", "正文"), *(p[:2] + p[3:] for p in POEMS[:4])]
    second = [("作者", "题目", "正文"), *((a, t, x) for t, a, d, x in POEMS[4:])]
    ensure_read(workbook([*first, (), *second]), "ta")


def test_a_row_of_a_verse_or_two_without_labels_goes_on_with_the_poem_above():
    rows = [
        (t if n == 0 else "", a if n == 0 else "", half)
        for t, a, d, x in POEMS
        for n, half in enumerate(halves(x))
    ]
    merged = table([("题目", "作者", "正文"), *rows])
    broken = "题目,作者,正文\n" + "".join(
        f"{t},{a},{chr(10).join(halves(x))}\n" for t, a, d, x in POEMS
    )
    for document in map(read, (merged, broken)):
        assert document.poems == [RawPoem("\n".join(halves(x)), t, a) for t, a, d, x in POEMS]
        assert "go on with the poem above" in document.doubts[-1]


def test_the_columns_of_a_table_are_named():
    assert read(table(THREE)).columns == "text '内容', title '题目', author '作者'"
    assert read(CSV["no header"][0]).columns.startswith("text 'column 3', title 'column 1'")
    assert read(to_json(RECORDS)).columns == ""


def test_verses_between_slashes_are_lines():
    rows = [(t, "/".join(verses(x))) for t, a, d, x in POEMS]
    ensure_read(table([("title", "text"), *rows]), "t")
    described = POEMS[0][3].replace("。", "/。", 1)
    assert read(to_json([{"text": described}])).poems[0].text == described


# --- JSON ------------------------------------------------------------------------------------


def test_poems_below_their_authors_win_over_the_lives_of_these():
    life = "字子厚，河东人，世称先生。"
    authors = [
        {"who": a, "life": life, "works": [{"title": t, "content": x}]} for t, a, d, x in POEMS
    ]
    assert [poem.text for poem in read(to_json(authors)).poems] == [x for *_, x in POEMS]
    remarks = [
        {"t": t, "w": a, "c": x, "remarks": [{"user": "甲", "text": "好诗！"}]}
        for t, a, d, x in POEMS
    ]
    ensure_read(to_json(remarks), "ta")


@pytest.mark.parametrize("name", ["lines", "verses", "stanzas"])
def test_lines_may_be_objects_with_sounds_or_a_translation(name):
    for extra in ({"pinyin": "yuè"}, {"en": "The moon"}, {}):
        for key in ("text", "zh"):
            poems = [
                {"title": t, name: [{key: half, **extra} for half in halves(x)]}
                for t, a, d, x in POEMS
            ]
            ensure_read(to_json(poems), "t")
            ensure_read(to_json({"data": {"poems": poems}}), "t")


# --- pages and Word files -------------------------------------------------------------------


def test_a_cell_of_a_page_may_go_over_several_rows_and_a_row_have_one_cell():
    rows = "".join(f"<tr><td>{t}</td><td>{x}</td></tr>" for t, a, d, x in POEMS[1:])
    first = f"<td rowspan=8>甲</td><td>{POEMS[0][0]}</td><td>{POEMS[0][3]}</td>"
    page = (
        "<p>这张表里是我小时候学过的诗，请大家看一看。</p><table>"
        "<tr><th>作者</th><th>题目</th><th>正文</th></tr>"
        f"<tr>{first}</tr>{rows}<tr><td colspan=3>共8首</td></tr></table>"
    )
    document = read(page)
    assert document.poems == [RawPoem(x, t, "甲") for t, a, d, x in POEMS]
    assert document.left_out == {"rows without a poem": 1, "prose": 1}


def word_table(*rows, above=()):
    docx = pytest.importorskip("docx")
    document = docx.Document()
    for text in above:
        document.add_paragraph(text)
    for row, texts in zip(document.add_table(len(rows), len(rows[0])).rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = str(text)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def test_a_table_of_a_word_file_is_read_like_any_table():
    above = ["古诗积累", "这张表里是我小时候学过的诗，请大家看一看。"]
    document = read(word_table(*THREE, ("合计", "", "", ""), above=above))
    assert (document.format, document.poems) == (
        "docx",
        [RawPoem(x, t, a) for t, a, d, x in POEMS],
    )
    assert document.left_out["rows without a poem"] == 1
    assert document.columns == "text '内容', title '题目', author '作者'"
    couplets = [(halves(x)[0], f"{a}《{t}》") for t, a, d, x in POEMS[:7]]
    poems = read(word_table(("名句", "出处"), *couplets)).poems
    assert [poem[1:3] for poem in poems] == [poem[:2] for poem in POEMS[:7]]


def test_a_table_of_a_word_file_may_have_a_label_in_each_row():
    rows = [row for t, a, d, x in POEMS[:7] for row in (("题目", t), ("作者", a), ("正文", x))]
    ensure_first_seven(read(word_table(*rows)))


@pytest.mark.parametrize("shape", ["a column", "a poem in each column", "labels"])
def test_a_sheet_that_is_not_a_table_is_read_like_running_text(shape):
    pages = [(t, a, *verses(x)) for t, a, d, x in POEMS[:7]]
    rows = {
        "a column": [(line,) for page in pages for line in (*page, None)],
        "a poem in each column": list(zip(*pages, strict=True)),
        "labels": [
            row for t, a, d, x in POEMS[:7] for row in (("题目", t), ("作者", a), ("正文", x))
        ],
    }
    ensure_first_seven(read(workbook(rows[shape])))


def test_a_sheet_of_remarks_beside_sheets_of_poems_is_not_a_poem():
    remark = [("本表仅供班级内部使用，请勿外传。",)]
    document = ensure_read(workbook([HEADER, *POEMS], remark), "tad")
    assert document.left_out == {"sheets without poems": 1}
    assert len(read(workbook([(x,) for *_, x in POEMS])).poems) == 8


# --- anything at all ------------------------------------------------------------------------

NAMES = ["data", "list", "title", "content", "author", "李白", "唐", "a", "columns", "line1"]
LEAVES = st.sampled_from(["", "静夜思", "李白", POEMS[0][3], *verses(POEMS[0][3]), "a\nb", PROSE])
VALUES = st.recursive(
    LEAVES | st.none() | st.integers() | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=16,
)


@settings(max_examples=500, deadline=None)
@given(VALUES)
def test_any_json_is_read_or_refused(value):
    for text in (to_json(value), lines(value) if isinstance(value, list) else to_json([value])):
        try:
            poems = read(text, format="chinese-poetry").poems
        except SourceError as error:
            assert error.advice.endswith(".")  # noqa: PT017
        else:
            assert all(isinstance(part, str) for poem in poems for part in poem)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(LEAVES, max_size=5), max_size=6), st.sampled_from(["csv", "auto"]))
def test_any_table_is_read_or_refused(rows, format):
    try:
        read(table(rows), format=format)
    except SourceError as error:
        assert error.advice.endswith(".")  # noqa: PT017


def test_json_of_unknown_shape_that_is_nested_deeply_is_refused():
    text = '{"a": [' * 20 + to_json(POEMS[0][3]) + "]}" * 20
    with pytest.raises(SourceError, match="nested too deeply"):
        read(text)


# --- the page for users ---------------------------------------------------------------------


def test_every_sample_of_json_and_tables_on_the_page_is_read():
    page = PAGE.read_text(encoding="utf-8")
    samples = re.findall(r"^```(json|csv|tsv)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(samples) >= 9
    for _, sample in samples:
        poem = read(sample).poems[0]
        assert clean(poem.text).text.startswith("床前明月光，疑是地上霜。")
        assert poem.title == "静夜思"


def test_a_column_without_a_name_has_a_number():
    columns = Columns(texts=(2,), titles=(0,))
    assert columns.described(["题目", "作者"]) == "text 'column 3', title '题目'"
