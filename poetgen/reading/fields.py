"""Which field of a record is the poem, which its title, which its author."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from poetgen.characters import printable

# In order of preference: where two are there, the first one is the poem.
TEXTS = (
    *("paragraphs", "content", "para", "text", "poem", "body", "lines", "verses", "verse"),
    *("正文", "内容", "內容", "原文", "诗文", "詩文", "诗句", "詩句", "诗歌", "詩歌", "诗", "詩"),
)
# The first one that is not empty; a 词 without a title goes by the name of its tune.
_TITLES = (
    *("title", "rhythmic", "chapter", "name"),
    *("题目", "題目", "标题", "標題", "诗题", "詩題", "诗名", "詩名", "题", "題"),
)
_AUTHORS = ("author", "poet", "writer", "作者", "诗人", "詩人")


class Fields(NamedTuple):
    """The names of the fields of one kind of record; ``texts`` has at most one."""

    texts: tuple[str, ...]
    titles: tuple[str, ...]
    authors: tuple[str, ...]


# Millions of records have the same few sets of fields.
@lru_cache(maxsize=256)
def fields_of(names: tuple[str, ...]) -> Fields:
    """Return what each field holds, by its name; case and surrounding blanks do not matter."""
    by_role = {name.strip().lower(): name for name in reversed(names)}

    def known(roles: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(by_role[role] for role in roles if role in by_role)

    return Fields(known(TEXTS)[:1], known(_TITLES), known(_AUTHORS))


def listed(names: tuple[str, ...]) -> str:
    """List names of fields for an error: the first twelve, shortened."""
    shown = [printable(name[:30]) or "''" for name in names[:12]]
    return ", ".join([*shown, "…"] if len(names) > 12 else shown) or "none"
