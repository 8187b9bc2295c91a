"""``add_choice``: give a model what the choice among its drafts needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from poetgen.corpus.corpus import Corpus, decode_poems
from poetgen.corpus.folder import load_corpus
from poetgen.errors import ModelError, SettingError
from poetgen.networks.model_file import load_model, save_model
from poetgen.places import SNAPSHOT_SUFFIXES, find_model
from poetgen.verse.choice import Choice, build_choice

# The index of a small corpus knows less than this part of the pairs that the model's index has.
_PAIRS_THAT_TELL = 10


def add_choice(
    model: str | Path,
    corpus: str | Path | Corpus = "tang",
    *,
    on_note: Callable[[str], object] = lambda note: None,
) -> Path:
    """Write the index of a corpus's training poems into a model file, which grows by its size.

    ``train`` does so at its end; this is for models that were trained by an older poetgen, or
    whose training was interrupted. An index that is there is replaced; but lines of the poems of
    the model that another one began with (``--init``) are still refused as copied, and what
    its index knows of verse stays if the corpus is too small to tell it.

    Args:
        model: the name or the file of a model.
        corpus: the name or the folder of the corpus that it was trained on, or a loaded one.
        on_note: called with a sentence about what may be wrong.

    Returns:
        The model file.

    Raises:
        CorpusError: there is no such corpus, or it is damaged.
        ModelError: the model is missing, damaged, or a snapshot of another program.
        SettingError: the corpus is not Chinese verse, or in another script than the model.
    """
    path = model if isinstance(model, Path) else find_model(model, on_note)
    if path.suffix in SNAPSHOT_SUFFIXES:
        raise ModelError(
            f"{path} is a snapshot of another program.", "Train a model: poetgen train."
        )
    if not isinstance(corpus, Corpus):
        corpus = load_corpus(corpus)
    if not has_choice(corpus):
        raise SettingError(
            f"The corpus {corpus.name} is not Chinese verse.",
            "Only poems of Chinese characters can be chosen by what is known of verse.",
        )
    old = load_model(path)
    if old.script != corpus.script:
        raise SettingError(
            f"The model writes {old.script} characters, the corpus has {corpus.script} ones.",
            f"Prepare the corpus with --script {old.script}.",
        )
    if old.corpus is not None and old.corpus.fingerprint != corpus.fingerprint:
        on_note(
            f"The model was trained on {old.corpus.name} {old.corpus.fingerprint}, "
            f"not on {corpus.name} {corpus.fingerprint}."
        )
    choice = build_choice(decode_poems(corpus.splits["train"], corpus.vocabulary))
    if old.choice is not None and old.training.get("init") is not None:
        known = widened(old.choice, corpus)
        if known is None:
            on_note(f"Lines of poems that {old.training['init']} was trained on may be copied now.")
        else:
            # A few poems do not tell what goes together; the poems of the first model do.
            is_thin = _PAIRS_THAT_TELL * len(choice.thread.keys) < len(known.thread.keys)
            choice = known if is_thin else replace(choice, novelty=known.novelty)
    save_model(replace(old, choice=choice), path)
    return path


def widened(choice: Choice, corpus: Corpus) -> Choice | None:
    """Return an index that also refuses lines of a corpus's training poems as copied.

    None if the corpus is not Chinese verse, or has too many poems for the size of the index.
    """
    if not has_choice(corpus):
        return None
    novelty = choice.novelty.extended(decode_poems(corpus.splits["train"], corpus.vocabulary))
    return None if novelty is None else replace(choice, novelty=novelty)


def has_choice(corpus: Corpus) -> bool:
    """Return whether a corpus is Chinese verse, of which drafts can be chosen."""
    vocabulary = corpus.vocabulary
    return not corpus.is_prose and vocabulary.kind == "char" and vocabulary.is_chinese
