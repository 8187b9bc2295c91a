"""What stands above a poem: its title, its author, the dynasty; each rule is a pure function."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from poetgen.characters import END_MARKS, HAN, LINE_MARKS, full_width, num_modern_words
from poetgen.names import DOUBLE_FAMILY_NAMES, DYNASTIES, FAMILY_NAMES

_DYNASTY = re.compile(rf"(?:{DYNASTIES})(?:代|朝)?")
_LONG_DYNASTY = re.compile(rf"(?:{DYNASTIES})(?:代|朝)")
_NAME = re.compile(
    rf"(?:{'|'.join(DOUBLE_FAMILY_NAMES)})[{HAN}]{{1,2}}|[{FAMILY_NAMES}][{HAN}]{{1,2}}"
)
# Poets whom nobody would recognise by a family name.
_OTHER_NAMES = re.compile(
    "佚名|不詳|不详|缺名|无名氏|無名氏|皎然|贯休|貫休|齐己|寒山|拾得|灵澈|靈澈|无可|海子|北岛|北島|舒婷|"
    "食指|芒克|多多|艾青|冰心|戴望舒|纳兰性德|納蘭性德|乾隆|仓央嘉措|泰戈尔|雪莱|拜伦|叶芝|"
    "歌德|普希金|花蕊夫人"
)
# 德宗皇帝李适, 蜀太妃徐氏, 僧齐己
_TITLED_NAME = re.compile(
    rf"[{HAN}]{{0,4}}(?:皇帝|太后|太妃|夫人|公主|道士|禅师|禪師|上人|和尚)[{HAN}]{{0,3}}|[僧释釋][{HAN}]{{2}}"
)
# With a middle dot between them, a tune and its topic look like a title and its author.
_FAMOUS = re.compile(
    "李白|杜甫|王维|王維|孟浩然|白居易|李商隐|李商隱|杜牧|王昌龄|王昌齡|苏轼|蘇軾|李清照|"
    "辛弃疾|辛棄疾|陆游|陸游|柳永|陶渊明|陶淵明|屈原|曹操|曹植|岑参|岑參|高适|高適|王之涣|"
    "王之渙|刘禹锡|劉禹錫|韩愈|韓愈|柳宗元|贺知章|賀知章|骆宾王|駱賓王|王勃|王安石|欧阳修|"
    "歐陽修|晏殊|李煜|温庭筠|溫庭筠|秦观|秦觀|岳飞|岳飛|杨万里|楊萬里|文天祥|纳兰性德|"
    "納蘭性德|李贺|李賀|孟郊|贾岛|賈島|韦应物|韋應物|徐志摩|海子|佚名"
)
# Nobody, or everybody: 北朝民歌, 汉乐府, 《诗经·秦风》.
_COLLECTIVE = re.compile(
    rf"(?:{DYNASTIES})?(?:无名氏|無名氏|佚名|民歌|民谣|民謠|乐府民歌|樂府民歌|乐府|樂府|童谣|童謠)"
    r"|《?(?:诗经|詩經|楚辞|楚辭)(?:[·•][^《》]{1,6})?》?"
)
_FOREIGN_NAME = re.compile(rf"[{HAN}]{{1,6}}[·•‧][{HAN}]{{1,8}}")
# 贺知章、源乾曜
_SEVERAL = re.compile(rf"[{HAN}]{{2,4}}(?:、[{HAN}]{{2,4}})+")
_ANY_NAME = re.compile(rf"[{HAN}]{{2,4}}")

_OPEN, _CLOSE = r"[\[［(（〔【〖]", r"[\]］)）〕】〗]"
_MAX_AUTHOR_CHARS = 40
# （701年—762年）, (Li Bai)
_YEARS = re.compile(rf"{_OPEN}[^{HAN}]*(?:\d{{2,4}}[^\])）〕】]*|[A-Za-z][^{HAN}]*){_CLOSE}")
_AUTHOR_LABEL = re.compile(
    r"[文作诗詩词詞]\s*[/／]\s*|[【\[（(]?(?:作者|诗人|詩人|词人|詞人)[】\])）]?\s*[:：]?\s*"
)
# 三（2）班 陈科全, 五年级 陈科全, 陈科全（8岁）
_PUPIL = re.compile(
    rf"[{HAN}\d]{{1,8}}(?:[（(]\d+[）)])?(?:班|年[级級])[\s:：·]+([{HAN}]{{2,4}})"
    rf"|([{HAN}]{{2,4}})[\s（(，,]+\d{{1,2}}\s*[岁歲][）)]?"
)
_NOTED_NAME = re.compile(rf"([{HAN}]{{2,4}})[（(]([{HAN}]+)[）)]")
_AUTHOR_END = re.compile(r"\s*(?:著|撰)$")
_BETWEEN = r"\s*[·•‧．.:：/|｜\-—－\s]\s*"
_BRACKETED_FIRST = re.compile(rf"{_OPEN}\s*({_DYNASTY.pattern})\s*{_CLOSE}\s*(.+)")
_BRACKETED_LAST = re.compile(rf"(.+?)\s*{_OPEN}\s*({_DYNASTY.pattern})\s*{_CLOSE}")
_DYNASTY_FIRST = re.compile(rf"({_DYNASTY.pattern}){_BETWEEN}(.+)|({_LONG_DYNASTY.pattern})(.+)")
_DYNASTY_LAST = re.compile(rf"(.+?){_BETWEEN}({_DYNASTY.pattern})")
# Each with the places of the name and the dynasty among its groups.
_DYNASTY_BESIDE = (
    (_BRACKETED_FIRST, 2, 1),
    (_BRACKETED_LAST, 1, 2),
    (_DYNASTY_FIRST, 2, 1),
    (_DYNASTY_LAST, 1, 2),
)

# 1. 12、 (3) 三、 第四首
_COUNT = r"(?:\d{1,4}|[一二三四五六七八九十百]{1,5})"
_NUMBER = re.compile(
    rf"(?:第\s*{_COUNT}\s*课\s+|第?\s*\d{{1,4}}\s*首|第?[一二三四五六七八九十百]{{1,5}}首|[(（]\s*{_COUNT}\s*[)）]"
    rf"|{_COUNT}\s*[.．、)）]|\d{{1,4}}\s+(?=[《{HAN}])|{_COUNT}\s+(?=[{HAN}]{{2,}}\s+[{HAN}])|[①-⑳])\s*"
)
_QUOTED = re.compile(r"([^《》]*)《((?:[^《》]|《[^《》]{1,20}》){1,60})》(.*)")
_IN_BRACKETS = re.compile(rf"()[「『【〖“\"]([{HAN}·•\s]{{1,30}})[」』】〗”\"](.*)")
_TITLE_LABEL = re.compile(
    r"[【\[]?(?:题目|題目|标题|標題|诗题|詩題|诗名|詩名|篇名|词牌|詞牌)[】\]]?\s*[:：]?\s*(?=\S)"
)
_DYNASTY_LABEL = re.compile(r"[【\[]?(?:朝代|年代|时代|時代)\s*(?:[】\]]\s*[:：]?|[:：])\s*")
_FIELD = re.compile(r"【([^【】]{2,4})】\s*[:：]?\s*([^【】]+)")
_LABEL = re.compile(
    "作者|诗人|詩人|词人|詞人|题目|題目|标题|標題|诗题|詩題|诗名|詩名|篇名|词牌|詞牌|朝代|年代|时代|時代|"
    "正文|原文|内容|內容|诗文|詩文|诗歌|全文|注释|註釋|译文|譯文|赏析|賞析|鉴赏|简析|翻译|注|译|按"
)
_BODY_LABEL = re.compile(
    r"[【\[]?(?:正文|(?:作品)?原文|内容|內容|诗文|詩文|诗歌|全文)[】\]]?\s*(?:[:：]|(?<=[】\]])|$)\s*"
)
_SEPARATOR = re.compile(r"\s*(?:——|—|－|[·•‧，,、/|｜:：-]|\s)\s*")
_TITLE_CHARS = re.compile(rf"[{HAN}\d·•‧\s（）()〔〕\[\]“”《》:：，、-]{{1,60}}")
_PLAIN_TITLE = re.compile(rf"[{HAN}·•‧\s（）()]{{1,40}}")
_PART = re.compile(
    rf"{_OPEN}?\s*(其[一二三四五六七八九十百]+|第?[一二三四五六七八九十百]+首?|[IVX]{{1,5}})\s*{_CLOSE}?\s*[.．、:：]?"
)
_CLAUSE_ENDS = re.compile(rf"[{LINE_MARKS}\s]+")
_BRACKETED_WHOLE = re.compile(r"[（(]([^（）()。]+)[）)]")
_DASHES = re.compile(r"(?:——|—|－－|--|–|―)\s*(?=\S)")


class Author(NamedTuple):
    """A name; ``certain`` if a label or a dynasty says that it is one."""

    name: str
    dynasty: str = ""
    certain: bool = False


class Heading(NamedTuple):
    """What a line says about the poem below it; ``rest`` is verse that begins on the same line.

    ``certain`` if the line itself says what it is, whatever stands around it; ``whole`` is the
    line as a title, where it is not certain that it ends with an author.
    """

    title: str = ""
    author: str = ""
    dynasty: str = ""
    rest: str = ""
    certain: bool = True
    whole: str = ""


# What a line of letters alone must have to say more than they spell: a label, a number, a dynasty.
_SAYS_MORE = re.compile(
    rf"\d|[第首代朝著撰]|[①-⑳]|民歌|民谣|民謠|乐府|樂府|童谣|童謠|佚名|氏|诗经|詩經|楚辞|楚辭|{_LABEL.pattern}"
)


def is_name(text: str) -> bool:
    """Return whether ``text`` looks like the name of a Chinese poet."""
    return (
        _NAME.fullmatch(text) is not None
        or is_famous(text)
        or _OTHER_NAMES.fullmatch(text) is not None
        or _COLLECTIVE.fullmatch(text) is not None
        or _TITLED_NAME.fullmatch(text) is not None
    )


def is_famous(text: str) -> bool:
    """Return whether ``text`` is a name that can be nothing else."""
    return _FAMOUS.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Return whether ``text`` is the name of a field, such as 作者 or 正文."""
    return _LABEL.fullmatch(text.strip("【】[] ")) is not None


def is_part(line: str) -> str | None:
    """Return the 其一 of a line that numbers a poem among several of one title, else None."""
    match = _PART.fullmatch(line.strip())
    return match[1] if match else None


def is_attribution(line: str) -> Heading | None:
    """Read a line below a poem that says whose it is: ``——李白《静夜思》`` or ``——李白``."""
    match = _DASHES.match(line)
    bracketed = _BRACKETED_WHOLE.fullmatch(line)
    if bracketed and not (is_name(bracketed[1]) or "《" in line):
        return None
    if match is None and bracketed is None:
        return None
    rest = bracketed[1] if bracketed else line[match.end() :].strip("—－- ") if match else ""
    author = parse_author(rest)
    return Heading("", author.name, author.dynasty) if author else parse_heading(rest)


def is_below_title(line: str) -> bool:
    """Return whether a line with dashes before it, ``——致远方的朋友``, names nobody."""
    if _DASHES.match(line) is None:
        return False
    found = is_attribution(line)
    return found is None or not (found.title or _is_sure(parse_author(line.strip("—－-–― "))))


def without_dashes(line: str) -> str:
    """Take the dashes off both ends of a line."""
    return line.strip("—－-–― ")


def _is_sure(author: Author | None) -> bool:
    return author is not None and (author.certain or is_name(author.name))


# An author of many poems stands above each of them, and rule after rule asks for the name.
@functools.lru_cache(maxsize=1 << 13)
def parse_author(text: str) -> Author | None:
    """Read a name, with a dynasty before or after it, or None.

    >>> parse_author("唐·李白") == parse_author("[唐] 李白") == parse_author("李白〔唐代〕")
    True
    """
    if len(text) > _MAX_AUTHOR_CHARS:
        return None
    text = _YEARS.sub("", text).strip().strip("，,。、;； ")
    label = _AUTHOR_LABEL.match(text)
    if label and label.end() < len(text):
        found = parse_author(text[label.end() :])
        return found._replace(certain=True) if found else None
    text = _AUTHOR_END.sub("", text)
    if pupil := None if text.isalnum() else _PUPIL.fullmatch(text):
        return Author(pupil[1] or pupil[2], certain=True)
    if _COLLECTIVE.fullmatch(text):
        return Author(text.strip("《》"), certain=True)
    # Letters alone: nothing stands between a dynasty and a name.
    for pattern, name_at, dynasty_at in _DYNASTY_BESIDE[2:3] if text.isalnum() else _DYNASTY_BESIDE:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        if match[name_at] is None:  # 唐代李白
            name_at, dynasty_at = 4, 3
        name, dynasty = match[name_at].strip(), match[dynasty_at]
        # 唐代李白 and 宋 陆游 are a dynasty and a name; 陳 武帝蚌盤 is a title.
        is_loose = name_at == 4 or (pattern is _DYNASTY_FIRST and text[len(dynasty)].isspace())
        if is_name(name) or (_is_some_name(name) and not is_loose):
            return Author(name, dynasty, certain=True)
    noted = None if text.isalnum() else _NOTED_NAME.fullmatch(text)
    if noted and is_name(noted[1]):  # 余光中（网友投稿）
        is_other = is_name(noted[2]) or is_part(noted[2]) or _DYNASTY.fullmatch(noted[2])
        return None if is_other else Author(noted[1])
    text = text.strip("()（）[]［］〔〕【】 ")
    return Author(text) if _is_some_name(text) else None


def parse_heading(line: str) -> Heading | None:
    """Read a title, alone or with an author, from a line that shows what it is; else None.

    >>> parse_heading("1．《春晓》　孟浩然（唐）")
    Heading(title='春晓', author='孟浩然', dynasty='唐', rest='', certain=True)
    """
    line = line.strip()
    if line.isalnum() and not _SAYS_MORE.search(line):
        return None  # most titles and names
    if fields := _parse_fields(line):
        return fields
    match = _TITLE_LABEL.match(line)
    if match:
        return Heading(line[match.end() :].strip(" 《》"))
    match = _DYNASTY_LABEL.match(line)
    if match:
        dynasty, _, rest = line[match.end() :].strip().partition("作者")
        author = parse_author(f"作者{rest}") if rest else None
        return Heading("", author.name if author else "", dynasty.strip(" \t|｜/,，;；"))
    match = _BODY_LABEL.match(line)
    if match and match.end():
        return Heading(rest=line[match.end() :])
    bare = without_number(line)
    author = parse_author(bare)
    if author is not None and author.certain:
        return Heading("", author.name, author.dynasty)
    quoted = _QUOTED.fullmatch(bare) or _IN_BRACKETS.fullmatch(bare)
    if quoted:
        found = _parse_quoted(*quoted.groups())
        # 「」 and 【】 hold other things, too.
        is_title = found is None or "《" in bare or not found.author or is_name(found.author)
        return found if is_title and (found is None or "《" in bare or not found.rest) else None
    return _parse_parts(bare, is_numbered=bare != line)


def _parse_fields(line: str) -> Heading | None:
    """Read ``【词牌】念奴娇 【题目】过洞庭 【作者】张孝祥``: two labels or more in brackets."""
    if line.count("】") < 2:
        return None
    fields = [(f"【{label}】", value.strip()) for label, value in _FIELD.findall(line)]
    titles, authors, dynasties = (
        [value for label, value in fields if pattern.match(label + value)]
        for pattern in (_TITLE_LABEL, _AUTHOR_LABEL, _DYNASTY_LABEL)
    )
    if not (titles or authors):
        return None
    return Heading("·".join(titles), "".join(authors[:1]), "".join(dynasties[:1]))


def without_number(line: str) -> str:
    """Take the number of a poem in a list off the head of a line."""
    match = _NUMBER.match(line)
    return line[match.end() :] if match and match.end() < len(line) else line


def _parse_quoted(before: str, title: str, after: str) -> Heading | None:
    """Read ``李白《静夜思》`` and ``《静夜思》李白：床前明月光，…``."""
    before, after = before.strip(" \t\u3000:：,，-—"), after.strip()
    if before and not after and _COLLECTIVE.fullmatch(f"《{title}》"):
        return Heading(before, title)  # 蒹葭 《诗经·秦风》
    if before.count("（") != before.count("）"):
        return None  # within a note
    author = parse_author(before) if before else None
    if before and author is None:
        return None
    name, dynasty = (author.name, author.dynasty) if author else ("", "")
    note = re.match(rf"{_OPEN}([^{END_MARKS}]*?){_CLOSE}", after)
    part = _PART.match(after)
    if part and not re.match(f"[{HAN}]", after[part.end() :]):  # 《秋兴》（其一）
        title, after = title + part[1], after[part.end() :].strip()
    elif note and parse_author(note[1]) is None and parse_author(after) is None:
        title, after = title + f"（{note[1]}）", after[note.end() :].strip()
    after = after.strip("·•‧，,、/|｜-—:： \t\u3000")
    if not after:
        return Heading(title, name, dynasty)
    found = parse_author(after)
    if found and not author and not is_label(found.name):
        return Heading(title, found.name, found.dynasty)
    head, colon, rest = full_width(after).partition("：")
    found = parse_author(head) if colon else None
    if found and may_be_verse(rest):
        return Heading(title, found.name, found.dynasty, rest)
    return Heading(title, name, dynasty, after) if may_be_verse(after) else None


def _parse_parts(line: str, *, is_numbered: bool = False) -> Heading | None:
    """Read ``静夜思 李白``, ``静夜思（唐）李白``, ``静夜思（李白）``, ``李白：静夜思``."""
    line = line.rstrip("。.")
    if line.isalnum():
        return None
    match = re.fullmatch(rf"(.+?)\s*({_OPEN}[^\])）〕】]+{_CLOSE}\s*[{HAN}]{{2,4}})", line)
    if match and _PLAIN_TITLE.fullmatch(match[1]):  # 风（唐）李峤
        author = parse_author(match[2])
        if author and author.certain and author.dynasty:
            return Heading(match[1].strip(), author.name, author.dynasty)
    match = re.fullmatch(rf"(.+?)\s*{_OPEN}([^\])）〕】]+){_CLOSE}", line)
    if match and _PLAIN_TITLE.fullmatch(match[1]):
        author = parse_author(match[2])
        if author and (author.certain or is_name(author.name)):
            return Heading(match[1].strip(), author.name, author.dynasty, certain=author.certain)
    match = re.match(rf"(.+?)\s*{_OPEN}([^\])）〕】]+){_CLOSE}\s*[:：]?\s*(?=[{HAN}])", line)
    if (
        match
        and _PLAIN_TITLE.fullmatch(match[1])
        and _is_verse_below(match[1], line[match.end() :])
    ):
        author = parse_author(match[2])
        if author and (author.certain or is_name(author.name)):  # 静夜思（李白）床前明月光，…
            return Heading(match[1], author.name, author.dynasty, line[match.end() :])
    for gap in _SEPARATOR.finditer(line):
        left, right = line[: gap.start()], line[gap.end() :]
        if not (left and right):
            continue
        if gap[0].strip() in ("", ":", "：") and _is_verse_below(left, right):
            head = _parse_parts(left) or Heading(left.strip())
            return head._replace(rest=right, certain=True)
        author = parse_author(right)
        if author and _TITLE_CHARS.fullmatch(left) and not any(map(left.__contains__, END_MARKS)):
            dotted = gap[0].strip() in ("·", "•", "‧")
            named = is_famous(author.name) if dotted else is_name(author.name)
            if author.certain or named:
                whole = "" if author.certain or dotted or not gap[0].isspace() else line
                return Heading(
                    left.strip(), author.name, author.dynasty, certain=author.certain, whole=whole
                )
        author = parse_author(left)
        is_above = author and (
            author.certain
            or is_famous(author.name)
            or (is_numbered and not gap[0].strip() and is_name(author.name) and not is_name(right))
        )
        if author and is_above and _PLAIN_TITLE.fullmatch(right):
            return Heading(right.strip(), author.name, author.dynasty, certain=author.certain)
    return None


def _is_some_name(text: str) -> bool:
    if text.isalnum():
        return bool(_ANY_NAME.fullmatch(text) or _TITLED_NAME.fullmatch(text))
    return bool(_FOREIGN_NAME.fullmatch(text) or _SEVERAL.fullmatch(text))


def may_be_verse(text: str) -> bool:
    """Return whether ``text`` may be verse on the line of its title: clauses of a few lengths."""
    lengths = [len(part) for part in _CLAUSE_ENDS.split(full_width(text)) if part]
    if num_modern_words(text) * 12 > len(text):
        return False
    return max(lengths, default=99) <= 11 and (
        len(lengths) >= 4 or len(set(lengths)) < len(lengths)
    )


def _is_verse_below(title: str, text: str) -> bool:
    """Return whether ``text`` is regular verse whose clauses are not as long as ``title``."""
    clauses = [len(part) for part in _CLAUSE_ENDS.split(full_width(text)) if part]
    lengths, num_clauses = set(clauses), len(clauses)
    return (
        num_clauses >= 4
        and len(lengths) == 1
        and (num_clauses % 2 == 0 or len(title.strip()) not in lengths)
        and _PLAIN_TITLE.fullmatch(title) is not None
    )
