"""From bytes to text: UTF-8, UTF-16, GB18030 or Big5, detected from the bytes themselves."""

from __future__ import annotations

import codecs
import io
import re
from typing import NamedTuple

from poetgen.characters import without_surrogates
from poetgen.errors import SourceError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark is the beginning of this one.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Each with its name in an error.
_CANDIDATES = {
    "utf-8": "UTF-8",
    "gb18030": "GB18030",
    "big5": "Big5",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}
_SAMPLE_BYTES = 2**16
# In the right encoding about half the characters of a Chinese text are common ones; in a
# wrong one they occur by chance, one in fifty.
_MIN_COMMON = 3
_CERTAIN_SHARE = 0.2
_CERTAIN_RATIO = 2.5
_POSSIBLE_SHARE = 0.1
# With these thresholds no line of the Tang poems is taken for one in another encoding.
_FOREIGN_CHARS, _FOREIGN_SHARE, _OWN_SHARE = 8, 0.5, 0.1

# The commonest characters of Tang poems and of modern prose, in both scripts, and marks.
_COMMON = re.compile(
    "[，。？！；：、「」“”《》　"
    "不人一無山風日有雲天來中何上時花水爲月春生年相見心自此長如君知白歸行三作下秋得去在空清是"
    "高夜江明未金門多子處前今道青詩事客千聲家寒玉出落南萬雨入朝遠我路與東飛同地城盡開流深草新"
    "將十思樹成已還可色應別書卷西欲煙石馬誰光五酒身重更聞獨陽向閑海從看古香之望名林雪頭二滿方"
    "情大四難愁老莫衣本能歌龍塵里似後黃紅分當王樓文復遊平舊言亦間氣猶仙到非過華鳥然外葉百起初"
    "意北離松世公九安所神若幾邊國故隨竹夢宮裏吟陰以暮少漢終孤須野坐露醉臺好晚枝者柳臨河逢碧泉"
    "幽關歲波微半問輕霜連小回經留影綠因兩正池无风云来时为见长归门处诗声万远与东飞尽开将树还应"
    "别书烟马谁闻独阳闲从头满难龙尘后黄红当楼复游旧间气犹过华鸟叶离几边国随梦宫阴汉终须台临关"
    "岁问轻连经绿两的了他这个们和说要就会也你对而那于着用法学都现没动面定进部其主样理但只想实"
    "把又很手最由這個們說會對於學現沒動進樣實]"
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ASCII = re.compile(r"[\t\n\r -~]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class Decoded(NamedTuple):
    """A text, and the name of the encoding that it was written in."""

    text: str
    encoding: str


class _Evidence(NamedTuple):
    """How many characters of a text are common ones, of those that differ by encoding."""

    num_common: int
    num_chars: int

    @property
    def share(self) -> float:
        return self.num_common / self.num_chars if self.num_chars else 0.0


def decode(data: bytes, name: str, encoding: str | None = None) -> Decoded:
    """Turn the bytes of the input ``name`` into text.

    A byte order mark decides; then whether the bytes are UTF-8, which hardly happens by
    chance; then the encoding in which they have the common characters of Chinese.
    ``encoding`` overrules all of this.

    Raises:
        SourceError: the bytes are not text, or their encoding is in doubt, or they mix several.
    """
    if encoding is not None:
        return _decode_strictly(data, name, _known_encoding(encoding))
    for mark, marked in _BOMS:
        if data.startswith(mark):
            return _decode_strictly(data, name, marked)
    place = data.find(b"\x00")
    if place < 0:
        try:
            return Decoded(data.decode("utf-8"), "utf-8")
        except UnicodeDecodeError as error:
            place = error.start
            if place > 0 and error.reason == "unexpected end of data":
                raise SourceError(
                    f"{name} ends in the middle of a character; it may be cut off.",
                    "Fetch or save the file again.",
                ) from error
    found = _detect(data, name, place)
    if found in ("gb18030", "big5"):
        _refuse_mixture(data, name, found)
    return _decode_strictly(data, name, found)


def _known_encoding(encoding: str) -> str:
    try:
        known = codecs.lookup(encoding).name
        "a".encode(known)  # which only an encoding of text can do
    except (LookupError, ValueError) as error:
        raise SourceError(
            f"There is no text encoding {encoding!r}.",
            "Give --encoding utf-8, utf-16, gb18030, big5 or another one that Python knows.",
        ) from error
    return known


def _decode_strictly(data: bytes, name: str, encoding: str) -> Decoded:
    """Decode ``data``, or name the first byte that is not valid, and its line."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        wide = encoding.startswith(("utf-16", "utf-32"))  # there, 上 has the byte of a line feed
        text = before.decode(encoding, "replace") if wide else before.decode("latin-1")
        line = text.count("\n") + 1
        raise SourceError(
            f"{name} is not {encoding.upper()} throughout: byte {error.start} (line {line}) "
            "cannot be read.",
            "Save the whole file in one encoding, or name another one with --encoding.",
        ) from error
    except ValueError as error:
        raise SourceError(
            f"{name} is not {encoding.upper()}: {error}.", "Give another --encoding."
        ) from error
    return Decoded(without_surrogates(text.removeprefix("\ufeff")), encoding)


def _detect(data: bytes, name: str, place: int) -> str:
    """Return the encoding of bytes that are not UTF-8 at ``place``, unless it is in doubt."""
    has_nul = data[place] == 0
    evidence = {}
    for encoding in _CANDIDATES:
        wide = encoding.startswith("utf-16")
        if wide or not has_nul:
            # UTF-16 has two bytes a character, counted from the beginning of the file.
            start = 0 if wide else data.rfind(b"\n", 0, place) + 1
            evidence[encoding] = _evidence(data[start : start + _SAMPLE_BYTES], encoding)
    best, second = sorted(evidence, key=lambda encoding: -evidence[encoding].share)[:2]
    certain = max(_CERTAIN_SHARE, _CERTAIN_RATIO * evidence[second].share)
    if evidence[best].num_common >= _MIN_COMMON and evidence[best].share >= certain:
        return best
    if has_nul:
        raise SourceError(
            f"{name} is not a text file: byte {place} is a NUL.",
            "Give a text file with poems, an archive of such files, or an .npz.",
        )
    line = data.count(b"\n", 0, place) + 1
    possible = [one for one in (best, second) if evidence[one].share >= _POSSIBLE_SHARE]
    if "utf-8" in possible:
        raise SourceError(
            f"{name} mixes encodings: it is UTF-8 in part, but byte {place} (line {line}) is not.",
            "Save the whole file in one encoding.",
        )
    known = " or ".join(_CANDIDATES[encoding] for encoding in possible)
    raise SourceError(
        f"{name} is not UTF-8: byte {place} (line {line}) cannot be read"
        + (f"; it could be {known}." if known else ", and no other encoding fits."),
        f"If you know the encoding, give --encoding {' or --encoding '.join(possible) or 'NAME'}.",
    )


def _evidence(data: bytes, encoding: str) -> _Evidence:
    text = data.decode(encoding, "replace")
    num_common = len(_COMMON.findall(text))
    if not encoding.startswith("utf-16"):
        return _Evidence(num_common, len(_NOT_ASCII.findall(text)))
    # Here letters and line breaks are evidence too, for half of their bits are zero.
    num_common += len(_ASCII.findall(text))
    return _Evidence(0 if _CONTROL.search(text) else num_common, len(text))


def _refuse_mixture(data: bytes, name: str, encoding: str) -> None:
    """Ensure that no line makes sense only in another encoding than that of the file."""
    others = [other for other in ("utf-8", "gb18030", "big5") if other != encoding]
    for number, line in enumerate(io.BytesIO(data), start=1):
        if line.isascii() or _evidence(line, encoding).share >= _OWN_SHARE:
            continue
        for other in others:
            found = _evidence(line, other)
            if (
                found.num_chars >= _FOREIGN_CHARS
                and found.share >= _FOREIGN_SHARE
                and "\ufffd" not in line.decode(other, "replace")
            ):
                raise SourceError(
                    f"{name} mixes encodings: line {number} is {_CANDIDATES[other]}, other "
                    f"lines are {_CANDIDATES[encoding]}.",
                    "Save the whole file in one encoding.",
                )
