"""Stand-ins for judging, measuring and the report, with the signatures that are agreed on.

TODO(join): each function here is replaced by the one of judging.py, ngram.py, measuring.py or
report.py; then this file goes.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from poetgen.characters import STARTS
from poetgen.comparison.results import Figures, Verdict
from poetgen.config import SampleConfig
from poetgen.corpus.corpus import Corpus, encode_poems
from poetgen.corpus.vocabulary import UNK, Vocabulary
from poetgen.errors import SettingError
from poetgen.files import write_text
from poetgen.generation.poet import Poet, load_poet
from poetgen.networks.model import Model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.training.evaluation import evaluate

_SAMPLING = SampleConfig(temperature=0.8, max_chars=100)


@dataclass(frozen=True, slots=True)
class Texts:
    """Poems on which contenders are judged, and how the report names them."""

    name: str
    poems: Sequence[str]


@dataclass(frozen=True, slots=True)
class NGram:
    """An n-gram model."""

    order: int
    vocabulary: Vocabulary
    num_parameters: int = 0
    num_bytes: int = 0


def read_texts(on: str | Path | Corpus) -> Texts:
    """Return the texts of a file or a corpus; of a corpus, its validation split."""
    if not isinstance(on, Corpus):
        raise SettingError(f"--on {on} cannot be read yet.", "Leave --on out.")
    split = on.splits["validation"]
    poems = [on.vocabulary.decode(split[number].tolist()) for number in range(len(split))]
    return Texts(f"validation split of {on.name}", poems)


def fingerprint_of(texts: Texts) -> str:
    """Return 16 hexadecimal digits that follow from the poems of texts alone."""
    return hashlib.sha256("\0".join(texts.poems).encode()).hexdigest()[:16]


def train_ngram(corpus: Corpus, order: int) -> NGram:
    """Return an n-gram of the training split of a corpus."""
    return NGram(order, corpus.vocabulary)


def judge(model: Model | NGram, texts: Texts) -> Figures:
    """Return how well a model predicts texts."""
    if isinstance(model, NGram):
        raise SettingError("n-grams cannot be measured yet.", "Leave them out.")
    network = NumpyModel(model.config, model.weights)
    poems = encode_poems(list(texts.poems), model.vocabulary)
    metrics = evaluate(network, poems, model.vocabulary)
    num_unknown = int((poems.tokens == UNK).sum())
    num_chars = sum(map(len, texts.poems))
    bits = metrics.loss_per_token * metrics.num_tokens / math.log(2) / max(1, num_chars)
    return Figures(
        loss_per_token=metrics.loss_per_token,
        perplexity_per_token=metrics.perplexity_per_token,
        perplexity_per_hanzi=metrics.perplexity_per_hanzi,
        bits_per_char=bits,
        unknown_share=num_unknown / metrics.num_tokens,
        num_unknown=num_unknown,
        num_tokens=metrics.num_tokens,
        num_chars=num_chars,
    )


class Measured(NamedTuple):
    """The panel of a poet, its poems, and seconds a poem."""

    panel: Mapping[str, float | None] | None
    poems: Sequence[str]
    warm_seconds: float


def starts_for(vocabularies: Iterable[Vocabulary], count: int = 3) -> list[str]:
    """Return up to ``count`` of the usual starts that all models know, else the empty start."""
    known = list(vocabularies)
    starts = [start for start in STARTS if all(start in vocabulary for vocabulary in known)]
    return starts[:count] or [""]


def measure_poems(
    poet: Poet, starts: Sequence[str], seeds: Sequence[int], num_poems: int
) -> Measured:
    """Return the panel of sampled poems, a poem of each start and seed, and seconds a poem."""
    began = time.monotonic()
    poems = [
        next(poet.iter_poems(poet.request(start, _SAMPLING), 1, seed)).text
        for start in starts
        for seed in seeds
    ]
    return Measured(None, poems, (time.monotonic() - began) / max(1, len(poems)))


def cold_seconds(model_path: Path) -> float:
    """Return the seconds until a model is ready to write."""
    began = time.monotonic()
    load_poet(str(model_path))
    return time.monotonic() - began


def save_verdict(verdict: Verdict) -> None:
    """Write the report into the folder of the verdict."""
    text = json.dumps(verdict.as_dict(), ensure_ascii=False, indent=2)
    write_text(verdict.folder / "report.json", text + "\n")
    rows: list[dict[str, Any]] = verdict.as_dict()["contenders"]
    lines = [f"- {row['name']}: {row['perplexity_per_token']} per token" for row in rows]
    write_text(verdict.folder / "report.md", "\n".join(lines) + "\n")


def save_plot(verdict: Verdict, path: Path) -> None:
    """Write the learning curves as PNG or SVG."""
    raise SettingError(f"{path} cannot be drawn yet.", "Leave --plot out.")
