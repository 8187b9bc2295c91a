"""Scans of poems, which are built from characters of known tones and rhymes."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.errors import SettingError
from poetgen.verse.regulated import is_fault, read_regulated
from poetgen.verse.rhymes import rhyme_book
from poetgen.verse.scan import scan
from poetgen.verse.schemes import find_form
from poetgen.verse.tones import OPENINGS, regulated
from poetgen.verse.tunes import tunes

LEVEL, OBLIQUE = "天", "月"
EAST = "东通红翁公弓宫虫戎终"  # 上平一东
WINTER = "冬农宗"  # 上平二冬, a neighbour of 东
AUTUMN = "秋流楼"  # 下平十一尤

# 仄起 and 平起, each regular throughout.
AB = ["仄仄平平仄", "平平仄仄平"]
BA = ["平平平仄仄", "仄仄仄平平"]


def poem(patterns, rhymes=EAST, rhymed_first=False):
    """Write a poem with these tones, whose even lines rhyme."""
    rhymes = iter(rhymes)
    lines = []
    for number, pattern in enumerate(patterns):
        line = pattern.replace("平", LEVEL).replace("仄", OBLIQUE)
        if number % 2 or (number == 0 and rhymed_first):
            line = line[:-1] + next(rhymes)
        lines.append(line)
    return "".join(line + mark for line, mark in zip(lines, itertools.cycle("，。")))


def found(scanned):
    return [(fault.kind, fault.line, fault.place) for fault in scanned.faults]


def remarks(scanned):
    return [(remark.kind, remark.line, remark.place) for remark in scanned.remarks]


def test_the_characters_of_these_tests_have_one_reading():
    book = rhyme_book()
    for chars, title in ((EAST, "上平一东"), (WINTER, "上平二冬"), (AUTUMN, "下平十一尤")):
        for char in chars:
            assert [book.groups[index].title for index in book.groups_of(char)] == [title]
    assert book.tones_of(LEVEL) == {"平"}
    assert book.tones_of(OBLIQUE) == {"仄"}


# Regulated verse against the patterns of the decoder, which share nothing with the scan.


@pytest.mark.parametrize("strictness", ["strict", "loose"])
@pytest.mark.parametrize("rhymed_first", [False, True])
def test_a_couplet_has_no_fault_exactly_if_the_decoder_may_write_it(strictness, rhymed_first):
    allowed = {
        "".join(parts)
        for opening in OPENINGS
        if opening[0].isupper() == rhymed_first
        for parts in itertools.product(*regulated(opening, 2, 5, strictness))
    }
    for pattern in map("".join, itertools.product("平仄", repeat=10)):
        if pattern[-1] == "平" and (pattern[4] == "平") == rhymed_first:
            lines = [pattern[:5], pattern[5:]]
            readings = [[frozenset(tone) for tone in line] for line in lines]
            reading = read_regulated(lines, readings, rhymed_first, strictness == "strict")
            faults = [one for one in reading.findings if is_fault(one.kind, strictness == "strict")]
            assert (not faults) == (pattern in allowed), (lines, faults)


@pytest.mark.parametrize("strictness", ["strict", "loose"])
@pytest.mark.parametrize("name", ["五绝", "七绝", "五律", "七律", "五排", "七排:16"])
def test_what_the_decoder_may_write_has_no_fault(name, strictness):
    form, rng = find_form(name, strictness), random.Random(name)
    for scheme in form.schemes * 5:
        tones = "".join(rng.choice(sorted(part)) for part in scheme.tones)
        length = form.line_lengths[0]
        patterns = [tones[start : start + length] for start in range(0, len(tones), length)]
        text = poem(patterns, EAST + EAST, bool(scheme.rhymes[0]))
        scanned = scan(text, form=name, strict=strictness == "strict")
        assert {fault.kind for fault in scanned.faults} <= {"重韵"}
        assert scan(text).form == name[:2]
        assert ("不" in scanned.opening) == (not scheme.rhymes[0])


@given(st.data())
def test_one_wrong_tone_at_an_even_place_is_found(data):
    patterns = [*AB, *BA, *AB, *BA]
    line, place = data.draw(st.tuples(st.integers(0, 7), st.sampled_from([1, 3])))
    tone = patterns[line][place]
    wrong = "仄" if tone == "平" else "平"
    patterns[line] = patterns[line][:place] + wrong + patterns[line][place + 1 :]
    scanned = scan(poem(patterns), form="五律", strict=True)
    assert ("平仄", line + 1, place + 1) in found(scanned)
    assert len(scanned.faults) <= 2  # it may leave a level tone alone, or make three alike
    assert scanned.lines[line].tones == patterns[line]


# Each kind of fault and remark.


@pytest.mark.parametrize(
    ("patterns", "fault"),
    [
        ([*AB, "平平平仄仄", "仄仄平平平"], ("三平尾", 4, 3)),
        (["仄仄平平仄", "仄平仄仄平", *BA], ("孤平", 2, 2)),
        ([*AB, *AB], ("失粘", 3, None)),
        (["平平平仄仄", "平平仄仄平", *BA], ("失对", 2, None)),
        ([*AB, "平平平仄平", "仄仄仄平平"], ("平仄", 3, 5)),
        (["仄仄平仄仄", "平平仄仄平", *BA], ("平仄", 1, 4)),
    ],
)
def test_a_broken_rule_is_named_at_its_place(patterns, fault):
    scanned = scan(poem(patterns))
    assert scanned.form == "五绝"
    assert fault in found(scanned)
    assert len(scanned.faults) <= 1 + (fault[0] == "平仄")
    assert fault[0] in scanned.faults[0].message or fault[0] == "平仄"


@pytest.mark.parametrize(
    ("patterns", "remark"),
    [
        ([*AB, "平平仄平仄", "仄仄仄平平"], ("特拗", 3, 3)),
        ([*AB, "平平仄仄仄", "仄仄仄平平"], ("三仄尾", 3, 3)),
        (["仄仄平仄仄", "平平平仄平", *BA], ("对句相救", 1, 4)),
        (["仄仄平仄仄", "仄平平仄平", *BA], ("对句相救", 1, 4)),
    ],
)
def test_an_amended_line_is_a_remark_and_in_strict_verse_a_fault(patterns, remark):
    scanned = scan(poem(patterns))
    assert not scanned.faults
    assert remark in remarks(scanned)
    assert remark in found(scan(poem(patterns), strict=True))


def test_a_line_that_makes_good_its_own_lone_level_tone_is_no_fault():
    text = poem(["仄仄平平仄", "仄平平仄平", *BA])
    for strict in (False, True):
        scanned = scan(text, strict=strict)
        assert not scanned.faults
        assert remarks(scanned) == [("孤平拗救", 2, 1)]


def test_in_lines_of_seven_the_places_move_by_two():
    patterns = ["平平" + AB[0], "仄仄" + AB[1], "仄仄" + BA[0], "平平仄仄平平平"]
    assert found(scan(poem(patterns))) == [("三平尾", 4, 5)]


def test_a_character_with_two_readings_takes_the_one_that_its_place_needs():
    book = rhyme_book()
    assert book.tones_of("看") == {"平", "仄"}
    text = poem([*AB, *BA])
    for place, char in enumerate(text):
        if char in (LEVEL, OBLIQUE):
            assert not scan(text[:place] + "看" + text[place + 1 :]).faults


def test_an_unknown_character_is_shown_and_breaks_no_rule():
    text = poem([*AB, *BA]).replace(OBLIQUE, "\U00028bdb", 1)
    scanned = scan(text)
    assert scanned.lines[0].tones[0] == "？"
    assert not scanned.faults


# Rhymes.


def test_a_line_end_that_does_not_rhyme_is_found():
    scanned = scan(poem([*AB, *BA, *AB, *BA], "东通秋红"))
    assert found(scanned) == [("失韵", 6, None)]
    assert scanned.rhymes[0].group == "上平一东"
    assert scanned.rhymes[0].chars == "东通秋红"


def test_a_rhyme_character_that_stands_twice_is_found():
    assert found(scan(poem([*AB, *BA, *AB, *BA], "东通东红"))) == [("重韵", 6, None)]


def test_a_first_line_may_rhyme_with_a_neighbouring_group():
    patterns = ["仄仄仄平平", "平平仄仄平", *BA]
    borrowed = scan(poem(patterns, "冬东通", rhymed_first=True))
    assert (found(borrowed), remarks(borrowed)) == ([], [("借韵", 1, None)])
    far = scan(poem(patterns, "秋东通", rhymed_first=True))
    assert found(far) == [("失韵", 1, None)]
    strict = scan(poem(patterns, "冬东通", rhymed_first=True), strict=True)
    assert found(strict) == [("借韵", 1, None)]


def test_the_book_decides_what_rhymes():
    text = poem([*AB, *BA], "东冬")
    assert found(scan(text)) == [("失韵", 4, None)]
    assert found(scan(text, "cilin")) == []
    assert scan(text, "cilin").book == "cilin"


# Which form a poem has.


def test_verse_with_oblique_rhymes_is_ancient():
    lines = ["仄仄仄平平", "平平仄仄仄", "平平平仄平", "仄仄平平仄"]
    text = poem(lines, "月雪")
    scanned = scan(text)
    assert (scanned.form, scanned.opening) == ("五古", None)


def test_ancient_verse_may_change_its_rhyme():
    rows = ["平平平平平"] * 8
    scanned = scan(poem(rows, "东通秋流"), form="五古")
    assert not scanned.faults
    assert [(rhyme.letter, rhyme.chars) for rhyme in scanned.rhymes] == [
        ("A", "东通"),
        ("B", "秋流"),
    ]
    assert found(scan(poem(rows, "东通秋红"), form="五古"))[0] == ("失韵", 6, None)


@pytest.mark.parametrize("text", ["", "天，地。", "天天天，月。月月月月月月。", "abc"])
def test_what_has_no_form_has_no_faults(text):
    scanned = scan(text)
    assert scanned.form is None
    assert not scanned.faults


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ("五律", ("句数", None, None)),
        ("七绝", ("句数", 1, None)),
        ("五排:12", ("句数", None, None)),
        ("浣溪沙", ("句数", None, None)),
    ],
)
def test_a_poem_of_another_shape_is_told_so(form, fault):
    assert found(scan(poem([*AB, *BA]), form=form)) == [fault]


def test_an_unknown_form_is_refused_and_the_nearest_is_named():
    with pytest.raises(SettingError) as caught:
        scan("天。", form="五绝绝")
    assert "Did you mean 五绝?" in caught.value.advice


def test_long_names_of_forms_are_known():
    text = poem([*AB, *BA])
    for name in ("五绝", "五言绝句", "五言绝"):
        assert scan(text, form=name).form == "五绝"


# Tunes.

# For each letter of a tune two divisions' characters: level ones and oblique ones.
RHYMES = [
    ("东通红翁公弓宫虫", "动梦送凤众"),
    ("秋流楼舟头愁留游", "酒柳有手口"),
    ("天年烟船前边眠莲", "见面片遍院"),
    ("花家沙霞斜麻茶牙", "马下夜画驾"),
]


def sung(tune, rng):
    """Write a poem that keeps a tune, with a character for each tone and rhyme."""
    chars = ""
    for template, letter in zip(tune.templates, tune.rhymes, strict=True):
        line = "".join(rng.choice("平仄") if tone == "中" else tone for tone in template)
        line = line.replace("平", LEVEL).replace("仄", OBLIQUE)
        if letter:
            line = line[:-1] + rng.choice(RHYMES["ABCD".index(letter.upper())][letter.islower()])
        chars += line
    return with_marks(with_repeats(chars, tune), tune)


def with_repeats(chars, tune):
    """Write what a tune repeats; of characters that are the same, a rhyme decides."""
    ends = itertools.accumulate(tune.line_lengths)
    rhymed = {end - 1 for end, letter in zip(ends, tune.rhymes, strict=True) if letter}
    same = {place: {place} for place in range(len(chars))}
    for before, place in tune.repeats:
        both = same[before] | same[place]
        same |= dict.fromkeys(both, both)
    return "".join(chars[min(one & rhymed, default=min(one))] for one in same.values())


def with_marks(chars, tune):
    ends = [0, *itertools.accumulate(tune.line_lengths)]
    lines = [chars[start:end] for start, end in itertools.pairwise(ends)]
    return "".join(line + mark for line, mark in zip(lines, tune.marks, strict=True))


ALL_TUNES = pytest.mark.parametrize("tune", tunes().values(), ids=tunes())


@ALL_TUNES
def test_a_poem_that_keeps_a_tune_is_recognised_and_has_no_fault(tune):
    text = sung(tune, random.Random(tune.name))
    scanned = scan(text, form=tune.name, strict=True)
    assert scanned.form == tune.name
    assert not scanned.faults
    assert not scan(text).faults
    assert scan(text, form=tune.traditional_names[-1], strict=True) == scanned
    assert [line.template for line in scanned.lines] == list(tune.templates)
    # The pauses inside a sentence may be left out.
    assert scan(text.replace("、", ""), form=tune.name).form == tune.name


def test_nearly_every_tune_is_recognised_by_what_keeps_it():
    # A few differ in so few places that a poem may keep two of them.
    texts = {name: sung(tune, random.Random(name)) for name, tune in tunes().items()}
    wrong = {name: scan(text).form for name, text in texts.items() if scan(text).form != name}
    assert len(wrong) <= 3, wrong


@ALL_TUNES
def test_one_wrong_tone_of_a_tune_is_found_at_its_place(tune):
    # By another seed what keeps 喜迁莺 keeps its second variant, too.
    text = sung(tune, random.Random(tune.name[0]))
    flat, fixed = "".join(tune.templates), "".join(tune.fixed_templates)
    ends = set(itertools.accumulate(tune.line_lengths))
    repeated = set(itertools.chain(*tune.repeats))
    places = [
        place
        for place, tone in enumerate(flat)
        if tone != "中" and place + 1 not in ends and place not in repeated
    ]
    place = random.Random(tune.name).choice(places)
    chars = [index for index, char in enumerate(text) if char not in "，、。"]
    wrong = OBLIQUE if flat[place] == "平" else LEVEL
    text = text[: chars[place]] + wrong + text[chars[place] + 1 :]
    line = sum(end <= place for end in ends)
    expected = ("平仄", line + 1, place - sum(tune.line_lengths[:line]) + 1)
    assert found(scan(text, form=tune.name, strict=True)) == [expected]
    # What is usual but not fixed is a remark.
    loose = scan(text, form=tune.name)
    assert expected in (remarks(loose) if fixed[place] == "中" else found(loose))
    assert len(loose.faults) == (fixed[place] != "中")


@pytest.mark.parametrize("name", ["如梦令", "忆秦娥", "钗头凤", "潇湘神", "调笑令"])
def test_what_a_tune_repeats_and_a_poem_does_not_is_a_remark(name):
    tune = tunes()[name]
    text = sung(tune, random.Random(name))
    assert not any(kind == "叠句" for kind, *_ in remarks(scan(text, form=name)))
    chars = "".join(char for char in text if char not in "，、。")
    place = tune.repeats[-1][1]
    other = "红" if chars[place] != "红" else "东"
    scanned = scan(with_marks(chars[:place] + other + chars[place + 1 :], tune), form=name)
    assert [kind for kind, *_ in remarks(scanned)].count("叠句") == 1


def test_a_repeated_line_is_no_repeated_rhyme():
    scanned = scan(sung(tunes()["如梦令"], random.Random(3)), form="如梦令")
    assert ("重韵", 6, None) not in remarks(scanned)


def test_the_variant_that_fits_best_is_taken():
    level, oblique = tunes()["声声慢"], tunes()["声声慢:仄韵"]
    for tune in (level, oblique):
        text = sung(tune, random.Random(1))
        for name in (None, "声声慢", "聲聲慢", "胜胜慢", tune.name):
            scanned = scan(text, form=name)
            assert (scanned.form, scanned.faults) == (tune.name, ())
    assert scan(sung(oblique, random.Random(1)), form=level.names[0] + ":仄韵").faults == ()


def test_where_no_group_fits_it_is_said_once():
    tune = tunes()["浣溪沙"]
    text = sung(tune, random.Random(1))
    chars = list("".join(char for char in text if char not in "，、。"))
    for end, char in zip((7, 14, 21, 35, 42), "东秋天花鱼", strict=True):
        chars[end - 1] = char
    scanned = scan(with_marks("".join(chars), tune), form="浣溪沙")
    (fault,) = scanned.faults
    assert (fault.kind, fault.line) == ("失韵", None)
    assert "no rhyme group fits most" in fault.message
    assert scanned.rhymes[0].group == ""
    assert scan(with_marks("".join(chars), tune)).form != "浣溪沙"


def test_divisions_that_song_poets_mix_are_a_remark():
    # 晏殊: 来 is in 第五部, the others in 第三部.
    text = (
        "一曲新词酒一杯，去年天气旧亭台。夕阳西下几时回。"
        "无可奈何花落去，似曾相识燕归来。小园香径独徘徊。"
    )
    assert scan(text).form == "浣溪沙"
    assert not scan(text).faults
    assert remarks(scan(text)) == [("借韵", 5, None)]
    assert found(scan(text, strict=True)) == [("借韵", 5, None)]


def test_a_tone_that_famous_poems_break_is_a_remark():
    # 张志和: 细 is oblique, where most poems have a level tone.
    scanned = scan("西塞山前白鹭飞，桃花流水鳜鱼肥。青箬笠，绿蓑衣，斜风细雨不须归。")
    assert (scanned.form, scanned.faults) == ("渔歌子", ())
    assert remarks(scanned) == [("平仄", 5, 3)]


def test_a_lost_character_keeps_its_place():
    text = poem([*AB, *BA])
    scanned = scan("□□" + text[2:])
    assert scanned.lines[0].text == "□□" + text[2:5]
    assert scanned.lines[0].tones == "？？" + "平平仄"
    assert (scanned.form, scanned.faults) == ("五绝", ())


def test_a_wrong_shape_says_what_the_poem_has():
    (fault,) = scan(poem([*AB, *BA]), form="浣溪沙").faults
    assert "20 characters, not 42" in fault.message
    assert "5, 5, 5, 5" in fault.message


def test_a_rhyme_of_the_wrong_division_or_tone_is_found_in_a_tune():
    tune = tunes()["忆江南"]
    text = sung(tune, random.Random(1))
    for wrong in ("秋", OBLIQUE):
        assert found(scan(text[:-2] + wrong + "。", form="忆江南")) == [("失韵", 5, None)]
