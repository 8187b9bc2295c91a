"""The rows of a verdict, which all reports share, and what it says in sentences."""

from dataclasses import replace
from statistics import fmean, stdev

import pytest

from poetgen.comparison.findings import conditions, early_ends, findings, meanings
from poetgen.comparison.results import Contender, Run
from poetgen.comparison.rows import MISSING, number, run_rows, sections
from tests.comparison.verdicts import chinese, english, figures


@pytest.fixture
def verdict(tmp_path):
    return chinese(tmp_path)


def cells(verdict, places=None):
    return {row.label: row.cells for section in sections(verdict, places) for row in section.rows}


def with_runs(verdict, *runs):
    one = replace(verdict.contenders[0], runs=runs)
    return replace(verdict, contenders=[one, *verdict.contenders[1:]])


def test_every_row_has_a_cell_for_each_contender_and_one_of_them_is_known(verdict):
    for row in cells(verdict).values():
        assert len(row) == len(verdict.contenders)
        assert set(row) != {MISSING}


def test_a_perplexity_is_the_mean_of_the_seeds_with_their_standard_deviation(verdict):
    values = [one.perplexity_per_token for one in verdict.contenders[0].figures]
    gru, _, rnn, tang, ngram = cells(verdict)["perplexity per token"]
    assert gru == f"{fmean(values):.2f} ± {stdev(values):.2f}"
    assert (rnn, tang, ngram) == (MISSING, "118.40", "183.50")


def test_a_perplexity_has_the_digits_that_mean_something():
    assert [number(value) for value in (1.0204, 99.999, 183.456, 5234.5)] == [
        *("1.020", "100.00", "183.46"),
        "5,234",
    ]


def test_runs_without_figures_count_as_not_finished_and_not_in_the_means(verdict):
    shown = cells(verdict)
    assert shown["finished runs"] == ["3 of 3", "2 of 3", "0 of 3", MISSING, MISSING]
    assert shown["tokens"][1] == "1,000,448"


def test_training_perplexity_is_the_mean_of_the_runs_that_have_it(verdict):
    assert "training perplexity" not in cells(verdict)
    values = 1.25, None, 1.35
    runs = [
        Run(seed, "done", training_perplexity=value, figures=figures(90.0))
        for seed, value in enumerate(values)
    ]
    shown = cells(with_runs(verdict, *runs))["training perplexity"]
    assert shown == ["1.300 ± 0.071", *[MISSING] * 4]


def test_tokens_of_runs_that_differ_are_a_range(verdict):
    runs = [
        Run(seed, "time", tokens=tokens, steps=7, figures=figures(90.0))
        for seed, tokens in ((1, 300), (2, 1200))
    ]
    shown = cells(with_runs(verdict, *runs))
    assert (shown["tokens"][0], shown["steps"][0]) == ("300–1,200", "7")


@pytest.mark.parametrize(
    ("seconds", "label", "cell"),
    [
        (0.0421, "time in training, ms", "42"),
        (61.26, "time in training, s", "61.3"),
        (3000.0, "time in training, min", "50.0"),
        (9000.0, "time in training, h", "2.50"),
    ],
)
def test_a_row_of_times_is_in_the_unit_of_its_largest(verdict, seconds, label, cell):
    runs = Run(1, "done", train_seconds=seconds, figures=figures(90.0))
    alone = replace(verdict, contenders=[replace(verdict.contenders[0], runs=[runs])])
    assert cells(alone)[label] == [cell]


def test_the_rows_of_some_contenders_have_the_units_of_all_and_only_what_these_have(verdict):
    whole, part = cells(verdict), cells(verdict, [4, 3])
    assert "steps" not in part
    for label, row in part.items():
        assert row == [whole[label][4], whole[label][3]]


def test_english_has_no_hanzi_and_no_panel_of_verse(tmp_path):
    verdict = english(tmp_path)
    text = " ".join([*cells(verdict), *conditions(verdict), *meanings(verdict)])
    assert "hanzi" not in text
    assert "poems, without rules" not in text
    assert "rhyme" not in text


def test_every_single_run_is_listed_with_what_it_had(verdict):
    heads, rows = run_rows(verdict)
    assert len(rows) == 9
    assert {len(row) for row in rows} == {len(heads)}
    diverged = dict(zip(heads, rows[5], strict=True))
    assert diverged["contender"] == verdict.contenders[1].name
    assert (diverged["ended"], diverged["tokens"]) == ("diverged", "499,712")
    assert (diverged["perplexity per token"], diverged["model"]) == (MISSING, MISSING)


def test_only_a_clear_difference_is_called_one(verdict):
    clear, untested = findings(verdict)
    assert clear.startswith("gru predicts better than lstm")
    assert "p = 0.0031, Welch's t-test over 3 seeds" in clear
    assert "Not tested" in untested
    assert "tang and gru; gru and ngram:5" in untested
    unclear = replace(verdict.differences[0], is_clear=False, p_value=0.3)
    (sentence,) = findings(replace(verdict, differences=[unclear]))
    assert "no clear difference (p = 0.3" in sentence


def test_what_ended_early_is_said_with_its_reason_and_the_seeds(verdict):
    diverged, failed = early_ends(verdict)
    assert diverged.endswith("seed 3: diverged after 499,712 tokens. The loss was NaN at step 122.")
    assert failed == "rnn, seeds 1, 2 and 3: failed. No space left on the device."


@pytest.mark.parametrize("status", ["time", "interrupted"])
def test_less_than_the_budget_is_said(verdict, status):
    said = early_ends(with_runs(verdict, Run(1, status, tokens=300, figures=figures(90.0))))
    assert "after 300 tokens" in said[0]
    assert not early_ends(
        replace(verdict, contenders=[Contender("gru", "trained", runs=[Run(1, "patience")])])
    )


def test_a_contender_that_waits_is_said_to_wait(verdict):
    waiting = replace(verdict, contenders=[Contender("gru", "trained")], differences=[])
    assert early_ends(waiting) == ["gru: not trained yet."]
