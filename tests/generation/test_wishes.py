"""What a user wishes a poem to keep is kept, or known to be impossible before it is written."""

import functools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.characters import LINE_MARKS, STARTS
from poetgen.config import OccasionConfig, SampleConfig, VerseConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import PromptError, SettingError
from poetgen.generation.planning import make_plans
from poetgen.generation.poet import generate
from poetgen.generation.request import make_request, shipped_model
from poetgen.generation.wishes import with_single_marks
from poetgen.networks.model_file import load_model
from poetgen.places import find_model
from poetgen.verse.forms import line_lengths, lines_of
from poetgen.verse.rhymes import rhyme_book
from poetgen.verse.schemes import FORM_NAMES, find_form

quick = settings(max_examples=25, deadline=None)


@functools.cache
def vocabulary():
    return load_model(find_model("tang")).vocabulary


def walk(plan, seed=0):
    """Return a poem that is drawn blindly from what the masks let pass."""
    rng = np.random.default_rng(seed)
    row, text = plan.start(), ""
    while row.position < len(plan.slots):
        token_id = int(rng.choice(np.flatnonzero(~plan.excluded(row))))
        row, text = plan.advance(row, token_id), text + vocabulary().token(token_id)
    return text


def poem_of(start="", seed=0, **verse):
    return walk(make_plans(VerseConfig(**verse), start, vocabulary())[0], seed)


def shared_groups(ends):
    return frozenset.intersection(*map(rhyme_book().groups_of, ends))


@pytest.mark.parametrize("tones", ["strict", "loose", "off"])
@pytest.mark.parametrize("name", [*FORM_NAMES, "五排:30", "七古:4"])
def test_a_blind_walk_keeps_lines_and_rhyme(name, tones):
    form = find_form(name)
    for seed in range(3):
        poem = poem_of(form=name, tones=tones, seed=seed)
        assert line_lengths(poem) == list(form.line_lengths)
        ends = [line[-1] for line in lines_of(poem)[1::2]]
        assert shared_groups(ends)
        assert len(set(ends)) == len(ends)


def test_tones_are_asked_for_or_not():
    pattern = "春春春春春，秋秋秋秋秋。"
    poem_of(form="五绝", tones="off", rhyme="free", pattern=pattern)
    with pytest.raises(SettingError, match=r"--pattern.*--tones strict"):
        poem_of(form="五绝", rhyme="free", pattern=pattern)


@quick
@given(
    seed=st.integers(0, 2**32 - 1),
    acrostic=st.text(STARTS, min_size=1, max_size=10),
    at=st.sampled_from(["head", "1", "2", "4"]),
)
def test_an_acrostic_finds_its_form_and_stands_where_it_was_wished(seed, acrostic, at):
    # At the second and fourth place of all lines only some tones alternate.
    tones = "strict" if at in ("head", "1") else "off"
    poem = poem_of(acrostic=acrostic, acrostic_at=at, tones=tones, seed=seed)
    lines = lines_of(poem)
    assert len(lines) == {1: 4, 2: 4, 3: 4, 4: 4, 9: 10, 10: 10}.get(len(acrostic), 8)
    step = len(lines) // len(acrostic) if len(lines) % len(acrostic) == 0 else 1
    place = 0 if at == "head" else int(at) - 1
    assert "".join(line[place] for line in lines[::step])[: len(acrostic)] == acrostic


def test_an_acrostic_at_the_end_of_lines_rhymes():
    lines = lines_of(poem_of(form="七绝", acrostic="月东夜风", acrostic_at="tail"))
    assert "".join(line[-1] for line in lines) == "月东夜风"


@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_a_pattern_keeps_its_characters_and_its_lines(seed):
    poem = poem_of(pattern="春????，???夏?。\n?????，????？", seed=seed)
    first, second, *_ = lines = lines_of(poem)
    assert line_lengths(poem) == [5] * 4
    assert (first[0], second[3]) == ("春", "夏")
    assert shared_groups([lines[1][-1], lines[3][-1]])
    # Lines of no form ask for nothing but their length.
    assert line_lengths(poem_of(pattern="春???，夏", seed=seed)) == [4, 1]


@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_all_wishes_together(seed):
    poem = poem_of(
        form="七律",
        rhyme="东",
        acrostic="春夏秋冬",
        pattern="???????，山??????",
        start="春",
        require="明月,酒",
        forbid="花,万里",
        no_repeats=True,
        seed=seed,
    )
    lines = lines_of(poem)
    assert "".join(line[0] for line in lines[::2]) == "春夏秋冬"
    assert {"东"} == {
        rhyme_book().groups[i].name for i in shared_groups([line[-1] for line in lines[1::2]])
    }
    assert lines[1][0] == "山"
    assert "明月" in poem
    assert "酒" in poem
    assert "花" not in poem
    assert "万里" not in poem
    for char in set(poem) - set("，。？！"):
        # A character stands once, or twice in a row.
        assert poem.count(char) == 1 or (poem.count(char) == 2 and char * 2 in poem)


def test_a_required_word_stands_at_different_places():
    plans = make_plans(VerseConfig(form="七绝", require="明月"), "", vocabulary())
    assert len({walk(plan).index("明月") for plan in plans}) == len(plans) > 1


@pytest.mark.parametrize(
    "start", ["海内存知己，天", "海内", "海内存知己", "海内存知己，天涯若比邻。无", "海內"]
)
def test_a_start_is_the_start(start):
    plan = make_plans(VerseConfig(form="五律"), start, vocabulary())[0]
    chars = [char for char in start.replace("內", "内") if char not in "，。"]
    assert [vocabulary().token(i) for i in plan.fixed if i is not None] == chars


@pytest.mark.parametrize(
    "start",
    [
        "海内存知己\n天涯",
        "海内存知己，，天",
        "海内存知己！？ 天",
        "海内存知己?天涯",
        " 海内存知己\n",
    ],
)
def test_however_the_lines_of_a_start_are_divided_one_mark_stands_between_them(start):
    verse = VerseConfig(form="五律")
    request = make_request(start, vocabulary(), SampleConfig(), verse)
    (plan,) = request.plans
    text = vocabulary().decode(request.prompt)
    assert "".join(lines_of(text)) == "".join(lines_of(start))
    row = plan.start()
    for token_id, slot in zip(request.prompt, plan.slots, strict=False):
        assert (vocabulary().token(token_id) in LINE_MARKS) == (slot.place is None)
        row = plan.advance(row, token_id)
    assert row.position == len(request.prompt)


def test_the_first_whole_line_of_a_start_chooses_the_length():
    for start, length in (("海内存知己？", 5), ("海内存知己", 7), ("借问酒家何处有？牧", 7)):
        text = poem_of(start=with_single_marks(start), acrostic=start[:1])
        assert line_lengths(text) == [length] * 4


@pytest.mark.parametrize("pattern", ["?月???，", "明????，", "?月清??，", "??月清?，"])
def test_a_forbidden_word_does_not_come_about_around_what_is_fixed(pattern):
    for seed in range(5):
        poem = poem_of(
            form="五绝", tones="off", forbid="明月,月明,明月清,见明月", pattern=pattern, seed=seed
        )
        assert not re.search("明月|月明", poem)
    before_moon = vocabulary().encode("明")[0]
    plan = make_plans(
        VerseConfig(form="五绝", tones="off", forbid="明月", pattern="?月???，"), "", vocabulary()
    )[0]
    assert plan.excluded(plan.start())[before_moon]


@pytest.mark.parametrize(
    ("wishes", "one", "other"),
    [
        ({"acrostic": "东冬江支", "acrostic_at": "tail"}, "--acrostic 东冬江支", "--rhyme auto"),
        ({"rhyme": "洞"}, "洞", "七绝"),
        ({"pattern": "床前明月光", "forbid": "月", "form": "五绝"}, "--pattern", "--forbid 月"),
        ({"require": "明月", "forbid": "明月"}, "--require 明月", "--forbid 明月"),
        ({"start": "春", "acrostic": "秋"}, "--start", "--acrostic"),
        ({"acrostic": "春春", "no_repeats": True}, "--acrostic 春春", "--no-repeats"),
        ({"acrostic": "春夏", "pattern": "秋??????"}, "--acrostic", "--pattern"),
    ],
)
def test_wishes_that_exclude_each_other_are_named(wishes, one, other):
    with pytest.raises(SettingError) as caught:
        poem_of(**wishes)
    assert one in caught.value.problem
    assert other in caught.value.problem


@pytest.mark.parametrize(
    ("wishes", "given_up"),
    [
        ({"acrostic": "月东夜支", "acrostic_at": "tail"}, {"rhyme": "free"}),
        ({"acrostic": "春夏秋冬", "acrostic_at": "tail"}, {"rhyme": "free", "tones": "off"}),
        ({"form": "七绝", "pattern": "春春春春春春春，"}, {"tones": "off"}),
        ({"start": "春", "acrostic": "秋"}, {}),
        ({"require": "明月", "forbid": "明月"}, {}),
    ],
)
def test_the_rules_that_are_in_the_way_are_named_and_giving_them_up_helps(wishes, given_up):
    with pytest.raises(SettingError) as caught:
        poem_of(**wishes)
    named = dict(re.findall(r"--(rhyme|tones) (free|off)", caught.value.advice))
    assert named == given_up
    if given_up:
        poem_of(**wishes, **given_up)


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"form": "五言律诗体"}, "五律"),
        ({"form": "院溪沙"}, "Did you mean 浣溪沙.*蝶恋花"),
        ({"form": "五侓"}, "Did you mean 五"),
        ({"form": "五排:9"}, "even number"),
        ({"form": "五绝", "rhyme": "咚咚"}, "一东|东"),
        ({"form": "五绝", "acrostic": "一二三四五"}, "4 lines"),
        ({"acrostic": " "}, "empty"),
        ({"acrostic": "，"}, "no character"),
        ({"form": "五绝", "acrostic": "春", "acrostic_at": "6"}, "from 1 to 5"),
        ({"form": "五绝", "acrostic": "春", "acrostic_at": "middle"}, "head, tail"),
        ({"form": "五绝", "pattern": "春夏秋冬"}, "4 characters"),
        ({"form": "五绝", "pattern": "?????，" * 5}, "5 lines"),
        ({"pattern": "spring"}, "Chinese characters"),
        ({"pattern": "，"}, "no line"),
        ({"form": "五绝", "start": "海内存知己天"}, "6 characters"),
        ({"form": "五绝", "start": "海内，"}, "2 characters"),
        ({"form": "五绝", "require": "明月几时有么"}, "longer than any line"),
        ({"require": ","}, "not a list of words"),
        ({"forbid": "abc"}, "not a list of words"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(wishes, said):
    with pytest.raises(SettingError) as caught:
        poem_of(**wishes)
    assert re.search(said, f"{caught.value.problem} {caught.value.advice}")


def test_unknown_characters_are_refused_or_never_written():
    for wishes in ({"acrostic": "龘"}, {"pattern": "龘????"}, {"require": "龘"}, {"start": "龘"}):
        with pytest.raises(PromptError, match="龘"):
            poem_of(**wishes)
    poem_of(forbid="龘")


@pytest.mark.parametrize("tokens", ["日月山", "abc,."])
def test_a_model_that_writes_no_marks_keeps_no_form(tokens):
    with pytest.raises(SettingError, match="cannot keep a form"):
        make_plans(VerseConfig(form="五绝"), "", Vocabulary(tokens))


def test_a_small_vocabulary_is_enough_or_known_not_to_be():
    # Two characters that rhyme, for a quatrain; a regulated verse of eight lines has four.
    small = Vocabulary("东风月日白落山人家花，。")
    plan = make_plans(VerseConfig(form="五绝"), "", small)[0]
    assert plan.form.name == "五绝"
    with pytest.raises(SettingError, match="--rhyme auto"):
        make_plans(VerseConfig(form="五律"), "", small)


@pytest.mark.parametrize(
    ("title", "form"),
    [
        ("水调歌头·中秋", None),
        ("《水調歌頭·中秋》", None),
        ("水调歌头·中秋", "水调歌头"),
        ("元会曲·中秋", None),
    ],
)
def test_a_title_after_a_tune_asks_for_the_tune(title, form):
    made = make_request(
        "", vocabulary(), SampleConfig(), VerseConfig(form=form), OccasionConfig(title=title)
    )
    plain = make_request(
        "",
        vocabulary(),
        SampleConfig(),
        VerseConfig(form="水调歌头"),
        OccasionConfig(title="中秋"),
    )
    assert made.occasion == plain.occasion
    assert [plan.form for plan in made.plans] == [plan.form for plan in plain.plans]


@pytest.mark.parametrize(
    ("title", "form", "error"),
    [
        ("山中·中秋", None, "there is no tune 山中"),
        ("水调歌头·中秋", "七绝", "of another tune than --form 七绝"),
        ("水调歌头·中秋", "free", "of another tune than --form free"),
        ("水调歌头·", None, "does not know '·'"),
    ],
)
def test_a_title_after_another_word_is_refused(title, form, error):
    verse, occasion = VerseConfig(form=form), OccasionConfig(title=title)
    with pytest.raises((PromptError, SettingError), match=error):
        make_request("", vocabulary(), SampleConfig(), verse, occasion)


@pytest.mark.parametrize(
    ("keyword", "forbid", "refused"),
    [
        ("明月,花", "山，月", True),
        ("花", "花", True),
        ("明月,花", "山，水", False),
        ("月", "明月", False),
    ],
)
def test_what_a_poem_is_about_is_not_forbidden(keyword, forbid, refused):
    verse, occasion = VerseConfig(forbid=forbid), OccasionConfig(keyword=keyword)
    if refused:
        with pytest.raises(SettingError, match=r"--keyword .* and --forbid"):
            make_request("", vocabulary(), SampleConfig(), verse, occasion)
    else:
        assert make_request("", vocabulary(), SampleConfig(), verse, occasion).occasion.keywords


@pytest.mark.parametrize(
    ("form", "title", "name"),
    [
        (None, None, "tang"),
        ("七绝", "中秋", "tang"),
        ("free", None, "tang"),
        (None, "山中·中秋", "tang"),
        ("满江红", None, "ci"),
        ("洞仙歌:85字", "中秋", "ci"),
        (None, "水调歌头·中秋", "ci"),
    ],
)
def test_of_the_models_that_ship_the_one_that_has_read_it_writes_a_tune(form, title, name):
    assert shipped_model(VerseConfig(form=form), OccasionConfig(title=title)) == name


@pytest.mark.parametrize("keyword", ["剑", "重阳"])
def test_poems_have_the_keyword_that_they_are_to_be_about(keyword):
    def num_about(**said):
        poems = generate(model="tang", num_poems=10, seed=2, occasion=OccasionConfig(**said))
        return sum(keyword in poem.text for poem in poems)

    assert num_about() <= 2
    assert num_about(keyword=keyword) >= 8
    assert num_about(keyword=keyword, untitled=True) >= 8
