"""Plain values come back as the dataclasses that they came from, or are refused."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.plain import read_plain

COUNTS = st.integers(-(2**63), 2**63 - 1)
SHARES = st.floats(allow_nan=False, allow_infinity=False)


@dataclass(frozen=True)
class Inner:
    name: str
    share: float | None = None


@dataclass(frozen=True)
class Outer:
    kind: Literal["a", "b"]
    counts: dict[Literal["a", "b"], int]
    inner: list[Inner]
    is_odd: bool = False
    examples: dict[str, list[str]] = field(default_factory=dict)
    anything: Any = None


GOOD = {"kind": "a", "counts": {"a": 1}, "inner": [{"name": "日"}]}
OUTER = st.builds(
    Outer,
    kind=st.sampled_from("ab"),
    counts=st.dictionaries(st.sampled_from("ab"), COUNTS),
    inner=st.lists(st.builds(Inner, st.text(), st.none() | SHARES)),
    is_odd=st.booleans(),
    examples=st.dictionaries(st.text(), st.lists(st.text())),
    anything=st.none() | st.lists(st.booleans()),
)


@given(OUTER)
def test_what_asdict_gives_comes_back(value):
    assert read_plain(Outer, json.loads(json.dumps(asdict(value)))) == value


def test_what_is_missing_has_its_default():
    inner = [{"name": "日"}]
    outer = read_plain(Outer, {"kind": "a", "counts": {}, "inner": inner})
    assert outer == Outer("a", {}, [Inner("日")])


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "c"},
        {"counts": {"c": 1}},
        {"counts": {"a": 1.0}},
        {"counts": {"a": True}},
        {"counts": {"a": 2**63}},
        {"counts": [1]},
        {"counts": None},
        {"inner": {"name": "日"}},
        {"inner": ["日"]},
        {"inner": [{"name": 7}]},
        {"inner": [{}]},
        {"inner": [{"name": "日", "share": float("nan")}]},
        {"is_odd": 1},
        {"examples": {"日": "月"}},
        {"examples": {"日": [None]}},
        {"more": 1},
    ],
)
def test_other_values_are_refused(change):
    read_plain(Outer, GOOD)
    with pytest.raises(ValueError, match=r"cannot be|not a|missing|unknown"):
        read_plain(Outer, GOOD | change)


@pytest.mark.parametrize("name", ["kind", "counts", "inner"])
def test_what_has_no_default_cannot_be_missing(name):
    with pytest.raises(ValueError, match=f"{name} is missing"):
        read_plain(Outer, {key: value for key, value in GOOD.items() if key != name})
