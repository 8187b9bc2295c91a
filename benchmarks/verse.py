"""The panel of docs/verse.md, and what tells real poems from sampled ones.

Held-out poems of the Tang beside poems of the model that ships: sampled freely, and written
under the rules of their form with lines chosen one after the other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from poetgen.characters import punctuated
from poetgen.config import PrepareConfig, SampleConfig, VerseConfig
from poetgen.corpus.corpus import decode_poems
from poetgen.corpus.prepare import build_corpus
from poetgen.corpus.vocabulary import END, PAD, START
from poetgen.fetching.named import fetch_corpus
from poetgen.generation.choosing import best_by_lines
from poetgen.generation.decode import poem_rngs, write
from poetgen.generation.poet import Poet, load_poet
from poetgen.generation.sampling import log_normaliser
from poetgen.verse.choice import Choice, build_choice
from poetgen.verse.forms import form_of, lines_of
from poetgen.verse.panel import panel
from poetgen.verse.pieces import UNKNOWN
from poetgen.verse.score import ChoiceJudge, Measures, measure

# Free poems; chosen ones as ``generate`` writes them, and bold ones.
_SAMPLING = SampleConfig(temperature=0.8)
_CHOSEN = SampleConfig()
_BOLD = SampleConfig(temperature=1.1)
_NUM_DRAFTS = 16
_BLOCK = 512
_SETS = {"绝句": ("五绝", "七绝"), "律诗": ("五律", "七律")}
_MEASURES = (
    *("likelihood", "unigram", "thread", "unseen_pairs"),
    *("num_repeats", "rhyme_faults", "tone_faults"),
)


def panel_rows() -> Iterator[str]:
    """Measure real, sampled and chosen poems, as many of each form."""
    poet, choice, held_out = _load()
    for name, forms in _SETS.items():
        sets: dict[str, list[str]] = {"real": [], "free": [], "chosen": [], "bold": []}
        for form in forms:
            real = [poem for poem in held_out if form_of(poem) == form]
            sets["real"] += real
            sets["free"] += _free(poet, form, len(real))
            for kind, sampling in (("chosen", _CHOSEN), ("bold", _BOLD)):
                sets[kind] += _chosen(poet, form, len(real), choice, sampling)
        yield f"{name:<20}" + "".join(f" {kind:>9}" for kind in sets)
        figures = [asdict(panel(poems, choice)) for poems in sets.values()]
        for key in figures[0]:
            values = [figure[key] for figure in figures]
            if None not in values:
                yield f"{key:<20}" + "".join(
                    f" {value:>9}" if isinstance(value, int) else f" {value:9.3f}"
                    for value in values
                )


def weights_rows() -> Iterator[str]:
    """Compare real quatrains with sampled ones, and with quatrains of exchanged lines."""
    poet, choice, held_out = _load()
    real, free, mixed = [], [], []
    for form in _SETS["绝句"]:
        own = [poem for poem in held_out if form_of(poem) == form]
        real += own
        free += _free(poet, form, len(own))
        mixed += _exchanged(own)
    measured = {
        name: _table(measure(poems, _log_probabilities(poet, poems), choice))
        for name, poems in (("real", real), ("sampled", free), ("exchanged", mixed))
    }
    yield f"{'mean':<24}" + "".join(f"{name:>13}" for name in _MEASURES)
    for name, table in measured.items():
        yield f"{name:<24}" + "".join(f"{value:13.3f}" for value in table.mean(axis=0))
    for name in ("sampled", "exchanged"):
        one, other = measured["real"], measured[name]
        areas = [_area(one[:, i], other[:, i]) for i in range(len(_MEASURES))]
        yield f"{'AUC, real above ' + name:<24}" + "".join(f"{area:13.3f}" for area in areas)
        weights, area = _logistic(one, other)
        yield f"{f'weights, AUC {area:.3f}':<24}" + "".join(f"{w:13.2f}" for w in weights)


def _load() -> tuple[Poet, Choice, list[str]]:
    """Return the poet that ships, the index of the training poems, and the poems held out."""
    corpus = build_corpus(fetch_corpus("tang"), "tang", PrepareConfig()).corpus
    train, *others = (
        decode_poems(corpus.splits[split], corpus.vocabulary)
        for split in ("train", "validation", "test")
    )
    # What the model cannot write is not asked of it.
    held_out = [poem for poems in others for poem in poems if UNKNOWN not in poem]
    return load_poet("tang"), build_choice(train), held_out


def _free(poet: Poet, form: str, num_poems: int) -> list[str]:
    request, found = poet.request("", _SAMPLING, VerseConfig(form="free")), list[str]()
    for first in range(0, 100 * _BLOCK, _BLOCK):
        drafts = write(poet.network, request, poem_rngs(1, _BLOCK, first))
        poems = [poet.model.vocabulary.decode(draft.token_ids) for draft in drafts]
        found += [poem for poem in poems if form_of(poem) == form]
        if len(found) >= num_poems:
            break
    return found[:num_poems]


def _chosen(
    poet: Poet, form: str, num_poems: int, choice: Choice, sampling: SampleConfig
) -> list[str]:
    request = poet.request("", sampling, VerseConfig(form=form))
    judge, found = ChoiceJudge(choice), list[str]()
    for number, plan in enumerate(request.plans):
        rngs = poem_rngs(1, num_poems)[number :: len(request.plans)]
        for first in range(0, len(rngs), _BLOCK // _NUM_DRAFTS):
            block = rngs[first : first + _BLOCK // _NUM_DRAFTS]
            drafts = best_by_lines(poet.network, plan, request, block, _NUM_DRAFTS, judge)
            found += [poet.model.vocabulary.decode(draft.token_ids) for draft in drafts]
    return found


def _exchanged(poems: Sequence[str]) -> list[str]:
    """Return poems of the same lines, each at its place but in another poem."""
    columns = list(map(list, zip(*map(lines_of, poems), strict=True)))
    rng = random.Random(0)
    for column in columns:
        rng.shuffle(column)
    return [punctuated(lines) for lines in zip(*columns, strict=True)]


def _log_probabilities(poet: Poet, poems: Sequence[str]) -> NDArray[np.float64]:
    """Return the natural log-probability of each poem with its end, (B,)."""
    found = []
    for first in range(0, len(poems), _BLOCK):
        ids = [
            [*poet.model.vocabulary.encode_text(poem), END]
            for poem in poems[first : first + _BLOCK]
        ]
        padded = np.full((len(ids), max(map(len, ids))), PAD)
        for row, own in enumerate(ids):
            padded[row, : len(own)] = own
        sums, state = np.zeros(len(ids)), poet.network.start(len(ids))
        before = np.full(len(ids), START)
        for token_ids in padded.T:
            logits, state = poet.network.step(before, state)
            own = logits[np.arange(len(ids)), token_ids] - log_normaliser(logits)
            sums += np.where(token_ids == PAD, 0, own)
            before = token_ids
        found.append(sums)
    return np.concatenate(found)


def _table(measured: Sequence[Measures]) -> NDArray[np.float64]:
    return np.array([[getattr(measures, name) for name in _MEASURES] for measures in measured])


def _area(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how often a value of ``one`` is above one of ``other``; ties count half."""
    apart = one[:, None] - other[None, :]
    return float((apart > 0).mean() + (apart == 0).mean() / 2)


def _logistic(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the weights of a logistic regression that tells one from other, and its AUC."""
    rows = np.vstack([one, other])
    scale = rows.std(axis=0)
    rows = np.column_stack([(rows - rows.mean(axis=0)) / scale, np.ones(len(rows))])
    labels = np.repeat([1.0, 0.0], [len(one), len(other)])
    weights = np.zeros(rows.shape[1])
    ridge = 1e-3 * len(rows) * np.eye(len(weights))
    for _ in range(50):  # Newton's method
        share = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (share - labels) + ridge @ weights
        weights -= np.linalg.solve((rows * (share * (1 - share))[:, None]).T @ rows + ridge, slope)
    values = rows @ weights
    return weights[:-1] / scale, _area(values[: len(one)], values[len(one) :])
