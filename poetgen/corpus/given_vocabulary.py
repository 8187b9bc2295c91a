"""``prepare --vocabulary``: the vocabulary of another corpus, or of a model, for a new corpus."""

from __future__ import annotations

from pathlib import Path

from poetgen.config import PrepareConfig
from poetgen.corpus.folder import load_corpus_header
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import CorpusError, ModelError, SettingError
from poetgen.places import corpora_here, find_corpus, find_model, models_here
from poetgen.tensor_file import MODEL_FILE, load_tensor_header


def given_vocabulary(settings: PrepareConfig) -> Vocabulary | None:
    """Return the vocabulary that is asked for, or None if it is to be counted.

    A name is that of a prepared corpus, else that of a model.

    Raises:
        CorpusError, ModelError: what is named is damaged.
        SettingError: nothing has this name, what has it has other tokens or another script, or a
            ``min_count`` is given, too.
    """
    name = settings.vocabulary
    if name is None:
        return None
    if settings.min_count is not None:
        raise SettingError(
            "--vocabulary and --min-count exclude each other.",
            "Leave one of them out: a vocabulary is given, or it is counted.",
        )
    vocabulary, script = _find(name)
    if (vocabulary.kind, script) != (settings.tokens, settings.script):
        raise SettingError(
            f"{name} knows {script} {vocabulary.kind}s, this corpus is to have {settings.script} "
            f"{settings.tokens}s.",
            f"Give --script {script} --tokens {vocabulary.kind}, or another --vocabulary.",
        )
    return vocabulary


def _find(name: str) -> tuple[Vocabulary, str]:
    try:
        folder = find_corpus(name)
    except CorpusError:
        try:
            path = find_model(name)
        except ModelError as error:
            there = ", ".join(sorted({*corpora_here(), *models_here()}))
            raise SettingError(
                f"--vocabulary {name} is neither a prepared corpus nor a model.",
                f"Those here: {there or 'none'}.",
            ) from error
        return _of_model(path)
    corpus = load_corpus_header(folder)
    return corpus.vocabulary, corpus.script


def _of_model(path: Path) -> tuple[Vocabulary, str]:
    advice = "Name another model or corpus with --vocabulary."
    header = load_tensor_header(path, MODEL_FILE, advice)
    try:
        return Vocabulary(header["vocabulary"], header["tokens"]), str(header["script"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a usable model: {error}.", advice) from error
