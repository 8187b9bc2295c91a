"""What a poem shares with the training poems, against sets of their pieces."""

import numpy as np
import pytest

from poetgen.verse.choice import build_choice
from poetgen.verse.novelty import GRAM, SHORTEST_LINE
from tests.verse.samples import chance_poems, lines_in

POEMS = chance_poems(1_500, seed=1)
INDEX = build_choice(POEMS).novelty
NEW = chance_poems(1_500, seed=2)
LINES = {line for poem in POEMS for line in lines_in(poem)}


def pieces(lines, n):
    return {line[i : i + n] for line in lines for i in range(len(line) - n + 1)}


PAIRS, GRAMS = pieces(LINES, 2), pieces(LINES, GRAM)


def test_nothing_that_stands_in_a_training_poem_is_missed():
    for poem, novelty in zip(POEMS, INDEX.check(POEMS), strict=True):
        lines = lines_in(poem)
        assert novelty.copied_lines == tuple(lines)
        assert novelty.longest_run == sum(map(len, lines))
        assert novelty.unseen_pairs == 0
        assert novelty.num_pairs == sum(len(line) - 1 for line in lines)


def test_a_copied_line_is_found_in_a_new_poem():
    line = max(lines_in(POEMS[7]), key=len)
    (found,) = INDEX.check([f"{'龙' * 7}，{line}。"])
    assert found.copied_lines == (line,)
    assert found.longest_run == len(line)
    # Together with its neighbour it is one run; a part of it is none.
    first, second, *_ = lines_in(POEMS[8])
    (found,) = INDEX.check([f"{first}，{second}。"])
    assert found.longest_run == len(first + second)
    (found,) = INDEX.check([f"{line[:-1]}龙，"])
    assert (found.copied_lines, found.longest_run) == ((), len(line) - 1)


def test_new_pieces_are_seldom_taken_for_known_ones():
    lines = [line for poem in NEW for line in lines_in(poem)]
    assert 0 < INDEX.grams.false_alarm_rate < 0.035
    assert 0 < INDEX.pairs.false_alarm_rate < 0.055
    found = INDEX.check(NEW)
    wrong = sum(len(set(novelty.copied_lines) - LINES) for novelty in found)
    assert wrong <= len(lines) / 500
    assert not any(
        set(lines_in(poem)) & LINES - set(novelty.copied_lines)
        for poem, novelty in zip(NEW, found, strict=True)
    )


def test_unseen_pairs_are_never_more_and_little_less_than_they_are():
    truth = [
        sum(line[i : i + 2] not in PAIRS for line in lines_in(p) for i in range(len(line) - 1))
        for p in NEW
    ]
    found = [novelty.unseen_pairs for novelty in INDEX.check(NEW)]
    assert all(own <= real for own, real in zip(found, truth, strict=True))
    assert sum(found) >= 0.9 * sum(truth) > 0


def slow_run(poem):
    longest = GRAM - 1
    for line in lines_in(poem):
        for begin in range(len(line)):
            for end in range(begin + GRAM, len(line) + 1):
                if all(line[i : i + GRAM] in GRAMS for i in range(begin, end - GRAM + 1)):
                    longest = max(longest, end - begin)
    return longest


def test_a_run_is_never_too_short_and_seldom_too_long():
    poems = [poem for poem in NEW if not set(lines_in(poem)) & LINES]
    pairs = [
        (novelty.longest_run, slow_run(poem))
        for poem, novelty in zip(poems, INDEX.check(poems), strict=True)
    ]
    assert all(found >= real for found, real in pairs)
    assert np.mean([found == real for found, real in pairs]) > 0.6


def test_many_poems_are_checked_as_each_alone():
    some = [*NEW[:20], "", "，。", "白日", POEMS[3], "abc"]
    assert INDEX.check(some) == [INDEX.check([poem])[0] for poem in some]
    assert INDEX.check([]) == []


def test_short_lines_and_unknown_characters_count_for_nothing():
    index = build_choice(["君不见，天上来\ufffd流海。", *POEMS[:9]]).novelty
    short, whole, half = index.check(["君不见，", "天上来龙流海。", "流海天上。"])
    assert SHORTEST_LINE > 3
    assert short.copied_lines == whole.copied_lines == ()
    assert short.unseen_pairs == 0
    # The pair of an unknown character stands nowhere; those beside it do.
    assert whole.unseen_pairs == 2
    assert half.unseen_pairs == 1


def test_an_empty_index_knows_nothing():
    empty = build_choice([]).novelty
    (found,) = empty.check(["白日依山尽，"])
    assert (found.copied_lines, found.longest_run) == ((), 3)
    assert found.unseen_pairs == found.num_pairs == 4
    assert empty.pairs.false_alarm_rate == 0


def test_the_bits_are_the_same_on_every_machine():
    # Model files hold them: another hash would make every index there is worthless.
    index = build_choice(["白日依山尽，黄河入海流。"]).novelty
    assert index.lines.bits.tobytes().hex() == "3c1e"
    assert index.pairs.bits.tobytes().hex() == "e237094d56a8df"
    assert index.grams.bits.tobytes().hex() == "f226cd52"


@pytest.mark.parametrize("count", [1, 3, 900])
def test_a_filter_takes_less_than_a_byte_a_piece(count):
    index = build_choice(POEMS[:count]).novelty
    lines = {line for poem in POEMS[:count] for line in lines_in(poem)}
    assert len(index.lines.bits) <= 6.5 * len(lines) / 8 + 1
    assert len(index.pairs.bits) <= 6.5 * len(pieces(lines, 2)) / 8 + 1
    assert len(index.grams.bits) <= 7.5 * len(pieces(lines, GRAM)) / 8 + 1


def test_a_large_index_has_fewer_bits_and_still_knows_most_of_what_is_new(monkeypatch):
    monkeypatch.setattr("poetgen.verse.novelty._MANY_GRAMS", 1_000)
    index = build_choice(POEMS).novelty
    for name, share in (("lines", 5 / 6.5), ("pairs", 5 / 6.5), ("grams", 5.25 / 7.5)):
        large, usual = getattr(index, name), getattr(INDEX, name)
        assert len(large.bits) == pytest.approx(share * len(usual.bits), abs=2)
        assert usual.false_alarm_rate < large.false_alarm_rate < 0.1
    for poem, novelty in zip(POEMS, index.check(POEMS), strict=True):
        assert novelty.copied_lines == tuple(lines_in(poem))
    new = chance_poems(200, seed=3)
    assert sum(bool(novelty.copied_lines) for novelty in index.check(new)) < 10


def test_an_index_with_more_poems_finds_those_of_both():
    few = chance_poems(60, seed=3)
    wider = INDEX.extended(few)
    for poem, novelty in zip([*POEMS, *few], wider.check([*POEMS, *few]), strict=True):
        assert novelty.copied_lines == tuple(lines_in(poem))
        assert novelty.unseen_pairs == 0
    for name in ("lines", "grams", "pairs"):
        before, after = getattr(INDEX, name), getattr(wider, name)
        assert len(after.bits) == len(before.bits)
        assert before.false_alarm_rate <= after.false_alarm_rate < 0.1
    assert sum(bool(novelty.copied_lines) for novelty in INDEX.check(few)) < 30
    # Once more, nothing is new.
    again = wider.extended([*few, *POEMS])
    np.testing.assert_array_equal(again.lines.bits, wider.lines.bits)
    np.testing.assert_array_equal(again.grams.bits, wider.grams.bits)
    np.testing.assert_array_equal(again.pairs.bits, wider.pairs.bits)


def test_an_index_takes_no_more_poems_than_it_can_tell_apart():
    assert INDEX.extended(chance_poems(1_500, seed=3)) is None
    assert build_choice([]).novelty.extended(POEMS[:1]) is None
