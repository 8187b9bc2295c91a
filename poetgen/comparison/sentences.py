"""What a verdict says in sentences: which contender is better, what ended early, what is meant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from poetgen.comparison.curves import curves_of
from poetgen.comparison.differences import LEAST_RUNS, LEAST_TEXTS, LEVEL
from poetgen.comparison.labels import labels_of
from poetgen.comparison.results import Run, Verdict, mean_of
from poetgen.comparison.rows import (
    common_settings,
    differing_settings,
    finished,
    has_spread,
    p_value,
)

# A run whose perplexity fell by more than this share in its last tenth has more to learn.
_STEEP = 0.02
# Settings that decide what a step reads.
_OF_BATCHES = ("batching", "batch_tokens", "batch_size", "seq_len", "fields")


def title_of(verdict: Verdict) -> str:
    """Return the title of a report."""
    return f"{_list([*labels_of(verdict.contenders).values()])} on {verdict.on}"


def findings(verdict: Verdict) -> list[str]:
    """Return the ranking, which neighbours in it differ clearly, and how far to trust it."""
    labels = labels_of(verdict.contenders)
    bits = {
        contender.name: mean
        for contender in verdict.contenders
        if (mean := mean_of(contender.figures, "bits_per_char")) is not None
    }
    ranking = sorted(bits, key=lambda name: bits[name])
    found = {frozenset((one.better, one.worse)): one for one in verdict.differences}
    sentences = []
    if len(ranking) > 1:
        ranked = ", ".join(f"{labels[name]} ({bits[name]:.3f})" for name in ranking)
        sentences.append(f"Best first, by bits per character: {ranked}.")
    pairs = [found[pair] for pair in map(frozenset, pairwise(ranking)) if pair in found]
    for is_clear, word in ((True, "Clearly different"), (False, "Not clearly different")):
        shown = [
            f"{labels[one.better]} and {labels[one.worse]} (p {p_value(one.p_value)})"
            for one in pairs
            if one.p_value is not None and one.is_clear == is_clear
        ]
        if shown:
            sentences.append(f"{word}: {'; '.join(shown)}.")
    untested = [one for one in pairs if one.p_value is None]
    if untested:
        shown = [f"{labels[one.better]} and {labels[one.worse]}" for one in untested]
        sentences.append(
            f"Not tested: {'; '.join(shown)}. A test needs at least {LEAST_RUNS} seeds of both, "
            f"or a single run of both on the same texts, at least {LEAST_TEXTS}."
        )
    if tests := list(dict.fromkeys(one.test for one in pairs if one.p_value is not None)):
        num_tested = sum(one.p_value is not None for one in verdict.differences)
        corrected = f" after Holm's correction for {num_tested} pairs" if num_tested > 1 else ""
        sentences.append(f"Test: {_list(tests)}; clear if p < {LEVEL}{corrected}.")
    if any(one.is_of_models for one in pairs):
        more = f" For that, give --seeds {LEAST_RUNS}." if verdict.seeds else ""
        sentences.append(
            "The paired test is about these models as they are, on texts like these, and not "
            f"about their architectures.{more}"
        )
    return [*sentences, *_doubts(verdict)]


def _doubts(verdict: Verdict) -> list[str]:
    """Return a sentence about the contenders that more training may move."""
    labels = labels_of(verdict.contenders)
    short = [
        labels[contender.name]
        for contender in verdict.contenders
        if contender.kind == "trained" and any(map(_is_short, finished(contender)))
    ]
    more = "--max-minutes" if verdict.equal == "time" else "--budget"
    said = (
        f"Barely trained (less than an epoch, or perplexity still fell by over {_STEEP:.0%} in the "
        f"last tenth): {_list(short)}. A larger {more} may change the ranking."
    )
    return [said] if short else []


def _is_short(run: Run) -> bool:
    """Return whether a run is less than an epoch, or its perplexity still fell at the end."""
    if run.epochs is not None and run.epochs < 1:
        return True
    points = [point for point in run.curve if math.isfinite(point.perplexity)]
    if len(points) < 2:
        return False
    losses = [math.log(point.perplexity) for point in points]
    before = np.interp(0.9 * points[-1].tokens, [point.tokens for point in points], losses)
    return float(before) - losses[-1] > -math.log(1 - _STEEP)


# How runs ended that did not have the whole budget.
_ENDED = {
    "time": "stopped when the time was up",
    "interrupted": "interrupted",
    "diverged": "diverged",
    "failed": "failed",
}


def early_ends(verdict: Verdict) -> list[str]:
    """Return a sentence for the runs that did not have the whole budget, with their reasons.

    Runs that ended alike have one sentence.
    """
    sentences = []
    labels = labels_of(verdict.contenders)
    for contender in verdict.contenders:
        label = labels[contender.name]
        ended: dict[tuple[str, str], list[int]] = {}
        for run in contender.runs:
            if run.status in _ENDED:
                after = f" after {run.tokens:,} tokens" if run.tokens else ""
                how = f"{_ENDED[run.status]}{after}."
                ended.setdefault((how, run.reason), []).append(run.seed)
        for (how, reason), seeds in ended.items():
            of_seeds = f", {_of_seeds(seeds)}" if contender.kind == "trained" else ""
            sentences.append(f"{label}{of_seeds}: {how} {reason}".rstrip())
        if contender.kind == "trained" and not contender.runs:
            sentences.append(f"{label}: not trained yet.")
    return sentences


def conditions(verdict: Verdict) -> list[str]:
    """Return who the contenders are, and under which conditions they were trained and measured."""
    labels = labels_of(verdict.contenders)
    renamed = [f"{label} is {name}" for name, label in labels.items() if label != name]
    sentences = [f"{'; '.join(renamed)}."] if renamed else []
    sentences += [f"All were measured on {verdict.on}.", *verdict.notes]
    trained = [one for one in verdict.contenders if one.kind == "trained"]
    if trained:
        sentences.append(
            f"Trained on {verdict.corpus} (fingerprint {verdict.fingerprint}), "
            f"{_of_seeds(verdict.seeds)}, {_batches(verdict)}. Budget: {verdict.budget}"
            + (f"; made equal: {verdict.equal}." if verdict.equal else ".")
        )
        common = common_settings(trained)
        if common:
            sentences.append(
                f"Settings of all: {', '.join(common)}. Those that differ are in the table; all "
                "others are the defaults of poetgen train."
            )
    if has_spread(verdict):
        sentences.append("± is the standard deviation over the seeds.")
    return sentences


def _batches(verdict: Verdict) -> str:
    apart = [name for name in differing_settings(verdict.contenders) if name in _OF_BATCHES]
    if apart:
        return f"in batches that may differ, because the contenders differ in {_list(apart)}"
    return "the same batches in the same order for all"


def reading_curves(verdict: Verdict) -> list[str]:
    """Return how to read the learning curves."""
    curves = curves_of(verdict, "tokens")
    sentences = ["Validation perplexity per token, on a logarithmic axis."]
    if any(curve.mean and curve.mean.low != curve.mean.high for curve in curves):
        sentences.append(
            "Lines are means over the seeds; bands go from the lowest to the highest of them."
        )
    if any(curve.lost for curve in curves):
        sentences.append("Dotted: runs without figures, which end at the cross.")
    if any(curve.level is not None for curve in curves):
        sentences.append("Dashed: contenders that were not trained here.")
    return sentences


def meanings(verdict: Verdict) -> list[str]:
    """Return what the figures of a verdict mean."""
    contenders = verdict.contenders
    every = [figures for one in contenders for figures in one.figures]
    sentences = [
        "Perplexity per token counts every token of every poem or text once, its end included."
    ]
    if any(figures.perplexity_per_hanzi is not None for figures in every):
        sentences.append("Perplexity per hanzi counts Chinese characters alone.")
    sentences.append(
        "Bits per character count all characters of the text, line breaks and marks included; they "
        "compare models with different tokens."
    )
    if any(figures.unknown_share for figures in every):
        sentences.append(
            "A token that a model does not know is charged as its unknown token, times a uniform "
            "choice among the different characters of the text that it does not know."
        )
    if any(one.kind == "trained" for one in contenders):
        sentences.append(
            "Time in training was spent in steps, and tokens per second refer to it; time in all "
            "includes validation, samples and files."
        )
    if any(run.training_perplexity is not None for run in verdict.all_runs):
        sentences.append(
            "Training perplexity is per token of the last epoch, as it was read: before each step, "
            "with dropout. It is of the end of the run, the others of the best validation."
        )
    if any(one.cold_seconds is not None for one in contenders):
        sentences.append(
            "Cold is the time of poetgen generate as a new process; warm, that of a model that is "
            "already loaded."
        )
    if any(one.panel for one in contenders):
        sentences.append(
            "The sampled poems are one draft each at temperature 0.8, without start, title and "
            "rules. In a form: 绝句 or 律诗; no wrong tone: of these. Rhymes are those of 平水韵. "
            "Thread: how much what a poem speaks of hangs together. Parallelism: how alike in kind "
            "the facing characters of middle couplets are. Distinct-1 and -2: different "
            "characters, and pairs of neighbours, a character written. Self-BLEU: how alike the "
            "poems are, 0 to 1. New pairs: neighbours that no training poem has. A copied line: "
            "poems with a line of a training poem."
        )
    return sentences


def _of_seeds(seeds: Sequence[int]) -> str:
    """Return seeds in words, those that follow each other as a range."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    shown = [
        part
        for run in runs
        for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))
    ]
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {_list(shown)}"


def _list(names: Sequence[str]) -> str:
    return " and ".join([*filter(None, [", ".join(names[:-1])]), *names[-1:]])
