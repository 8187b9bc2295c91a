"""The seasons of a poem: what of it belongs to another season than the rest, or than its title.

A sign of a season is a character that the Tang poets hardly ever write in some of the others: of
their 5,700 poems with one season in the title, 萤 stands in 3% of those of autumn and in 0.2% of
those of spring. Where a sign may not stand, it is less than 0.4 times as common as where it is most
common (tests/verse/test_seasons.py counts them).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence

SEASONS = "春夏秋冬"
# Springs and autumns are years, and the annals of a state.
_YEARS = "春秋"
_SIGNS = {
    "春": "春莺杏絮桃燕蝶梅雪冰雁暖韶牡",
    "夏": "夏莺荷蝉暑炎萤蟋虫簟凉燕蝶梅冰",
    "秋": "秋荷蝉蛩砧杵菊萸萤蟋虫簟凉霜雁燕蝶",
    "冬": "冬雪冰腊梅霜雁炉暖絮",
}
# In which seasons each sign may stand.
SEASONS_OF = {
    sign: frozenset(season for season, signs in _SIGNS.items() if sign in signs)
    for sign in "".join(_SIGNS.values())
}
# Words of lines that are of one season.
_WORDS = {"三月": "春", "寒食": "春", "清明": "春"} | dict.fromkeys(
    ("七月", "八月", "九月", "七夕", "重阳", "九日"), "秋"
)
# The days and the weather that tell of what season a title is.
_IN_TITLES = {
    "春": ("春", "寒食", "清明", "上巳", "元日", "人日", "上元", "社日"),
    "夏": ("夏", "端午", "伏日", "苦热", "避暑", "暑"),
    "秋": ("秋", "七夕", "中秋", "重阳", "重九", "九日"),
    "冬": ("冬", "除夕", "除夜", "岁暮", "岁除", "岁夜", "守岁", "腊", "雪"),
}


def seasons_of_title(title: str) -> frozenset[str]:
    """Return the seasons that a title names or tells by a feast; none if it is of no season."""
    title = title.replace(_YEARS, "")
    return frozenset(
        season for season, words in _IN_TITLES.items() if any(word in title for word in words)
    )


def count_colliding(lines: Sequence[str], seasons: Collection[str] = ()) -> int:
    """Return how many different signs and words in lines (句) cannot stand in a poem's season.

    It is the one of ``seasons``, or of all if there are none, in which the most of them can.
    """
    chars = frozenset("".join(line.replace(_YEARS, "") for line in lines))
    found: list[Container[str]] = [SEASONS_OF[sign] for sign in chars & SEASONS_OF.keys()]
    found += [season for word, season in _WORDS.items() if any(word in line for line in lines)]
    return min(sum(season not in each for each in found) for season in seasons or SEASONS)
