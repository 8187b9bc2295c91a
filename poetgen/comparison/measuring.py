"""What is measured of a contender's poems: how they are, and how long one takes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import NamedTuple

from poetgen.characters import STARTS
from poetgen.config import OccasionConfig, SampleConfig, SearchConfig, VerseConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import PoetgenError
from poetgen.generation.poet import Poet, generate
from poetgen.verse.choice import Choice
from poetgen.verse.forms import FREE, form_of
from poetgen.verse.panel import panel
from poetgen.verse.self_bleu import self_bleu

# Poems of the panel: one draft each, no rules, no title.
_FREE = SampleConfig(temperature=0.8)
_ONE_DRAFT = SearchConfig(best_of=1)
_UNTITLED, _NO_RULES = OccasionConfig(untitled=True), VerseConfig(form=FREE)
# A process is started so often, and the median counts.
_NUM_STARTS = 3


class Measured(NamedTuple):
    """The panel of a poet (None if its poems are not Chinese), its poems, and seconds a poem."""

    panel: Mapping[str, float | None] | None
    poems: Sequence[str]
    warm_seconds: float


def starts_for(vocabularies: Iterable[Vocabulary], count: int = 3) -> list[str]:
    """Return up to ``count`` of the usual starts that all models know, else the empty start."""
    known = list(vocabularies)
    starts = [start for start in STARTS if all(start in vocabulary for vocabulary in known)]
    return starts[:count] or [""]


def measure_poems(
    poet: Poet,
    starts: Sequence[str],
    seeds: Sequence[int],
    num_poems: int,
    choice: Choice | None = None,
) -> Measured:
    """Return the panel, the poems and the warm time of a poet.

    The poems are what ``generate`` writes by default, one for each start and seed: all seeds of
    the first start first. The warm time is the median of theirs, in seconds, after one that does
    not count, which imports and prepares what all need.

    Args:
        poet: who writes.
        starts: how the poems begin; each can be empty.
        seeds: of the poems; the first is that of the panel.
        num_poems: those of the panel. They are drawn at temperature 0.8, one draft each, without
            rules, start and title.
        choice: the index of the training poems to which they are held; by default the model's.

    Raises:
        PromptError: a start has a token that the model does not know.
    """
    generate(model=poet, start=starts[0], seed=seeds[0])
    poems, seconds = [], []
    for start in starts:
        for seed in seeds:
            began = time.perf_counter()
            (poem,) = generate(model=poet, start=start, seed=seed)
            seconds.append(time.perf_counter() - began)
            poems.append(poem.text)
    return Measured(panel_of(poet, num_poems, seeds[0], choice), poems, median(seconds))


def panel_of(
    poet: Poet, num_poems: int, seed: int, choice: Choice | None = None
) -> dict[str, float | None] | None:
    """Return the figures of ``verse.panel`` of sampled poems, with two more.

    ``form`` is the share of poems that are 绝句 or 律诗, and ``self_bleu`` how much they are
    alike. None if the poet does not write Chinese, or has no index of its training poems.
    """
    choice = choice or poet.model.choice
    if choice is None or not poet.model.vocabulary.is_chinese:
        return None
    written = generate(
        model=poet,
        num_poems=num_poems,
        sampling=_FREE,
        search=_ONE_DRAFT,
        verse=_NO_RULES,
        occasion=_UNTITLED,
        seed=seed,
    )
    texts = [poem.text for poem in written]
    in_form = sum(form_of(text) is not None for text in texts) / len(texts)
    return {**asdict(panel(texts, choice)), "form": in_form, "self_bleu": self_bleu(texts)}


def cold_seconds(model: Path) -> float:
    """Return the seconds of ``poetgen generate`` with a model file, as a new process.

    The median of three; Python starts, and the model is loaded, in each.

    Raises:
        PoetgenError: the command fails.
    """
    words = ["-m", "poetgen", "generate", "--model", str(model.resolve()), "--seed", "1"]
    seconds = []
    for _ in range(_NUM_STARTS):
        began = time.perf_counter()
        # In a session of its own: Ctrl-C is for the race, and not a failure of the model.
        done = subprocess.run(
            [sys.executable, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            check=False,
        )
        seconds.append(time.perf_counter() - began)
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip() or "It said nothing."
            raise PoetgenError(f"{model} wrote no poem in a new process.", said.splitlines()[0])
    return median(seconds)
