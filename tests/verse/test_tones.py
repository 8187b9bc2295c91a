"""The tone patterns of regulated verse, held against the rules as a reader checks them."""

import itertools

import pytest

from poetgen.verse.tones import OPENINGS, expand, regulated

OPENING_NAMES = ["仄起", "平起", "仄起入韵", "平起入韵"]


def couplets_of(opening, num_lines, length, strictness="strict"):
    """Return every pattern of each couplet, whether its lines were given together or apart."""
    parts = list(regulated(opening, num_lines, length, strictness))
    couplets = []
    while parts:
        couplet = parts.pop(0)
        if len(min(couplet)) == length:
            second = parts.pop(0)
            couplet = {one + other for one in couplet for other in second}
        couplets.append(couplet)
    return couplets


def test_a_template_stands_for_each_choice_of_its_free_places():
    assert expand("中平中") == {"平平平", "平平仄", "仄平平", "仄平仄"}
    assert expand("仄") == {"仄"}


@pytest.mark.parametrize("length", [5, 7])
@pytest.mark.parametrize("num_lines", [4, 8, 12])
@pytest.mark.parametrize("opening", OPENINGS)
def test_strict_lines_keep_every_rule(opening, num_lines, length):
    couplets = [
        [(pattern[:length], pattern[length:]) for pattern in couplet]
        for couplet in couplets_of(opening, num_lines, length)
    ]
    assert len(couplets) == num_lines // 2
    for number, couplet in enumerate(couplets):
        for one, other in couplet:
            assert other[-1] == "平"
            assert (one[-1] == "平") == (number == 0 and opening[0].isupper())
            for place in range(1, length - 1, 2):  # 二四六分明, 对
                assert one[place] != other[place]
            for line in (one, other):
                assert all(a != b for a, b in itertools.pairwise(line[1:-1:2]))
                assert line[-3:] not in ("平平平", "仄仄仄")
                if line[-1] == "平" and line[-4] == "平":  # 孤平
                    assert "平平" in line[:-1]
    for before, after in itertools.pairwise(couplets):  # 粘
        assert {other[1] for _, other in before} == {one[1] for one, _ in after}


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_classic_patterns_are_strict_and_strict_ones_are_loose(opening):
    classic = {
        ("a", "B"): ("仄仄平平仄平平仄仄平", "平平平仄仄仄仄仄平平"),
        ("b", "A"): ("平平平仄仄仄仄仄平平", "仄仄平平仄平平仄仄平"),
        ("A", "B"): ("仄仄仄平平平平仄仄平", "平平平仄仄仄仄仄平平"),
        ("B", "A"): ("平平仄仄平仄仄仄平平", "仄仄平平仄平平仄仄平"),
    }
    strict, loose = (couplets_of(opening, 4, 5, strictness) for strictness in ("strict", "loose"))
    assert all(
        pattern in couplet for pattern, couplet in zip(classic[opening], strict, strict=True)
    )
    assert all(one <= other for one, other in zip(strict, loose, strict=True))
    assert strict != loose


def test_amended_lines_are_loose_only():
    for couplet, opening in (
        ("平平仄平仄仄仄仄平平", ("b", "A")),
        ("仄仄仄仄仄平平平仄平", ("a", "B")),
    ):
        strict, loose = (
            couplets_of(opening, 4, 5, strictness) for strictness in ("strict", "loose")
        )
        assert couplet in loose[0]
        assert couplet not in strict[0]
    # The oblique fourth has to be made good.
    assert "仄仄仄仄仄平平仄仄平" not in couplets_of(("a", "B"), 4, 5, "loose")[0]
