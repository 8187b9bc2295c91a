"""What a race found, and the folder it leaves: results.json and report.md beside the models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from poetgen.config import Arch, TrainConfig
from poetgen.files import write_text
from poetgen.verse.layout import couplets


@dataclass(frozen=True, slots=True)
class Result:
    """How one contender did; its model is the file ``model`` in the folder of the race.

    ``train_seconds`` were spent in steps, and ``tokens_per_second`` refers to them;
    ``total_seconds`` include validation, samples and files. Loss (nats) and perplexity are
    of the validation split.
    """

    name: str
    arch: Arch
    num_parameters: int
    train_seconds: float
    total_seconds: float
    tokens_per_second: float
    num_steps: int
    device: str
    val_loss: float
    perplexity_per_token: float
    perplexity_per_hanzi: float | None
    poem: str
    model: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The results of a race, in the order of the contenders; those without one are left out."""

    corpus: str
    fingerprint: str
    budget: int
    settings: TrainConfig
    results: Sequence[Result]
    folder: Path

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return {
            "corpus": {"name": self.corpus, "fingerprint": self.fingerprint},
            "budget": self.budget,
            "settings": asdict(self.settings),
            "contenders": [asdict(result) for result in self.results],
        }


def columns(result: Result) -> dict[str, str]:
    """Return the cells of a table row for one result, by heading."""
    per_hanzi = result.perplexity_per_hanzi
    return {
        "contender": result.name,
        "parameters": f"{result.num_parameters:,}",
        "train s": f"{result.train_seconds:.1f}",
        "total s": f"{result.total_seconds:.1f}",
        "tokens/s": f"{result.tokens_per_second:,.0f}",
        "loss": f"{result.val_loss:.3f}",
        "perplexity/token": f"{result.perplexity_per_token:.2f}",
        "perplexity/hanzi": "–" if per_hanzi is None else f"{per_hanzi:.1f}",
    }


def save_report(comparison: Comparison) -> None:
    """Write results.json and report.md into the folder of the race."""
    text = json.dumps(comparison.as_dict(), ensure_ascii=False, indent=2)
    write_text(comparison.folder / "results.json", text + "\n")
    results, settings = comparison.results, comparison.settings
    rows = [columns(result) for result in results]
    table = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    lines = [
        f"# {' and '.join(result.name for result in results)} on {comparison.corpus}",
        "",
        f"Corpus fingerprint {comparison.fingerprint}. Every contender had "
        f"{comparison.budget:,} training tokens in the same order, seed {settings.seed}, "
        f"{settings.num_layers} layer(s) of {settings.hidden_size} units, "
        f"embeddings of {settings.embedding_dim}. Loss (nats) and perplexity are of the "
        "validation split. Train s are the seconds spent in training steps, to which tokens/s "
        "refers; total s include validation, samples and files.",
        "",
        *("| " + " | ".join(cells) + " |" for cells in table),
    ]
    for result in results:
        lines += ["", f"## {result.name}", "", *(f"    {line}" for line in couplets(result.poem))]
    write_text(comparison.folder / "report.md", "\n".join(lines) + "\n")
