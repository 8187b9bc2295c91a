"""What a verdict says in sentences: which contender is better, what ended early, what is meant."""

from __future__ import annotations

from collections.abc import Sequence

from poetgen.comparison.curves import curves_of
from poetgen.comparison.results import Verdict
from poetgen.comparison.rows import has_spread


def title_of(verdict: Verdict) -> str:
    """Return the title of a report."""
    names = [contender.name for contender in verdict.contenders]
    return f"{_list(names)} on {verdict.on}"


def findings(verdict: Verdict) -> list[str]:
    """Return which differences are clear, which are not, and which were not tested."""
    tested = [one for one in verdict.differences if one.p_value is not None]
    untested = [f"{one.better} and {one.worse}" for one in verdict.differences if one not in tested]
    sentences = [
        f"{one.better} predicts better than {one.worse} (p = {one.p_value:.2g}, {one.test})."
        for one in tested
        if one.is_clear
    ]
    sentences += [
        f"Between {one.better} and {one.worse} there is no clear difference "
        f"(p = {one.p_value:.2g}, {one.test})."
        for one in tested
        if not one.is_clear
    ]
    if untested:
        sentences.append(
            "Not tested, because that needs three seeds of both; the one with the lower loss "
            f"first: {'; '.join(untested)}."
        )
    return sentences


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
    for contender in verdict.contenders:
        ended: dict[tuple[str, str], list[str]] = {}
        for run in contender.runs:
            if run.status in _ENDED:
                after = f" after {run.tokens:,} tokens" if run.tokens else ""
                how = f"{_ENDED[run.status]}{after}."
                ended.setdefault((how, run.reason), []).append(str(run.seed))
        for (how, reason), seeds in ended.items():
            sentences.append(f"{contender.name}, {_of_seeds(seeds)}: {how} {reason}".rstrip())
        if contender.kind == "trained" and not contender.runs:
            sentences.append(f"{contender.name}: not trained yet.")
    return sentences


def conditions(verdict: Verdict) -> list[str]:
    """Return under which conditions the contenders were trained and measured."""
    sentences = [f"All were measured on {verdict.on}."]
    trained = [one for one in verdict.contenders if one.kind == "trained"]
    if trained:
        seeds = _of_seeds([str(seed) for seed in verdict.seeds])
        sentences.append(
            f"Trained on {verdict.corpus} (fingerprint {verdict.fingerprint}), {seeds}, the same "
            f"batches in the same order for all. Budget: {verdict.budget}"
            + (f"; made equal: {verdict.equal}." if verdict.equal else ".")
        )
    if has_spread(verdict):
        sentences.append("± is the standard deviation over the seeds.")
    return sentences


def setups(verdict: Verdict) -> list[str]:
    """Return for each contender the settings that are not the defaults of training."""
    return [
        f"{contender.name} has "
        + ", ".join(f"{name} = {value}" for name, value in contender.settings.items())
        + "; all other settings are the defaults of poetgen train."
        for contender in verdict.contenders
        if contender.settings
    ]


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
            "A poem, cold, is the time of poetgen generate as a new process; warm, that of a poem "
            "by a model that is loaded."
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


def _of_seeds(seeds: Sequence[str]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {_list(seeds)}"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
