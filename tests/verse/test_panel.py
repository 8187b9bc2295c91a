"""The panel: counts of a few poems that can be done on paper."""

import pytest

from poetgen.verse.choice import build_choice
from poetgen.verse.keeping import RuleFaults
from poetgen.verse.panel import panel
from tests.verse.samples import chance_poems, lines_in

POEMS = chance_poems(400, seed=21)
CHOICE = build_choice(POEMS)
NEW = chance_poems(50, seed=22)
QUATRAIN = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"


def test_the_figures_of_one_quatrain():
    found = panel([QUATRAIN], CHOICE)
    assert (found.num_poems, found.repeats, found.copied) == (1, 0, 0)
    assert (found.rhymes, found.same_rhyme, found.tones) == (1, 0, 1)
    assert (found.distinct_1, found.distinct_2) == (1, 16 / 20)
    assert found.thread == 0
    assert found.parallelism is found.parallelism_zero is None
    twice = panel([QUATRAIN, QUATRAIN.replace("楼", "流")], CHOICE)
    assert (twice.rhymes, twice.same_rhyme) == (1, 0.5)
    assert twice.repeats == 0.5
    assert twice.distinct_1 == 20 / 40


def test_unseen_pairs_make_up_for_what_is_found_by_mistake():
    # None of these stands in a training poem; the filter finds about one in 22.
    chars = [chr(0x6000 + number) for number in range(4000)]
    poems = ["".join(chars[i : i + 5]) + "，" for i in range(0, 4000, 5)]
    assert panel(poems, CHOICE).unseen_pairs == pytest.approx(1, abs=0.03)
    assert panel(POEMS, CHOICE).unseen_pairs == 0


def test_poems_of_the_training_are_copied_and_others_are_not():
    assert panel(POEMS[:20], CHOICE).copied == 1
    assert panel([*NEW[:15], *POEMS[:5]], CHOICE).copied == pytest.approx(0.25, abs=0.06)


def test_couplets_of_eight_lines_alone_are_held_for_parallelism():
    eight = [poem for poem in NEW if len(lines_in(poem)) == 8]
    four = [poem for poem in NEW if len(lines_in(poem)) == 4]
    found, mixed = panel(eight, CHOICE), panel([*four, *eight], CHOICE)
    assert found.parallelism == pytest.approx(mixed.parallelism)
    pairs = [(lines_in(p)[i], lines_in(p)[i + 1]) for p in eight for i in (2, 4)]
    alone = [CHOICE.kinship.parallelism(*pair) for pair in pairs]
    assert found.parallelism == pytest.approx(sum(alone) / len(alone))
    assert found.parallelism_zero != found.parallelism
    # Of one poem there is no other to take a line from.
    assert panel(eight[:1], CHOICE).parallelism_zero is None


def test_another_checker_can_be_given():
    found = panel(NEW, CHOICE, check=lambda lines: RuleFaults(len(lines) // 8, 0, 2))
    short = sum(len(lines_in(poem)) == 4 for poem in NEW) / len(NEW)
    assert found.rhymes == pytest.approx(short)
    assert (found.same_rhyme, found.tones) == (0, 0)


def test_no_poems_have_no_figures():
    found = panel([], CHOICE)
    assert found.num_poems == 0
    assert found.thread is found.copied is found.unseen_pairs is found.distinct_1 is None
