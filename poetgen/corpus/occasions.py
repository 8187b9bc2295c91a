"""What is said about poems before they begin: author, keywords, title, form; as token ids.

A poem is then one sequence, in which each field follows a mark of its own::

    AUTHOR 王 维 KEYWORD 明 月 TITLE 竹 里 馆 FORM 五 绝 START 独 坐 … END

Each field may be missing; without any, a sequence is the poem alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import BoolArray, IntArray
from poetgen.characters import mostly_han
from poetgen.corpus.about import About, Abouts
from poetgen.corpus.corpus import Poems, dtype_for
from poetgen.corpus.vocabulary import MAX_TITLE, UNK, Vocabulary
from poetgen.verse.forms import FORMS, MIXED, kind_of_lines
from poetgen.verse.pieces import runs_of
from poetgen.verse.tunes import find_tune

# As long on a page as a Chinese title may be.
MAX_FOREIGN_TITLE = 60
# A pair of characters that is seen so often at the beginning or in the middle of lines is a word.
_MIN_PAIR_COUNT = 5
# Where words begin in a line, by its length; the pauses of verse are before them.
_WORD_PLACES = {4: (0, 2), 5: (0, 2, 3), 6: (0, 2, 4), 7: (0, 2, 4, 5)}
# How often a word stands for itself, not only its last character.
_PAIR_SHARE = 0.8
# Characters that are in a keyword of no poem: they say nothing of what it is about.
_EMPTY = "不未无莫何如可已犹更又亦还且自应须欲得为是有此其之而与我吾君尔谁若似因但岂非将曾能"
# Of the training poems so many are read without any field, so that a model keeps the gift of
# writing without; of the others each field is left out so often, and each number of keywords has
# this share.
_BARE, _DROPPED, _KEYWORDS = 0.4, 0.3, (0.6, 0.25, 0.15)
# Poems that are joined at once, so that memory never holds many wide arrays of all.
_PART_POEMS = 20_000

_NUMERAL = "[一二三四五六七八九十百廿卅〇]"
_PART = re.compile(f"(?: 其?|其){_NUMERAL}+$")
_COUNT = re.compile(f"{_NUMERAL}+[首章篇]$")
_HEADING = re.compile(".*(?:[首章篇辞歌曲调] |·)")
# What editors write where a title or a tune is lost or there is one line only, and names of a kind
# of poem.
_NO_OCCASION = re.compile(
    "句|[断残逸佚]句|[失阙缺佚]题|失调名|存目|又|诗|[五六七]言诗?|[五七]?绝句?|[五七]?律诗?|"
    f"(?:诗偈|偈颂?|颂古?)(?:{_NUMERAL}|[零则首])*"
)
_MARKS = re.compile("[《》〈〉“”‘’ ]")


@dataclass(frozen=True, slots=True)
class Drawn:
    """Which fields each of N poems has in one epoch.

    ``author``, ``title`` and ``form`` are masks (N,); ``keywords`` (K, N) are places in the
    stream of the poems, each that of a keyword, and ``lengths`` (K, N) its tokens, 0 for none.
    """

    author: BoolArray
    title: BoolArray
    form: BoolArray
    keywords: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Occasions:
    """What can be said about the poems of one split.

    ``author``, ``title`` and ``form`` hold for each poem the mark of the field and what
    follows it, or nothing. ``words`` (M,) are the places in the stream of the poems where a
    word begins, ascending, and ``word_offsets`` (N + 1,) divides them among the poems.
    """

    poems: Poems
    author: Poems
    title: Poems
    form: Poems
    words: NDArray[np.int64]
    word_offsets: NDArray[np.int64]
    keyword_id: int

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw for an epoch which fields each poem has."""
        num_poems = len(self.poems)
        is_bare = rng.random(num_poems) < _BARE
        author, title, form = (
            ~is_bare & (rng.random(num_poems) >= _DROPPED) for _ in ("author", "title", "form")
        )
        num_keywords = rng.choice(len(_KEYWORDS), num_poems, p=_KEYWORDS)
        places, lengths = self._draw_keywords(np.where(is_bare, 0, num_keywords), rng)
        return Drawn(author, title, form, places, lengths)

    def given(self, *fields: str) -> Poems:
        """Return every poem after these of its fields author, title and form."""
        every, none = np.ones(len(self.poems), np.bool_), np.zeros(len(self.poems), np.bool_)
        kept = {name: every if name in fields else none for name in ("author", "title", "form")}
        no_keywords = np.zeros((0, len(self.poems)), np.int64)
        return self.join(Drawn(**kept, keywords=no_keywords, lengths=no_keywords))

    def _draw_keywords(
        self, num_keywords: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw so many keywords (N,) for each poem; return places and lengths, (K, N)."""
        counts = np.diff(self.word_offsets)
        shape = (int(num_keywords.max(initial=0)), len(counts))
        places, lengths = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for number in range(len(places)):
            chosen = self.word_offsets[:-1] + (rng.random(len(counts)) * counts).astype(np.int64)
            is_pair = rng.random(len(counts)) < _PAIR_SHARE
            present = (number < num_keywords) & (counts > 0)
            places[number, present] = self.words[chosen[present]] + ~is_pair[present]
            lengths[number, present] = 1 + is_pair[present]
        return places, lengths

    def join(self, drawn: Drawn) -> Poems:
        """Return each poem after the fields that were drawn for it, as one sequence."""
        begins = range(0, len(self.poems) or 1, _PART_POEMS)
        parts = [self._join(drawn, slice(begin, begin + _PART_POEMS)) for begin in begins]
        offsets = np.zeros(len(self.poems) + 1, np.int64)
        np.cumsum(np.concatenate([lengths for _, lengths in parts]), out=offsets[1:])
        return Poems(np.concatenate([tokens for tokens, _ in parts]), offsets)

    def _join(self, drawn: Drawn, part: slice) -> tuple[IntArray, NDArray[np.int64]]:
        """Return the tokens of a part of the sequences, end to end, and their lengths."""
        # One pool of tokens, and the segments of it, a begin and a length for each poem, that
        # make up a sequence.
        pool = [np.array([self.keyword_id])]
        size = 1

        def put(poems: Poems) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            """Put the poems of this part into the pool; return where each is, and its length."""
            nonlocal size
            offsets = poems.offsets[part.start : part.stop + 1]
            pool.append(poems.tokens[offsets[0] : offsets[-1]])
            begins = size + offsets[:-1] - offsets[0]
            size += int(offsets[-1] - offsets[0])
            return begins, np.diff(offsets)

        # The poems come first, so that a place in their stream is found in the pool.
        shift = size - self.poems.offsets[part.start]
        poems = put(self.poems)
        author, title, form = (
            (begins, np.where(kept[part], lengths, 0))
            for kept, (begins, lengths) in (
                (drawn.author, put(self.author)),
                (drawn.title, put(self.title)),
                (drawn.form, put(self.form)),
            )
        )
        keywords = []
        for places, lengths in zip(drawn.keywords[:, part], drawn.lengths[:, part], strict=True):
            keywords.append((np.zeros_like(lengths), np.minimum(lengths, 1)))
            keywords.append((places + shift, lengths))
        rows = [author, *keywords, title, form, poems]
        begins, lengths = (np.stack(row, axis=1).ravel() for row in zip(*rows, strict=True))
        steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        tokens = np.concatenate(pool).astype(self.poems.tokens.dtype)
        sums = lengths.reshape(-1, len(rows)).sum(axis=1)
        return tokens[np.repeat(begins, lengths) + steps], sums


def occasions_of(poems: Poems, abouts: Abouts, vocabulary: Vocabulary) -> Occasions:
    """Return what can be said about the poems of a split; the vocabulary has fields.

    A name or a title with a character that the vocabulary lacks is not said.
    """
    lines = _lines_of(poems, vocabulary)
    words = _words_of(lines, poems, vocabulary)
    said = [_said(about, form) for about, form in zip(abouts, lines.forms(len(poems)), strict=True)]

    def field(name: str, number: int) -> Poems:
        return _encoded([row[number] for row in said], vocabulary, vocabulary.field_id(name))

    return Occasions(
        poems=poems,
        author=field("author", 0),
        title=field("title", 1),
        form=field("form", 2),
        words=words,
        word_offsets=np.searchsorted(words, poems.offsets),
        keyword_id=vocabulary.field_id("keyword"),
    )


def _said(about: About, form: str) -> tuple[str, str, str]:
    title, tune = plain_title(about.title), None
    if form == MIXED:
        head, _, rest = about.title.partition("·")
        tune = find_tune(head)
        title = plain_title(rest) if tune else title
    return about.author, title, tune.name if tune else form


def plain_title(title: str) -> str:
    """Return what a title says of the occasion of one poem, at most ``MAX_TITLE`` characters.

    Without the number of a poem in a series, and without the heading under which a
    collection has it: 相和歌辞 江南曲 is 江南曲, 秋兴八首 其一 is 秋兴. A title that is longer is
    none. A title in another script is left as it is.
    """
    if not mostly_han(title):
        return title if len(title) <= MAX_FOREIGN_TITLE else ""
    title = _COUNT.sub("", _PART.sub("", title))
    title = _MARKS.sub("", _HEADING.sub("", title))
    return title if len(title) <= MAX_TITLE and not _NO_OCCASION.fullmatch(title) else ""


def _encoded(texts: Sequence[str], vocabulary: Vocabulary, mark: int) -> Poems:
    """Return texts as token ids, each after ``mark``; nothing of one that is empty or unknown."""
    token_ids, lengths = vocabulary.encode_texts(texts)
    owners = np.repeat(np.arange(len(texts)), lengths)
    is_known = np.ones(len(texts), np.bool_)
    is_known[owners[token_ids == UNK]] = False
    is_known &= lengths > 0
    sizes = np.where(is_known, lengths + 1, 0)
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    tokens = np.full(offsets[-1], mark, dtype_for(vocabulary))
    inside = np.ones(len(tokens), np.bool_)
    inside[offsets[:-1][is_known]] = False
    tokens[inside] = token_ids[is_known[owners]]
    return Poems(tokens, offsets)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where the lines (句) of poems begin in their stream, how long they are, whose they are."""

    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    poems: NDArray[np.int64]

    def forms(self, num_poems: int) -> list[str]:
        """Return the name of each poem's form: 五绝 and the like, else 五言, else 杂言."""
        names = {(n, length): name for name, (n, length) in FORMS.items()}
        counts = np.bincount(self.poems, minlength=num_poems)
        longest = np.zeros(num_poems, np.int64)
        shortest = np.full(num_poems, np.iinfo(np.int64).max)
        np.maximum.at(longest, self.poems, self.lengths)
        np.minimum.at(shortest, self.poems, self.lengths)
        return [
            names.get((count, high)) or kind_of_lines(high) if high == low else MIXED
            for count, high, low in zip(
                counts.tolist(), longest.tolist(), shortest.tolist(), strict=True
            )
        ]


def _lines_of(poems: Poems, vocabulary: Vocabulary) -> _Lines:
    begins, ends = runs_of(vocabulary.hanzi_mask()[poems.tokens])
    owners = np.searchsorted(poems.offsets, begins, side="right") - 1
    return _Lines(begins, ends - begins, owners)


def _words_of(lines: _Lines, poems: Poems, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Return the places in the stream where a word of two characters begins, ascending."""
    places = [
        lines.begins[lines.lengths == length] + place
        for length, inside in _WORD_PLACES.items()
        for place in inside
    ]
    words = np.sort(np.concatenate(places))
    tokens = poems.tokens.astype(np.int64)
    first, second = tokens[words], tokens[words + 1]
    empty = [UNK, *vocabulary.encode(_EMPTY)]
    is_known = ~np.isin(first, empty) & ~np.isin(second, empty) & (first != second)
    words, pairs = words[is_known], (first * len(vocabulary) + second)[is_known]
    _, which, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    frequent: NDArray[np.int64] = words[counts[which] >= _MIN_PAIR_COUNT]
    return frequent
