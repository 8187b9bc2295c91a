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
from poetgen.errors import SourceError
from poetgen.reading import Input, RawPoem, find_inputs, read_document, read_poems
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
    plain(f"<br>{tag * 9_000}")
    plain(f"<br>{tag * 900_000}")


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
