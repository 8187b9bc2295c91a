"""Conversion between simplified and traditional characters: OpenCC and a table of variants."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from poetgen.corpus.variants import fold, groups

if TYPE_CHECKING:
    from opencc import OpenCC


# Put between texts: no phrase of a dictionary reaches across it.
_SEPARATOR = "\n\x1e\n"
# OpenCC changes these only as part of a phrase (深沈 to 深沉).
_CHANGED_IN_PHRASES = "么俱哩坏彷沈甦瞭藉衹覆"


@functools.cache
def _converter(name: str) -> OpenCC:
    # Imported late, because most commands never convert anything.
    from opencc import OpenCC

    return OpenCC(name)


def to_simplified(text: str) -> str:
    """Convert traditional characters and variants to simplified ones, phrase by phrase (繁→简).

    Simplified text is left as it is: ``to_simplified(to_simplified(x)) == to_simplified(x)``.
    """
    return _simplified([text])[0]


def to_traditional(text: str) -> str:
    """Convert simplified characters to traditional ones, phrase by phrase (简→繁)."""
    return _convert(text, "s2t")


def in_both_scripts(text: str) -> tuple[str, str]:
    """Return ``text`` in simplified and in traditional characters.

    Traditional text stays as it is: converted again, 里 (mile) could become 裏 (inside).
    """
    simplified = to_simplified(text)
    return simplified, to_traditional(text) if text == simplified else text


def convert_all(texts: Sequence[str], script: str) -> list[str]:
    """Convert texts to ``script``: ``simplified``, ``traditional``, or ``keep`` as they are.

    OpenCC is called once for all, since each call has a cost of its own. Texts in alphabets
    are left as they are.
    """
    if script == "keep":
        return list(texts)
    return _simplified(texts) if script == "simplified" else _converted(texts, "s2t")


def _simplified(texts: Sequence[str]) -> list[str]:
    simplified = _converted(texts, "t2s")
    # A converted character may form a phrase with its neighbours (闇沈沈, 暗沈沈, 暗沉沉), and a
    # phrase that protected a character may be gone (宮商角徵, 宫商角徵): convert the few texts in
    # which that is possible again, until nothing changes.
    unsettled = {
        place: after
        for place, (before, after) in enumerate(zip(texts, simplified, strict=True))
        if before != after and _changeable().search(after)
    }
    if unsettled:
        again = _simplified(list(unsettled.values()))
        for place, text in zip(unsettled, again, strict=True):
            simplified[place] = text
    return simplified


def _converted(texts: Sequence[str], name: str) -> list[str]:
    converted = _convert(_SEPARATOR.join(texts), name).split(_SEPARATOR)
    if len(converted) != len(texts):
        # A text contains the separator itself.
        return [_convert(text, name) for text in texts]
    return converted


def _convert(text: str, name: str) -> str:
    converted = str(_converter(name).convert(text))
    return fold(converted, "variants") if name == "t2s" else converted


@functools.cache
def _changeable() -> re.Pattern[str]:
    """Return a pattern of the characters that ``to_simplified`` may change."""
    members = "\n".join("".join(groups("classes")))  # characters alone, not phrases
    changed = zip(members, _convert(members, "t2s"), strict=True)
    chars = _CHANGED_IN_PHRASES + "".join(old for old, new in changed if old != new)
    # re is fast only with sets of the basic plane, so all characters of the others are taken.
    basic = "".join(char for char in chars if char < "\U00010000")
    return re.compile(f"[{basic}\U00010000-\U0010ffff]")
