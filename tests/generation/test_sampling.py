import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from poetgen.config import SampleConfig
from poetgen.errors import SettingError
from poetgen.generation.sampling import (
    invert,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    log_softmax,
    penalise_repeats,
    sample,
    scaled,
    softmax,
)

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
    min_p=st.one_of(st.none(), st.floats(0, 1)),
)
# The two ends of [0, 1), and what lies between.
DRAWS = st.one_of(st.just(0.0), st.just(math.nextafter(1, 0)), st.floats(0, 1, exclude_max=True))

quick = settings(max_examples=100, deadline=None)


def probabilities(logits, config):
    """Return the distribution that ``sample`` draws from."""
    return softmax(scaled(logits, config))


@quick
@given(logits=LOGITS)
def test_softmax_is_the_share_of_each_exponential(logits):
    for row, found in zip(logits.tolist(), softmax(logits).tolist(), strict=True):
        exponentials = [math.exp(x) for x in row]
        assert found == pytest.approx([x / sum(exponentials) for x in exponentials], rel=1e-12)


def test_softmax_stands_logits_of_any_size():
    found = softmax(np.array([[1e308, 1e308, -1e30], [-1e30, -np.inf, -1e30]]))
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0], [0.5, 0, 0.5]])


@quick
@given(logits=LOGITS)
def test_log_softmax_is_the_logarithm_of_softmax(logits):
    np.testing.assert_allclose(log_softmax(logits), np.log(softmax(logits)), atol=1e-12)


def test_log_softmax_tells_apart_what_softmax_rounds_to_nothing():
    found = log_softmax(np.array([[0.0, -800.0, -900.0, -np.inf]]))
    np.testing.assert_array_equal(found, [[0, -800, -900, -np.inf]])


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


@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0, 4.0])
@pytest.mark.parametrize("p", [0.0, 0.5, 0.9, 0.999, 1.0])
def test_top_p_of_a_large_vocabulary_is_that_of_all_tokens_in_order(spread, p):
    logits = np.random.default_rng(3).normal(0, spread, (4, 2000))
    logits[:, 100:200] = -np.inf
    # Ties, at the top and lower down: the smaller id comes first.
    logits[1, 300:305] = 5.0
    logits[2] = logits[2].round()
    found = np.isfinite(keep_top_p(logits, p))
    for row, kept, share in zip(logits, found, softmax(logits), strict=True):
        order = np.argsort(-row, kind="stable")
        before = np.cumsum(share[order]) - share[order]
        wanted = order[(before < p) & (share[order] > 0)] if p else order[:1]
        assert set(np.flatnonzero(kept)) == set(wanted)


@quick
@given(logits=LOGITS, p=st.floats(0, 1))
def test_min_p_keeps_what_is_at_least_p_times_as_likely_as_the_likeliest(logits, p):
    for row, found, share in zip(logits, keep_min_p(logits, p), softmax(logits), strict=True):
        kept = np.isfinite(found)
        np.testing.assert_array_equal(found[kept], row[kept])
        assert kept[row.argmax()]
        assert share[kept].min() >= p * share.max() * (1 - 1e-9)
        assert kept.all() or share[~kept].max() <= p * share.max() * (1 + 1e-9)


def test_min_p_keeps_fewer_tokens_the_surer_the_model_is():
    logits = np.array([[6.0, 1.0, 0.5, 0.0], [1.2, 1.0, 0.5, 0.0]])
    assert np.isfinite(keep_min_p(logits, 0.2)).sum(axis=1).tolist() == [1, 4]
    np.testing.assert_array_equal(keep_min_p(logits, 0), logits)


@quick
@given(logits=LOGITS, config=CONFIGS)
def test_the_largest_of_the_scaled_logits_is_0(logits, config):
    np.testing.assert_array_equal(scaled(logits, config).max(axis=1), 0)


# The repetition penalty.


@quick
@given(
    logits=LOGITS,
    written=arrays(np.bool_, (B, V)),
    penalty=st.floats(1.001, 100),
)
def test_a_penalty_lowers_what_was_written_and_nothing_else(logits, written, penalty):
    found = penalise_repeats(logits, written, penalty)
    for was, now, again in zip(
        logits.ravel().tolist(), found.ravel().tolist(), written.ravel().tolist(), strict=True
    ):
        if not again:
            assert now == was
        else:
            assert now == (was / penalty if was > 0 else was * penalty)
            assert now <= was


def test_a_penalty_of_1_changes_nothing_and_what_is_impossible_stays_so():
    logits = np.array([[1.5, -0.5, -np.inf, 0.0]], np.float32)
    everything = np.ones(logits.shape, bool)
    np.testing.assert_array_equal(penalise_repeats(logits, everything, 1.0), logits)
    assert penalise_repeats(logits, everything, 3.0)[0, 2] == -np.inf
    assert penalise_repeats(logits, everything, 3.0).dtype == np.float32


# All filters together.


@quick
@given(logits=LOGITS, config=CONFIGS, mask=MASKS)
def test_filters_only_ever_take_tokens_away(logits, config, mask):
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [1e-308, 1e-6, 0.3, 1, 1e6, 1e308])
def test_the_middle_of_a_token_s_share_draws_that_token_in_either_precision(temperature, dtype):
    config = SampleConfig(temperature=temperature)
    logits = np.random.default_rng(1).normal(0, 3, (1, 6440)).astype(dtype)
    logits[0, ::5] = -np.inf
    shares = probabilities(logits, config)[0]
    (likely,) = np.nonzero(shares > 1e-4)
    likely = likely[:: 1 + len(likely) // 100]
    middles = (np.cumsum(shares) - shares / 2)[likely]
    chosen = sample(np.repeat(logits, len(likely), axis=0), config, middles)
    np.testing.assert_array_equal(chosen, likely)


@pytest.mark.parametrize("num_tokens", [1, 2, 63, 64, 65, 128, 200, 6440])
def test_inverting_in_blocks_finds_what_one_running_sum_finds(num_tokens):
    rng = np.random.default_rng(num_tokens)
    weights = np.exp(rng.normal(0, 4, (300, num_tokens)))
    weights[rng.random(weights.shape) < 0.5] = 0
    weights[np.arange(300), rng.integers(0, num_tokens, 300)] = 1
    draws = rng.random(300)
    sums = np.cumsum(weights, axis=1)
    expected = (sums <= draws[:, None] * sums[:, -1:]).sum(axis=1)
    np.testing.assert_array_equal(invert(weights, draws), expected)


@quick
@given(
    seed=st.integers(0, 1000),
    num_tokens=st.integers(1, 300),
    num_possible=st.integers(1, 9),
    draw=DRAWS,
)
def test_inverting_finds_only_what_has_weight(seed, num_tokens, num_possible, draw):
    rng = np.random.default_rng(seed)
    weights = np.zeros((1, num_tokens))
    possible = rng.integers(0, num_tokens, num_possible)
    weights[0, possible] = 10.0 ** rng.uniform(-300, 0, num_possible)
    (found,) = invert(weights, np.array([draw])).tolist()
    assert found in possible
    if draw == 0:
        assert found == possible.min()


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
        SampleConfig(temperature=1.5, min_p=0.2),
    ],
    ids=["plain", "cold", "top_k", "top_p", "min_p"],
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
        {"min_p": -0.1},
        {"min_p": 1.01},
        {"repetition_penalty": 0.9},
        {"repetition_penalty": math.inf},
        {"max_chars": 0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingError):
        SampleConfig(**wrong)
