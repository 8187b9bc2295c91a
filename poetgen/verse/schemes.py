"""The forms of verse as a writer has to keep them: lines, marks, rhymes, tones."""

from __future__ import annotations

import re
from dataclasses import dataclass

from poetgen.config import RhymeBookName, Tones
from poetgen.errors import SettingError
from poetgen.places import did_you_mean
from poetgen.verse.forms import FORMS, FREE
from poetgen.verse.tones import OPENINGS, expand, regulated
from poetgen.verse.tunes import Tune, find_tune, tunes


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to write a form: which lines rhyme, and its tones.

    ``rhymes`` has a letter for each line, or "": lines with the same letter rhyme; "a" rhymes
    with "A" in the other tone (平仄通叶). ``tones`` are the patterns of parts that follow each
    other, couplets or lines; together they have a tone for each character. Without tones it is
    empty.
    """

    rhymes: tuple[str, ...]
    tones: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A form of verse: the length of its lines, the marks after them, its schemes.

    A mark is ， or 、 inside a sentence and 。 at its end. ``stanzas`` are the numbers of lines
    (片) of which it consists, ``couplets`` the indices of lines that are usually parallel with
    the next (对仗). In a tune of 词 a small letter marks an oblique rhyme and a capital a level
    one. ``repeats`` are pairs of characters, counted from 0 without marks, of which the second
    is usually the same as the first (叠句).
    """

    name: str
    line_lengths: tuple[int, ...]
    marks: str
    schemes: tuple[Scheme, ...]
    stanzas: tuple[int, ...] = ()
    book: RhymeBookName = "pingshui"
    couplets: tuple[int, ...] = ()
    repeats: tuple[tuple[int, int], ...] = ()

    @property
    def tune(self) -> str:
        """The name of a tune of 词, without that of its variant; empty for any other form."""
        return self.name.partition(":")[0] if self.stanzas else ""

    @property
    def num_chars(self) -> int:
        """The characters of a poem, without marks."""
        return sum(self.line_lengths)

    @property
    def line_of(self) -> tuple[int, ...]:
        """The index of the line of each character."""
        return tuple(line for line, length in enumerate(self.line_lengths) for _ in range(length))


def regulated_form(name: str, num_lines: int, length: int, tones: Tones = "strict") -> Form:
    """Return a form of regulated verse: 绝句, 律诗 or 排律, its even lines rhyming.

    Whether the first line rhymes follows from how it ends.
    """
    rhymes = ("", "A") * (num_lines // 2)
    if tones == "off":
        schemes = [Scheme(rhymes)]
    else:
        schemes = [
            Scheme(
                rhymes if opening[0].islower() else ("A", *rhymes[1:]),
                regulated(opening, num_lines, length, tones),
            )
            for opening in OPENINGS
        ]
    return Form(name, (length,) * num_lines, "，。" * (num_lines // 2), tuple(schemes))


def ancient_form(name: str, num_lines: int, length: int) -> Form:
    """Return a form of 古体: even lines rhyme, in either tone; nothing else is asked."""
    half = num_lines // 2
    return Form(name, (length,) * num_lines, "，。" * half, (Scheme(("", "A") * half),))


def tune_form(tune: Tune, tones: Tones = "strict") -> Form:
    """Return the form of a tune; its patterns are those of lines.

    Loose ones have only the tones that hardly any poem breaks.
    """
    templates = {"strict": tune.templates, "loose": tune.fixed_templates, "off": ()}[tones]
    patterns = tuple(map(expand, templates))
    return Form(
        tune.name,
        tune.line_lengths,
        tune.marks,
        (Scheme(tune.rhymes, patterns),),
        tune.stanzas,
        book="cilin",
        couplets=tune.couplets,
        repeats=tune.repeats,
    )


# Forms of any even number of lines: that number by default, the least, the length of a line.
_ANY_LENGTH = {"五排": (12, 10, 5), "七排": (12, 10, 7), "五古": (8, 4, 5), "七古": (8, 4, 7)}
_MAX_LINES = 100
# The name of lines that have no form.
PATTERN = "--pattern"
_LONG_NAMES = {
    "五言": "五",
    "七言": "七",
    "绝句": "绝",
    "律诗": "律",
    "排律": "排",
    "古体": "古",
    "古诗": "古",
}
_NAME = re.compile(r"(.+?)(?:[:：](\d{1,9}))?")
_SIMPLIFIED = str.maketrans("絕詩體", "绝诗体")


def find_form(name: str, tones: Tones = "strict") -> Form:
    """Return the form that a name stands for: 五绝, 七言律诗, 五排:16 (of 16 lines), 浣溪沙.

    Raises:
        SettingError: there is none of that name or with that number of lines.
    """
    matched = _NAME.fullmatch(name.strip())
    short = matched.group(1).translate(_SIMPLIFIED) if matched else ""
    for long, replacement in _LONG_NAMES.items():
        short = short.replace(long, replacement)
    num_lines = int(matched.group(2)) if matched and matched.group(2) else None
    if short in FORMS and num_lines is None:
        return regulated_form(short, *FORMS[short], tones)
    if short in _ANY_LENGTH:
        default, least, length = _ANY_LENGTH[short]
        num_lines = default if num_lines is None else num_lines
        if num_lines % 2 or not least <= num_lines <= _MAX_LINES:
            raise SettingError(
                f"A {short} cannot have {num_lines} lines.",
                f"Give an even number from {least} to {_MAX_LINES}.",
            )
        full_name = short if num_lines == default else f"{short}:{num_lines}"
        if short.endswith("古"):
            return ancient_form(full_name, num_lines, length)
        return regulated_form(full_name, num_lines, length, tones)
    if tune := find_tune(name):
        return tune_form(tune, tones)
    known = [*FORM_NAMES, FREE, *tunes()]
    # Not counting variants, such as 声声慢:仄韵.
    num_tunes = len({name.partition(":")[0] for name in tunes()})
    raise SettingError(
        f"There is no form {name!r}.",
        # Names have two or three characters, of which one may be mistyped.
        f"{did_you_mean(short, known, 0.5)}Choose among: {', '.join(FORM_NAMES)} (五古:12 has 12 "
        f"lines), {FREE}, or one of {num_tunes} tunes of 词, such as "
        f"{', '.join([*tunes()][:8])} (docs/verse.md).",
    )


FORM_NAMES = (*FORMS, *_ANY_LENGTH)
