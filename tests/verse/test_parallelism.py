"""The kinds of characters, and couplets whose facing characters are of one kind."""

import random

import numpy as np
import pytest

from poetgen.verse.choice import build_choice
from tests.verse.samples import ALPHABET

# Three kinds of characters, which follow each other in turn: A B C A B.
KINDS = [ALPHABET[first : first + 20] for first in (0, 20, 40)]


def line_of_kinds(rng, length, first=0):
    return "".join(rng.choice(KINDS[(first + i) % 3]) for i in range(length))


def made():
    rng = random.Random(4)
    poems = [
        "，".join(line_of_kinds(rng, 7, rng.randrange(3)) for _ in range(4)) for _ in range(400)
    ]
    return build_choice(poems).kinship


KINSHIP = made()


def test_lines_of_the_same_kinds_are_parallel_and_shifted_ones_are_not():
    rng = random.Random(5)
    parallel, shifted = [], []
    for _ in range(50):
        line = line_of_kinds(rng, 7)
        parallel.append(KINSHIP.parallelism(line, line_of_kinds(rng, 7)))
        shifted.append(KINSHIP.parallelism(line, line_of_kinds(rng, 7, 1)))
    assert min(parallel) > 0.4 > 0.2 > max(shifted)


def test_parallelism_does_not_depend_on_the_order_of_the_lines_and_has_bounds():
    rng = random.Random(6)
    for _ in range(50):
        one, other = (line_of_kinds(rng, 5, rng.randrange(3)) for _ in range(2))
        found = KINSHIP.parallelism(one, other)
        assert found == pytest.approx(KINSHIP.parallelism(other, one))
        assert -1 <= found <= 1


def test_equal_and_unknown_characters_are_left_out():
    one, other = KINDS[0][:2], KINDS[0][2:4]
    only = KINSHIP.parallelism(one[0], other[0])
    assert KINSHIP.parallelism(one[0] + "龙" + one[1], other[0] + other[1] + one[1]) == only
    assert KINSHIP.parallelism("龙虎", "风云") == KINSHIP.parallelism("", "") == 0


def test_vectors_have_length_one_and_the_same_bytes_each_time():
    lengths = np.linalg.norm(KINSHIP.vectors.astype(float), axis=1)
    assert (abs(lengths - 127) < 3).all()
    np.testing.assert_array_equal(KINSHIP.vectors, made().vectors)
