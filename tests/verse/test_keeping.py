"""Faults of rhyme and tone, counted for the ranking of drafts."""

import pytest

from poetgen.verse.keeping import rhyme_ends, rule_faults

# 王之涣 登鹳雀楼, and the first couplets of 杜甫 春望.
QUATRAIN = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]


def test_a_regulated_quatrain_has_no_fault():
    assert rule_faults(QUATRAIN) == (0, 0, 0)
    assert rhyme_ends(QUATRAIN) == ["流", "楼"]


def test_a_line_that_does_not_rhyme_is_one_fault():
    changed = [*QUATRAIN[:3], "更上一层山"]
    assert rule_faults(changed).rhyme == 1
    assert rule_faults(QUATRAIN * 2).rhyme == 0
    assert rule_faults([*QUATRAIN, *changed]).rhyme == 1


def test_a_rhyme_character_used_again_is_a_fault_of_its_own():
    again = [*QUATRAIN[:3], "更上一层流"]
    assert rule_faults(again) == (0, 1, 0)
    assert rule_faults(QUATRAIN * 2).same_rhyme == 2


def test_each_character_of_a_wrong_tone_is_a_fault():
    wrong = ["白日依山尽", "黄日入海流", "欲穷千里目", "更上一层楼"]
    assert rule_faults(wrong).tones == 1
    assert rule_faults(["山" * 5] * 4).tones > 5
    # 中 is free where the second line is amended, and unknown characters fit.
    assert rule_faults(["\u3402" * 5] * 4).tones == 0


@pytest.mark.parametrize("lines", [[], ["白日"], QUATRAIN[:3], ["白日依山尽", "黄河"] * 2])
def test_other_shapes_have_no_tones_to_keep(lines):
    assert rule_faults(lines).tones == 0
