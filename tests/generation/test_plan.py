"""The masks of a form, against all texts that there are in a small vocabulary."""

import dataclasses
import itertools
import re

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from poetgen.config import VerseConfig
from poetgen.corpus.vocabulary import END, NUM_SPECIAL, Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.fitting import fit_plan
from poetgen.generation.lexicon import bits, lexicon_of
from poetgen.generation.planning import make_plans
from poetgen.verse.repetition import missing_repeats
from poetgen.verse.rhymes import rhyme_book
from poetgen.verse.schemes import Form, Scheme, tune_form
from poetgen.verse.tunes import find_tune

# Two that rhyme in 东, two in 寒, and two oblique ones. 看 is oblique as often, 难 seldom.
CHARS = "东红寒难看月白"
VOCABULARY = Vocabulary([*CHARS, "，", "。"])
LEXICON = lexicon_of(VOCABULARY, "pingshui")
BOOK = rhyme_book("pingshui")
# A small form: the first line ends oblique, or rhymes.
FORM = Form(
    "toy",
    (2, 2),
    "，。",
    (
        Scheme(("", "A"), (frozenset({"平仄", "仄仄"}), frozenset({"仄平", "平平"}))),
        Scheme(("A", "A"), (frozenset({"仄平"}), frozenset({"平平"}))),
    ),
)
THREE = Form("three", (1, 1, 1), "，，。", (Scheme(("A", "A", "A")),))


def plan_of(form=FORM, fixed=None, rhymes=range(106), usable=None, **rules):
    mask = LEXICON.tones["中"].copy()
    if usable is not None:
        mask[[i + NUM_SPECIAL for i, char in enumerate(CHARS) if char not in usable]] = False
    ids = {place: VOCABULARY.encode(char)[0] for place, char in (fixed or {}).items()}
    return fit_plan(form, LEXICON, ids, mask, rhymes=rhymes, **rules)


def poems_of(plan):
    """Return all poems that the masks let pass; fail at a dead end."""
    found = []

    def grow(row, text):
        allowed = np.flatnonzero(~plan.excluded(row)).tolist()
        assert allowed, f"dead end after {text}"
        if END in allowed:
            assert allowed == [END]
            found.append(text)
            return
        for token_id in allowed:
            grow(plan.advance(row, token_id), text + VOCABULARY.token(token_id))

    grow(plan.start(), "")
    return found


def keeps(scheme, lines, groups=range(106), fixed=()):
    """Say whether lines keep a scheme, each character in a usual reading, a fixed one in any."""
    text = "".join(lines)
    lasts = itertools.accumulate(map(len, lines))
    ends = [last - 1 for last, label in zip(lasts, scheme.rhymes, strict=True) if label]
    shared = set(groups)
    for place in ends:
        find = BOOK.groups_of if place in fixed else BOOK.usual_groups_of
        shared.intersection_update(find(text[place]))
    if scheme.tones:
        shared = {group for group in shared if BOOK.groups[group].tone == "平"}
    if len({text[place] for place in ends}) < len(ends) or (ends and not shared):
        return False
    tones = [tones_of(char, place in fixed) for place, char in enumerate(text)]
    return not scheme.tones or any(
        all(tone in found for found, tone in zip(tones, pattern, strict=True))
        for pattern in map("".join, itertools.product(*scheme.tones))
    )


def tones_of(char, is_fixed):
    return BOOK.tones_of(char) if is_fixed else BOOK.usual_tones_of(char)


def is_clear(poem, fixed=()):
    """Say whether the first line ends with a character of one tone, which is not heard again.

    One of both tones is not taken for one that rhymes, but may not come again.
    """
    return len(tones_of(poem[1], 1 in fixed)) == 1 and poem[1] != poem[4]


def all_poems(form, chars=CHARS):
    for text in itertools.product(chars, repeat=form.num_chars):
        places = iter(text)
        yield ["".join(itertools.islice(places, length)) for length in form.line_lengths]


def written(form, lines):
    return "".join(map("".join, zip(lines, form.marks, strict=True)))


def test_the_masks_let_pass_what_keeps_the_form_and_nothing_else():
    found = poems_of(plan_of())
    assert len(found) == len(set(found)) > 100
    expected = {
        written(FORM, lines)
        for lines in all_poems(FORM)
        if any(keeps(scheme, lines) for scheme in FORM.schemes)
    }
    assert set(found) <= expected
    assert not any(is_clear(poem) for poem in expected - set(found))


def test_a_character_takes_a_reading_that_is_not_usual_only_where_it_is_fixed():
    form = Form("oblique", (1, 1), "，。", (Scheme(("", ""), (frozenset({"仄"}),) * 2),))
    assert "难" not in "".join(poems_of(plan_of(form)))
    assert "难，看。" in poems_of(plan_of(form, fixed={0: "难"}))
    # 冷 in 青 is one source's, and level.
    lexicon = lexicon_of(Vocabulary([*"冷青", "，", "。"]), "pingshui")
    cold, green = lexicon.vocabulary.encode("冷青")
    assert not lexicon.groups_of(cold, is_fixed=False) & lexicon.groups[green]
    assert lexicon.groups_of(cold, is_fixed=True) & lexicon.groups[green]


def test_without_tones_any_group_rhymes():
    found = set(poems_of(plan_of(THREE)))
    lines = [lines for lines in all_poems(THREE) if keeps(THREE.schemes[0], lines)]
    assert found == {written(THREE, poem) for poem in lines}
    assert "寒，难，看。" in found


@settings(max_examples=60, deadline=None)
@example(fixed={}, usable={"东", "难"}, rhymes=range(106))
@example(fixed={0: "难"}, usable={"东", "红", "寒", "难"}, rhymes=None)
@given(
    fixed=st.dictionaries(st.integers(0, 3), st.sampled_from(CHARS), max_size=3),
    usable=st.sets(st.sampled_from(CHARS), min_size=2),
    rhymes=st.sampled_from([None, range(106), [0], [13]]),
)
def test_fixed_characters_and_groups_are_kept_or_known_to_be_impossible(fixed, usable, rhymes):
    # One rhyme at two places is no rhyme, but who asks for it gets it.
    assume(1 not in fixed or fixed[1] != fixed.get(3))
    plan = plan_of(fixed=fixed, usable=usable, rhymes=rhymes)
    schemes = FORM.schemes
    if rhymes is None:
        schemes = [Scheme(("", ""), scheme.tones) for scheme in schemes]

    def fits(lines):
        text = "".join(lines)
        if any(text[place] != char for place, char in fixed.items()) or set(text) - usable:
            return False
        return any(keeps(scheme, lines, rhymes or (), fixed) for scheme in schemes)

    expected = {written(FORM, lines) for lines in all_poems(FORM) if fits(lines)}
    if plan is None:
        assert expected == set()
        return
    found = set(poems_of(plan))
    assert found <= expected
    assert not any(is_clear(poem, fixed) for poem in expected - found)


MANY = "东红中风空公翁通同工月白落雪石木日目玉竹国学足色力石北得"
MANY_LEXICON = lexicon_of(Vocabulary([*dict.fromkeys(MANY), "，", "。"]), "pingshui")
LEVEL = frozenset({"平平", "仄平"})


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_character_comes_twice_but_doubled(seed):
    form = Form(
        "two",
        (3, 3),
        "，。",
        (
            Scheme(
                ("", "A"),
                (
                    frozenset(map("".join, itertools.product("平仄", repeat=3))),
                    frozenset({"平平平", "仄平平"}),
                ),
            ),
        ),
    )
    text = walk(form, seed, no_repeats=True)
    for line in (text[:3], text[4:7]):
        assert len(set(line)) == 3 or line[0] == line[1] != line[2] or line[1] == line[2] != line[0]
    assert not set(text[:3]) & set(text[4:7])
    assert text[5] != text[6]  # a rhyme is not the second of a pair


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_lines_that_come_before_leave_characters_to_rhyme(seed):
    # Level characters all rhyme in 东, and there are ten: two fewer than the poem has.
    parts = (frozenset({"平平"}), frozenset({"平平"}), frozenset({"平平"}), frozenset({"平平"}))
    form = Form("level", (2, 2, 2, 2), "，。，。", (Scheme(("", "A", "", "A"), parts),))
    text = walk(form, seed, no_repeats=True)
    chars = [char for char in text if char not in "，。"]
    assert len(set(chars)) == 8


def walk(form, seed, lexicon=MANY_LEXICON, **rules):
    """Return a poem that is drawn blindly from what the masks let pass."""
    rhymes = range(len(lexicon.book.groups))
    return drawn(fit_plan(form, lexicon, {}, lexicon.tones["中"], rhymes=rhymes, **rules), seed)


def drawn(plan, seed):
    """Return a poem of a plan that is drawn blindly."""
    rng = np.random.default_rng(seed)
    row, text = plan.start(), ""
    while row.position < len(plan.slots):
        token_id = int(rng.choice(np.flatnonzero(~plan.excluded(row))))
        row, text = plan.advance(row, token_id), text + plan.lexicon.vocabulary.token(token_id)
    return text


# Both lines rhyme, in either tone; the second is the first again.
EITHER_TONE = frozenset(map("".join, itertools.product("平仄", repeat=2)))
AGAIN = Form(
    "again",
    (2, 2),
    "，。",
    (Scheme(("A", "A"), (EITHER_TONE, EITHER_TONE)),),
    repeats=((0, 2), (1, 3)),
)


def test_what_a_tune_repeats_is_written_again_though_it_rhymes():
    once = Form("once", (2,), "。", (Scheme(("A",), (EITHER_TONE,)),))
    found, single = (poems_of(plan_of(form, usable=set("东红寒难看"))) for form in (AGAIN, once))
    assert set(found) == {f"{poem[:2]}，{poem}" for poem in single}


@settings(max_examples=60, deadline=None)
@given(
    fixed=st.dictionaries(st.integers(0, 3), st.sampled_from(CHARS), max_size=3),
    word=st.text(CHARS, min_size=2, max_size=2),
    chain=st.booleans(),
)
def test_repeats_give_way_to_wishes_and_never_lead_to_a_dead_end(fixed, word, chain):
    repeats = ((1, 2), (2, 3)) if chain else AGAIN.repeats
    form, words = dataclasses.replace(AGAIN, repeats=repeats), [tuple(VOCABULARY.encode(word))]
    plain = plan_of(dataclasses.replace(form, repeats=()), fixed, words=words)
    plan = plan_of(form, fixed, words=words)
    assert (plan is None) == (plain is None)
    assume(plan is not None and word not in text_of(fixed))
    try:
        poems_of(plain)
    except AssertionError:
        assume(False)  # with so few characters a word may be all that rhymes
    for poem in poems_of(plan):
        text = poem.replace("，", "").replace("。", "")
        assert all(text[place] == char for place, char in fixed.items())
        assert word not in (text[:2], text[2:])
        assert fixed or word[0] in text or all(text[i] == text[j] for i, j in repeats)


def test_a_poem_without_repeats_does_not_repeat_what_its_tune_does():
    scheme, repeats = Scheme(("", "A")), ((0, 3), (1, 4))
    form = dataclasses.replace(AGAIN, line_lengths=(3, 3), schemes=(scheme,), repeats=repeats)
    text = walk(form, 5)
    assert text[:2] == text[4:6]
    text = walk(form, 5, no_repeats=True)
    assert not set(text[:3]) & set(text[4:7])


def text_of(fixed):
    """Return the lines of a poem of which some characters are fixed."""
    chars = "".join(fixed.get(place, " ") for place in range(4))
    return chars[:2], chars[2:]


def test_a_line_that_may_not_repeat_one_character_repeats_none():
    found = poems_of(plan_of(AGAIN, {0: "东", 2: "红"}))
    assert any(poem[1] != poem[4] for poem in found)
    assert all(poem[4] != poem[1] for poem in found)  # a rhyme stands once


def test_what_would_be_repeated_to_a_forbidden_word_is_not_written():
    form = Form("thrice", (3,), "。", (Scheme(("",)),), repeats=((0, 1), (1, 2)))
    plan = plan_of(form, rhymes=None, words=[tuple(VOCABULARY.encode("东东东"))])
    assert set(poems_of(plan)) == {f"{char * 3}。" for char in CHARS if char != "东"}


@pytest.fixture(scope="module")
def whole():
    """The lexicon of all characters of the rhyme book of 词."""
    chars = filter(rhyme_book("cilin").groups_of, map(chr, range(0x4E00, 0x9FA6)))
    return lexicon_of(Vocabulary([*chars, "、", "，", "。"]), "cilin")


def missing(text, tune):
    return [*missing_repeats(re.split("[、，。]", text)[:-1], tune)]


@pytest.mark.parametrize("name", ["如梦令", "忆秦娥", "潇湘神", "调笑令", "钗头凤"])
def test_tunes_are_written_with_their_repeats(name, whole):
    tune = find_tune(name)
    assert tune.repeats
    for seed in range(8):
        assert not missing(walk(tune_form(tune), seed, lexicon=whole), tune)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("如梦令", "知否"),
        ("忆秦娥", "明月"),
        ("潇湘神", "东风"),
        ("潇湘神", "潇湘"),
        ("调笑令", "杨柳"),
        ("钗头凤", "错"),
    ],
)
def test_a_word_that_stands_where_a_tune_repeats_is_repeated(name, word, whole):
    for plan in make_plans(VerseConfig(form=name, require=word), "", whole.vocabulary):
        for seed in range(4):
            text = drawn(plan, seed)
            assert word in text
            assert not missing(text, find_tune(name))


def test_loose_tones_are_advised_where_they_are_enough(whole):
    with pytest.raises(SettingError) as caught:
        make_plans(VerseConfig(form="潇湘神"), "斑竹枝，", whole.vocabulary)
    assert caught.value.advice.startswith("Give --tones loose, or ")
    assert make_plans(VerseConfig(form="潇湘神", tones="loose"), "斑竹枝，", whole.vocabulary)


def test_a_group_that_has_too_few_characters_is_not_taken():
    form = Form("two", (2, 2), "，。", (Scheme(("A", "A"), (LEVEL, LEVEL)),))
    assert plan_of(form, rhymes=[0], usable=set("东月白寒难")) is None
    assert plan_of(form, usable=set("东月白寒难")) is not None


def test_a_word_is_not_written_within_a_line():
    word = tuple(VOCABULARY.encode("白月"))
    found = poems_of(plan_of(words=[word]))
    assert not any("白月" in poem for poem in found)
    assert any("月白" in poem for poem in found)


def test_the_other_tone_of_a_label_is_its_counterpart():
    lexicon = lexicon_of(VOCABULARY, "pingshui")
    assert bits(0b1011) == [0, 1, 3]
    # In 平水韵 no two groups have one name.
    assert all(lexicon.group_at(group, "a") is None for group in range(106))
    assert [lexicon.group_at(group, "A") for group in range(106)] == list(range(106))


@pytest.mark.parametrize("name", ["，", "。"])
def test_marks_stand_where_the_form_has_them(name):
    assert all(poem[2 if name == "，" else 5] == name for poem in poems_of(plan_of()))
