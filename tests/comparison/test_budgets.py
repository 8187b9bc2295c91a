"""What is called equal in a race is equal."""

import dataclasses

import pytest

from poetgen.comparison.budgets import (
    Budget,
    describe,
    equalise,
    fit_parameters,
    flops_per_token,
    plan_budget,
    shape_of,
)
from poetgen.comparison.contenders import parse_contenders
from poetgen.config import ARCHS, ModelConfig, TrainConfig
from poetgen.errors import SettingError
from poetgen.networks.model import num_parameters
from tests.tiny import tiny_corpus

COMMON = TrainConfig(hidden_size=96, embedding_dim=23)


@pytest.fixture(scope="module")
def corpus():
    return tiny_corpus(40, seed=8)


def plan(corpus, *names, equal=None, tokens=5000, minutes=None):
    """Return the settings of contenders by name, their parameters, and the budget."""
    entrants = parse_contenders(names, COMMON, ())
    budget = plan_budget(equal, tokens, minutes, 1)
    entrants, budget = equalise(entrants, corpus, budget, insist=equal == "parameters")
    settings = {entrant.name: entrant.settings for entrant in entrants}
    counts = {name: num_parameters(shape_of(one, corpus)) for name, one in settings.items() if one}
    return settings, counts, budget


def test_by_default_all_have_about_the_parameters_of_the_largest(corpus):
    settings, counts, budget = plan(corpus, *ARCHS)
    assert budget.equal == "parameters"
    assert settings["lstm"].hidden_size == COMMON.hidden_size
    assert settings["lstm"].hidden_size < settings["gru"].hidden_size < settings["rnn"].hidden_size
    assert max(counts.values()) / min(counts.values()) < 1.05
    # Whatever the order in which they are named.
    assert plan(corpus, *reversed(ARCHS))[1] == counts


def test_a_size_of_its_own_stays_and_the_others_follow_it(corpus):
    settings, counts, budget = plan(corpus, "lstm:hidden_size=40", "gru", "rnn:num_layers=2")
    assert budget.equal == "parameters"
    assert settings["lstm:hidden_size=40"].hidden_size == 40
    assert settings["rnn:num_layers=2"].num_layers == 2
    assert max(counts.values()) / min(counts.values()) < 1.05


def test_sizes_that_differ_leave_only_tokens_equal(corpus):
    names = "lstm:hidden_size=40", "gru:hidden_size=20"
    settings, _, budget = plan(corpus, *names)
    assert budget.equal == "tokens"
    assert [settings[name].hidden_size for name in names] == [40, 20]
    with pytest.raises(SettingError, match=r"gru:hidden_size=20 has .* and lstm:hidden_size=40"):
        plan(corpus, *names, equal="parameters")


def test_equal_tokens_leave_all_sizes_alone(corpus):
    settings, _, budget = plan(corpus, "lstm", "gru", equal="tokens")
    assert budget.equal == "tokens"
    for one in settings.values():
        assert (one.hidden_size, one.max_tokens) == (COMMON.hidden_size, 5000)


def test_equal_flops_give_the_costliest_the_budget_and_the_others_more(corpus):
    settings, _, _ = plan(corpus, *ARCHS, equal="flops")
    costs = {
        name: flops_per_token(shape_of(one, corpus)) * one.max_tokens
        for name, one in settings.items()
    }
    assert settings["lstm"].max_tokens == 5000
    assert settings["rnn"].max_tokens > settings["gru"].max_tokens > 5000
    for cost in costs.values():
        assert cost == pytest.approx(costs["lstm"], rel=1e-3)


def test_the_operations_of_a_token_are_those_of_its_matrix_products():
    small = ModelConfig(arch="gru", vocab_size=11, embedding_dim=5, hidden_size=7, num_layers=2)
    cells = 3 * 7 * (5 + 7) + 3 * 7 * (7 + 7)
    assert flops_per_token(small) == 6 * (cells + 5 * 7 + 11 * 5)
    untied = dataclasses.replace(small, tied=False)
    assert flops_per_token(untied) == 6 * (cells + 11 * 7)
    one_hot = dataclasses.replace(untied, one_hot=True, embedding_dim=11)
    assert flops_per_token(one_hot) == 6 * (3 * 7 * 7 + 3 * 7 * (7 + 7) + 11 * 7)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("target", [1_500, 60_000, 1_000_000])
def test_no_size_is_nearer_by_more_than_a_hundredth(corpus, arch, target):
    settings = dataclasses.replace(COMMON, arch=arch)
    size = fit_parameters(settings, corpus, target).hidden_size

    def distance(hidden_size):
        one = dataclasses.replace(settings, hidden_size=hidden_size)
        return abs(num_parameters(shape_of(one, corpus)) - target)

    nearest = min(map(distance, range(max(1, size - 40), size + 40)))
    assert distance(size) <= max(nearest, 0.01 * target)


def test_a_race_for_time_has_no_tokens_and_gives_every_run_the_same(corpus):
    settings, _, budget = plan(corpus, "lstm", "gru", equal="time", tokens=None, minutes=6.0)
    assert all(one.max_tokens is None for one in settings.values())
    assert budget.minutes_of_run(used_seconds=0, num_left=4, num_runs=4) == 1.5
    assert budget.minutes_of_run(used_seconds=200, num_left=1, num_runs=4) == 1.5


def test_what_a_run_leaves_over_is_for_the_later_ones():
    budget = Budget("tokens", 100, 6.0)
    assert budget.minutes_of_run(used_seconds=0, num_left=4, num_runs=4) == 1.5
    assert budget.minutes_of_run(used_seconds=60, num_left=2, num_runs=4) == 2.5
    assert budget.minutes_of_run(used_seconds=999, num_left=2, num_runs=4) == 0
    assert Budget("tokens", 100, None).minutes_of_run(9, 2, 4) is None


def test_workers_share_the_time_of_the_race_and_train_in_rounds(corpus):
    timed = plan_budget("time", None, 30.0, 1, num_workers=2)
    assert timed.minutes_of_run(used_seconds=0, num_left=6, num_runs=6) == 10
    assert timed.minutes_of_run(used_seconds=900, num_left=1, num_runs=5) == 10
    entrants = parse_contenders(["lstm", "gru"], COMMON, ())
    assert "600.0 seconds for each run" in describe(timed, entrants, corpus, num_seeds=3)
    budget = plan_budget("tokens", 100, 30.0, 1, num_workers=2)
    assert budget.minutes_of_run(used_seconds=0, num_left=3, num_runs=3) == 15
    # Two that trained for ten minutes at the same time.
    assert budget.minutes_of_run(used_seconds=1200, num_left=1, num_runs=3) == 20


@pytest.mark.parametrize(
    ("equal", "tokens", "minutes", "word"),
    [
        ("tokens", 0, None, "--budget 0"),
        ("time", None, None, "--max-minutes"),
        ("time", 100, 5.0, "--budget"),
        (None, None, 0, "--max-minutes"),
        (None, None, float("nan"), "--max-minutes"),
        (None, None, float("inf"), "--max-minutes"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(equal, tokens, minutes, word):
    with pytest.raises(SettingError) as caught:
        plan_budget(equal, tokens, minutes, 1)
    assert word in caught.value.problem + caught.value.advice


def test_n_grams_have_no_budget(corpus):
    settings, _, _ = plan(corpus, "ngram:3", "gru")
    assert settings["ngram:3"] is None


@pytest.mark.parametrize(
    ("equal", "words"),
    [
        (None, "5,000 training tokens for each run, about as many parameters as the largest"),
        ("tokens", "5,000 training tokens for each run"),
        ("flops", "floating-point operations of training for each run"),
        ("time", "45.0 seconds for each run, validation included, 3 minutes for the whole race"),
    ],
)
def test_the_budget_is_said_in_words(corpus, equal, words):
    entrants = parse_contenders(["lstm", "gru"], COMMON, ())
    timed = equal == "time"
    budget = plan_budget(equal, None if timed else 5000, 3.0 if timed else None, 1)
    entrants, budget = equalise(entrants, corpus, budget, insist=False)
    assert words in describe(budget, entrants, corpus, num_seeds=2)
