"""What one line of a text is: blank, verse, a heading, pinyin, notes, a page number, a link."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from poetgen.characters import (
    END_MARKS,
    HAN,
    LINE_MARKS,
    full_width,
    hanzi_only,
    mostly_han,
    num_modern_words,
)
from poetgen.reading.documents import LeftOut
from poetgen.reading.headings import (
    Heading,
    is_attribution,
    is_below_title,
    is_part,
    parse_heading,
    without_number,
)

Source = Literal["text", "heading", "quote", "bold"]
# The level of a heading that is no heading by its mark, but a line in bold.
BOLD_LEVEL = 9
Kind = Literal[
    "blank", "break", "text", "heading", "part", "attribution", "note", "section", "date", "other"
]

_CLEAN = re.compile(rf"(?:[{HAN}]{{1,16}}+[{LINE_MARKS}])++")
_COUPLET = re.compile(rf"([{HAN}]{{1,16}}+)[{LINE_MARKS}][{HAN}]{{1,16}}+[{LINE_MARKS}]")
_BREAK = re.compile(r"[-—_=*~＊·•.…#＝－☆★◇◆○●\s]{3,}|[※☆★◇◆]+")
_PICTURES = "\u2600-\u2767\u2794-\u27bf\ufe0f\U0001f000-\U0001faff"
# • and the like, and pictures.
_BULLET = re.compile(rf"[{_PICTURES}·•●■◆▪▸►※◎▲◇○→>*+-]+\s*(?=[^\s>*+-])")
_PICTURE = re.compile(f"[{_PICTURES}]")
# ==== 五言绝句 ====
_FRAMED = re.compile(r"([=＝~～*#_]+)\s*([^=＝~～*#_]+?)\s*[=＝~～*#_]+")
# 静 夜 思: as books for children print the characters, each below its pinyin.
_SINGLE = re.compile(rf"[{HAN}]?[{LINE_MARKS},.?!;:]?")
# 静夜思 Quiet Night Thoughts, or with its pinyin
_TRANSLATED = re.compile(rf"([{HAN}][{HAN}{LINE_MARKS}]*)\s+[A-Za-zā-ǜ][A-Za-zā-ǜ\s'’,.:;!?-]+")
# 1989年3月14日夜, 2001/11/3, 一九九七年秋天, with 写于 before it and a place behind it.
_NUMERAL = r"(?:\d{1,2}|[一二三四五六七八九十]{1,3})"
_DATE = re.compile(
    r"[（(—–\s-]*(?:[写寫作记記改]于)?(?:1[5-9]\d\d|20\d\d|[一二][〇○零一二三四五六七八九]{3}(?=年))"
    rf"(?:\s*[年./-]\s*{_NUMERAL}(?:\s*[月./-]\s*(?:{_NUMERAL}(?:\s*[日号號])?)?)?|\s*年)"
    r"(?:[春夏秋冬夜晨晚初末底]天?|凌晨|清晨|傍晚|深夜|除夕)*"
    r"\s*(?:上午|下午|早上|晚上|中午|凌晨)?\s*(?:\d{1,2}:\d{2}(?::\d{2})?)?[\s）)]*"
)
_PLACE_OF_DATE = re.compile(rf"[，,、·—–-]?\s*[{HAN}\d][{HAN}\d年.\s—–-]{{0,13}}[）)]?")
# Who wrote something where, or when, without a year.
_WRITTEN = re.compile(
    rf"[（(—–\s-]*(?:[写寫作记記草改]于|[甲乙丙丁戊己庚辛壬癸][子丑寅卯辰巳午未申酉戌亥]年?[{HAN}]{{0,4}}于)"
    rf"[{HAN}\d\s]{{1,12}}[）)]?"
)
_TIMESTAMP = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}")
_PAGE_NUMBER = re.compile(
    r"\W*(?:第\s*)?(?:[0-9０-９]{1,4}|[ivxlc]{1,6}|[一二三四五六七八九十百]+(?=\s*[页頁]))\s*[页頁]?"
    r"(?:\s*(?:/|of|,|，|共|\s)[/共第\s]*[0-9０-９]{0,4}\s*[页頁]?)?\W*|page\s+\d+.*",
    re.IGNORECASE,
)
_LINK = re.compile(r"https?://|www\.|[\w.-]+@[\w-]+\.\w|\b[\w-]+\.(?:com|org|net|cn|html?)\b", re.I)
_COPYRIGHT = re.compile(
    r"版权|版權|©|\(c\)|copyright|all rights reserved|转载|轉載|未经许可|ISBN|出版社|公众号|扫码"
    r"|来源于网络|侵删|来源[:：]|出处[:：]"
    r"|整理[:：]|编辑[:：]|責任編輯|责任编辑|点击|上一[篇页]|下一[篇页]|返回目录",
    re.I,
)
# What a page on the web has around a poem.
_BUTTON = re.compile(
    r"(?:完善|纠错|收藏|下载|复制|分享|转发|举报|点赞|赞|在看|朗读|登录|注册|首页|展开(?:阅读)?全文|查看全部"
    r"|阅读原文|阅读|评论|万|[\W\d_])+"
    r"|首页\s*[>＞»].*|(?:(?:点赞|在看|转发|收藏|分享|关注)[、，和\s]*){2,}.*"
)
# What is to be filled in: 姓名：____, 背诵：□, and boxes to tick.
_BLANK_TO_FILL = re.compile(
    rf"[_＿]{{2}}|[（(]\s{{2,}}[)）]|^\[[ xX]?\]|^(?:[{HAN}]{{2,4}}\s*[:：][^{HAN}]*){{2,}}$"
    rf"|^(?:[{HAN}]{{2,4}}\s*[:：]\s*[□☐]\s*)+$|^(?:[{HAN}]{{2,4}}\s*[□☐]\s*){{2,}}$"
)
# 【名句积累】, a label, if others of a text are.
LABEL = re.compile(f"【[{HAN}]{{2,8}}】")
# 海内存知己，天涯若比邻。——王勃
_SIGNED = re.compile(r"(.+[。！？…”])\s*((?:——|—|--)\s*[^—]+)")
_NOTE_WORDS = (
    "注释|註釋|注釋|注解|註解|译文|譯文|翻译|翻譯|赏析|賞析|鉴赏|鑒賞|简析|簡析|评析|評析|解析|创作背景|写作背景|背景|"
    "作者简介|作者介绍|思考与练习|思考探究|思考题|练习题|课后练习|课后习题|参考答案|白话译文|白话|今译|今譯|释义|釋義|题解|題解|说明|點評|点评|按语|大意|注|註|译|按|简介"
)
_NOTE_HEAD = re.compile(
    rf"(?:\d[.、]|[一二三四五]、|《[^《》]*》)?\s*(?:[【\[（(〔](?:{_NOTE_WORDS})[】\])）〕]"
    rf"|(?:{_NOTE_WORDS})(?:[及与和]?(?:{_NOTE_WORDS}))?\s*(?:[:：]|\d*$|(?<=[释釋解文译譯析赏賞鉴鑒])\s+))"
)
# ①举：抬起。 A number alone may be that of a poem.
_NOTE = re.compile(
    r"[①-⑳⑴-⒇❶-❿].*[:：，。；]|[\[［〔【(（]\s*\d{1,3}\s*[\]］〕】)）]\s*[^:：，。]{1,12}[:：]"
    r"|注[一二三四五六七八九十\d]+[:：]"
)
# 旧火车站……………2
# What ``generate --score`` writes below a poem.
_SCORE = re.compile("— .* · ")
_LISTED = re.compile(r".{1,40}?(?:…{2,}|[.·．]{4,})\s*\d{1,4}")
_SECTION = re.compile(
    r"[—\-\s【\[]*(?:第?[一二三四五六七八九十百\d]+[、.．]?\s*)?(?:[五七四六]言(?:绝句|絕句|律诗|律詩|古诗|古詩|古体诗|乐府|排律)"
    r"|[五七][绝絕律古]|目录|目錄|目次|前言|序言|自序|代序|后记|附录"
    r"|[卷第][一二三四五六七八九十百\d]+(?:[卷章编部篇回辑]\s*.{0,12})?"
    r"|.{0,10}(?:诗选|詩選|词选|詞選|诗集|詩集|词集|詞集|三百首|全集|选集|诗抄|诗鈔|全唐诗|全唐詩|全宋词|诗词|诗词选|古诗))[—\-\s】\]]*"
)
_TONED = "āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜĀÁǍÀĒÉĚÈŌÓǑÒńňǹḿ"
_SYLLABLE = rf"(?:[bpmfdtnlgkhjqxzcsryw]|[zcs]h)?[aeiouüv{_TONED}]{{1,4}}(?:ng|n|r)?[1-5]?"
_PINYIN = re.compile(rf"(?:{_SYLLABLE}[\W]*)+", re.IGNORECASE)
_HAS_TONE = re.compile(rf"[{_TONED}]|[a-z][1-5]\b", re.IGNORECASE)
# In such a part of its lines, a text is Chinese, however long its lines of letters are.
_CHINESE_LINES = 0.3
_ASIDE = re.compile(r"（[^（）]*）|\([^()]*\)|[\[［][^\[\]［］]*[\]］]")
_MAX_NAME_HANZI = 4
_MAX_SUBTITLE_CHARS = 24
_MARKS = re.compile(f"[{LINE_MARKS}]")
_SPLIT = re.compile(rf"[{LINE_MARKS}\s“”‘’「」『』…—]+")


class Line:
    """One line of a source, and what its characters show; it is never changed.

    ``source`` says how the source marks it: plain ``text``, a ``heading`` (of ``level``), a
    ``quote`` or a line in ``bold``. ``is_clean`` says that it is clauses of verse with a mark
    after each, and nothing else; ``verse`` is the line without notes in brackets, its marks in
    full width; ``lengths`` is how many characters stand between two marks or blanks,
    ``num_hanzi`` their sum.
    ``has_mark`` says that any mark of verse stands in it, ``is_marked`` that a mark ends it, and
    ``is_closed`` that a sentence does.
    """

    __slots__ = (
        *("text", "source", "level", "is_clean", "verse", "lengths", "num_hanzi"),
        *("has_mark", "is_marked", "is_closed", "_heading", "_is_parsed"),
    )

    def __init__(self, text: str, source: Source = "text", level: int = 0) -> None:
        """Look at the characters once: each line is looked at again and again."""
        self.text, self.source, self.level = text, source, level
        self.verse: str
        self.lengths: tuple[int, ...]
        self._heading: Heading | None = None
        self._is_parsed = False
        couplet = _COUPLET.fullmatch(text)  # most lines of most texts
        self.is_clean = is_clean = couplet is not None or _CLEAN.fullmatch(text) is not None
        if is_clean:
            self.verse = text
            if couplet:
                self.lengths = (couplet.end(1), len(text) - couplet.end(1) - 2)
            else:
                self.lengths = tuple(map(len, _MARKS.split(text)[:-1]))
            self.has_mark = self.is_marked = True
            self.is_closed = text[-1] in END_MARKS
        elif not text or text.isalnum():  # most titles and names
            self.verse = without_number(text)
            length = len(hanzi_only(self.verse))
            self.lengths = (length,) if length else ()
            self.has_mark = False
            self.is_marked = self.is_closed = not text
        else:
            self.verse = full_width(_ASIDE.sub("", without_number(text))).strip()
            parts = map(len, map(hanzi_only, _SPLIT.split(self.verse)))
            self.lengths = tuple(part for part in parts if part)
            self.has_mark = _MARKS.search(self.verse) is not None
            last = self.verse.rstrip("”’」』\"' ")[-1:]
            self.is_marked = not self.verse or (last != "" and last in LINE_MARKS)
            self.is_closed = not self.verse or (last != "" and last in END_MARKS)
        self.num_hanzi = sum(self.lengths)

    @property
    def heading(self) -> Heading | None:
        """What the line says about a poem below it, if it may be a heading."""
        if not self._is_parsed:
            self._is_parsed = True
            # A title and an author may have a comma between: 九月九日忆山东兄弟，王维。
            may_name = len(self.lengths) == 2 and self.lengths[1] <= _MAX_NAME_HANZI
            is_verse = self.is_clean and "：" not in self.text and not may_name
            self._heading = None if is_verse else parse_heading(self.text)
        return self._heading

    @property
    def is_even(self) -> bool:
        """Whether all its clauses are of one length."""
        return len(set(self.lengths)) == 1


def tidy(text: str) -> str:
    """Take away blanks around a line and between single characters, pictures, a bullet, a frame."""
    if not text or _CLEAN.fullmatch(text) or (text.isalnum() and not text[0].isdigit()):
        return text
    text = text.replace("\u200b", "").replace("\ufeff", "").strip()
    match = _BULLET.match(text)
    if match and not is_attribution(text):
        text = text[match.end() :]
    text = _PICTURE.sub("", text).strip() or text
    if framed := _FRAMED.fullmatch(text):
        text = framed[2]
    parts = text.split()
    if len(parts) > 1 and all(map(_SINGLE.fullmatch, parts)):
        text = "".join(parts)
    if translated := _TRANSLATED.fullmatch(text):
        text = translated[1]
    return text.rstrip("★☆※◆◇*· ")


def unsigned(line: Line) -> Iterator[Line]:
    """Yield a line, or the verse and the signature that it consists of."""
    match = _SIGNED.fullmatch(line.text) if "—" in line.text and not line.level else None
    if match and is_attribution(match[2]) and not is_below_title(match[2]):
        yield from (Line(match[1], line.source), Line(match[2], line.source))
    else:
        yield line


def spread(text: str, source: Source = "text") -> Iterator[Line]:
    """Yield a paragraph as lines: as a block if it has line breaks or is a whole poem.

    A paragraph of a verse or two is one line among others: so Word and web pages keep poems.
    """
    lines = [Line(tidy(line), source) for line in text.split("\n")]
    whole = len(lines) > 1 or (len(lines[0].lengths) >= 4 and lines[0].is_closed)
    yield from (Line(""), *lines, Line("")) if whole else lines


def with_bold_headings(lines: Sequence[Line]) -> Sequence[Line]:
    """Return lines, of which those in bold are headings, unless whole poems are in bold."""
    num_bold = sum(line.source == "bold" for line in lines)
    if num_bold == 0:
        return lines
    are_headings = 2 * num_bold < sum(bool(line.text) for line in lines)
    return [
        Line(line.text, *(("heading", BOLD_LEVEL) if are_headings else ("text", 0)))
        if line.source == "bold"
        else line
        for line in lines
    ]


def kind_of(line: Line) -> tuple[Kind, LeftOut | Literal[""]]:
    """Return what a line is, and, if it is left out, the kind of thing that it is."""
    text = line.text
    if line.source == "heading":
        return "heading", ""
    if not text:
        return "blank", ""
    if line.is_clean and "：" not in text and text[-1] != "、":
        return "text", ""
    # Of letters and blanks alone, most things cannot be.
    has_signs = not text.replace(" ", "").isalnum()
    if has_signs and _BREAK.fullmatch(text):
        return "break", ""
    if has_signs and _LINK.search(text):
        return "other", "links"
    if is_date(text):
        return "date", ""
    if is_part(text):
        return "part", ""
    if _PAGE_NUMBER.fullmatch(text):
        return "other", "page numbers"
    if has_signs and (what := _left_out_for_signs(text)) is not None:
        return "other", what
    if _COPYRIGHT.search(text):
        return "other", "copyright lines"
    if _BUTTON.fullmatch(text):
        return "other", "links"
    if not hanzi_only(text):
        return "other", "pinyin" if is_pinyin(text) else "lines without Chinese"
    if _NOTE_HEAD.match(text):
        return "note", "notes"
    bare = (has_signs and _ASIDE.sub("", text)) or text  # 苏东坡词选（手抄）
    words = [bare] if bare.isalnum() else bare.split()
    if all(map(_SECTION.fullmatch, words)) or (words[1:] and _SECTION.fullmatch(bare)):
        return "section", "headings"
    if has_signs and (is_attribution(text) or _is_subtitle(text)):
        return "attribution", ""
    return ("heading" if line.heading and line.heading.certain else "text"), ""


def _left_out_for_signs(text: str) -> LeftOut | Literal[""] | None:
    """Return what a line is that is left out because of its signs; None if it stays."""
    # Python does not know the newest characters as letters.
    if not any(map(str.isalnum, text)) and not hanzi_only(text):
        return ""
    if _TIMESTAMP.search(text) and after_date(text) is None:
        return "dates"
    if _SCORE.match(text):
        return "notes"
    if _LISTED.fullmatch(text):
        return "table of contents"
    if hanzi_only(text) and _BLANK_TO_FILL.search(text):
        return "exercises"
    return "notes" if _NOTE.match(text) else None


def _is_subtitle(text: str) -> bool:
    return len(text) <= _MAX_SUBTITLE_CHARS and is_below_title(text)


def after_date(text: str) -> str | None:
    """Return what follows the date at the beginning of a line, None if there is no date."""
    match = _DATE.match(text)
    return text[match.end() :] if match else None


def is_date(text: str) -> bool:
    """Return whether a line is when and where a poem was written, or begins with a date.

    >>> is_date("1989年3月14日夜 北京") and is_date("写于大连")
    True
    """
    rest = after_date(text)
    if rest is None:
        return _WRITTEN.fullmatch(text) is not None
    return not rest or (not num_modern_words(rest) and bool(_PLACE_OF_DATE.fullmatch(rest)))


def is_pinyin(text: str) -> bool:
    """Return whether ``text`` spells Chinese in letters with tones: chuáng qián míng yuè guāng."""
    return (
        _HAS_TONE.search(text) is not None
        and _PINYIN.fullmatch(text.strip(" ,.!?，。")) is not None
    )


def is_prose(lines: Sequence[Line]) -> bool:
    """Return whether lines are prose: long sentences of any length, with modern function words.

    Short lines are verse, even modern ones, and so are clauses of equal lengths.
    """
    # Notes in brackets may go over several lines.
    is_clean = all(line.is_clean for line in lines)
    whole = lines if is_clean else [Line("\n".join(line.text for line in lines))]
    lengths = [length for line in whole for length in line.lengths]
    if not lengths or (len(set(lengths)) == 1 and lengths[0] <= 11):
        return False
    text = _ASIDE.sub("", "".join(line.text for line in lines))
    if max(line.num_hanzi for line in lines) <= 24 and (
        len(lines) >= 3 or (len(lines) == 2 and not any(line.is_closed for line in lines))
    ):
        return False
    share = num_modern_words(text) / sum(lengths)
    filled = max(line.num_hanzi for line in lines) > 20
    if re.search(r"\d|[A-Za-z]{2}", text):
        share += 0.05
    if max(lengths) > 16:
        share += 0.03
    if len(lines) <= 2 and not filled:
        return (share > 0.1 and lines[-1].is_closed and len(lengths) != 2) or share > 0.25
    return share > 0.05


def is_regular(lines: Sequence[Line]) -> bool:
    """Return whether lines are whole regular verse: an even number of clauses of one length."""
    lengths = [length for line in lines for length in line.lengths]
    return len(lengths) >= 4 and len(lengths) % 2 == 0 and len(set(lengths)) == 1


def is_chinese(lines: Sequence[Line]) -> bool:
    """Return whether lines are Chinese, with pinyin or a translation between them or without."""
    if 2 * sum(line.num_hanzi for line in lines) >= sum(len(line.text) for line in lines) > 0:
        return True  # the quick way, for most
    words = [line.text for line in lines if line.text and not is_pinyin(line.text)]
    if mostly_han("".join(words)):
        return True
    num_chinese = sum(mostly_han(line) for line in words if hanzi_only(line))
    return num_chinese > _CHINESE_LINES * len(words)
