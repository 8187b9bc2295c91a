"""Pinyin over the characters of a poem."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from poetgen.characters import HAN, LINE_MARKS, is_hanzi
from poetgen.terminal import display_width

# Of characters that stand alone, not in a word that pypinyin knows: the reading in old verse,
# where pypinyin's first is modern or rare.
_IN_VERSE = dict(
    re.findall(
        r"(\S)(\S+)",
        "长cháng 为wéi 尽jìn 还huán 重chóng 子zǐ 朝zhāo 沈chén 塞sài 教jiāo 著zhuó 着zhuó 兴xìng "
        "干gān 阙què 那nǎ 罢bà 薄bó 都dū 没mò 咽yè 泊bó 裳cháng 弹tán 卜bǔ 答dá 的dì 了liǎo "
        "勒lè 铺pū 颇pō 鹄hú 佛fó 斗dǒu 什shí 差chā 缝féng 削xuē 给jǐ 溜liù 迹jì 绩jì 阆làng "
        "似sì 槛jiàn 欹qī 攒cuán 莎suō 蹊xī 率shuài 翘qiáo 一yī 不bù",
    )
)
# Changed by the tone that follows, in speech; a poem is annotated without that.
_KEPT_TONES = {"一": "yī", "不": "bù"}
_TONE_MARKS = frozenset("āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜḿńňǹ")
_UNKNOWN = "?"
_HAN_RUN = re.compile(f"[{HAN}]+")
# Where a line of so many characters pauses: no word reaches across.
_CAESURAS = {5: 2, 7: 4}


def readings(simplified: str, traditional: str) -> list[str]:
    """Return the pinyin of each Chinese character of a text, ``?`` where none is known.

    Both scripts are needed, character for character: pypinyin knows words in simplified
    characters, and a traditional character has fewer readings (髮 and 發 are both 发).

    Raises:
        ValueError: the two texts differ in length.
    """
    if len(simplified) != len(traditional):
        raise ValueError("the texts differ in length")
    found: list[str] = []
    for run in _HAN_RUN.finditer(simplified):
        first = run.start()
        for word in _words(run.group()):
            found += _readings_of(word, traditional[first : first + len(word)])
            first += len(word)
    return found


def _words(line: str) -> Iterator[str]:
    from pypinyin.contrib.mmseg import seg

    pause = _CAESURAS.get(len(line), 0)
    for part in (line[:pause], line[pause:]):
        yield from seg.cut(part)


def _readings_of(word: str, traditional: str) -> list[str]:
    if len(word) == 1:
        return [_IN_VERSE.get(word) or _first_reading(traditional) or _alone(word)]
    from pypinyin import pinyin

    spoken = [syllables[0] for syllables in pinyin(word)]
    return [
        _KEPT_TONES.get(char) or (syllable if _TONE_MARKS & {*syllable} else _alone(char))
        for char, syllable in zip(word, spoken, strict=True)
    ]


def _alone(char: str) -> str:
    return _IN_VERSE.get(char) or _first_reading(char) or _UNKNOWN


def _first_reading(char: str) -> str:
    from pypinyin import pinyin

    found = pinyin(char, errors="ignore")
    return found[0][0] if found else ""


class _Cell(NamedTuple):
    """A character with what follows it up to the next one, and its pinyin."""

    syllable: str
    text: str

    @property
    def width(self) -> int:
        return max(display_width(self.syllable), display_width(self.text))


def with_pinyin(lines: Sequence[str], readings: Sequence[str], width: int) -> list[str]:
    """Return rows for a terminal of ``width`` columns: each line of a poem below its pinyin.

    ``readings`` has one syllable for each Chinese character of all lines. Characters of the
    same place stand below each other. Lines that are too long for the terminal are broken where
    a mark stands, and longer ones anywhere.
    """
    syllables = iter(readings)
    rows = [list(_cells(line, syllables)) for line in lines]
    if _total(rows) > width:
        rows = [part for row in rows for part in _at_marks(row)]
    if _total(rows) > width:
        most = max(1, width // (1 + max(cell.width for row in rows for cell in row)))
        rows = [row[at : at + most] for row in rows for at in range(0, len(row) or 1, most)]
    widths = _widths(rows)
    both = ((_joined(row, 0, widths), _joined(row, 1, widths)) for row in rows)
    return [shown for above, text in both for shown in ([above, text] if above else [text])]


def _cells(line: str, syllables: Iterator[str]) -> Iterator[_Cell]:
    for text in re.findall(f"[{HAN}][^{HAN}]*|^[^{HAN}]+", line):
        yield _Cell(next(syllables) if is_hanzi(text[0]) else "", text)


def _at_marks(row: list[_Cell]) -> Iterator[list[_Cell]]:
    part: list[_Cell] = []
    for cell in row:
        part.append(cell)
        if cell.text[-1] in LINE_MARKS:
            yield part
            part = []
    if part or not row:
        yield part


def _widths(rows: list[list[_Cell]]) -> list[int]:
    """Return the columns that each place takes, with one between two places."""
    longest = max(map(len, rows), default=0)
    return [1 + max(row[at].width for row in rows if at < len(row)) for at in range(longest)]


def _total(rows: list[list[_Cell]]) -> int:
    return sum(_widths(rows)) - 1


def _joined(row: list[_Cell], part: int, widths: list[int]) -> str:
    padded = (
        cell[part] + " " * (width - display_width(cell[part]))
        for cell, width in zip(row, widths, strict=False)
    )
    return "".join(padded).rstrip(" ")
