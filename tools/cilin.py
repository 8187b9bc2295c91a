"""词林正韵 (1821), the rhyme book of 词: the readings of 平水韵 in 19 divisions (部)."""

from __future__ import annotations

from collections import defaultdict

from poetgen.verse.rhymes import RhymeGroup
from tools.rhyme_sources import GROUP_OF_206, NUMBERS, PINGSHUI_GROUPS

# The rhymes of 广韵 that each division unites. 佳 卦 夬 are parted between the fifth and the tenth;
# 會 is rounded 泰 (rhyme_sources.guangyun_rhymes). The last five divisions are of 入声.
_DIVISIONS = """\
東冬鍾董腫送宋用
江陽唐講養蕩絳漾宕
支脂之微齊灰紙旨止尾薺賄寘至志未霽祭隊廢會
魚虞模語麌姥御遇暮
佳皆咍蟹駭海泰卦怪夬代
真諄臻文欣魂痕軫準吻隱混很震稕問焮慁恨
元寒桓刪山先仙阮旱緩潸產銑獮願翰換諫襇霰線
蕭宵肴豪篠小巧晧嘯笑效号
歌戈哿果箇過
佳麻馬卦夬禡
庚耕清青蒸登梗耿靜迥拯等映諍勁徑證嶝
尤侯幽有厚黝宥候幼
侵寑沁
覃談鹽添嚴咸銜凡感敢琰忝豏檻儼范勘闞豔㮇陷鑑釅梵
屋沃燭
覺藥鐸
質術櫛陌麥昔錫職德緝
物迄月沒曷末黠鎋屑薛葉怗
合盍業洽狎乏
""".splitlines()
_NUM_WITHOUT_ENTERING = 14
_NONE: frozenset[int] = frozenset()

GROUPS = [
    RhymeGroup(f"第{number}部", "平" if tone == "平声" else "仄", f"第{number}部{tone}")
    for index, number in enumerate(NUMBERS[: len(_DIVISIONS)])
    for tone in (("平声", "仄声") if index < _NUM_WITHOUT_ENTERING else ("入声",))
]
_INDEX = {group.title: index for index, group in enumerate(GROUPS)}


_TONES = {"上平": "平声", "下平": "平声", "上声": "仄声", "去声": "仄声", "入声": "入声"}


def _groups_by_rhyme() -> dict[str, set[int]]:
    groups: defaultdict[str, set[int]] = defaultdict(set)
    for number, rhymes in zip(NUMBERS, _DIVISIONS, strict=False):
        for rhyme in rhymes:
            title = PINGSHUI_GROUPS[GROUP_OF_206[rhyme]][0]
            groups[rhyme].add(_INDEX[f"第{number}部{_TONES[title[:2]]}"])
    return groups


_GROUPS_BY_RHYME = _groups_by_rhyme()


def groups_of(pingshui: frozenset[int], rhymes: set[str], listed: frozenset[int]) -> frozenset[int]:
    """Return the groups of a character in 词林正韵.

    Most groups of 平水韵 lie in one division. Where one is parted, the rhyme of the character in
    广韵 decides, if it has one there, and else the book that lists it.

    Args:
        pingshui: Its groups in 平水韵.
        rhymes: Its rhymes in 广韵.
        listed: Its groups in a printed 词林正韵, as far as known.
    """
    return _NONE.union(*(_of_group(group, rhymes, listed) for group in pingshui))


def _of_group(group: int, rhymes: set[str], listed: frozenset[int]) -> set[int] | frozenset[int]:
    united = set(PINGSHUI_GROUPS[group][2])
    groups = _groups_of(united & rhymes or united)
    return groups if len(groups) == 1 else (groups & listed or groups)


def _groups_of(rhymes: set[str]) -> set[int]:
    return set[int]().union(*(_GROUPS_BY_RHYME[rhyme] for rhyme in rhymes))
