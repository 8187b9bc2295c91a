"""Learn the tunes (词牌) of 词 from the corpus ``ci``: poetgen/verse/tables/tunes.txt.

    poetgen prepare tang
    poetgen prepare ci --name ci1 --min-count 1
    python -m tools.make_tunes ci1 [--rates]

Of each tune below, the training poems with its commonest line lengths are laid over one another:

- a tone is fixed where at least 85% of the characters with one reading have it;
- two line ends rhyme if three of five poems have there two characters of one division of
  词林正韵, where one pair in ten would by chance; rhyming ends form groups;
- the mark of a line is the commonest one;
- two lines of one length are a couplet (对仗) if their characters go together, place by place,
  at least a third as well as in the middle couplets of Tang 律诗, where 0 is their last couplets.

Where a stanza ends cannot be seen in the corpus: in the middle of a tune of two equal halves,
else where the list below says so. ``--rates`` prints what was close to a threshold.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path

import opencc

from poetgen import load_corpus
from poetgen.characters import HAN
from poetgen.verse.rhymes import rhyme_book

TABLE = Path(__file__).parent.parent / "poetgen" / "verse" / "tables" / "tunes.txt"
TONE_SHARE = 0.85
RHYME_SHARE = 0.6
HEADER = """\
# Tunes (词牌), made by tools/make_tunes.py from the corpus ci (全宋词, chinese-poetry, MIT).
# A tune: its names, simplified/traditional, then a line for each stanza (片). 平 and 仄 are level
# and oblique, 中 is either. A letter marks a rhyme: A level, a oblique; lines with one letter
# rhyme, A with a across the tones. （ ） hold two lines that are usually parallel (对仗).
"""

# Name, aliases, and the lines of the first stanza where the halves differ; 0: one stanza.
TUNES = """
浣溪沙 浣溪纱 小庭花
菩萨蛮 重叠金 子夜歌 4
卜算子 百尺楼 楚天遥
如梦令 忆仙姿 宴桃源 0
蝶恋花 鹊踏枝 凤栖梧
水调歌头 元会曲 凯歌 9
忆江南 望江南 江南好 梦江南 0
渔歌子 渔父 渔父词 0
鹧鸪天 思佳客 半死桐 4
虞美人 玉壶冰
清平乐 忆萝月 醉东风 4
西江月 步虚词
临江仙 谢新恩 庭院深深
浪淘沙 浪淘沙令 卖花声
点绛唇 点樱桃 4
满江红 上江虹 11
念奴娇 百字令 酹江月 大江东去 10
沁园春 洞庭春色 13
采桑子 丑奴儿 罗敷媚
玉楼春 木兰花 惜春容
踏莎行 柳长春
南乡子 好离乡
生查子 楚云深
减字木兰花 减兰 木兰香
长相思 双红豆 忆多娇
相见欢 乌夜啼 上西楼 4
青玉案 横塘路 7
江城子 江神子 村意远
鹊桥仙 鹊桥仙令 金风玉露相逢曲
贺新郎 金缕曲 贺新凉 乳燕飞 13
满庭芳 锁阳台 满庭霜 11
好事近 钓船笛 4
水龙吟 龙吟曲 12
朝中措 照江梅 4
渔家傲
谒金门 空相忆 4
南歌子 南柯子 风蝶令
柳梢青 陇头月 6
诉衷情 诉衷情令 4
阮郎归 醉桃源 碧桃春 4
一斛珠 醉落魄 怨春风 5
忆秦娥 秦楼月 5
定风波 定风流 5
破阵子 十拍子
武陵春 武林春
醉花阴
眼儿媚 秋波媚
少年游 小阑干
苏幕遮 鬓云松令
忆王孙 豆叶黄 阑干万里心 0
行香子
桃源忆故人 虞美人影
霜天晓角 月当窗 5
小重山 小冲山 6
更漏子
永遇乐 消息 12
声声慢 胜胜慢 11
八声甘州 甘州 10
摸鱼儿 买陂塘 迈陂塘 12
"""
_MARKS = {"，": "，", "：": "，", "、": "、", "。": "。", "？": "。", "！": "。", "；": "。"}
_LINE = re.compile(f"([{HAN}]+)([{''.join(_MARKS)}])")

# A poem: its lines, each with the mark after it.
Poem = Sequence[tuple[str, str]]

BOOK = rhyme_book("cilin")


def poems_by_tune(corpus_name: str) -> dict[str, list[Poem]]:
    """Return the training poems of a corpus by the first part of their titles."""
    corpus, found = load_corpus(corpus_name), defaultdict(list)
    for index, about in enumerate(corpus.about("train")):
        name = re.split("[・·（(]", about.title)[0]
        text = corpus.vocabulary.decode(corpus.splits["train"][index])
        found[name].append(_LINE.findall(text))
    return found


def lengths(poem: Poem) -> tuple[int, ...]:
    """Return the number of characters in each line."""
    return tuple(len(line) for line, _ in poem)


def stanzas(poem: Poem) -> Iterator[Poem]:
    """Yield a poem, or each half of one that sings its tune twice."""
    half = len(poem) // 2
    if lengths(poem[:half]) == lengths(poem[half:]):
        yield from (poem[:half], poem[half:])
    else:
        yield poem


def level_share(poems: Sequence[Poem], line: int, place: int) -> float:
    """Return the share of level tones among the characters of one reading at a place."""
    tones = Counter(BOOK.tones_of(poem[line][0][place]) for poem in poems)
    level, oblique = (tones[frozenset({tone})] for tone in ("平", "仄"))
    return level / (level + oblique)


def divisions(char: str) -> set[str]:
    """Return the divisions (部) of all readings of a character."""
    return {BOOK.groups[index].name for index in BOOK.groups_of(char)}


def rhyme_groups(poems: Sequence[Poem], rates: bool) -> list[set[int]]:
    """Return the groups of lines that rhyme, in the order of their first lines."""
    groups: list[set[int]] = []
    for pair in combinations(range(len(poems[0])), 2):
        ends = [[divisions(poem[line][0][-1]) for line in pair] for poem in poems]
        share = sum(bool(one & other) for one, other in ends) / len(ends)
        if rates and 0.3 < share < 0.75:
            print(f"  lines {pair[0] + 1} and {pair[1] + 1} rhyme in {share:.0%}", file=sys.stderr)
        if share > RHYME_SHARE:
            joined = [group for group in groups if group & set(pair)]
            groups = [group for group in groups if group not in joined]
            groups.append(set(pair).union(*joined))
    return sorted(groups, key=min)


class Parallelism:
    """How well two lines go together place by place, learned from Tang 律诗."""

    def __init__(self, corpus_name: str) -> None:
        corpus = load_corpus(corpus_name)
        self.pairs: Counter[str] = Counter()
        self.chars: Counter[str] = Counter()
        middle, last = [], []
        for poems in corpus.splits.values():
            for index in range(len(poems)):
                lines = re.findall(f"[{HAN}]+", corpus.vocabulary.decode(poems[index]))
                if len(lines) == 8 and len(set(map(len, lines))) == 1 and len(lines[0]) in (5, 7):
                    middle += [(lines[2], lines[3]), (lines[4], lines[5])]
                    last.append((lines[6], lines[7]))
        for one, other in middle:
            self.pairs.update(map("".join, zip(one, other, strict=True)))
            self.chars.update(one + other)
        self.total = sum(self.chars.values())
        parallel, plain = (sum(map(self.of, pairs)) / len(pairs) for pairs in (middle, last))
        self.threshold = plain + (parallel - plain) / 3
        print(f"parallel {parallel:.2f}, plain {plain:.2f}", file=sys.stderr)

    def of(self, lines: tuple[str, str]) -> float:
        """Return the mean over the places; what is above ``threshold`` is parallel."""
        one, other = lines
        return sum(self._score(a, b) for a, b in zip(one, other, strict=True)) / len(one)

    def _score(self, a: str, b: str) -> float:
        seen = self.pairs[a + b] + self.pairs[b + a]
        by_chance = self.chars[a] * self.chars[b] / self.total
        return math.log((seen + 1) / (by_chance + 1))


def template(poems: Sequence[Poem], groups: Sequence[set[int]], line: int, rates: bool) -> str:
    """Return the tones of a line, with its letter if it rhymes and with its mark."""
    length = lengths(poems[0])[line]
    letter = "".join(chr(ord("a") + number) for number, one in enumerate(groups) if line in one)
    tones = ""
    for place in range(length):
        level = level_share(poems, line, place)
        needed = 0.5 if letter and place == length - 1 else TONE_SHARE
        tones += "平" if level > needed else "仄" if 1 - level > needed else "中"
        if rates and abs(max(level, 1 - level) - TONE_SHARE) < 0.04:
            print(f"  line {line + 1}, place {place + 1}: level {level:.0%}", file=sys.stderr)
    mark = Counter(_MARKS[poem[line][1]] for poem in poems).most_common(1)[0][0]
    return tones + (letter.upper() if tones[-1] == "平" else letter) + mark


def couplets(poems: Sequence[Poem], parallelism: Parallelism, first: int, rates: bool) -> set[int]:
    """Return the first lines of the couplets of a tune; none goes over the end of a stanza."""
    found: set[int] = set()
    for line, (one, other) in enumerate(pairwise(lengths(poems[0]))):
        if one != other or one < 3 or line + 1 == first:
            continue
        pairs = [(poem[line][0], poem[line + 1][0]) for poem in poems]
        score = sum(map(parallelism.of, pairs)) / len(pairs)
        if rates:
            print(f"  lines {line + 1} and {line + 2}: {score:.2f}", file=sys.stderr)
        if score > parallelism.threshold and line - 1 not in found:
            found.add(line)
    return found


def best_known(poems: Sequence[Poem], is_single: bool) -> list[Poem]:
    """Return the poems with the commonest line lengths."""
    if is_single:
        poems = [part for poem in poems for part in stanzas(poem)]
    shape, count = Counter(map(lengths, poems)).most_common(1)[0]
    print(f"{count} of {len(poems)}: {shape}", file=sys.stderr)
    return [poem for poem in poems if lengths(poem) == shape]


def tune(poems: Sequence[Poem], first: int | None, parallelism: Parallelism, rates: bool) -> str:
    """Return the stanzas of a tune, a line each; ``first`` is the size of the first, if given."""
    shape = lengths(poems[0])
    if first is None:
        first = len(shape) // 2
        assert shape[:first] == shape[first:], "say where the first stanza ends"
    groups = rhyme_groups(poems, rates)
    starts = couplets(poems, parallelism, first, rates)
    lines = []
    for number in range(len(shape)):
        line = template(poems, groups, number, rates)
        lines.append("（" * (number in starts) + line + "）" * (number - 1 in starts))
    return "\n".join("".join(part) for part in (lines[:first], lines[first:]) if part)


def main() -> None:
    """Write the table."""
    corpus_name, rates = sys.argv[1], "--rates" in sys.argv
    found, parallelism = poems_by_tune(corpus_name), Parallelism("tang")
    traditional = opencc.OpenCC("s2t")
    table = [HEADER]
    for row in TUNES.split("\n")[1:-1]:
        names = row.split()
        first = int(names.pop()) if names[-1].isdecimal() else None
        print(names[0], end=" ", file=sys.stderr)
        poems = best_known([poem for name in names for poem in found[name] if poem], first == 0)
        spellings = ("/".join(dict.fromkeys([name, traditional.convert(name)])) for name in names)
        table.append(f"{' '.join(spellings)}\n{tune(poems, first, parallelism, rates)}\n")
    TABLE.write_text("\n".join(table), encoding="utf-8")


if __name__ == "__main__":
    main()
