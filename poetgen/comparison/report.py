"""The folder that a race leaves behind: results.json and report.md beside the models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from poetgen.comparison.race import Result
from poetgen.config import RaceConfig
from poetgen.corpus.corpus import Corpus
from poetgen.files import write_text
from poetgen.verse.layout import couplets


def as_json(results: Sequence[Result], corpus: Corpus, config: RaceConfig) -> dict[str, Any]:
    """Give all of a race as one object of plain values."""
    return {
        "corpus": {"name": corpus.name, "fingerprint": corpus.fingerprint},
        "settings": asdict(config),
        "contenders": [result.as_dict() for result in results],
    }


def columns(result: Result) -> dict[str, str]:
    """Write one result as the cells of a table, by heading."""
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


def save_report(
    results: Sequence[Result], corpus: Corpus, config: RaceConfig, folder: Path
) -> None:
    """Write results.json and report.md into ``folder``."""
    text = json.dumps(as_json(results, corpus, config), ensure_ascii=False, indent=2)
    write_text(folder / "results.json", text + "\n")
    rows = [columns(result) for result in results]
    table = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    lines = [
        f"# {' and '.join(result.name for result in results)} on {corpus.name}",
        "",
        f"Corpus fingerprint {corpus.fingerprint}. Every contender had {config.budget:,} "
        f"training tokens in the same order, seed {config.seed}, "
        f"{config.num_layers} layer(s) of {config.hidden_size} units, "
        f"embeddings of {config.embedding_dim}. Loss (nats) and perplexity are of the "
        "validation split. Train s are the seconds spent in training steps, of which tokens/s "
        "are; total s include validation, samples and files.",
        "",
        *("| " + " | ".join(cells) + " |" for cells in table),
    ]
    for result in results:
        lines += ["", f"## {result.name}", "", *(f"    {line}" for line in couplets(result.poem))]
    write_text(folder / "report.md", "\n".join(lines) + "\n")
