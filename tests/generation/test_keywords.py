"""Keywords are made likelier where a text lacks them, and nowhere else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from poetgen.generation.keywords import raise_keywords

NUM_TOKENS = 7
WORDS = st.lists(st.integers(0, NUM_TOKENS - 1), min_size=1, max_size=3)


def spelled(token_ids):
    return "".join(map(str, token_ids))


@given(
    st.lists(st.lists(st.integers(0, NUM_TOKENS - 1), max_size=6), min_size=1, max_size=4),
    st.lists(WORDS, max_size=3),
    st.sampled_from([0.5, 2.0]),
)
def test_the_next_token_of_what_is_missing_is_raised(texts, keywords, strength):
    logits = np.random.default_rng(5).normal(size=(len(texts), NUM_TOKENS))
    before = logits.copy()
    raised = raise_keywords(logits, texts, keywords, strength)
    expected = before.copy()
    for row, text in enumerate(map(spelled, texts)):
        for word in map(spelled, keywords):
            if word in text:
                continue
            begun = max(n for n in range(len(word)) if text.endswith(word[:n]))
            expected[row, int(word[begun])] += strength if begun == 0 else strength + 2
    np.testing.assert_allclose(raised, expected)
    np.testing.assert_array_equal(logits, before)
