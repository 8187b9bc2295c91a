"""Duplicates and near-duplicates: the fast way finds exactly what the slow way finds."""

from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.duplicates import SeenPoems, allowed_differences, num_differences

# Few characters and many copies, so that near-duplicates abound.
POEMS = st.lists(
    st.text("日月山水", min_size=8, max_size=12) | st.text("日月", min_size=20, max_size=22)
)


def naive(poems: list[str]) -> list[str | None]:
    """Compare each poem with all that were taken in."""
    met: list[str] = []
    answers: list[str | None] = []
    for poem in poems:
        alike = [other for other in met if len(other) == len(poem)]
        if poem in met:
            answers.append("duplicate")
        elif any(num_differences(poem, o) <= allowed_differences(len(poem)) for o in alike):
            answers.append("near-duplicate")
        else:
            answers.append(None)
            met.append(poem)
    return answers


@given(POEMS)
def test_near_duplicates_are_those_that_comparing_all_pairs_finds(poems):
    seen = SeenPoems(near=True)
    assert [seen.add(poem) for poem in poems] == naive(poems)


@given(POEMS)
def test_without_near_only_equal_poems_are_found(poems):
    seen = SeenPoems(near=False)
    answers = [seen.add(poem) for poem in poems]
    assert answers == ["duplicate" if p in poems[:i] else None for i, p in enumerate(poems)]


def test_one_place_in_ten_may_differ():
    seen = SeenPoems(near=True)
    poem = "".join(chr(0x4E00 + i) for i in range(28))
    assert seen.add(poem) is None
    assert seen.add("月" + poem[1:14] + "日" + poem[15:]) == "near-duplicate"
    assert seen.add("月日山" + poem[3:]) is None
    assert seen.add(poem[:-1]) is None


@given(POEMS, POEMS)
def test_to_look_for_a_poem_adds_nothing(poems, others):
    seen, again = SeenPoems(near=True), SeenPoems(near=True)
    for poem in poems:
        seen.add(poem)
        again.add(poem)
    found = [seen.find(other) for other in others]
    assert found == [seen.find(other) for other in others]
    assert all(again.add(other) == one for other, one in zip(others[:1], found[:1], strict=True))
