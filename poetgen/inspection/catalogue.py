"""The models and the corpora that are found by name, each read in milliseconds.

Of a model only the header is read, of a corpus only ``corpus.json``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from poetgen.corpus.corpus import Corpus
from poetgen.corpus.folder import load_corpus_header
from poetgen.errors import PoetgenError
from poetgen.networks.model import Model, num_parameters
from poetgen.networks.model_file import load_model_header
from poetgen.places import corpora_here, models_here

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A model or a corpus: its name, its place, and its size on the disk.

    ``about`` is None for one that cannot be used, and ``problem`` then says why.
    """

    name: str
    path: Path
    num_bytes: int
    about: T | None
    problem: str | None = None


def find_models() -> list[Found[Model]]:
    """Return all models that are found by name, without their weights."""
    return [_found(name, path, load_model_header) for name, path in models_here().items()]


def find_corpora() -> list[Found[Corpus]]:
    """Return all prepared corpora that are found by name, without their poems."""
    return [_found(name, path, load_corpus_header) for name, path in corpora_here().items()]


def _found(name: str, path: Path, load: Callable[[Path], T]) -> Found[T]:
    files = [path, *path.iterdir()] if path.is_dir() else [path]
    num_bytes = sum(file.stat().st_size for file in files if file.is_file())
    try:
        return Found(name, path, num_bytes, load(path))
    except PoetgenError as error:
        return Found(name, path, num_bytes, None, error.problem)
    except OSError as error:
        return Found(name, path, num_bytes, None, f"{path}: {error.strerror or error}")


def model_as_dict(found: Found[Model]) -> dict[str, Any]:
    """Return plain values for JSON: what a table of models shows."""
    model = found.about
    values = {"name": found.name, "file": str(found.path), "num_bytes": found.num_bytes}
    if model is None:
        return {**values, "problem": found.problem}
    validation = model.validation
    return {
        **values,
        **asdict(model.config),
        "num_parameters": num_parameters(model.config),
        "script": model.script,
        "corpus": None if model.corpus is None else model.corpus.name,
        "perplexity_per_token": None if validation is None else validation.perplexity_per_token,
        "perplexity_per_hanzi": None if validation is None else validation.perplexity_per_hanzi,
    }


def corpus_as_dict(found: Found[Corpus]) -> dict[str, Any]:
    """Return plain values for JSON: what a table of corpora shows."""
    corpus = found.about
    values = {"name": found.name, "folder": str(found.path), "num_bytes": found.num_bytes}
    if corpus is None:
        return {**values, "problem": found.problem}
    report = corpus.report
    return {
        **values,
        "num_poems": report.num_kept,
        "num_tokens": sum(report.targets.values()),
        "vocab_size": len(corpus.vocabulary),
        "num_titled": report.num_titled,
        "num_authored": report.num_authored,
        "num_dated": report.num_dated,
        "unknown_share": report.unknown_share,
        "script": corpus.script,
        "is_prose": corpus.is_prose,
        "fingerprint": corpus.fingerprint,
    }
