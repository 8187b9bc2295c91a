"""Learn the tunes (词牌) of 词 from the corpus ``ci``: poetgen/verse/tables/tunes.txt.

    poetgen prepare tang
    poetgen prepare ci --name ci1 --min-count 1
    python -m tools.make_tunes ci1

Of each tune below, the training poems are divided into variants (体), the commonest first. A
variant begins with the poems of the commonest number of characters and tone of the last one: with
that whose tones agree with most others, and those that agree with it and have the commonest lines.
What these teach decides which poems belong to the variant; and those teach it again. Of a variant,

- a tone is fixed where 95% of the characters with one reading have it, with one more seen of
  each tone, so that 18 poems fix the first; it is usual where 85% have it;
- two line ends rhyme if three of four poems have there two characters of one division of
  词林正韵, or of two that Song poets mix, where one pair in six would by chance; rhyming ends
  form groups;
- a character repeats an earlier one if it does in three of four poems;
- the marks are the commonest ones;
- two lines of one length are a couplet (对仗) if their characters go together, place by place,
  at least a third as well as in the middle couplets of Tang 律诗, where 0 is their last couplets.

The commonest needs 4 poems, another a fifth as many as the commonest, or 15, and at least 5. Where
a stanza ends cannot be seen in the corpus: at the middle of a tune of two equal halves, else where
the list below says so; in another variant, at the nearest end of a sentence.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise
from pathlib import Path

import numpy as np
import opencc

from poetgen import load_corpus
from poetgen.characters import HAN
from poetgen.verse.rhymes import rhyme_book
from poetgen.verse.rhyming import MIXED

TABLE = Path(__file__).parent.parent / "poetgen" / "verse" / "tables" / "tunes.txt"
FIXED, USUAL = 0.95, 0.85
RHYME_SHARE = REPEAT_SHARE = 0.75
# Two poems of one tune agree in four of five tones, of two tunes in half.
ALIKE = 0.7
# A poem belongs to a variant if it keeps so many of its tones; the scan recognises it so, too.
KEPT = 0.8
LEAST = 4
HEADER = """\
# Tunes (词牌), made by tools/make_tunes.py from the corpus ci (全宋词, chinese-poetry, MIT).
# A tune: its names, simplified/traditional, then a line for each stanza (片). 平 and 仄 are level
# and oblique, ◒ and ◓ usually level and usually oblique, 中 is either. A letter marks a rhyme: A
# level, a oblique; lines with one letter rhyme, A with a across the tones. （ ） hold two lines
# that are usually parallel (对仗). After 叠 stand the characters, counted from 1, that are usually
# repeated: 20=18, the twentieth is the eighteenth. A name with : is another variant (体).
"""

# Name, aliases, and the characters of each stanza but the last where the halves differ; or = with
# the characters of a tune of one stanza, which poems may sing twice.
TUNES = """
浣溪沙 浣溪纱 小庭花 减字浣溪沙
菩萨蛮 重叠金 子夜歌 24
卜算子 百尺楼 楚天遥
如梦令 忆仙姿 宴桃源 =33
蝶恋花 鹊踏枝 凤栖梧
水调歌头 元会曲 凯歌 水调歌 48
忆江南 望江南 江南好 梦江南 =27
渔歌子 渔父 渔父词 =27
鹧鸪天 思佳客 半死桐 28
虞美人 玉壶冰
清平乐 忆萝月 醉东风 22
西江月 步虚词
临江仙 谢新恩 庭院深深
浪淘沙 浪淘沙令 卖花声
点绛唇 点樱桃 20
满江红 上江虹 47
念奴娇 百字令 酹江月 大江东去 壶中天 49
沁园春 洞庭春色 56
采桑子 丑奴儿 罗敷媚
玉楼春 木兰花 惜春容 木兰花令
踏莎行 柳长春
南乡子 好离乡
生查子 楚云深
减字木兰花 减兰 木兰香
长相思 双红豆 忆多娇
相见欢 乌夜啼 上西楼 18
青玉案 横塘路 33
江城子 江神子 村意远
鹊桥仙 鹊桥仙令 金风玉露相逢曲
贺新郎 金缕曲 贺新凉 乳燕飞 57
满庭芳 锁阳台 满庭霜 48
好事近 钓船笛 22
水龙吟 龙吟曲 52
朝中措 照江梅 24
渔家傲
谒金门 空相忆 21
南歌子 南柯子 风蝶令
柳梢青 陇头月 24
诉衷情 诉衷情令 23
阮郎归 醉桃源 碧桃春 24
一斛珠 醉落魄 怨春风 27
忆秦娥 秦楼月 21
定风波 定风流 30
破阵子 十拍子
武陵春 武林春
醉花阴
眼儿媚 秋波媚
少年游 小阑干
苏幕遮 鬓云松令
忆王孙 豆叶黄 阑干万里心 =31
行香子
桃源忆故人 虞美人影
霜天晓角 月当窗 21
小重山 小冲山 30
更漏子
永遇乐 消息 52
声声慢 胜胜慢 49
八声甘州 甘州 46
摸鱼儿 买陂塘 迈陂塘 摸鱼子 57
一剪梅 一翦梅 玉簟秋
钗头凤 撷芳词 折红英
扬州慢 50
暗香 红情 49
疏影 绿意 54
祝英台近 祝英台 月底修箫谱 37
洞仙歌 洞仙歌令 34
兰陵王 48 42
齐天乐 台城路 五福降中天 51
瑞鹤仙 一捻红 52
木兰花慢 50
汉宫春 47
感皇恩 叠萝花 34
望海潮 53
夜游宫 新念别 29
高阳台 庆春泽 49
解语花 49
瑞龙吟 章台路 27 27
千秋岁 千秋节 35
天仙子
巫山一段云 22
人月圆 24
太常引 25
昭君怨 宴西园
喜迁莺 喜迁莺慢 51
烛影摇红 48
醉蓬莱 雪月交光 47
唐多令 糖多令 南楼令 30
御街行 孤雁儿
捣练子 深院月 =27
十六字令 苍梧谣 归字谣 =16
潇湘神 =27
调笑令 转应曲 宫中调笑 =32
风入松 远山横
最高楼 36
绮罗香 52
花心动 52
玉蝴蝶 玉蝴蝶慢 49
一萼红 54
解连环 望梅 53
夜合花 49
蓦山溪 上阳春
风流子 内家娇 59
画堂春 24
夜行船 明月棹孤舟
杏花天 27
一落索 洛阳春
恋绣衾 27
桂枝香 疏帘淡月 49
惜分飞 25
酒泉子 23
锦堂春 乌夜啼 圣无忧 24
六州歌头 71
摊破浣溪沙 山花子
一丛花 39
天香 51
东风第一枝 50
凤凰台上忆吹箫 忆吹箫 49
何满子 河满子
忆旧游 51
应天长 49
长亭怨慢 长亭怨 48
六么令 六幺令 46
归朝欢 52
渡江云 51
宴清都 52
绛都春 50
三姝媚 50
玉漏迟 47
燕山亭 宴山亭 50
西河 33 36
莺啼序 49 51 71
多丽 绿头鸭 74
"""
_MARKS = {"，": "，", "：": "，", "、": "、", "。": "。", "？": "。", "！": "。", "；": "。"}
_SIGN = {"平": 1, "◒": 1, "仄": -1, "◓": -1, "中": 0}
_LINE = re.compile(f"([{HAN}]+)([{''.join(_MARKS)}])")

Lines = Sequence[tuple[str, str]]

BOOK = rhyme_book("cilin")
_LEVEL = {frozenset("平"): 1, frozenset("仄"): -1}


class Poem:
    """A poem: its characters, and the mark (，、。) at each place where a line ends."""

    def __init__(self, lines: Sequence[tuple[str, str]]) -> None:
        self.chars = "".join(line for line, _ in lines)
        ends = accumulate(len(line) for line, _ in lines)
        self.marks = {end: _MARKS[mark] for end, (_, mark) in zip(ends, lines, strict=True)}
        # 1 where a character is level, -1 where it is oblique, 0 where it may be both.
        self.tones = np.array([_LEVEL.get(BOOK.tones_of(char), 0) for char in self.chars])


def poems_by_tune(corpus_name: str) -> dict[str, list[Lines]]:
    """Return the lines of the training poems of a corpus by the first part of their titles."""
    corpus, found = load_corpus(corpus_name), defaultdict(list)
    for index, about in enumerate(corpus.about("train")):
        name = re.split("[・·（(]", about.title)[0]
        if lines := _LINE.findall(corpus.vocabulary.decode(corpus.splits["train"][index])):
            found[name].append(lines)
    return found


def as_poems(lines: Lines, size: int | None) -> Iterator[Poem]:
    """Yield a poem, or each half of one that sings a tune of ``size`` characters twice."""
    half = len(lines) // 2
    parts = lines[:half], lines[half:]
    if size and all(sum(len(line) for line, _ in part) == size for part in parts):
        yield from map(Poem, parts)
    else:
        yield Poem(lines)


@dataclass(frozen=True)
class Variant:
    """A variant (体) of a tune, and the poems that it was learned from.

    ``ends`` are the places where lines end, ``tones`` the symbols of the table, ``groups`` the
    ends that rhyme with each other.
    """

    poems: Sequence[Poem]
    ends: tuple[int, ...]
    tones: str
    groups: Sequence[set[int]]

    @property
    def size(self) -> int:
        """The number of characters."""
        return len(self.tones)

    def has(self, poem: Poem) -> bool:
        """Return whether a poem belongs to the variant."""
        if len(poem.chars) != self.size or not poem.marks.keys() >= set().union(*self.groups):
            return False
        wanted = np.array([_SIGN[symbol] for symbol in self.tones])
        right, wrong = (int((poem.tones * wanted == sign).sum()) for sign in (1, -1))
        return poem.tones[-1] * wanted[-1] >= 0 and right >= KEPT * (right + wrong)


def learn(poems: Sequence[Poem]) -> Variant:
    """Return what poems of one number of characters have in common."""
    ends = commonest_ends(poems)
    groups = rhyme_groups(poems, ends)
    rhymed = set().union(*groups)
    tones = np.array([poem.tones for poem in poems])
    symbols = "".join(
        symbol_of(int((column == 1).sum()), int((column == -1).sum()), place in rhymed)
        for place, column in enumerate(tones.T, start=1)
    )
    return Variant(poems, ends, symbols, groups)


def commonest_ends(poems: Sequence[Poem]) -> tuple[int, ...]:
    """Return the places where the lines of most poems end."""
    return Counter(tuple(poem.marks) for poem in poems).most_common(1)[0][0]


def symbol_of(level: int, oblique: int, rhymes: bool) -> str:
    """Return the symbol of a place with so many level and oblique characters."""
    most, known = max(level, oblique), level + oblique
    is_level = level > oblique
    if rhymes or (most + 1) / (known + 2) >= FIXED:
        return "平" if is_level else "仄"
    if known and most / known >= USUAL:
        return "◒" if is_level else "◓"
    return "中"


def rhyme_groups(poems: Sequence[Poem], ends: Sequence[int]) -> list[set[int]]:
    """Return the groups of line ends that rhyme, in the order of their first lines."""
    at = [{end: divisions(poem.chars[end - 1]) for end in ends} for poem in poems]
    groups: list[set[int]] = []
    for one, other in combinations(ends, 2):
        same = sum(bool(found[one] & found[other]) for found in at)
        # Of few poems all, since there are many pairs.
        if same > RHYME_SHARE * (len(poems) + 1):
            joined = [group for group in groups if group & {one, other}]
            groups = [group for group in groups if group not in joined]
            groups.append({one, other}.union(*joined))
    for end in set(ends).difference(*groups):
        for group in groups:
            # It rhymes with most of a group.
            same = sum(2 * sum(bool(f[end] & f[one]) for one in group) > len(group) for f in at)
            if same >= RHYME_SHARE * len(poems):
                group.add(end)
                break
    return sorted(groups, key=min)


def divisions(char: str) -> set[str]:
    """Return the divisions (部) of all readings of a character, and those mixed with them."""
    names = {BOOK.groups[index].name for index in BOOK.groups_of(char)}
    return names.union(*(mixed for mixed in MIXED if mixed & names))


def variants(poems: Sequence[Poem], size: int | None, only_first: Set[Poem]) -> Iterator[Variant]:
    """Yield the variants of a tune, the commonest first, or first that of ``size`` characters.

    The poems of ``only_first`` belong to the first variant, or to none.
    """
    rest = list(poems)
    while rest:
        kinds = Counter((len(poem.chars), poem.tones[-1]) for poem in rest if poem.tones[-1])
        kinds = Counter({one: num for one, num in kinds.items() if one[0] == (size or one[0])})
        size = None
        if not kinds:
            return
        kind = kinds.most_common(1)[0][0]
        core = alike([poem for poem in rest if (len(poem.chars), poem.tones[-1]) == kind])
        ends = commonest_ends(core)
        core = [poem for poem in core if tuple(poem.marks) == ends]
        found = learn(core)
        for _ in range(3):
            found = learn([poem for poem in rest if found.has(poem)] or core)
        yield found
        seen = {*found.poems, *core, *only_first}
        rest = [poem for poem in rest if poem not in seen]


def alike(poems: Sequence[Poem]) -> list[Poem]:
    """Return the poem whose tones agree with most others, and the poems that agree with it."""
    tones = np.array([poem.tones for poem in poems])
    same, known = tones @ tones.T, abs(tones) @ abs(tones).T
    shares = (same + known) / (2 * np.maximum(known, 1))
    middle = shares[shares.sum(axis=0).argmax()]
    return [poem for poem, share in zip(poems, middle, strict=True) if share >= ALIKE]


def repeats(poems: Sequence[Poem]) -> dict[int, int]:
    """Return the places that repeat an earlier one, and the nearest such, counted from 1."""
    found = {}
    for before, place in combinations(range(len(poems[0].chars)), 2):
        same = sum(poem.chars[before] == poem.chars[place] for poem in poems)
        if (same + 1) / (len(poems) + 2) >= REPEAT_SHARE:
            found[place + 1] = before + 1
    return dict(sorted(found.items()))


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


def couplets(
    variant: Variant, spans: Sequence[tuple[int, int]], breaks: set[int], parallelism: Parallelism
) -> set[int]:
    """Return the first lines of the couplets of a tune; none goes over the end of a stanza."""
    found: set[int] = set()
    for line, (one, other) in enumerate(pairwise(spans)):
        size = one[1] - one[0]
        if size != other[1] - other[0] or size < 3 or one[1] in breaks:
            continue
        pairs = [(poem.chars[slice(*one)], poem.chars[slice(*other)]) for poem in variant.poems]
        score = sum(map(parallelism.of, pairs)) / len(pairs)
        if score > parallelism.threshold and line - 1 not in found:
            found.add(line)
    return found


def stanza_ends(variant: Variant, wanted: Sequence[float]) -> set[int]:
    """Return the ends of sentences nearest to the places wanted."""
    closed = [end for end in variant.ends if commonest_mark(variant.poems, end) == "。"]
    return {min(closed, key=lambda end: abs(end - place)) for place in wanted}


def commonest_mark(poems: Sequence[Poem], end: int) -> str:
    """Return the commonest mark of the poems that end a line at a place."""
    return Counter(poem.marks[end] for poem in poems if end in poem.marks).most_common(1)[0][0]


def rows(variant: Variant, breaks: set[int], parallelism: Parallelism) -> str:
    """Return the stanzas of a variant, a line each, and what it repeats."""
    spans = list(pairwise((0, *variant.ends)))
    starts = couplets(variant, spans, breaks, parallelism)
    text = ""
    for number, (start, end) in enumerate(spans):
        tones = variant.tones[start:end]
        letter = "".join(
            chr(ord("a") + index) for index, one in enumerate(variant.groups) if end in one
        )
        text += "（" * (number in starts) + tones
        text += (letter.upper() if tones[-1] == "平" else letter) + commonest_mark(
            variant.poems, end
        )
        text += "）" * (number - 1 in starts) + "\n" * (end in breaks)
    if found := repeats(variant.poems):
        text += "\n叠 " + " ".join(f"{place}={before}" for place, before in found.items())
    return text


def label(variant: Variant, first: Variant) -> str:
    """Return what tells a variant from the first of its tune: 仄韵, 85字."""
    size = f"{variant.size}字" * (variant.size != first.size)
    rhyme = f"{variant.tones[-1]}韵" * (variant.tones[-1] != first.tones[-1])
    return size + rhyme


def main() -> None:
    """Write the table."""
    found, parallelism = poems_by_tune(sys.argv[1]), Parallelism("tang")
    traditional = opencc.OpenCC("s2t")
    table = [HEADER]
    lists = [row.split() for row in TUNES.split("\n")[1:-1]]
    owners = Counter(name for names in lists for name in names)
    for names in lists:
        numbers = [names.pop() for name in names[::-1] if re.fullmatch(r"=?\d+", name)][::-1]
        size = int(numbers.pop()[1:]) if numbers and numbers[0][0] == "=" else None
        by_name = {
            name: [poem for lines in found[name] for poem in as_poems(lines, size)]
            for name in names
        }
        poems = [poem for name in names for poem in by_name[name]]
        # What another tune of one of the names has is no variant of this one.
        shared = {poem for name in names if owners[name] > 1 for poem in by_name[name]}
        labels: dict[str, Variant] = {}
        for variant in variants(poems, size, shared):
            first = next(iter(labels.values()), variant)
            num = len(variant.poems)
            if num < (LEAST if variant is first else max(LEAST + 1, min(15, len(first.poems) / 5))):
                break
            ends = [*accumulate(map(int, numbers))] or [variant.size / 2] * (size != variant.size)
            breaks = stanza_ends(variant, [end * variant.size / first.size for end in ends])
            if variant is first and numbers and sorted(breaks) != ends:
                print(f"  {names[0]}: no stanza ends at {ends}, but {breaks}", file=sys.stderr)
            name = label(variant, first)
            if name in labels or (not name and labels):
                name += f"格{'二三四五六七'[len(labels) - 1]}"
            print(f"{names[0]}{name and ':'}{name} {num} of {len(poems)}", file=sys.stderr)
            labels[name] = variant
            spellings = [f"{one}:{name}" if name else one for one in names]
            heads = ("/".join(dict.fromkeys([one, traditional.convert(one)])) for one in spellings)
            table.append(f"{' '.join(heads)}\n{rows(variant, breaks, parallelism)}\n")
        if not labels:
            print(f"{names[0]}: too few, {len(poems)}", file=sys.stderr)
    TABLE.write_text("\n".join(table), encoding="utf-8")


if __name__ == "__main__":
    main()
