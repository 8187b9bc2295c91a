"""Which field of a record is the poem, its title, its author, its dynasty, by their names."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from poetgen.characters import printable


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# In order of preference: where two are there, the first one is the poem.
TEXTS = _names(
    "paragraphs content para text poem body lines verses verse"
    " 正文 内容 內容 原文 诗文 詩文 诗句 詩句 诗歌 詩歌 诗 詩 poem_text poem_content poem_body"
    " contents 诗词 詩詞 诗词内容 诗歌内容 cont line sentence 句子 句 stanzas"
    " rendered"  # WordPress's
)
# Of these each holds several parts of one poem.
PARTS = _names("lines verses stanzas")
# The first one that is not empty; a 词 without a title goes by the name of its tune.
_TITLES = _names(
    "title rhythmic chapter name 题目 題目 标题 標題 诗题 詩題 诗名 詩名 题 題 poem_title poem_name"
    " 篇名 作品 作品名 作品名称 词牌 詞牌 词牌名 詞牌名 名称 名稱 name_str 名字 篇目 诗篇名"
)
_AUTHORS = _names(
    "author poet writer 作者 诗人 詩人 author_name poet_name poem_author author_info poet_info"
    " 词人 詞人 authors 作家 姓名"
)
_DYNASTIES = _names("dynasty chaodai 朝代 dynasty_name era poem_dynasty 年代 时代 時代")
# What a name may have besides: blanks, signs, a remark in brackets.
_JOINTS = re.compile(r"[\s_:：*-]+|[（(\[【].*")
# A text in several fields: line1, line2, 第一句, 第二句, 上阕, 下阕.
_PART = re.compile(
    r"(?:line|verse|sentence|content|text|paragraph|句|诗句|詩句|内容)\d{1,3}"
    r"|第[一二三四五六七八九十]{1,3}[句行联聯]|[首颔頷颈頸尾]联|[首頷頸尾]聯|[上下][阕闋片联聯]"
)


class Fields(NamedTuple):
    """The names of the fields of one kind of record.

    ``texts`` has one name, or those of the parts of a poem in their order; of the others the
    first one that is not empty counts.
    """

    texts: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    dynasties: tuple[str, ...] = ()


# Millions of records have the same few sets of fields.
@lru_cache(maxsize=256)
def fields_of(names: tuple[str, ...]) -> Fields:
    """Return what each field holds, by its name; Poem Title, poemTitle and poem_title are one."""
    by_role = {plain_name(name): name for name in reversed(names)}

    def known(roles: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(by_role[role] for role in map(plain_name, roles) if role in by_role)

    parts = tuple(name for name in names if _PART.fullmatch(plain_name(name)))
    texts = known(TEXTS)[:1] or (parts if len(parts) > 1 else ())
    return Fields(texts, known(_TITLES), known(_AUTHORS), known(_DYNASTIES))


def plain_name(name: str) -> str:
    """Return the name of a field without case, blanks, signs and a remark in brackets."""
    return _JOINTS.sub("", name).lower()


def listed(names: tuple[str, ...]) -> str:
    """List names of fields for an error: the first twelve, shortened."""
    shown = [printable(name[:30]) or "''" for name in names[:12]]
    return ", ".join([*shown, "…"] if len(names) > 12 else shown) or "none"
