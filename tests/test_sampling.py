import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from poetgen.config import SampleConfig
from poetgen.errors import SettingError
from poetgen.generation.sampling import keep_top_k, keep_top_p, probabilities, sample, softmax

B, V = 2, 7

LOGITS = arrays(np.float64, (B, V), elements=st.floats(-30, 30))
# Distinct in each row, in any order.
DISTINCT = st.permutations(np.linspace(-4, 3, B * V).tolist()).map(
    lambda values: np.array(values).reshape(B, V)
)
# Some tokens forbidden, but never all.
MASKS = arrays(np.bool_, (B, V)).filter(lambda mask: not mask.all(axis=1).any())
CONFIGS = st.builds(
    SampleConfig,
    temperature=st.one_of(st.just(0.0), st.floats(0.05, 20)),
    top_k=st.one_of(st.none(), st.integers(1, V + 2)),
    top_p=st.one_of(st.none(), st.floats(0, 1)),
)
# The two ends of [0, 1), and what lies between.
DRAWS = st.one_of(st.just(0.0), st.just(math.nextafter(1, 0)), st.floats(0, 1, exclude_max=True))

quick = settings(max_examples=100, deadline=None)


@quick
@given(logits=LOGITS)
def test_softmax_is_the_share_of_each_exponential(logits):
    for row, found in zip(logits.tolist(), softmax(logits).tolist(), strict=True):
        exponentials = [math.exp(x) for x in row]
        assert found == pytest.approx([x / sum(exponentials) for x in exponentials], rel=1e-12)


def test_softmax_stands_logits_of_any_size():
    found = softmax(np.array([[1e308, 1e308, -1e30], [-1e30, -np.inf, -1e30]]))
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0], [0.5, 0, 0.5]])


# Temperature.


@quick
@given(logits=DISTINCT, draw=DRAWS, top_k=st.integers(1, V), top_p=st.floats(0, 1))
def test_temperature_0_takes_the_likeliest_whatever_the_draw(logits, draw, top_k, top_p):
    config = SampleConfig(temperature=0, top_k=top_k, top_p=top_p)
    chosen = sample(logits, config, np.full(B, draw))
    np.testing.assert_array_equal(chosen, logits.argmax(axis=1))


@quick
@given(logits=LOGITS, temperature=st.floats(0.05, 20))
def test_temperature_raises_each_probability_to_its_inverse_power(logits, temperature):
    found = probabilities(logits, SampleConfig(temperature=temperature))
    powers = softmax(logits) ** (1 / temperature)
    np.testing.assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [5e-324, 1e-30, 1e-3, 1e3, 1e30, 1e308])
def test_no_temperature_is_too_tiny_or_too_huge(temperature, dtype):
    logits = np.array([[3.0, -np.inf, 1.0, 3.5, -2.0]], dtype)
    with np.errstate(over="ignore"):
        found = probabilities(logits, SampleConfig(temperature=temperature))
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(1)
    assert found[0, 1] == 0
    if temperature < 0.01:
        np.testing.assert_allclose(found, [[0, 0, 0, 1, 0]], atol=1e-12)
    if temperature > 100:
        np.testing.assert_allclose(found, [[0.25, 0, 0.25, 0.25, 0.25]], atol=1e-2)


# top-k and top-p.


@quick
@given(logits=DISTINCT, k=st.integers(1, V + 2))
def test_top_k_keeps_the_k_likeliest_as_they_are(logits, k):
    for row, found in zip(logits, keep_top_k(logits, k), strict=True):
        best = sorted(row.tolist())[-k:]
        assert found.tolist() == [x if x in best else -math.inf for x in row.tolist()]


@given(k=st.integers(1, 4))
def test_ties_at_the_edge_of_top_k_all_stay(k):
    found = keep_top_k(np.array([[5.0, 5.0, 5.0, 5.0, 1.0]]), k)
    assert found.tolist() == [[5, 5, 5, 5, -math.inf]]


@quick
@given(logits=LOGITS, p=st.floats(0, 1))
def test_top_p_keeps_the_smallest_set_that_reaches_p(logits, p):
    shares = softmax(logits)
    for row, found, share in zip(logits, keep_top_p(logits, p), shares, strict=True):
        kept = np.isfinite(found)
        np.testing.assert_array_equal(found[kept], row[kept])
        assert kept[row.argmax()]
        assert share[kept].sum() >= p - 1e-9
        # Without its least likely token the set would not reach p.
        assert kept.sum() == 1 or share[kept].sum() - share[kept].min() < p + 1e-9
        assert kept.all() or share[kept].min() >= share[~kept].max()


@quick
@given(logits=LOGITS, config=CONFIGS, mask=MASKS)
def test_top_k_and_top_p_only_ever_take_tokens_away(logits, config, mask):
    logits[mask] = -np.inf
    free = probabilities(logits, SampleConfig(temperature=config.temperature))
    found = probabilities(logits, config)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for row, before in zip(found, free, strict=True):
        kept = row > 0
        np.testing.assert_allclose(row[kept], before[kept] / before[kept].sum(), rtol=1e-6)


@quick
@given(logits=LOGITS, config=CONFIGS)
def test_the_given_logits_are_left_alone(logits, config):
    before = logits.copy()
    sample(logits, config, np.zeros(B))
    np.testing.assert_array_equal(logits, before)


# Sampling.


@quick
@given(logits=LOGITS, config=CONFIGS, mask=MASKS, draw=DRAWS)
def test_a_token_without_probability_is_never_drawn(logits, config, mask, draw):
    logits[mask] = -np.inf
    chosen = sample(logits, config, np.full(B, draw))
    allowed = probabilities(logits, config)
    for row, token in enumerate(chosen.tolist()):
        assert not mask[row, token]
        assert allowed[row, token] > 0


def test_the_draws_at_both_ends_take_the_first_and_the_last_token_that_is_allowed():
    logits = np.array([[-np.inf, -np.inf, 1.0, 0.3, -1.0, -np.inf]] * 2)
    draws = np.array([0.0, math.nextafter(1, 0)])
    assert sample(logits, SampleConfig(temperature=1), draws).tolist() == [2, 4]


@quick
@given(logits=LOGITS, config=CONFIGS, draws=st.lists(DRAWS, min_size=B, max_size=B))
def test_each_row_is_drawn_by_its_own_draw(logits, config, draws):
    together = sample(logits, config, np.array(draws))
    alone = [
        sample(logits[row : row + 1], config, np.array(draws[row : row + 1]))[0] for row in range(B)
    ]
    assert together.tolist() == alone


@pytest.mark.parametrize(
    "config",
    [
        SampleConfig(temperature=1),
        SampleConfig(temperature=0.5),
        SampleConfig(temperature=2, top_k=4),
        SampleConfig(temperature=0.8, top_p=0.9),
    ],
    ids=["plain", "cold", "top_k", "top_p"],
)
def test_tokens_are_drawn_as_often_as_their_probabilities_say(config):
    logits = np.array([[1.2, -np.inf, 0.1, 2.0, -1.0, 0.7, -0.4]])
    expected = probabilities(logits, config)[0]
    num_draws = 20_000
    draws = np.random.default_rng(5).random(num_draws)
    chosen = sample(np.repeat(logits, num_draws, axis=0), config, draws)
    counts = np.bincount(chosen, minlength=V)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    wanted = num_draws * expected[possible]
    assert wanted.min() > 5
    # Chi-square with at most 5 degrees of freedom: above 26 once in ten thousand times.
    assert ((counts[possible] - wanted) ** 2 / wanted).sum() < 26


@quick
@given(logits=DISTINCT, config=CONFIGS, draw=DRAWS)
def test_raising_a_token_s_logit_never_lowers_its_probability(logits, config, draw):
    assume(config.top_p is None)
    before = probabilities(logits, config)
    logits[0, 3] += 1.5
    assert probabilities(logits, config)[0, 3] >= before[0, 3] - 1e-12


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"top_k": 0},
        {"top_p": -0.1},
        {"top_p": 1.01},
        {"max_chars": 0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingError):
        SampleConfig(**wrong)
