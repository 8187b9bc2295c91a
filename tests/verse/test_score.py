"""The ranking of drafts: which of two is better."""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.characters import hanzi_only
from poetgen.verse.choice import build_choice
from poetgen.verse.common_pairs import DOUBLINGS, TABLE, common_pairs, doublings
from poetgen.verse.overused import TABLE as OVERUSED
from poetgen.verse.overused import overuse, overused_pairs
from poetgen.verse.score import ChoiceJudge, Measures, Weights, measure, score
from tests.verse.samples import chance_poems, lines_in

USUAL = Measures(
    likelihood=-4.0,
    unigram=-6.5,
    thread=0.08,
    unseen_pairs=0.125,
    num_chars=28,
    num_repeats=0,
)
POEMS = chance_poems(300, seed=11)
CHOICE = build_choice(POEMS)
NEW = chance_poems(40, seed=12)


def changed(**changes):
    return dataclasses.replace(USUAL, **changes)


def test_the_score_is_the_sum_that_is_documented():
    measures = changed(
        unseen_pairs=0.25,
        num_repeats=3,
        couplet_repeats=2,
        rhyme_faults=2,
        tone_faults=5,
        missing=1.5,
        common=0.25,
        ends=-0.7,
        stutters=2,
        overuse=0.6,
        colliding_seasons=1,
    )
    expected = -4.0 - 0.5 * 0.7 + 0.1 * 6.5 + 1.5 * 0.08 - 1.5 * 0.25 - 0.3 * 3 - 0.15 * 2
    expected -= 0.4 * 2 + 0.6 * 1 + 4 * 2 + 0.3 * 5 + 0.5 * 1.5 + 1.5 * 0.25 + 0.8 * 0.6
    assert score(measures) == pytest.approx(expected)
    half = Weights(dullness=0.05, repeat=0)
    assert score(measures, half) == pytest.approx(expected - 0.05 * 6.5 + 0.3 * 3)


@pytest.mark.parametrize(
    "worse",
    [
        {"likelihood": -4.1},
        {"unigram": -6.0},
        {"thread": 0.05},
        {"unseen_pairs": 0.3},
        {"ends": -0.1},
        {"overuse": 0.4},
        {"stutters": 1},
        {"num_repeats": 1},
        {"colliding_seasons": 1},
        {"couplet_repeats": 1},
        {"rhyme_faults": 1},
        {"tone_faults": 1},
        {"num_copied": 1},
        {"missing": 0.5},
        {"common": 0.1},
    ],
    ids=str,
)
def test_each_measure_counts(worse):
    assert score(changed(**worse)) < score(USUAL)


def test_what_real_poems_have_too_costs_nothing():
    assert score(changed(num_chars=56, num_repeats=1)) == score(USUAL)
    assert score(changed(num_chars=100, num_repeats=2)) == score(USUAL)
    assert score(changed(num_chars=40, num_repeats=1)) < score(USUAL)
    assert score(changed(thread=0.5)) == score(changed(thread=0.15))


@given(st.integers(1, 9))
def test_a_copied_line_is_refused_whatever_else(num_copied):
    assert score(changed(likelihood=0.0, thread=9.0, num_copied=num_copied)) == -math.inf


def test_the_measures_are_those_of_the_text():
    texts = [POEMS[5], *NEW, lines_in(NEW[0])[0], ""]
    for rules in (True, False):
        found = measure(texts, [-100.0] * len(texts), CHOICE, rules=rules)
        for text, measures in zip(texts, found, strict=True):
            chars = "".join(lines_in(text))
            assert measures.num_chars == len(chars)
            doubled = sum(a == b for line in lines_in(text) for a, b in pairwise(line))
            assert measures.num_repeats == len(chars) - len(set(chars)) - doubled
            assert measures.likelihood == -100 / max(1, len(chars))
            assert measures.thread == pytest.approx(CHOICE.thread.score(lines_in(text)))
            assert 0 <= measures.unseen_pairs <= 1
            assert measures.unigram == CHOICE.unigrams([text])[0]
        assert found[0].num_copied == len(lines_in(POEMS[5]))
        assert any(measures.rhyme_faults for measures in found) == rules


def test_the_ends_of_lines_count_a_character_of_the_poem():
    texts = [NEW[0], lines_in(NEW[1])[0]]
    found = measure(texts, [-90.0, -20.0], CHOICE, ends=[-8.0, -3.0])
    assert [measures.ends for measures in found] == [
        -8 / len("".join(lines_in(NEW[0]))),
        -3 / len(texts[1]),
    ]
    known = ChoiceJudge(CHOICE).scores(texts, np.array([-90.0, -20.0]), np.array([-8.0, -3.0]))
    unknown = ChoiceJudge(CHOICE).scores(texts, np.array([-90.0, -20.0]))
    assert known - unknown == pytest.approx([Weights().ends * one.ends for one in found])


def test_a_keyword_is_missing_by_the_share_of_its_characters_that_do_not_stand_in_a_poem():
    text = lines_in(NEW[0])[0]
    has, other, lacks = text[:2], text[2], "甲乙"
    assert not set(lacks) & set(text)

    def missing(*keywords):
        (found,) = measure([text], [-9.0], CHOICE, keywords=keywords)
        return found.missing

    assert missing() == missing(has) == missing(other) == missing(has, other) == 0
    assert missing(lacks) == missing(lacks, has) == missing(lacks[0]) == 1
    assert missing(text[0] + lacks[0]) == 0.5
    assert missing(lacks, text[0] + lacks[0], has) == 1.5
    # The characters alone are not the word.
    assert missing(text[1] + text[0]) == 0


def test_common_pairs_are_counted_inside_lines_a_character():
    common, rare = "不知舟万里", "鹭簪蓼屿砧楫篷"
    for text, count in (
        (f"{common}，", 2),
        (f"{rare}，", 0),
        (f"{rare[:6]}不，知{rare[:6]}。", 0),
        (f"{common}，{common}。", 4),
        ("", 0),
    ):
        (found,) = measure([text], [-9.0], CHOICE)
        assert found.common == count / max(1, sum(map(len, lines_in(text))))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("江水悠悠去，山花处处开。", 0),
        ("归雁雁飞高，钓鱼鱼在水。", 2),
        # A usual one, and the same a third time.
        ("江水悠悠悠，悠悠花处处。", 1),
        ("山高水，水长流。", 0),
        ("", 0),
    ],
)
def test_a_stutter_is_a_doubling_that_is_not_usual(text, count):
    (found,) = measure([text], [-9.0], CHOICE)
    assert found.stutters == count


def test_overuse_is_summed_over_pairs_inside_lines_and_counted_a_character():
    excess = overused_pairs()
    worst, other = "泪满", "一别"
    line = f"{other}甲{worst}"
    # Across the mark between two lines no pair is counted.
    split = f"甲{worst[0]}，{worst[1]}甲。"
    assert not any("甲" in pair for pair in excess)
    for text, times in ((f"{line}，", 1), (f"{line}，{line}。", 2), (split, 0), ("", 0)):
        (found,) = measure([text], [-9.0], CHOICE)
        lines = lines_in(text)
        assert overuse(lines) == pytest.approx(times * (excess[worst] + excess[other]))
        assert found.overuse == pytest.approx(overuse(lines) / max(1, sum(map(len, lines))))


def test_the_table_of_overused_pairs_has_the_worst_first_and_none_below_twice_too_often():
    rows = [row.split() for row in OVERUSED.read_text("utf-8").splitlines()]
    pairs, excess = [row[0] for row in rows], [float(row[1]) for row in rows]
    assert dict(zip(pairs, excess, strict=True)) == overused_pairs()
    assert len(set(pairs)) == len(pairs) > 500
    assert all(len(pair) == 2 and hanzi_only(pair) == pair for pair in pairs)
    assert excess == sorted(excess, reverse=True)
    assert excess[-1] >= round(math.log(2), 2)


@pytest.mark.parametrize(("table", "found"), [(TABLE, common_pairs), (DOUBLINGS, doublings)])
def test_a_table_has_the_commonest_pairs_first(table, found):
    rows = [row.split() for row in table.read_text("utf-8").splitlines()]
    pairs, counts = [row[0] for row in rows], [float(row[1]) for row in rows]
    assert set(pairs) == found()
    assert len(set(pairs)) == len(pairs) == 300
    assert all(len(pair) == 2 and hanzi_only(pair) == pair for pair in pairs)
    assert counts == sorted(counts, reverse=True)
    assert table == TABLE or all(first == second for first, second in pairs)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("山高水长流，云起日西沉。", 0),
        ("山高山长流，云起日西沉。", 1),
        ("山高水长流，云起山西水。", 2),
        # In another couplet.
        ("山高水长流，云起日西沉。山中水不流，云间日又沉。", 0),
        # A doubling, alone and with the character once more.
        ("悠悠水长流，云起日西沉。", 0),
        ("悠悠水长流，云起日悠沉。", 1),
        ("水流长水流，", 2),
        ("", 0),
    ],
)
def test_repeats_inside_a_couplet_are_counted_without_doublings(text, count):
    (found,) = measure([text], [-9.0], CHOICE)
    assert found.couplet_repeats == count


def test_signs_of_other_seasons_than_that_of_the_title_collide():
    texts = ["雪落水长流，云起日西沉。"] * 2
    found = measure(texts, [-9.0, -9.0], CHOICE, seasons=["冬", "秋"])
    assert [measures.colliding_seasons for measures in found] == [0, 1]


def test_a_judge_prefers_what_is_of_the_season_of_its_title():
    texts = ["莺啼水长流，云起日西沉。", "蛩啼水长流，云起日西沉。"] * 2
    judge = ChoiceJudge(CHOICE, titles=["春日", "秋日"])
    of_spring, of_autumn = np.split(judge.scores(texts, np.full(4, -90.0)), 2)
    assert of_spring[0] > of_spring[1]
    assert of_autumn[1] > of_autumn[0]


def test_a_judge_prefers_what_has_its_keywords():
    likelihoods = np.full(len(NEW), -90.0)
    plain = ChoiceJudge(CHOICE).scores(NEW, likelihoods)
    char = lines_in(NEW[3])[0][0]
    scores = ChoiceJudge(CHOICE, keywords=[char]).scores(NEW, likelihoods)
    lacks = np.array([char not in text for text in NEW])
    assert 0 < lacks.sum() < len(NEW)
    assert scores == pytest.approx(plain - Weights().missing * lacks)


def test_a_judge_ranks_many_as_each_alone_and_refuses_copies_only_if_asked():
    texts = [*NEW, POEMS[5]]
    likelihoods = -np.arange(90.0, 90.0 + len(texts))
    for novel in (True, False):
        judge = ChoiceJudge(CHOICE, novel=novel)
        scores = judge.scores(texts, likelihoods)
        alone = [
            judge.scores([t], np.array([p]))[0] for t, p in zip(texts, likelihoods, strict=False)
        ]
        assert scores == pytest.approx(alone)
        assert np.isfinite(scores[-1]) == (not novel)
        assert np.isfinite(scores[:-1]).all()
