"""The rhyme of a syllable of pinyin, by 中华新韵 (2005)."""

from __future__ import annotations

import re
import unicodedata

from poetgen.verse.rhymes import Tone

DIVISIONS = "麻波皆开微豪尤寒文唐庚齐支姑"
_TONES: dict[str, Tone] = {"\u0304": "平", "\u0301": "平", "\u030c": "仄", "\u0300": "仄"}
# The first pattern that a syllable without its tone ends with.
_ENDINGS = [
    ("ang", "唐"),
    ("(ng|ong)", "庚"),
    ("an", "寒"),
    ("[eiuü]n", "文"),
    ("ao", "豪"),
    ("ai", "开"),
    ("[eu]i", "微"),
    ("(ou|iu)", "尤"),
    ("([iuü]e|ye)", "皆"),
    ("er", "齐"),
    ("a", "麻"),
    ("[oe]", "波"),
    ("([zcs]h?|r)i", "支"),
    ("([jqxy]u|ü|i)", "齐"),
    ("u", "姑"),
]


def rhyme_of(syllable: str) -> tuple[str, Tone] | None:
    """Return division and tone of a syllable with its tone mark (lǜ), or None if it has none."""
    letters = unicodedata.normalize("NFD", syllable)
    tones = [_TONES[mark] for mark in letters if mark in _TONES]
    plain = unicodedata.normalize("NFC", re.sub("[\u0300\u0301\u0304\u030c]", "", letters))
    if len(tones) != 1 or not re.fullmatch("[a-zü]*[aeiouü][a-zü]*", plain):
        return None
    division = next((d for ending, d in _ENDINGS if re.search(f"{ending}$", plain)), None)
    return (division, tones[0]) if division else None
