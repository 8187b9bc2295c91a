"""The rows of a verdict, which all reports share, and what it says in sentences."""

from dataclasses import replace
from itertools import combinations
from statistics import fmean, stdev

import pytest

from poetgen.comparison.labels import labels_of
from poetgen.comparison.results import Contender, Point, Run
from poetgen.comparison.rows import MISSING, number, pair_rows, run_rows, sections
from poetgen.comparison.sentences import conditions, early_ends, findings, meanings, title_of
from tests.comparison.verdicts import WELCH, chinese, english, figures


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
    assert diverged["contender"] == "lstm"
    assert (diverged["ended"], diverged["tokens"]) == ("diverged", "499,712")
    assert (diverged["perplexity per token"], diverged["model"]) == (MISSING, MISSING)


def test_contenders_are_ranked_by_their_mean_bits_and_neighbours_are_tested(verdict):
    ranking, clear, untested, test = findings(verdict)[:4]
    order = sorted(
        (fmean(one.bits_per_char for one in c.figures), labels_of(verdict.contenders)[c.name])
        for c in verdict.contenders
        if c.figures
    )
    assert [label for _, label in order] == ["tang", "gru", "lstm", "ngram:5"]
    assert ranking == (
        "Best first, by bits per character: "
        + ", ".join(f"{label} ({bits:.3f})" for bits, label in order) + "."
    )  # fmt: skip
    # tang and ngram:5 are no neighbours.
    assert clear == "Clearly different: gru and lstm (p = 0.0031)."
    assert untested.startswith("Not tested: tang and gru; lstm and ngram:5. A test needs")
    assert test == f"Test: {WELCH}; clear if p < 0.05 after Holm's correction for 2 pairs."


def test_only_a_clear_difference_is_called_one(verdict):
    unclear = replace(verdict.differences[0], is_clear=False, p_value=0.3)
    found = findings(replace(verdict, differences=[unclear]))
    assert "Not clearly different: gru and lstm (p = 0.3)." in found
    assert not any(sentence.startswith("Clearly") for sentence in found)


def test_a_test_of_single_models_is_said_to_be_no_more(verdict):
    of_models = verdict.differences[-1]
    assert of_models.is_of_models
    saved = [c for c in verdict.contenders if c.kind != "trained"]
    alone = replace(verdict, contenders=saved, differences=[of_models], seeds=[])
    _, clear, test, caveat = findings(alone)
    assert clear == "Clearly different: tang and ngram:5 (p < 0.0001)."
    assert "paired t-test over 2,661 texts" in test
    assert "these models as they are" in caveat
    assert "--seeds" not in caveat
    assert "--seeds 3" in findings(replace(alone, seeds=[1]))[-1]


def test_every_pair_has_a_row_where_there_are_more_than_one(verdict, tmp_path):
    heads, rows = pair_rows(verdict)
    assert len(rows) == len(verdict.differences) == 6
    assert {len(row) for row in rows} == {len(heads)}
    order = ["tang", "gru", "lstm", "ngram:5"]
    assert [tuple(row[:2]) for row in rows] == list(combinations(order, 2))
    assert all(float(row[2]) > 0 for row in rows)
    assert [row[3] for row in rows] == [MISSING, MISSING, "yes", "yes", MISSING, MISSING]
    assert not pair_rows(english(tmp_path))[1]


def doubted(verdict, *points, epochs=3.0):
    curve = [Point(tokens, tokens / 100, perplexity) for tokens, perplexity in points]
    run = Run(1, "done", steps=9, epochs=epochs, curve=curve, figures=figures(90.0))
    found = findings(replace(with_runs(verdict, run), differences=[]))
    return [sentence for sentence in found if sentence.startswith("Barely trained")]


def test_runs_that_barely_began_are_said_to_be_so(verdict):
    flat = (100, 80.0), (900, 50.0), (1000, 49.9)
    steep = (100, 80.0), (900, 50.0), (1000, 48.9)
    unsure = replace(verdict, contenders=verdict.contenders[:1])
    assert not doubted(unsure, *flat)
    (said,) = doubted(unsure, *steep)
    assert ": gru. A larger --budget may change the ranking." in said
    (said,) = doubted(unsure, *flat, epochs=0.99)
    assert "less than an epoch" in said
    (said,) = doubted(replace(unsure, equal="time"), *steep)
    assert "A larger --max-minutes" in said
    assert not doubted(unsure, (1000, 50.0))


# What each contender is.


def test_the_table_says_what_each_contender_is(verdict):
    shown = cells(verdict)
    assert shown["architecture"] == ["gru", "lstm", MISSING, "lstm", MISSING]
    assert shown["hidden size"] == ["880", "512", MISSING, "768", MISSING]
    assert shown["layers"] == ["1", "2", MISSING, "1", MISSING]
    assert shown["embedding size"] == ["256", "256", MISSING, "256", MISSING]
    assert shown["vocabulary"] == ["7,001", "7,001", MISSING, "8,302", MISSING]
    assert shown["epochs"] == ["0.318", "0.318", *[MISSING] * 3]


def test_epochs_of_runs_that_differ_are_a_range(verdict):
    runs = [Run(seed, "time", epochs=epochs) for seed, epochs in ((1, 0.5), (2, 12.349))]
    assert cells(with_runs(verdict, *runs))["epochs"][0] == "0.5–12.3"


def with_settings(verdict, *settings):
    contenders = [
        Contender(f"{arch}:x={place}", "trained", one)
        for place, (arch, one) in enumerate(zip(("gru", "lstm", "rnn"), settings, strict=False))
    ]
    return replace(verdict, contenders=[*contenders, Contender("tang", "saved")])


def test_settings_that_differ_are_rows_and_those_of_all_a_sentence(verdict):
    different = with_settings(
        verdict, {"dropout": 0.2, "hidden_size": 640, "learning_rate": 0.01}, {"dropout": 0.2}
    )
    shown = cells(different)
    assert shown["learning rate"] == ["0.01", "0.003", MISSING]
    assert not {"dropout", "hidden size"} & set(shown)
    (said,) = [one for one in conditions(different) if one.startswith("Settings of all")]
    assert "dropout = 0.2." in said
    assert "hidden_size" not in said


@pytest.mark.parametrize("name", ["batching", "batch_tokens", "batch_size", "seq_len", "fields"])
def test_the_same_batches_are_said_only_where_they_are_the_same(verdict, name):
    values = {"batching": "random", "fields": False}
    own = {name: values.get(name, 99)}
    same = " ".join(conditions(with_settings(verdict, own, own)))
    assert "the same batches in the same order for all" in same
    other = " ".join(conditions(with_settings(verdict, own, {"dropout": 0.1})))
    assert "same batches" not in other
    assert f"in batches that may differ, because the contenders differ in {name}" in other


def test_a_whole_name_stands_once_where_a_shorter_one_is_used(verdict):
    (said,) = [one for one in conditions(verdict) if verdict.contenders[1].name in one]
    assert said == "lstm is lstm:hidden_size=512,num_layers=2."
    assert "hidden_size=" not in " ".join([title_of(verdict), *findings(verdict)])


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ([7], "seed 7"),
        ([1, 2], "seeds 1 and 2"),
        ([1, 2, 3, 4, 5], "seeds 1 to 5"),
        ([1, 3, 4, 5, 9], "seeds 1, 3 to 5 and 9"),
    ],
    ids=str,
)
def test_seeds_that_follow_each_other_are_a_range(verdict, seeds, words):
    assert f"{words}, " in " ".join(conditions(replace(verdict, seeds=seeds)))


def test_what_ended_early_is_said_with_its_reason_and_the_seeds(verdict):
    diverged, failed = early_ends(verdict)
    assert diverged.endswith("seed 3: diverged after 499,712 tokens. The loss was NaN at step 122.")
    assert failed == "rnn, seeds 1 to 3: failed. No space left on the device."


@pytest.mark.parametrize("kind", ["saved", "ngram"])
def test_what_is_not_trained_has_no_seed(verdict, kind):
    failed = Contender("tang", kind, runs=[Run(0, "failed", "It is damaged.")])
    assert early_ends(replace(verdict, contenders=[failed])) == ["tang: failed. It is damaged."]


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
