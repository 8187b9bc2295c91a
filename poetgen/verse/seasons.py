"""The seasons of a poem: what of it belongs to another season than the rest, or than its title.

A sign of a season is a character that the Tang poets hardly ever write in some of the others: of
their 5,700 poems with one season in the title, 萤 stands in 3% of those of autumn and in 0.2% of
those of spring. Where a sign may not stand, it is less than 0.4 times as common as where it is most
common (tests/verse/test_seasons.py counts them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SEASONS = "春夏秋冬"
# Springs and autumns are years, and the annals of a state.
_YEARS = "春秋"
_SIGNS = {
    "春": "春莺杏絮桃燕蝶梅雪冰雁暖韶",
    "夏": "夏莺荷蝉暑炎萤蟋簟凉燕蝶梅冰",
    "秋": "秋荷蝉蛩砧杵菊萸萤蟋簟凉霜雁燕蝶",
    "冬": "冬雪冰腊梅霜雁炉暖絮",
}
# In which seasons each sign may stand.
SEASONS_OF = {
    sign: frozenset(season for season, signs in _SIGNS.items() if sign in signs)
    for sign in "".join(_SIGNS.values())
}
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


def count_colliding(lines: Sequence[str], seasons: Iterable[str] = ()) -> int:
    """Return how many different signs in lines (句) cannot stand in the season of the poem.

    It is the one of ``seasons``, or of all if there are none, in which the most of them can.
    """
    chars = frozenset("".join(line.replace(_YEARS, "") for line in lines))
    found = [SEASONS_OF[sign] for sign in chars & SEASONS_OF.keys()]
    return min(sum(season not in each for each in found) for season in seasons or SEASONS)
