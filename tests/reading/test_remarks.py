"""What stands among the poems of a running text and is none, and the layouts that show titles."""

import io
import random
from typing import get_args

import pytest

from poetgen.corpus.cleaning import Reason
from poetgen.corpus.prepare import build_corpus
from poetgen.reading import count_left_out
from poetgen.reading.documents import LeftOut
from poetgen.reading.lines import is_date
from tests.reading.test_formats import PAGE
from tests.reading.test_running_text import HEADS, POEMS, found, read, written
from tests.synthetic import synthetic_poem

MODERN = [
    ("春", ["我在春天等一个人", "她没有来", "花却开了"]),
    ("河", ["小时候它很宽", "我站在这边喊", "对岸的牛抬起头"]),
    ("灯", ["母亲睡了", "只有那盏灯还醒着", "照着她的衣裳"]),
]
BODIES = [(title, "", "\n".join(lines)) for title, lines in MODERN]


def lines_of(document):
    return [(poem.title, poem.author, poem.text.replace("\n\n", "\n")) for poem in document.poems]


# --- titles, subtitles, authors, sections -----------------------------------------------------


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_very_short_lines_above_verse_without_marks_are_titles_and_this_is_reported(gap):
    document = read(gap.join("\n".join([title, *lines]) for title, lines in MODERN))
    assert lines_of(document) == BODIES
    assert document.doubts == [
        "3 titles are guessed, because short lines stand above longer verses, for example '春'."
    ]


def test_the_first_line_of_a_stanza_is_not_a_title_where_titles_stand_apart():
    stanza = "远方的马\n低头饮下整个夏天\n没有人叫它的名字"
    text = "\n\n\n".join(f"{title}\n\n{body}\n\n{stanza}" for title, _, body in BODIES)
    assert lines_of(read(text)) == [(title, "", f"{body}\n{stanza}") for title, _, body in BODIES]


@pytest.mark.parametrize("title", ["WiFi", "To You", "Untitled（无题）"])
@pytest.mark.parametrize("gap", ["\n\n", "\n\n***\n\n"])
def test_letters_between_blank_lines_above_chinese_verse_are_a_title(title, gap):
    poems = [BODIES[0], (title, "", BODIES[1][2]), BODIES[2]]
    assert lines_of(read(written("{title}\n\n{text}", gap, poems))) == poems


def test_letters_between_chinese_verses_are_no_titles_if_some_are_translations():
    text = written("{title}\n\n{text}\n\nThe spring\n\nShe did not come\n\n{text}", poems=BODIES)
    document = read(text)
    assert [poem.title for poem in document.poems] == [title for title, _, _ in BODIES]
    assert document.left_out == {"lines without Chinese": 2 * len(BODIES)}


@pytest.mark.parametrize("stanza", ["我撑着伞\n不知道该躲\n还是不该躲", "风吹落\n一片叶子"])
def test_the_first_line_of_a_stanza_is_no_title_where_titles_are_headings(stanza):
    text = written(f"## {{title}}\n\n{{text}}\n\n{stanza}", poems=BODIES)
    assert lines_of(read(text)) == [(title, "", f"{body}\n{stanza}") for title, _, body in BODIES]


def test_the_name_of_a_collection_may_stand_above_the_first_title():
    document = read("每日一诗\n" + written("{title}\n{author}\n{couplets}"))
    assert found(document) == POEMS
    assert document.left_out == {"headings": 1}


@pytest.mark.parametrize("name", ["必背古诗八首（部分）", "苏东坡词选（手抄）", "现代诗歌精选"])
def test_the_name_of_a_collection_is_a_heading_without_doubt(name):
    document = read(f"{name}\n\n" + written("《{title}》\n唐·{author}\n\n{couplets}"))
    assert (found(document), document.left_out, document.doubts) == (POEMS, {"headings": 1}, [])


@pytest.mark.parametrize("head", ["{}\n——给阿远", "{}\n——给阿远\n林小北", "《{}》\n——给阿远"])
def test_a_line_with_dashes_below_a_title_is_part_of_it(head):
    author = "林小北" if "林小北" in head else ""
    text = "\n\n".join(f"{head.format(title)}\n\n{body}" for title, _, body in BODIES)
    assert lines_of(read(text)) == [(f"{title}——给阿远", author, body) for title, _, body in BODIES]


@pytest.mark.parametrize("author", ["王德厚 著", "王德厚", "作者：王德厚"])
@pytest.mark.parametrize("head", ["{title}", "（{cn}）\n{title}", "{cn}\n{title}"])
def test_a_book_may_have_an_author_and_numbers_above_its_titles(author, head):
    text = f"松涛吟稿\n{author}\n\n" + written(f"{head}\n{{couplets}}")
    assert found(read(text)) == [(title, "王德厚", body) for title, _, body in POEMS]


@pytest.mark.parametrize("preface", ["", "自序\n这些诗是我在下班的地铁上写的，没有怎么改过。\n\n"])
def test_the_author_of_a_book_is_that_of_its_titles_apart(preface):
    titles = ["晾衣绳", "末班车", "给一只麻雀"]
    poems = [(title, "林小满", body) for title, (_, _, body) in zip(titles, BODIES, strict=True)]
    document = read(f"旧窗集\n林小满\n\n{preface}" + written("{title}\n\n{text}", poems=poems))
    assert lines_of(document) == poems
    assert next(aside.text for aside in document.asides if aside.kind == "headings") == "旧窗集"


def test_a_poem_of_another_author_does_not_hide_that_of_the_book():
    text = "松涛吟稿\n王德厚\n\n" + written("{title}\n{text}") + "\n\n秋兴　张文远\n" + POEMS[0][2]
    assert [author for _, author, _ in found(read(text))] == ["王德厚"] * len(POEMS) + ["张文远"]


@pytest.mark.parametrize("author", ["佚名", "北朝民歌", "汉乐府", "诗经·秦风", "蜀太妃徐氏"])
@pytest.mark.parametrize("template", ["{title} {author}\n{text}", "{title}\n{author}\n{text}"])
def test_nobody_and_everybody_are_authors(author, template):
    poems = [(title, author, text) for title, _, text in POEMS]
    if "徐氏" not in author or "\n{author}" in template:
        assert found(read(written(template, poems=poems))) == poems


def test_names_that_no_rule_knows_stand_where_most_names_stand():
    poems = [(title, author, text) for title, author, text in POEMS]
    poems[3] = (poems[3][0], "芙蓉古丈夫、毛女", poems[3][2])
    poems[5] = ("题名", "司马□", poems[5][2])
    assert found(read(written("{title}\n{author}\n{couplets}", poems=poems))) == poems


@pytest.mark.parametrize(
    "section", ["===={}====", "【{}】", "一、{}", "—— {} ——", "## {}", "卷二　{}"]
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_sections_are_left_out_without_a_doubt(section, gap):
    groups = [
        f"{section.format(name)}{gap}"
        + written(
            "### {title}\n\n{author}\n\n{text}" if "##" in section else "{title}\n{author}\n{text}",
            poems=POEMS[start : start + 4],
        )
        for name, start in (("七言绝句", 0), ("五言律诗", 4))
    ]
    document = read("\n\n".join(groups))
    assert found(document) == POEMS
    assert (document.left_out, document.doubts) == ({"headings": 2}, [])


def test_the_author_below_the_name_of_a_collection_is_that_of_its_poems():
    text = "\n\n".join(["我的诗集\n林小北", *(f"{title}\n\n{body}" for title, _, body in BODIES)])
    assert lines_of(read(text)) == [(title, "林小北", body) for title, _, body in BODIES]


def test_lines_in_bold_are_titles():
    paragraphs = []
    for title, lines in MODERN:
        paragraphs += [(None, f"**{title}**"), *((None, line) for line in lines), (None, "")]
    markdown = "\n\n".join(f"**{title}**\n\n" + "  \n".join(lines) for title, lines in MODERN)
    html = "".join(f"<p><b>{title}</b></p><p>{'<br>'.join(lines)}</p>" for title, lines in MODERN)
    for text in (markdown, html):
        assert lines_of(read(text)) == BODIES
    assert lines_of(read(in_bold(), name="poems.docx")) == BODIES


def in_bold():
    docx = pytest.importorskip("docx")
    document = docx.Document()
    for title, lines in MODERN:
        document.add_paragraph().add_run(title).bold = True
        for line in lines:
            document.add_paragraph(line)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def test_titles_without_blank_lines_above_verse_without_marks():
    heads = ["望庐山瀑布", "登鹳雀楼", "早发白帝城", "相思"]
    texts = [synthetic_poem(random.Random(place), 7 - 2 * (place % 2)) for place in range(4)]
    poems = list(zip(heads, [""] * 4, texts, strict=True))
    assert found(read(written("{title}\n{bare}", "\n", poems))) == poems


# --- what is left out --------------------------------------------------------------------------

MODERN_TEXT = "《河》\n小时候它很宽\n我站在这边喊\n\n{}\n\n《灯》\n母亲睡了\n只有那盏灯醒着"


@pytest.mark.parametrize(
    "date",
    [
        *("1989年3月14日夜 北京", "2019.3.12 于成都", "2021.8，改于2022.1", "2003年冬，于哈尔滨"),
        *("一九九七年秋天", "写于大连", "——写于二〇一〇年秋", "2001/11/3 写于大连"),
        *("（1982年8月，青岛）", "1983.5 上海", "2018年冬", "甲辰年秋于金陵", "记于除夕"),
    ],
)
def test_when_and_where_a_poem_was_written_is_not_its_end(date):
    assert is_date(date)
    document = read(MODERN_TEXT.format(date))
    assert document.left_out == {"dates": 1}
    assert lines_of(document) == [
        ("河", "", "小时候它很宽\n我站在这边喊"),
        ("灯", "", "母亲睡了\n只有那盏灯醒着"),
    ]


@pytest.mark.parametrize("line", ["1989年的春天", "二十年后我回来", "于是我们都没有说话"])
def test_verse_about_years_is_no_date(line):
    assert not is_date(line)


BELOW = {
    "exercises": [
        "背诵：□  默写：□",
        "姓名：______",
        "班级：    姓名：",
        "千门____，总把新桃换旧符。",
    ],
    "notes": ["课后练习：背诵全诗。", "标签：唐诗三百首，抒情", "作业：抄写三遍", "{word}：天亮。"],
    "prose": [
        "别人都说秋天悲，他偏说秋天好。",
        "明天默写，每首抄写两遍！",
        "请指正！🙏🙏",
        "共4首，背完打✔",
    ],
    "copyright lines": ["长按二维码，点击关注我们！"],
    "links": ["赞 32 · 转发 5 · 收藏"],
}


@pytest.mark.parametrize(
    ("kind", "line"), [(kind, line) for kind, lines in BELOW.items() for line in lines]
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_what_stands_below_a_poem_is_left_out_counted_and_listed(kind, line, gap):
    if kind == "prose" and gap == "\n":
        gap = "\n\n"
    if kind == "copyright lines":
        line = line.replace("，", " ").replace("！", "")
    text = "\n\n".join(
        f"{title}\n{author}\n{body}{gap}{line.format(word=body[:2])}"
        for title, author, body in POEMS
    )
    document = read(text)
    assert found(document) == POEMS
    assert document.left_out == {kind: len(POEMS)}
    assert [aside.kind for aside in document.asides] == [kind] * len(POEMS)


def test_a_preface_may_be_a_paragraph_of_its_own():
    preface = "三月七日，沙湖道中遇雨。雨具先去，同行皆狼狈，余独不觉。已而遂晴，故作此词。"
    tune = "莫听穿林打叶声，何妨吟啸且徐行。竹杖芒鞋轻胜马，谁怕？一蓑烟雨任平生。"
    document = read(
        f"定风波\n苏轼\n\n{preface}\n\n{tune}\n\n" + written("{title}\n{author}\n{text}")
    )
    assert found(document) == [("定风波", "苏轼", tune), *POEMS]
    assert document.left_out == {"prefaces": 1}


def test_a_sentence_between_poems_is_prose():
    text = written("## {title}\n\n{author}\n\n{couplets}")
    document = read(f"# 读诗笔记\n\n> 书是随时可以打开的窗。\n\n{text}")
    assert found(document) == POEMS
    assert document.left_out == {"headings": 1, "prose": 1}


def test_a_label_is_the_head_of_notes_where_notes_have_labels():
    text = written(
        "【原文】\n{title}\n{author}\n{text}\n【译文】\n今天的月光。\n【名句积累】\n举头。"
    )
    document = read(text)
    assert found(document) == POEMS
    assert set(document.left_out) == {"notes"}


def test_the_furniture_of_a_page_is_left_out_and_listed():
    links = "<a>首页</a> | <a>诗文</a> | <a>作者</a>"
    body = written(
        "<h2>{title} 🍂</h2><p>{author}</p><p>{breaks}</p><div class='tag'>写景，抒情</div>"
    )
    related = (
        "<h3>猜你喜欢</h3><ul><li><a>江雪</a></li><li><a>春晓</a></li><li><a>相思</a></li></ul>"
    )
    page = f"<html><body><div>{links}</div>{body}<div class='side'>{related}</div></body></html>"
    document = read(page)
    assert found(document) == POEMS
    assert document.left_out == {"menus": 2 + len(POEMS)}
    assert any("诗文" in aside.text for aside in document.asides)


def test_a_table_of_contents_with_pages_does_not_swallow_the_poems():
    contents = "\n".join(f"{title}……………{place}" for place, (title, _) in enumerate(HEADS))
    text = written("{title}\n{author}\n\n{unmarked}")
    document = read(f"目录\n\n{contents}\n\n{text}")
    assert found(document) == POEMS
    assert document.left_out == {"headings": 1, "table of contents": len(HEADS)}


def test_a_table_of_poems_in_markdown_is_read():
    rows = written("| {title} | {author} | {text} |", "\n")
    document = read(f"# 古诗\n\n| 题目 | 作者 | 诗句 |\n|---|---|---|\n{rows}\n")
    assert found(document) == POEMS


def test_a_signature_may_stand_behind_the_verses():
    text = "名句\n\n" + written("{n}. {text}——{author}《{title}》", "\n")
    assert [(title, author) for title, author, _ in found(read(text))] == HEADS


CI = [
    ("忆江南", "白居易", "江南好，风景旧曾谙。\n日出江花红胜火，春来江水绿如蓝。"),
    ("如梦令", "李清照", "昨夜雨疏风骤，浓睡不消残酒。\n试问卷帘人，却道海棠依旧。"),
    ("渔歌子", "张志和", "西塞山前白鹭飞，桃花流水鳜鱼肥。\n青箬笠，绿蓑衣。"),
]


@pytest.mark.parametrize("head", ["{title}\n{author}", "{title} {author}"])
@pytest.mark.parametrize("note", ["【注】谙：熟悉。", "注释：谙：熟悉。", "\n【注释】\n谙：熟悉。"])
def test_notes_end_at_the_title_and_the_author_of_a_ci(head, note):
    text = written(f"{head}\n{{text}}\n{note}", poems=CI)
    document = read(text)
    assert lines_of(document) == CI
    assert document.left_out.keys() == {"notes"}


@pytest.mark.parametrize(
    "line",
    ["陈科全（8岁）", "陈科全 11岁", "三（2）班 陈科全", "初一(4)班：陈科全", "五年级　陈科全"],
)
def test_an_author_may_have_an_age_or_a_class(line):
    text = "\n\n".join(f"{title}\n{line}\n\n{body}\n\n{body}" for title, _, body in BODIES)
    assert lines_of(read(text)) == [
        (title, "陈科全", f"{body}\n{body}") for title, _, body in BODIES
    ]


@pytest.mark.parametrize("head", ["思考与练习", "课后练习", "参考答案"])
def test_what_stands_below_exercises_is_no_verse(head):
    question = "一、“自”和“空”两个字好在哪里？"
    document = read(written(f"{{title}}\n{{author}}\n{{couplets}}\n{head}\n{question}"))
    assert found(document) == POEMS
    assert document.left_out == {"notes": 2 * len(POEMS)}


def test_a_menu_may_have_a_label():
    poems = "".join(f"<h2>{title}</h2><p>{text}</p>" for title, _, text in POEMS)
    menu = '<div class="box"><p>推荐作者</p><a>苏轼</a><a>辛弃疾</a><a>陆游</a></div>'
    document = read(f"<html><body>{poems}{menu}</body></html>", name="poems.html")
    assert found(document) == [(title, "", text) for title, _, text in POEMS]
    assert document.left_out == {"menus": 1}


@pytest.mark.parametrize(
    "remark",
    [
        "诗人一生坎坷，却从不低头，他笔下的秋天没有悲凉，只有豪情万丈。",
        "往期回顾：\n唐诗里的春天",
        "图片来源于网络，侵删\n点赞、在看、转发，三连支持一下吧！\n阅读 3.2万",
    ],
)
def test_comments_and_adverts_below_regular_verse_are_no_stanza(remark):
    text = written(f"《{{title}}》\n唐·{{author}}\n\n{{couplets}}\n\n{remark}")
    assert found(read(text)) == POEMS


def test_a_few_words_alone_below_marked_verse_are_no_stanza():
    text = written("{title}\n{author}\n{text}\n\n道藏歌诗 其二十五", poems=CI)
    assert lines_of(read(text)) == CI


def test_a_headline_above_the_first_title_is_no_poem():
    headline = "【诗词日历】立秋：最美的五首秋诗，读完心就静了"
    text = f"{headline}\n\n" + written("《{title}》\n唐·{author}\n\n{couplets}", poems=POEMS[:2])
    assert found(read(text)) == POEMS[:2]


def test_a_sentence_of_weak_function_words_between_poems_is_prose():
    text = written("{couplets}") + "\n\n只是现在，我已经没有地方可以去问那个人了。"
    assert found(read(text)) == [("", "", body) for _, _, body in POEMS]


def test_a_sentence_above_verse_in_another_metre_is_a_preface():
    verse = "山下兰芽短浸溪，松间沙路净无泥，潇潇暮雨子规啼。"
    document = read(f"浣溪沙\n苏轼\n\n游蕲水清泉寺，寺临兰溪，溪水西流。\n\n{verse}\n\n{verse}")
    assert found(document) == [("浣溪沙", "苏轼", verse * 2)]
    assert document.left_out == {"prefaces": 1}


# --- doubts --------------------------------------------------------------------------------------


def test_a_poem_cut_off_by_the_end_of_its_file_is_in_doubt():
    text = written("{title}\n{author}\n{text}")
    assert read(text).doubts == []
    for cut in (6, 1, 9):
        [doubt] = read(text[:-cut]).doubts
        assert doubt.startswith("The last poem may be cut off")


def test_poems_without_titles_among_others_are_in_doubt():
    text = f"{POEMS[0][2]}\n\n" + written("{title}\n{author}\n{text}", poems=POEMS[1:])
    assert any("has no title" in doubt for doubt in read(text).doubts)


def test_a_doubt_names_its_file_and_counts_agree(tmp_path):
    path = tmp_path / "poems.md"
    path.write_text("## 空山\n\n" + written("## {title}\n\n{text}"), encoding="utf-8")
    prepared = build_corpus([path], "mine")
    assert prepared.doubts == [f"{path}: 1 title has no poem below, for example '空山'."]
    assert [(one.reason, one.poem.text) for one in prepared.dropped] == [("headings", "空山")]
    counts = [count_left_out(kind, 1) for kind in ("headings", "prose", "rows above the header")]
    assert counts == ["1 heading", "1 line of prose", "1 row above the header"]


def test_the_page_explains_every_reason():
    page = PAGE.read_text(encoding="utf-8")
    for reason in (*get_args(LeftOut), *get_args(Reason)):
        assert f"\n| {reason} | " in page


# --- what poetgen itself writes ----------------------------------------------------------------


def test_couplets_that_rhyme_are_one_poem_and_others_are_a_poem_a_line():
    couplets = ["白日依山尽，黄河入海流。", "欲穷千里目，更上一层楼。"]
    assert [poem.text for poem in read("\n".join(couplets)).poems] == ["\n".join(couplets)]
    apart = [couplets[0], "床前明月光，疑是地上霜。"]
    assert [poem.text for poem in read("\n".join(apart)).poems] == apart


def test_the_score_below_a_poem_is_no_verse():
    score = "— 五绝 · 下平十一尤 · no tone errors · seed 5"
    poems = ["白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"] * 2
    document = read("\n\n".join(f"{poem}\n{score}" for poem in poems))
    assert [poem.text for poem in document.poems] == poems
    assert [aside.text for aside in document.asides] == [score] * 2
