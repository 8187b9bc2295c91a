"""Tables of corpora and models: what can be fetched, and what is here."""

from __future__ import annotations

from rich.filesize import decimal

from poetgen.cli.display import Columns, make_answer_console, print_table
from poetgen.corpus.corpus import Corpus
from poetgen.fetching.named import NamedCorpus, list_named
from poetgen.inspection.catalogue import (
    Found,
    corpus_as_dict,
    find_corpora,
    find_models,
    model_as_dict,
)
from poetgen.networks.model import Model, num_parameters
from poetgen.places import shipped_models
from poetgen.terminal import json_text

_UNKNOWN = "–"
_NAMED_COLUMNS: Columns = {"name": "left", "poems": "right", "size": "right", "here": "left"}
_MODEL_COLUMNS: Columns = {
    "model": "left",
    "network": "left",
    "parameters": "right",
    "size": "right",
    "per token": "right",
    "per hanzi": "right",
    "corpus": "left",
    "folder": "left",
}
_CORPUS_COLUMNS: Columns = {
    "corpus": "left",
    "poems": "right",
    "tokens": "right",
    "vocabulary": "right",
    "unknown": "right",
    "size": "right",
    "folder": "left",
}


def print_corpora_by_name() -> None:
    """Print the corpora that can be fetched, and the others that are prepared here."""
    here = {found.name: found for found in find_corpora()}
    rows = []
    for named in list_named():
        found = here.pop(named.name, None)
        state = _fetched(named) if found is None else _prepared(found, "{:,} kept, in ")
        rows.append([named.name, _count(named.num_poems), decimal(named.num_bytes), state])
    for found in here.values():
        size = decimal(found.num_bytes)
        rows.append([found.name, _count(_num_kept(found.about)), size, _prepared(found, "")])
    print_table(make_answer_console(), _NAMED_COLUMNS, rows)


def _prepared(found: Found[Corpus], how_many: str) -> str:
    if found.about is None:
        return f"cannot be used: {found.problem}"
    return f"prepared: {how_many.format(_num_kept(found.about))}{found.path}"


def _fetched(named: NamedCorpus) -> str:
    if not named.num_cached_bytes:
        return "to be fetched"
    is_whole = named.num_cached_bytes == named.num_bytes
    return "fetched" if is_whole else f"fetched in part: {decimal(named.num_cached_bytes)}"


def print_what_is_here(*, as_json: bool) -> None:
    """Print the models and the corpora that are found by name."""
    models, corpora = find_models(), find_corpora()
    if as_json:
        values = {
            "models": [model_as_dict(found) for found in models],
            "corpora": [corpus_as_dict(found) for found in corpora],
        }
        print(json_text(values))
        return
    console = make_answer_console()
    print_table(console, _MODEL_COLUMNS, [_model_row(found) for found in models])
    console.print("Perplexity per token and per hanzi is that of the poems held out.\n")
    if corpora:
        print_table(console, _CORPUS_COLUMNS, [_corpus_row(found) for found in corpora])
    else:
        console.print("No corpus is prepared here. Those with a name: poetgen prepare --list")


def _model_row(found: Found[Model]) -> list[str]:
    model, size = found.about, decimal(found.num_bytes)
    if model is None:
        facts = [_UNKNOWN] * 3
        return [found.name, *facts[1:], size, *facts, f"cannot be used: {found.problem}"]
    config, validation = model.config, model.validation
    per_hanzi = None if validation is None else validation.perplexity_per_hanzi
    return [
        found.name,
        f"{config.arch} {config.num_layers} × {config.hidden_size:,}",
        _count(num_parameters(config)),
        size,
        _UNKNOWN if validation is None else f"{validation.perplexity_per_token:.2f}",
        _UNKNOWN if per_hanzi is None else f"{per_hanzi:.1f}",
        _UNKNOWN if model.corpus is None else model.corpus.name,
        "shipped" if found.path.parent == shipped_models() else str(found.path.parent),
    ]


def _corpus_row(found: Found[Corpus]) -> list[str]:
    corpus, size = found.about, decimal(found.num_bytes)
    if corpus is None:
        return [found.name, *[_UNKNOWN] * 4, size, f"cannot be used: {found.problem}"]
    report = corpus.report
    unknown = report.unknown_share.get("validation")
    return [
        found.name,
        _count(_num_kept(corpus)),
        _count(sum(report.targets.values())),
        _count(len(corpus.vocabulary)),
        _UNKNOWN if unknown is None else f"{unknown:.2%}",
        size,
        str(found.path),
    ]


def _num_kept(corpus: Corpus | None) -> int | None:
    return None if corpus is None else corpus.report.num_kept


def _count(number: int | None) -> str:
    return _UNKNOWN if number is None else f"{number:,}"
