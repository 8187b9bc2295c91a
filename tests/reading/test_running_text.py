"""Running text as users write it: titles, authors, verse, and what is none of these."""

import io
import random
import re
import sys
import zipfile
from pathlib import Path

import pytest

from poetgen.corpus.cleaning import clean
from poetgen.errors import SourceError
from poetgen.reading import Input, RawPoem, find_inputs, read_document
from poetgen.reading.formats import detect_format
from poetgen.reading.headings import parse_heading
from poetgen.reading.plain import read_plain
from tests.real_data import TANG, needs_tang
from tests.synthetic import synthetic_poem

HEADS = [
    ("静夜思", "李白"),
    ("春晓", "孟浩然"),
    ("黄鹤楼送孟浩然之广陵", "李白"),
    ("九月九日忆山东兄弟", "王维"),
    ("送灵澈上人", "刘长卿"),
    ("望庐山瀑布", "李白"),
    ("登鹳雀楼", "王之涣"),
    ("绝句", "杜甫"),
]
CHARS = [5, 5, 7, 7, 5, 7, 5, 7]
POEMS = [
    (title, author, synthetic_poem(random.Random(place), chars))
    for place, ((title, author), chars) in enumerate(zip(HEADS, CHARS, strict=True))
]
PINYIN = "chuáng qián míng yuè guāng"
NOTES = "注释\n⑴静夜思：静静的夜里。\n译文\n明亮的月光洒在床前的窗户纸上，好像地上泛起了一层霜。"
COMMENT = "这首诗写的是诗人在月夜里思念自己的故乡，语言很浅显，但是感情很深，我小时候就会背了。"


def read(text, format="auto", name="poems.txt"):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    return read_document(Input(name, lambda: data), format)


def written(template, sep="\n\n", poems=POEMS):
    """Write each poem by a template; its text is there in lines of several kinds."""
    return sep.join(
        template.format(
            n=number,
            cn="一二三四五六七八"[(number - 1) % 8],
            title=title,
            author=author,
            text=text,
            couplets="\n".join(couplets_of(text)),
            blanks="\n".join(couplets_of(text)).replace("，", " "),
            unmarked="\n".join(couplets_of(text)).replace("，", " ").replace("。", ""),
            verses="\n".join(verses_of(text)),
            bare="\n".join(re.findall("[^，。]+", text)),
            spelled="\n".join(f"{PINYIN}\n{verse}" for verse in verses_of(text)),
            quote="\n".join(f"> {couplet}" for couplet in couplets_of(text)),
            spaced="\n\n".join(couplets_of(text)),
            breaks="<br/>".join(couplets_of(text)),
            paragraphs="".join(f"<p>{verse}</p>" for verse in verses_of(text)),
            ruby="".join(f"<ruby>{char}<rt>ā</rt></ruby>" for char in text),
        )
        for number, (title, author, text) in enumerate(poems, start=1)
    )


def couplets_of(text):
    return re.findall("[^。]+。", text)


def verses_of(text):
    return re.findall("[^，。]+[，。]", text)


def found(document):
    return [(poem.title, poem.author, clean(poem.text).text) for poem in document.poems]


# A template, and what stands between two poems written by it.
STYLES = [
    # titles in 《》 and other brackets
    ("{n}．《{title}》　{author}（唐）\n{couplets}", "\n\n"),
    ("{n}．《{title}》　{author}（唐）\n{couplets}", "\n\u00a0\n"),
    ("《{title}》{author}\n{couplets}", "\n"),
    ("《{title}》{author}\n{text}", "\n"),
    ("《{title}》{author}\n{verses}", "\n"),
    ("{author}《{title}》\n{text}", "\n\n"),
    ("〔唐〕{author}《{title}》\n{text}", "\n\n"),
    ("《{title}》（唐）{author}\n{text}", "\n\n"),
    ("• 《{title}》{author}\n{text}", "\n"),
    ("「{title}」 {author}\n{text}", "\n\n"),
    ('"{title}" {author}\n{text}', "\n\n"),
    ("【{title}】{author}\n{couplets}", "\n\n"),
    # a title and an author on one line
    ("{title} {author}\n{couplets}", "\n\n"),
    ("{title}，{author}。\n{couplets}", "\n\n"),
    ("{title} [唐] {author}\n{couplets}", "\n\n"),
    ("{title} 唐·{author}\n{couplets}", "\n\n"),
    ("{title}（{author}）\n{text}", "\n\n"),
    ("{title}（唐·{author}）\n{text}", "\n\n"),
    ("{title} —— {author}\n{couplets}", "\n\n"),
    ("{title} / {author}\n{couplets}", "\n\n"),
    ("{title} | {author}\n{couplets}", "\n\n"),
    ("🌙 {title} {author}\n{text}", "\n\n"),
    ("{n}. {title} {author}\n{text}", "\n"),
    ("第{n}首 {title} {author}\n{text}", "\n\n"),
    ("{n}.{title}({author})\n{text}", "\n"),
    # an author on a line of its own
    ("{title}\n{author}\n{couplets}", "\n\n"),
    ("{title}\n{author}\n{verses}", "\n"),
    ("{title}\n{author}\n{bare}", "\n"),
    ("{title}\n唐·{author}\n{verses}", "\n\n"),
    ("{title}\n[唐] {author}\n{bare}", "\n\n"),
    ("{title}\n{author}〔唐代〕\n{couplets}", "\n\n"),
    ("{title}\n\n唐代：{author}\n\n{couplets}", "\n\n"),
    ("{title}\n{author}（701年—762年）\n{text}", "\n\n"),
    ("唐·{author}\n{title}\n{text}", "\n\n"),
    ("（{n}）{title}\n{author}\n{couplets}", "\n\n"),
    ("　　　　{title}\n　　　　　　{author}\n　　{verses}", "\n\n"),
    ("{title}\t{author}\n{text}", "\n\n\n"),
    # labels
    ("题目：{title}\n作者：{author}\n朝代：唐\n正文：\n{text}", "\n\n"),
    ("标题：{title}\n作者：{author}\n内容：{text}", "\n\n"),
    ("【{title}】\n【作者】{author}\n【朝代】唐\n{text}", "\n\n"),
    ("{title}\n朝代：唐代|作者：{author}\n{text}", "\n\n"),
    # a title on the line of the poem
    ("《{title}》{author}：{text}", "\n"),
    ("{author}《{title}》：{text}", "\n"),
    ("{title}（{author}）{text}", "\n"),
    ("{title} {text}", "\n"),
    ("{title}: {text}", "\n"),
    # a title alone
    ("{title}\n{couplets}", "\n\n"),
    ("{title}：\n{couplets}", "\n\n"),
    ("{cn}、{title}\n{text}", "\n"),
    ("{title}\n\n{couplets}", "\n\n"),
    # blank lines everywhere
    ("{title}\n\n{author}\n\n{spaced}", "\n\n"),
    ("{title}\n{author}\n\n{spaced}", "\n\n\n"),
    # a signature
    ("{text}\n——{author}《{title}》", "\n\n"),
    ("{couplets}\n—— 唐·{author}《{title}》", "\n"),
    ("{couplets}\n—— {author}", "\n\n"),
    ("{title}\n{couplets}\n（{author}）", "\n\n"),
    # verses with few marks or none
    ("{blanks}", "\n\n"),
    ("{title} {author}\n{blanks}", "\n\n"),
    ("{title}\n{author}\n{unmarked}", "\n\n"),
    ("{bare}", "\n\n"),
    ("{couplets}", "\n\n"),
    ("{text}", "\n"),
    # what stands between
    ("{title}\n{author}\n{spelled}", "\n\n"),
    ("{title}\njìng yè sī\n{author}\nlǐ bái\n{spelled}", "\n\n"),
    ("{title}\n{author}\n{couplets}", "\n------\n"),
    ("★{title}★\n{author}\n{couplets}", "\n* * *\n"),
    ("{title}\n{author}\n{couplets}\n\n- {n} -\n唐诗三百首", "\n\n"),
    ("唐诗三百首\n第 {n} 页\n{title}\n{author}\n{couplets}", "\n\n"),
    ("我的诗词笔记\n\n{title}　{author}\n{couplets}\n\n{n}/8", "\n\n"),
    ("《{title}》 {author}\n{text}\nhttps://example.org/{n}.html", "\n\n"),
    (f"{{title}}\n{{author}}\n{{couplets}}\n\n{NOTES}", "\n\n"),
    ("{title}（{author}）\n{text}\n注：举，抬起。", "\n\n"),
    (f"{{title}}\n\n{{couplets}}\n\n{COMMENT}", "\n\n"),
    (f"《{{title}}》 {{author}}\n{{couplets}}\n\n{COMMENT}", "\n\n"),
    ("{title}\n{author}\n{couplets}\nBefore my bed the moonlight lies so bright.", "\n\n"),
    # written after the code: what it finds, it finds by its rules
    ("{title}\n\n{author}〔唐代〕\n\n{couplets}\n\n完善\n", "\n\n"),
    ("{title}  {author}\n\n{verses}", "\n\n"),
    ("{title}\n唐代 {author}\n{couplets}", "\n\n"),
    ("唐 {author} 《{title}》\n{text}", "\n\n"),
    ("{author}：《{title}》\n{text}", "\n\n"),
    ("（{cn}）《{title}》{author}\n{couplets}", "\n\n"),
    ("\t{title}\n\t\t{author}\n\t{verses}", "\n\n"),
    ("{title} {author}\n“{text}”", "\n\n"),
    ("{title}，（唐）{author}\n{text}", "\n\n"),
    ("《{title}》\n{title}\n{author}\n{text}", "\n\n"),
    ("{title}\n（唐）{author}\n{text}", "\n"),
    ("{title}\n{author} (Li Bai)\n{text}", "\n\n"),
    ("{title}\n{author}\n{text}\n[1]举：抬起。\n[2]疑：好像。", "\n\n"),
    ("{title}\n{author}\n{text}\n译文：明亮的月光洒在床前。\n赏析：这首诗写得很好。", "\n\n"),
    ("* **{title}** - {author}\n\n  {text}", "\n\n"),
    ("# {title}\n**作者：{author}**\n\n{spaced}", "\n\n"),
    ("## {title}\n\n唐 · {author}\n\n{text}\n\n---", "\n\n"),
    ("> **{title}**\n> {author}\n>\n{quote}", "\n\n"),
    ("<li>《{title}》{author}：{text}</li>", "\n"),
    ("<div><span>{title}</span><br><span>{author}</span><br>{breaks}</div>", "\n"),
    ("<tr><td>{title}</td><td>{author}</td><td>{text}</td></tr>", "\n"),
    # Markdown
    ("## {title}\n\n{author}\n\n{quote}", "\n\n"),
    ("## {title}\n\n{quote}", "\n\n"),
    ("## {n}. 《{title}》 - {author}\n\n{text}", "\n\n"),
    ("**{title}** {author}\n\n{couplets}", "\n\n"),
    ("**《{title}》**\n\n*{author}*\n\n{couplets}", "\n\n"),
    ("### {title}\n\n```\n{couplets}\n```", "\n\n"),
    ("{n}. **{title}**（{author}）\n   {text}", "\n"),
    ("## {title}\n*{author}*\n\n{couplets}\n\n### 注释\n\n- 举：抬起。", "\n\n"),
    (f"## {{title}}\n\n{{couplets}}\n\n{COMMENT}", "\n\n"),
    # HTML
    ("<h2>{title}</h2><p>{author}</p><p>{breaks}</p>", "\n"),
    ("<div><h1>{title}</h1><p><a>{author}</a><a>〔唐代〕</a></p><div>\n{text}</div></div>", "\n"),
    ("<h3>{title}</h3>{paragraphs}", "\n"),
    ("<h2>{title}</h2><p>{ruby}</p>", "\n"),
    ("<p><b>{title}</b></p><p>{author}</p><p>{breaks}</p>", "\n"),
]


@pytest.mark.parametrize(("template", "sep"), STYLES)
def test_poems_are_found_however_they_are_written(template, sep):
    document = read(written(template, sep))
    assert found(document) == [
        (title if "{title}" in template else "", author if "{author}" in template else "", text)
        for title, author, text in POEMS
    ]


@pytest.mark.parametrize(
    ("template", "sep"), [style for style in STYLES if style[0].startswith(("{title}", "《"))][:12]
)
def test_the_script_and_the_width_of_the_marks_make_no_difference(template, sep):
    from opencc import OpenCC

    traditional = OpenCC("s2t").convert
    assert found(read(traditional(written(template, sep)))) == [
        tuple(map(traditional, poem)) for poem in found(read(written(template, sep)))
    ]
    half = written(template, sep).replace("，", ", ").replace("。", ". ")
    if "，{author}。" not in template:
        assert found(read(half)) == found(read(written(template, sep)))


@pytest.mark.parametrize("kind", ["## 我喜欢的诗\n\n", "# 唐诗\n\n我喜欢的诗，都在这里了。\n\n"])
def test_what_stands_above_the_poems_of_markdown_is_counted(kind):
    front = "---\ntitle: 我的诗\ndate: 2024-01-01\n---\n\n"
    above = f"{front}{kind}一些**我喜欢**的诗，来自[维基](https://example.org)。\n\n"
    document = read(above + written("### {title}\n\n{quote}"))
    assert [poem.title for poem in document.poems] == [title for title, _ in HEADS]
    assert document.left_out["front matter"] == 1
    assert document.left_out["prose"] >= 1
    assert document.left_out["headings"] == 1
    assert "一些我喜欢的诗" in " ".join(document.doubts) or "我喜欢的诗" in " ".join(
        document.doubts
    )


def test_front_matter_names_the_poem_of_a_page_without_headings():
    title, author, text = POEMS[0]
    document = read(f"---\ntitle: {title}\nauthor: {author}\ntags: [诗]\n---\n\n{text}\n")
    assert found(document) == [POEMS[0]]


def test_a_heading_above_titles_is_their_author():
    one, two, three = (poem[2] for poem in POEMS[:3])
    text = f"# 李白\n\n## 甲山\n\n{one}\n\n## 乙水\n\n{two}\n\n# 王维\n\n## 丙月\n\n{three}\n"
    assert found(read(text)) == [
        ("甲山", "李白", one),
        ("乙水", "李白", two),
        ("丙月", "王维", three),
    ]


# --- several poems of one title, stanzas, prefaces ------------------------------------------

PARTS = (
    "秋浦歌二首\n李白\n\n{0}\n{one}\n\n{1}\n{two}\n\n绝句二首 杜甫\n\n{0}\n{three}\n\n{1}\n{four}\n"
)


@pytest.mark.parametrize(
    "numbers", [("其一", "其二"), ("（其一）", "（其二）"), ("其一：", "其二：")]
)
@pytest.mark.parametrize("gap", ["\n\n", "\n"])
def test_the_number_of_a_part_becomes_part_of_the_title(numbers, gap):
    texts = dict(zip(("one", "two", "three", "four"), (poem[2] for poem in POEMS), strict=False))
    document = read(PARTS.format(*numbers, **texts).replace("\n\n", gap))
    assert found(document) == [
        ("秋浦歌二首 其一", "李白", texts["one"]),
        ("秋浦歌二首 其二", "李白", texts["two"]),
        ("绝句二首 其一", "杜甫", texts["three"]),
        ("绝句二首 其二", "杜甫", texts["four"]),
    ]


TUNE = "日月明。山中无一事，水上有三星。\n天地远，江湖近，白云生。不见来时旧路，何处是归程？"


def test_blocks_below_a_title_are_stanzas_of_one_poem():
    text = "\n\n".join(
        f"水调歌头·{title} {author}\n" + TUNE.replace("\n", "\n\n") for title, author in HEADS[:3]
    )
    document = read(text)
    assert [poem.text for poem in document.poems] == [TUNE.replace("\n", "\n\n")] * 3
    assert document.poems[0].title == "水调歌头·静夜思"


def test_whole_poems_below_one_title_are_poems_and_this_is_reported():
    text = "\n\n".join(f"{title}\n{author}\n{text}\n\n{text}" for title, author, text in POEMS)
    document = read(text)
    assert len(document.poems) == 2 * len(POEMS)
    assert any("several whole poems" in doubt for doubt in document.doubts)


def test_a_preface_is_left_out():
    preface = "丙辰中秋，欢饮达旦，大醉，作此篇，兼怀子由。"
    document = read(f"水调歌头并序\n苏轼\n{preface}\n{TUNE}\n\n春晓\n孟浩然\n{POEMS[1][2]}")
    assert document.poems[0] == RawPoem(TUNE, "水调歌头并序", "苏轼")
    assert document.left_out == {"prefaces": 1}


# --- modern verse ---------------------------------------------------------------------------

MODERN = "天边的云慢慢地走了\n河水还在唱着它的歌\n我们坐在旧的木船上\n什么也不说"


@pytest.mark.parametrize("head", ["河边\n顾城\n\n", "河边\n\n", "## 河边\n\n", "《河边》 顾城\n"])
def test_modern_verse_without_marks_keeps_its_lines(head):
    document = read(f"{head}{MODERN}\n\n云边，水边\n海子\n\n{MODERN}\n")
    assert [clean(poem.text).text for poem in document.poems] == [MODERN] * 2
    assert document.poems[0].title == "河边"
    assert document.poems[1][1:3] == ("云边，水边", "海子")


# --- what is not verse ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "counts"),
    [
        ("{title}\n{author}\n{spelled}", {"pinyin": 32}),
        ("{title}\n{author}\n{text}\nhttps://example.org/{n}", {"links": 8}),
        ("{title}\n{author}\n{text}\n\n第 {n} 页 / 共 8 页", {"page numbers": 8}),
        ("{title}\n{author}\n{text}\n版权所有 © 诗词网", {"copyright lines": 8}),
        ("{title}\n{author}\n{text}\n【译文】\n今天的月光。\n\n", {"notes": 16}),
        (f"{{title}}\n{{author}}\n{{text}}\n\n{COMMENT}", {"prose": 8}),
        ("<h2>{title}</h2><p>{ruby}</p>", None),
    ],
)
def test_what_is_left_out_is_counted(template, counts):
    document = read(written(template))
    assert len(document.poems) == len(POEMS)
    if counts is None:
        assert document.left_out == {"pinyin": sum(len(text) for _, _, text in POEMS)}
    else:
        assert document.left_out == counts


def test_a_table_of_contents_is_not_a_poem():
    contents = "目录\n\n" + "\n".join(title for title, _ in HEADS)
    document = read(f"{contents}\n\n" + written("{title}\n{author}\n{couplets}"))
    assert found(document) == POEMS


def test_prose_that_is_left_out_is_shown():
    [doubt] = read(written(f"{{title}}\n{{text}}\n\n{COMMENT}")).doubts
    assert doubt.startswith("8 lines look like prose")
    assert COMMENT[:10] in doubt


def test_titles_without_poems_are_reported():
    document = read("## 空山\n\n" + written("## {title}\n\n{text}"))
    assert document.doubts == ["1 title has no poem below, for example '空山'."]
    assert document.left_out == {"headings": 1}


def test_prose_stays_prose():
    text = "\n\n".join([COMMENT, COMMENT.replace("月夜", "雨夜")])
    document = read(text)
    assert [poem.text for poem in document.poems] == text.split("\n\n")
    assert document.doubts == ["This looks like prose. If it is, give --format prose."]
    assert [poem.text for poem in read(text, "prose").poems] == text.split("\n\n")


@pytest.mark.parametrize("mark", ["，", "。"])
def test_couplets_without_titles_stay_poems_of_their_own(mark):
    couplets = [couplet for _, _, text in POEMS for couplet in couplets_of(text)]
    assert [poem.text for poem in read("\n".join(couplets)).poems] == couplets


# --- labels of other formats ----------------------------------------------------------------


def test_a_blank_after_the_colon_is_no_part_of_the_poem():
    text = written("{title}: {text}", "\n")
    for format in ("auto", "title-content"):
        document = read(text, format)
        assert document.format == "title-content"
        assert [(poem.title, poem.text) for poem in document.poems] == [
            (title, text) for title, _, text in POEMS
        ]


# --- poems in alphabets ---------------------------------------------------------------------

TYGER = "Tyger Tyger, burning bright,\nIn the forests of the night;"
LAMB = "Little Lamb who made thee\nDost thou know who made thee"


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_title_and_by_an_author_stand_above_an_english_poem(gap):
    text = f"The Tyger\nby William Blake{gap}{TYGER}\n\nThe Lamb\nby William Blake{gap}{LAMB}\n"
    assert read(text).poems == [
        RawPoem(TYGER, "The Tyger", "William Blake"),
        RawPoem(LAMB, "The Lamb", "William Blake"),
    ]


def test_stanzas_below_an_english_heading_are_one_poem():
    tyger = f"## The Tyger\n\nby William Blake\n\n{TYGER}\n\n{TYGER}"
    text = f"# Songs\n\n{tyger}\n\n## The Lamb\n\n{LAMB}\n"
    assert read(text).poems == [
        RawPoem(f"{TYGER}\n\n{TYGER}", "The Tyger", "William Blake"),
        RawPoem(LAMB, "The Lamb"),
    ]


def test_a_verse_that_begins_with_by_is_not_an_author():
    text = f"What man is this?\nBy Jupiter\n{LAMB}\n\n{TYGER}"
    assert [poem.title for poem in read(text).poems] == ["", ""]


# --- Word files and EPUBs -------------------------------------------------------------------


def word_file(*paragraphs, table=()):
    docx = pytest.importorskip("docx")
    document = docx.Document()
    for style, text in paragraphs:
        document.add_paragraph(text, style)
    if table:
        rows = document.add_table(len(table), len(table[0])).rows
        for row, texts in zip(rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "template",
    [
        "{n}．《{title}》　{author}（唐）\n{couplets}\n",
        "{title}\n{author}\n{verses}\n",
        "{title}\n唐·{author}\n{text}",
        "{title} {author}\n{bare}\n\u00a0",
    ],
)
def test_a_word_file_is_read_by_its_paragraphs(template):
    lines = written(template, "\n").split("\n")
    document = read(word_file(*((None, line) for line in lines)), name="poems.docx")
    assert document.format == "docx"
    assert found(document) == POEMS


def test_headings_breaks_and_tables_of_a_word_file_are_read():
    parts = [("Title", "诗选")]
    for title, author, text in POEMS[:3]:
        parts += [("Heading 1", title), (None, author), (None, "\n".join(couplets_of(text)))]
    assert found(read(word_file(*parts))) == POEMS[:3]
    assert found(read(word_file(table=POEMS[:3]))) == POEMS[:3]


def test_without_the_library_a_word_file_names_the_extra(monkeypatch):
    data = word_file((None, "日"))
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(SourceError, match=r"poems\.docx is a Word file") as error:
        read(data, name="poems.docx")
    assert "poetgen[office]" in error.value.advice
    assert "save the file as text" in error.value.advice


def test_a_damaged_word_file_is_refused_by_its_name():
    data = word_file((None, "日"))
    for bad in (data[:2000] + b"\0" * 500 + data[2500:], _without(data, "word/document.xml")):
        with pytest.raises(SourceError, match=r"poems\.docx"):
            read(bad, "docx", name="poems.docx")
    with pytest.raises(SourceError, match=r"poems\.docx is empty"):
        read(word_file((None, " ")), name="poems.docx")


def _without(data, part):
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"<odd" if name == part else old.read(name))
    return stream.getvalue()


def test_an_epub_is_an_archive_of_pages(tmp_path: Path):
    path = tmp_path / "poems.epub"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", "<container/>")
        for number in (1, 2):
            body = written("<h2>{title}</h2><p>{author}</p><p>{breaks}</p>", "", POEMS[number::3])
            page = f"<html><head><title>x</title></head><body>{body}</body></html>"
            book.writestr(f"text/{number}.xhtml", f'<?xml version="1.0"?>\n{page}')
    documents = [read_document(input) for input in find_inputs([path])]
    assert [poem for document in documents for poem in found(document)] == [
        *POEMS[1::3],
        *POEMS[2::3],
    ]


# --- a real collection as text --------------------------------------------------------------


@needs_tang
@pytest.mark.parametrize(
    ("template", "share"),
    [
        ("{couplets}", 0.995),
        ("{title}\n{author}\n{couplets}", 0.95),
        ("《{title}》{author}\n{couplets}", 0.97),
        ("## {title}\n\n{author}\n\n{quote}", 0.96),
    ],
)
def test_nearly_all_tang_poems_come_back_from_text(template, share):
    [input] = find_inputs([TANG / "poet.tang.7000.json"])
    poems = [
        (poem.title, poem.author, clean(poem.text).text)
        for poem in read_document(input).poems
        if poem.title and clean(poem.text).text
    ]
    document = read(written(template, "\n\n", [(*poem[:2], poem[2]) for poem in poems]))
    both = (
        set(found(document)) if "{title}" in template else {("", "", p[2]) for p in found(document)}
    )
    wanted = poems if "{title}" in template else [("", "", poem[2]) for poem in poems]
    assert sum(poem in both for poem in wanted) >= share * len(wanted)


CIRCLED = "碧玉妆成一树高①，万条垂下绿丝绦②。不知细叶谁裁出③，二月春风似剪刀④。"


def bodies_of(text):
    """Title, author and cleaned text of each poem of a plain text."""
    return [
        (poem.title, poem.author, clean(poem.text).text) for poem in read_plain(text, "x").poems
    ]


def test_characters_with_blanks_between_are_read_as_a_line():
    text = (
        "jìng yè sī\n静 夜 思\nlǐ bái\n李 白\nchuáng qián míng yuè guāng\n床 前 明 月 光，\n"
        "yí shì dì shàng shuāng\n疑 是 地 上 霜。\njǔ tóu wàng míng yuè\n举 头 望 明 月，\n"
        "dī tóu sī gù xiāng\n低 头 思 故 乡。\n"
    )
    assert bodies_of(text) == [
        ("静夜思", "李白", "床前明月光，疑是地上霜。举头望明月，低头思故乡。")
    ]


def test_circled_numbers_of_notes_are_removed():
    assert clean(CIRCLED).text == "碧玉妆成一树高，万条垂下绿丝绦。不知细叶谁裁出，二月春风似剪刀。"


def test_verses_indented_by_tabs_are_no_table():
    text = "静夜思\t李白\n\t床前明月光，疑是地上霜。\n\t举头望明月，低头思故乡。\n\n"
    text += "登鹳雀楼\t王之涣\n\t白日依山尽，黄河入海流。\n\t欲穷千里目，更上一层楼。\n"
    assert detect_format(text) == "plain"
    assert [(title, author) for title, author, _ in bodies_of(text)] == [
        ("静夜思", "李白"),
        ("登鹳雀楼", "王之涣"),
    ]


def test_two_modern_sentences_below_a_title_and_an_author_are_a_poem():
    text = "静夜思\n李白\n\n床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n\n"
    text += "一代人\n顾城\n\n黑夜给了我黑色的眼睛，\n我却用它寻找光明。\n"
    assert [(title, author) for title, author, _ in bodies_of(text)] == [
        ("静夜思", "李白"),
        ("一代人", "顾城"),
    ]


@pytest.mark.parametrize("line", ["二、风（唐）李峤", "风[唐]李峤", "《风》（唐）李峤"])
def test_a_dynasty_in_brackets_stands_between_a_title_and_an_author(line):
    assert parse_heading(line)[:3] == ("风", "李峤", "唐")


def test_buttons_and_the_way_to_a_page_are_left_out():
    text = (
        "首页 > 古诗文 > 唐诗三百首\n登录 | 注册\n静夜思\n李白 〔唐代〕\n床前明月光，疑是地上霜。\n"
        "举头望明月，低头思故乡。\n完善\n译文及注释\n明亮的月光洒在床前。\n\n"
        "登鹳雀楼\n王之涣 〔唐代〕\n白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。\n完善\n"
    )
    assert bodies_of(text) == [
        ("静夜思", "李白", "床前明月光，疑是地上霜。举头望明月，低头思故乡。"),
        ("登鹳雀楼", "王之涣", "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"),
    ]


def test_the_number_of_a_lesson_is_no_part_of_a_title():
    text = "第3课 江雪\n[唐] 柳宗元\n千山鸟飞绝，万径人踪灭。\n孤舟蓑笠翁，独钓寒江雪。\n\n"
    text += "第4课 春晓\n[唐] 孟浩然\n春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。\n"
    assert [found[:2] for found in bodies_of(text)] == [("江雪", "柳宗元"), ("春晓", "孟浩然")]


def test_dates_of_a_diary_or_a_chat_are_left_out():
    text = "2021.3.5 春晓\n春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。\n\n"
    text += "2023/5/2 早上8:10\n静夜思\n床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n"
    assert [(title, len(body)) for title, _, body in bodies_of(text)] == [
        ("春晓", 24),
        ("静夜思", 24),
    ]
