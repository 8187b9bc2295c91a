"""The pairs of a blind reading: poems of a model, each beside a held-out poem of the same form."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from poetgen import Corpus, Poet, generate
from poetgen.characters import END_MARKS, LINE_MARKS, punctuated
from poetgen.config import SearchConfig, VerseConfig
from poetgen.corpus.corpus import decode_poems
from poetgen.corpus.duplicates import SeenPoems
from poetgen.corpus.occasions import plain_title
from poetgen.corpus.script import to_simplified
from poetgen.corpus.split import Split, identities, identity
from poetgen.errors import SettingError
from poetgen.verse.forms import FORMS, form_of, lines_of
from poetgen.verse.pieces import UNKNOWN
from poetgen.verse.scan import scan
from poetgen.verse.tunes import find_tunes

# A poet with more training poems than this may be known to a reader.
MAX_POEMS = 30
HELD_OUT: tuple[Split, ...] = ("validation", "test")
SIDES = ("A", "B")
_MARKS = {ord(mark): "。" if mark in END_MARKS else "，" for mark in LINE_MARKS}


@dataclass(frozen=True, slots=True)
class Ours:
    """A poem of the model, as it is printed, and its seed; the title is "" if it has none."""

    text: str
    title: str
    seed: int


@dataclass(frozen=True, slots=True)
class Real:
    """A held-out poem, as it is printed, and where it comes from."""

    text: str
    title: str
    author: str
    dynasty: str
    split: Split


@dataclass(frozen=True, slots=True)
class Pair:
    """Two poems of one form; ``real_side``, A or B, is where the real one stands."""

    form: str
    real_side: str
    real: Real
    ours: Ours


def make_pairs(
    poet: Poet,
    corpus: Corpus,
    forms: Sequence[str],
    num_pairs: int,
    seed: int,
    *,
    used: Collection[str] = (),
    titles: bool = False,
    search: SearchConfig = SearchConfig(),
) -> list[Pair]:
    """Return pairs of the forms in turn: ours beside held-out poems.

    ``used`` are the identities of poems that were read before. With ``titles`` each poem has
    one. ``search`` is how ours are chosen among drafts; else they are written by default settings.

    Raises:
        SettingError: there is no such form, too few poems of it, or a poem of ours has no title
            or was read before.
    """
    forms = list(dict.fromkeys(forms))
    for form in forms:
        if form not in FORMS and not find_tunes(form):
            raise SettingError(
                f"No pairs can be made of the form {form!r}.",
                f"Give {', '.join(FORMS)} or a tune, with commas between.",
            )
    if num_pairs < len(forms):
        raise SettingError(
            f"{num_pairs} pairs cannot have {len(forms)} forms.",
            "Give a larger -n, or fewer forms.",
        )
    rng, pairs = random.Random(seed), dict[int, Pair]()
    for first, form in enumerate(forms):
        numbers = range(first, num_pairs, len(forms))
        found = [one for one in find_real(corpus, form, used) if one.title or not titles]
        if len(found) < len(numbers):
            raise SettingError(
                f"{len(numbers)} poems of the form {form} are needed; only {len(found)} by "
                "lesser-known poets are held out and not read yet.",
                "Give a smaller -n, other forms, or a larger corpus.",
            )
        real = rng.sample(found, len(numbers))
        # A seed for each form: of one seed, a 七绝 and a 五绝 often begin with the same words.
        ours = _write(poet, form, len(numbers), rng.randrange(1 << 32), search)
        if any(identity(poem.text) in used for poem in ours):
            raise SettingError(f"Poems of ours of seed {seed} were read before.", "Give another.")
        if titles and not all(poem.title for poem in ours):
            raise SettingError(f"{poet.name} writes no titles.", "Leave --titles out.")
        for number, one, other in zip(numbers, real, ours, strict=True):
            pairs[number] = Pair(form, rng.choice(SIDES), one, other)
    return [pairs[number] for number in range(num_pairs)]


def find_real(corpus: Corpus, form: str, used: Collection[str] = ()) -> list[Real]:
    """Return the held-out poems of a form by lesser-known poets, none of them used.

    Lesser-known is a named poet with at most ``MAX_POEMS`` training poems. Poems with unknown
    characters, and near-duplicates of training poems and of each other, are left out.
    """
    num_poems = Counter(about.author for about in corpus.about("train"))
    seen, found = _training_poems(corpus, form), list[Real]()
    for split in HELD_OUT:
        texts = decode_poems(corpus.splits[split], corpus.vocabulary)
        for text, about in zip(texts, corpus.about(split), strict=True):
            if not about.author or num_poems[about.author] > MAX_POEMS or UNKNOWN in text:
                continue
            if not _is_of(form, text, about.title):
                continue
            key = identity(text)
            if seen.add(key) is None and key not in used:
                title = to_simplified(plain_title(about.title))
                found.append(Real(printed(text), title, about.author, about.dynasty, split))
    return found


def _training_poems(corpus: Corpus, form: str) -> SeenPoems:
    """Return the training poems that may be near-duplicates of one of the form."""
    texts = decode_poems(corpus.splits["train"], corpus.vocabulary)
    if form in FORMS:  # near-duplicates have the same length
        num_lines, length = FORMS[form]
        texts = [text for text in texts if sum(map(len, lines_of(text))) == num_lines * length]
    seen = SeenPoems(near=True)
    for key in identities(texts):
        seen.add(key)
    return seen


def _is_of(form: str, text: str, title: str) -> bool:
    if form in FORMS:
        return form_of(text) == form
    if set(find_tunes(form)).isdisjoint(find_tunes(title)):
        return False
    return all(fault.kind != "句数" for fault in scan(text, form=form).faults)


def _write(poet: Poet, form: str, num_poems: int, seed: int, search: SearchConfig) -> list[Ours]:
    verse = VerseConfig(form=form)
    poems = generate(model=poet, verse=verse, num_poems=num_poems, seed=seed, search=search)
    return [Ours(printed(poem.text), to_simplified(poem.title), seed) for poem in poems]


def printed(text: str) -> str:
    """Return a poem in simplified characters, with the marks that any poem of its form has."""
    text = to_simplified(text)
    lines = lines_of(text)
    is_even = len(set(map(len, lines))) == 1
    return punctuated(lines) if is_even else text.translate(_MARKS)
