"""Simplified and traditional characters, by OpenCC and the list of variants."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from poetgen.corpus.variants import fold, groups

if TYPE_CHECKING:
    from opencc import OpenCC


# Between texts: an end of a paragraph, over which no phrase of a dictionary reaches.
_SEPARATOR = "\n\x1e\n"
# OpenCC changes these in phrases alone (深沈 to 深沉).
_CHANGED_IN_PHRASES = "么俱哩坏彷沈甦瞭藉衹覆"


@functools.cache
def _converter(name: str) -> OpenCC:
    # OpenCC reads its dictionaries on construction; imported late because most commands
    # never convert anything.
    from opencc import OpenCC

    return OpenCC(name)


def to_simplified(text: str) -> str:
    """Convert traditional characters and variants to simplified ones, phrase by phrase (繁→简).

    Simplified text is left as it is: ``to_simplified(to_simplified(x)) == to_simplified(x)``.
    """
    return _simplified([text])[0]


def to_traditional(text: str) -> str:
    """Convert simplified characters to traditional ones, phrase by phrase (简→繁)."""
    return str(_converter("s2t").convert(text))


def convert_all(texts: Sequence[str], script: str) -> list[str]:
    """Convert texts to ``script``: ``simplified``, ``traditional``, or ``keep`` as they are.

    One call converts them all, since each call has a price of its own. Texts of alphabets
    are left alone.
    """
    if script == "keep":
        return list(texts)
    return _simplified(texts) if script == "simplified" else _converted(texts, "s2t")


def _simplified(texts: Sequence[str]) -> list[str]:
    simplified = _converted(texts, "t2s")
    # What was written for a character may make a phrase with its neighbours (闇沈沈, 暗沈沈,
    # 暗沉沉), and a phrase that kept one may be gone (宮商角徵, 宫商角徵): go on with the few
    # texts in which that can be, until nothing changes.
    unsettled = [
        i
        for i, (before, after) in enumerate(zip(texts, simplified, strict=True))
        if before != after and _changeable().search(after)
    ]
    if unsettled:
        again = _simplified([simplified[i] for i in unsettled])
        for place, text in zip(unsettled, again, strict=True):
            simplified[place] = text
    return simplified


def _converted(texts: Sequence[str], name: str) -> list[str]:
    converted = _convert(_SEPARATOR.join(texts), name).split(_SEPARATOR)
    if len(converted) != len(texts):
        # A text holds the separator itself.
        return [_convert(text, name) for text in texts]
    return converted


def _convert(text: str, name: str) -> str:
    converted = str(_converter(name).convert(text))
    return fold(converted, "variants") if name == "t2s" else converted


@functools.cache
def _changeable() -> re.Pattern[str]:
    """Return a pattern of the characters that ``to_simplified`` may change."""
    members = "\n".join("".join(groups("classes")))  # one by one, not as phrases
    changed = zip(members, _convert(members, "t2s"), strict=True)
    chars = _CHANGED_IN_PHRASES + "".join(old for old, new in changed if old != new)
    # Only the basic plane is quick to search for one by one; of the others, take all.
    return re.compile(
        f"[{''.join(char for char in chars if ord(char) < 0x10000)}\U00010000-\U0010ffff]"
    )
