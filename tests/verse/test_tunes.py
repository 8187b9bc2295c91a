"""The table of tunes (词牌), and the forms that follow from it."""

import pytest

from poetgen.errors import SettingError
from poetgen.verse.schemes import find_form
from poetgen.verse.tunes import find_tune, find_tunes, tunes

# Facts of 龙榆生, 《唐宋词格律》: characters, line lengths of the first stanza, rhyme letters.
KNOWN = {
    "浣溪沙": (42, (7, 7, 7), ("A", "A", "A", "", "A", "A")),
    "菩萨蛮": (44, (7, 7, 5, 5), ("a", "a", "B", "B", "c", "c", "D", "D")),
    "卜算子": (44, (5, 5, 7, 5), ("", "a", "", "a") * 2),
    "如梦令": (33, (6, 6, 5, 6, 2, 2, 6), ("a", "a", "", "a", "a", "a", "a")),
    "忆江南": (27, (3, 5, 7, 7, 5), ("", "A", "", "A", "A")),
    "蝶恋花": (60, (7, 4, 5, 7, 7), ("a", "", "a", "a", "a") * 2),
    "清平乐": (46, (4, 5, 7, 6), ("a", "a", "a", "a", "B", "B", "", "B")),
    "西江月": (50, (6, 6, 7, 6), ("", "A", "A", "a") * 2),
    "虞美人": (56, (7, 5, 7, 6, 3), ("a", "a", "B", "", "B", "c", "c", "D", "", "D")),
    "踏莎行": (58, (4, 4, 7, 7, 7), ("", "a", "a", "", "a") * 2),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_tune_has_the_lines_and_rhymes_that_the_handbook_gives(name):
    num_chars, first_stanza, rhymes = KNOWN[name]
    form = find_form(name)
    assert form.num_chars == num_chars
    assert form.line_lengths[: form.stanzas[0]] == first_stanza
    assert form.schemes[0].rhymes == rhymes
    assert form.book == "cilin"


@pytest.mark.parametrize("tune", tunes().values(), ids=tunes())
def test_a_tune_is_a_whole_form(tune):
    form = find_form(tune.name)
    (scheme,) = form.schemes
    assert len(form.line_lengths) == len(form.marks) == len(scheme.rhymes) == sum(form.stanzas)
    assert 1 <= len(form.stanzas) <= 4
    assert scheme.rhymes[-1]
    for length, mark, rhyme, patterns in zip(
        form.line_lengths, form.marks, scheme.rhymes, scheme.tones, strict=True
    ):
        assert {len(pattern) for pattern in patterns} == {length}
        # A decoder goes through them.
        assert len(patterns) <= 2**9
        # A pause inside a sentence (、) cannot rhyme.
        assert not (rhyme and mark == "、")
        if rhyme:
            assert {pattern[-1] for pattern in patterns} == {"平" if rhyme.isupper() else "仄"}
    # A letter that stands once rhymes with nothing.
    letters = [letter.upper() for letter in scheme.rhymes if letter]
    assert all(letters.count(letter) > 1 for letter in letters)
    for line in form.couplets:
        assert form.line_lengths[line] == form.line_lengths[line + 1]
        assert line + 1 != form.stanzas[0]


def test_every_name_of_a_tune_leads_to_it_in_both_scripts():
    for tune in tunes().values():
        for name in (*tune.names, *tune.traditional_names):
            assert tune in find_tunes(name)
            assert tune in find_tunes(f"{name}・题")
            assert tune in find_tunes(name.partition(":")[0])
        assert find_tune(tune.name) is tune
    assert find_form("望江南") == find_form("忆江南") == find_form("憶江南")
    assert find_form("丑奴兒").name == "采桑子"


def test_a_tune_of_several_variants_is_the_commonest_unless_one_is_named():
    level, oblique = find_tunes("声声慢")
    assert (level.name, oblique.name) == ("声声慢", "声声慢:仄韵")
    assert find_form("声声慢").schemes[0].rhymes[-1] == "A"
    for name in ("声声慢:仄韵", "聲聲慢：仄韻"):
        assert find_form(name).schemes[0].rhymes[-1] == "a"
        assert find_tunes(name) == (oblique,)
    assert {tune.name for tune in find_tunes("乌夜啼")} == {"相见欢", "锦堂春"}


def test_a_tune_repeats_what_most_poems_do():
    # 争渡，争渡; 秦娥梦断秦楼月。秦楼月; 错错错; 路迷。迷路
    assert find_form("如梦令").repeats == ((23, 25), (24, 26))
    assert find_form("忆秦娥").repeats[:3] == ((7, 10), (8, 11), (9, 12))
    assert find_form("钗头凤").repeats[:2] == ((27, 28), (28, 29))
    assert {(21, 22), (20, 23)} <= set(find_form("调笑令").repeats)
    assert find_form("浣溪沙").repeats == ()


@pytest.mark.parametrize("tune", tunes().values(), ids=tunes())
def test_repeated_characters_agree_in_tone(tune):
    template = "".join(tune.templates)
    for before, place in tune.repeats:
        assert before < place < tune.num_chars
        assert {template[before], template[place]} != {"平", "仄"}


def test_loose_tones_are_those_that_hardly_any_poem_breaks():
    for tune in tunes().values():
        for usual, fixed in zip(tune.templates, tune.fixed_templates, strict=True):
            assert all(one in (two, "中") for one, two in zip(fixed, usual, strict=True))
    strict, loose = (find_form("满江红", tones).schemes[0].tones for tones in ("strict", "loose"))
    assert all(one <= two for one, two in zip(strict, loose, strict=True))
    assert strict != loose


def test_without_tones_a_tune_keeps_its_rhymes():
    strict, loose, off = (find_form("菩萨蛮", tones) for tones in ("strict", "loose", "off"))
    assert strict.schemes[0].rhymes == loose.schemes[0].rhymes
    assert off.schemes[0].tones == ()
    assert off.schemes[0].rhymes == strict.schemes[0].rhymes


def test_an_unknown_tune_is_refused_and_the_nearest_is_named():
    assert find_tune("浣溪") is None
    with pytest.raises(SettingError) as caught:
        find_form("菩萨鬘")
    assert "Did you mean 菩萨蛮?" in caught.value.advice
    known = ("五绝", "free", *[*tunes()][:8], "132 tunes")
    assert all(name in caught.value.advice for name in known)
