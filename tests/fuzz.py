"""Hunt for new counterexamples: the tests of laws, again and again, each round with a fresh seed.

    make fuzz [SECONDS=100] [SEED=1]

``make test`` tries the same examples every time, this one new ones. When the time is up, the tests
that are left are skipped.
"""

from __future__ import annotations

import itertools
import random
import secrets
import sys
import time

import pytest


class Round:
    """A pytest plugin: the tests in an order of their own, until the time is up."""

    def __init__(self, seed: int, end: float) -> None:
        self._seed, self._end = seed, end

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        random.Random(self._seed).shuffle(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if time.monotonic() > self._end:
            pytest.skip("time is up")


def fuzz(seconds: float, first_seed: int) -> int:
    """Return the exit code of the first round that fails, or 0 when the time is up."""
    end = time.monotonic() + seconds
    for seed in itertools.count(first_seed):
        options = ["-m", "hypothesis and not long", "--hypothesis-profile", "fuzz"]
        options += [f"--hypothesis-seed={seed}"]
        print(f"fuzz: seed {seed}, {max(0, end - time.monotonic()):.0f} s left", flush=True)
        code = int(pytest.main(["-x", *options], plugins=[Round(seed, end)]))
        if code:
            print(
                f"To repeat it: make fuzz SEED={seed}, or for one test of it: pytest TEST "
                f"--hypothesis-profile fuzz --hypothesis-seed={seed}"
            )
            return code
        if time.monotonic() > end:
            return 0
    raise AssertionError("seeds do not end")


if __name__ == "__main__":
    seconds, *seed = map(int, sys.argv[1:])
    sys.exit(fuzz(seconds, seed[0] if seed else secrets.randbelow(2**32)))
