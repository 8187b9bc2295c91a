"""From what a source writes about a poem to its title, author and dynasty.

The rules are those of editions, of scrapers and of people: notes in brackets, numbers of a list
or of a series, labels, marks around a title, a dynasty beside the author. What is not known,
also if the source says so (佚名, 不详), is the empty string.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from poetgen.characters import full_width, hanzi_only, without_surrogates
from poetgen.corpus.cleaning import without_invisible, without_notes
from poetgen.names import DYNASTIES

_BASIC_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff"
# Editors and scrapers write ○ for 〇.
_NUMERALS = "一二三四五六七八九十百千廿卅零〇○"

# Most titles, which the rules below would leave as they are; and most of the others.
_PLAIN = re.compile(f"[{_BASIC_HAN}]++(?<![{_NUMERALS}序引叙敘无無题題知详詳考])")
_PLAIN_PART = re.compile(
    f"([{_BASIC_HAN}]+(?: [{_BASIC_HAN}]+)*)(?<![序引叙敘]) +其?([{_NUMERALS}]+)"
)

_WIDTHS = str.maketrans(
    {
        code: chr(code - 0xFEE0)
        for first, last in ("09", "AZ", "az")
        for code in range(ord(first) + 0xFEE0, ord(last) + 0xFEE1)
    }
    | {"〔": "（", "〕": "）", "・": "·", "•": "·", "‧": "·", "∙": "·", "･": "·"}
)
_LABEL = re.compile(r"(?:题目|題目|标题|標題|诗题|詩題|诗名|詩名|篇名|题|題)\s*[:：]\s*")
# 12. or 3、 or 一、, but not 三、四月
_LIST_NUMBER = re.compile(rf"(?:\d{{1,5}}\s*[.．、)）]|[{_NUMERALS}]+、(?![{_NUMERALS}]))\s*")
# 《秋兴》八首（其一）: marks around a title, and what may follow it.
_MARKED = re.compile(
    "[《【〈「『“‘\"']([^《》【】〈〉「」『』“”‘’\"']+)[》】〉」』”’\"']"
    rf"(\s*(?:[{_NUMERALS}\d]+首)?\s*(?:[（(].*[)）])?\s*(?:[其之]?[{_NUMERALS}]+)?)"
)
# （二首） and （其一） are no notes, nor is a title that is all in brackets.
_COUNT = re.compile(rf"[（(]\s*([{_NUMERALS}\d]+[首章篇])\s*[)）]")
_PART = re.compile(rf"[（(]\s*([其之]?[{_NUMERALS}]+|其\d+|[上中下])\s*[)）]")
_IN_BRACKETS = re.compile(r"[（(]([^（）()]+)[)）]")
_BRACKET = re.compile(r"[（）()〖〗【】〈〉\[\]［］]")
_UNCLOSED = re.compile(r"(?<=.)[（(〖【〈\[［].*")
# {口馬}, ⿰木養, or a character of a private font: one that cannot be written.
_UNWRITABLE = re.compile(
    r"\{[^{}]*\}|[\u2ff2\u2ff3]...|[\u2ff0-\u2fff]..|[\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]"
)
_FOOTNOTE = re.compile("[①-⑳⑴-⒇¹²³⁰⁴-⁹*＊]")
_WITH_PREFACE = re.compile(r"\s*[并並幷竝][序引叙敘](?=\s|$)")
_ZERO = re.compile(rf"(?<=[{_NUMERALS}])○")
# 秋兴八首之一, 秋兴其一, 秋兴 一
_LAST_PART = re.compile(rf"(.+?)(?: +其?|其|(?<=[首章篇]) *[其之])([{_NUMERALS}]+)")
_OUTER_MARKS = "，。、；：:·-—_ "

_AUTHOR_LABEL = re.compile(r"(?:作\s*者|作家|[诗詩词詞]人|by)\s*[:：]\s*|by\s+", re.IGNORECASE)
_NAME_SEPARATOR = re.compile(r"\s*[,，;；/&]\s*")

_DYNASTY = rf"(?:(?:{DYNASTIES})[代朝]?)"
_OPEN, _CLOSE = r"[（(\[［【〖〈]\s*", r"\s*[)）\]］】〗〉]"
_DYNASTY_FIRST = re.compile(
    rf"(?:{_OPEN}({_DYNASTY}){_CLOSE}\s*|({_DYNASTY})\s*[·:：/|]\s*|({_DYNASTY}(?<=代)|{_DYNASTY}\s+)(?=\S\S))(.+)"
)
_DYNASTY_LAST = re.compile(rf"(.+?)\s*(?:{_OPEN}({_DYNASTY}){_CLOSE}|[·/|]\s*({_DYNASTY}))")
_DYNASTY_LABEL = re.compile(r"(?:朝代|年代|[时時]代)\s*[:：]\s*")
# 唐代, 唐朝; but 五代, 南朝 and 现代 are whole.
_DYNASTY_ENDING = re.compile("(?<=.)(?<![五六南北近现現当當古时時])(?:王朝|[代朝])$")
_ENGLISH_DYNASTIES = dict(
    zip(
        ("qin", "han", "wei", "jin", "sui", "tang", "song", "liao", "yuan", "ming", "qing"),
        "秦汉魏晋隋唐宋辽元明清",
        strict=True,
    )
)

_NOTHING = frozenset({"无", "無", "未知", "不详", "不詳", "待考", "null", "none", "nan", "n/a"})
_NO_TITLE = _NOTHING | {"无标题", "無標題", "untitled"}
# 郊庙朝会歌辞 is the heading under which the Song collection has the hymns of the court.
_NO_AUTHOR = _NOTHING | {
    *("佚名", "无名氏", "無名氏", "无名", "無名", "匿名", "失名", "阙名", "闕名", "缺名", "亡名氏"),
    *("作者不详", "作者不詳", "作者未知", "作者佚名", "anonymous", "anon", "unknown", "anon."),
    *("郊庙朝会歌辞", "郊廟朝會歌辭"),
}


def clean_title(title: str) -> str:
    """Return a title without notes, numbers of a list and marks around it.

    A part of a series is written 其一 after a blank: 秋兴八首（之一） is 秋兴八首 其一.
    """
    if _PLAIN.fullmatch(title):
        return title
    if part := _PLAIN_PART.fullmatch(title):
        return _part_of(part)
    title = _tidy(title)
    if not hanzi_only(title):
        return "" if title.casefold() in _NO_TITLE or not title.strip("□ ") else title
    title = _LIST_NUMBER.sub("", _LABEL.sub("", title, count=1), count=1)
    title = _without_brackets(_unmarked(title))
    title = _ZERO.sub("〇", full_width(_FOOTNOTE.sub("", title)))
    title = _WITH_PREFACE.sub("", title)
    title = " ".join(title.split()).strip(_OUTER_MARKS)
    if part := _LAST_PART.fullmatch(title):
        title = _part_of(part)
    return "" if title in _NO_TITLE or not title.strip("□ ") else title


# Of whole collections, so many; each file of one has the same poets again.
@functools.lru_cache(maxsize=1 << 14)
def clean_origin(author: str, dynasty: str = "") -> tuple[str, str]:
    """Return an author and a dynasty, which may be written beside the name: [唐] 李白."""
    author = _AUTHOR_LABEL.sub("", _tidy(author), count=1)
    beside = ""
    if match := _DYNASTY_FIRST.fullmatch(author):
        *dynasties, author = match.groups()
        beside = next(filter(None, dynasties))
    elif match := _DYNASTY_LAST.fullmatch(author):
        author, *dynasties = match.groups()
        beside = next(filter(None, dynasties))
    if hanzi_only(author):
        author = _without_brackets(_unmarked(author))
        # 王炎2: the second of two poets of one name.
        author = _FOOTNOTE.sub("", author).strip(_OUTER_MARKS).rstrip("0123456789")
        author = _NAME_SEPARATOR.sub("、", author)
        parts = author.split()
        # 李 白 is one name, 道镜 善导 are two.
        author = ("" if all(len(part) == 1 for part in parts) else "、").join(parts)
    is_known = author.casefold() not in _NO_AUTHOR and author.strip("□、…")
    return (author if is_known else ""), clean_dynasty(dynasty) or clean_dynasty(beside)


def clean_dynasty(dynasty: str) -> str:
    """Return the short name of a dynasty: 唐 for 唐代, 唐朝, [唐] and Tang dynasty."""
    dynasty = _DYNASTY_LABEL.sub("", _tidy(dynasty), count=1).strip("（）()[]［］【】〖〗〈〉《》 ")
    english = dynasty.casefold().removesuffix("dynasty").strip()
    if not hanzi_only(dynasty):
        return "" if english in _NOTHING else _ENGLISH_DYNASTIES.get(english, dynasty)
    dynasty = re.sub(r"[\s·]", "", _without_brackets(dynasty)).strip(_OUTER_MARKS)
    dynasty = _DYNASTY_ENDING.sub("", dynasty)
    return "" if dynasty in _NOTHING else dynasty


def _tidy(text: str) -> str:
    """Return ``text`` with single blanks and nothing that is invisible, in usual widths."""
    text = unicodedata.normalize("NFC", without_invisible(without_surrogates(text)))
    return " ".join(text.translate(_WIDTHS).split())


def _unmarked(title: str) -> str:
    match = _MARKED.fullmatch(title)
    return match[1] + match[2] if match else title


def _without_brackets(text: str) -> str:
    """Remove notes, and leave one mark □ for each character that cannot be written."""
    text = _UNWRITABLE.sub("□", text)
    if not _BRACKET.search(text):
        return text
    if whole := _IN_BRACKETS.fullmatch(text):
        return whole[1]
    text = without_notes(_PART.sub(r" \1", _COUNT.sub(r"\1", text)))
    return _BRACKET.sub("", _UNCLOSED.sub("", text))


def _part_of(match: re.Match[str]) -> str:
    return f"{match[1]} 其{match[2].replace('○', '〇')}"
