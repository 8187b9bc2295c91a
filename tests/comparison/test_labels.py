"""Short names of contenders: never two alike, and no longer than that takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.comparison.labels import labels_of
from poetgen.comparison.results import Contender


def labels(*names):
    def kind(name):
        head = name.partition(":")[0]
        return {"ngram": "ngram", "rnn": "trained", "gru": "trained", "lstm": "trained"}.get(
            head, "saved"
        )

    found = labels_of([Contender(name, kind(name)) for name in names])
    assert [*found] == [*names]
    return [*found.values()]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["lstm", "gru", "ngram:5"], ["lstm", "gru", "ngram:5"]),
        (["lstm:hidden_size=512,num_layers=2", "gru"], ["lstm", "gru"]),
        (
            ["lstm:hidden_size=512,num_layers=2", "gru", "lstm:hidden_size=256,num_layers=2"],
            ["lstm hidden_size=512", "gru", "lstm hidden_size=256"],
        ),
        (["lstm", "lstm:dropout=0.2,num_layers=2"], ["lstm", "lstm dropout=0.2"]),
        (
            ["lstm:a=1,b=1", "lstm:a=1,b=2", "lstm:a=2,b=1"],
            ["lstm a=1,b=1", "lstm a=1,b=2", "lstm a=2,b=1"],
        ),
        (["models/mine.safetensors", "tang"], ["mine", "tang"]),
        (["tang-0.8", "old/char-rnn.pkl"], ["tang-0.8", "char-rnn"]),
        (
            ["a/mine.safetensors", "b/mine.safetensors"],
            ["a/mine.safetensors", "b/mine.safetensors"],
        ),
        (["x/a/mine.safetensors", "mine"], ["mine.safetensors", "mine"]),
        (["lstm", "reports/lstm-gru/lstm.safetensors"], ["lstm", "lstm.safetensors"]),
        (["ngram:3", "ngram:5"], ["ngram:3", "ngram:5"]),
    ],
    ids=str,
)
def test_a_label_is_as_short_as_it_can_be_without_being_ambiguous(names, expected):
    assert labels(*names) == expected


SETTINGS = st.dictionaries(st.sampled_from("abc"), st.integers(1, 2), max_size=3)
NAMES = st.one_of(
    st.tuples(st.sampled_from(["rnn", "lstm"]), SETTINGS).map(
        lambda pair: ":".join(
            [pair[0], *([",".join(f"{k}={v}" for k, v in pair[1].items())] if pair[1] else [])]
        )
    ),
    st.sampled_from(["lstm.safetensors", "a/rnn.safetensors", "a/rnn.pkl", "b/a/rnn.pkl", "rnn."]),
    st.sampled_from(["ngram:1", "ngram:2", "./lstm", "x/ngram:1"]),
)


@given(st.lists(NAMES, unique=True, min_size=2))
def test_no_two_labels_are_alike(names):
    found = labels(*names)
    assert len(set(found)) == len(names) == len(found)
    assert all(len(label) <= len(name) for label, name in zip(found, names, strict=True))
