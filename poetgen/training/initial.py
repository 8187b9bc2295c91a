"""``--init``: go on from a trained model, on a corpus that it has not read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

import numpy as np

from poetgen.config import ShapeConfig, TrainConfig
from poetgen.corpus.corpus import Corpus, Poems, dtype_for
from poetgen.corpus.vocabulary import NUM_SPECIAL, Vocabulary
from poetgen.errors import SettingError
from poetgen.networks.model import Model, Weights
from poetgen.settings import flag_of
from poetgen.training.batches import with_fields
from poetgen.training.choice import widened
from poetgen.verse.choice import Choice

# The weights of which every row belongs to a token.
_BY_TOKEN = ("embedding.weight", "output.weight", "output_bias")


@dataclass(frozen=True, slots=True)
class Beginning:
    """The corpus in the vocabulary of a model, and how many of its tokens the model lacks.

    ``choice`` is the model's, with the poems of the corpus added, if it has room for them.
    """

    corpus: Corpus
    model: Model
    num_new: int
    choice: Choice | None

    def weights(self, drawn: Weights) -> Weights:
        """Return the weights to start from: the model's, and of new tokens those ``drawn``.

        A new token begins as unlikely as the least likely one that the model knows.
        """
        old, new = self.model.vocabulary, self.corpus.vocabulary
        places = np.concatenate(
            [np.arange(NUM_SPECIAL), new.encode(old.tokens), list(map(new.field_id, old.fields))]
        ).astype(np.int64)
        weights = dict(self.model.weights)
        for name in _BY_TOKEN:
            if name in weights:
                rows = drawn[name].copy()
                if name == "output_bias":
                    rows[:] = weights[name][NUM_SPECIAL:].min()
                rows[places] = weights[name]
                weights[name] = rows
        return weights


def begin_from(model: Model, corpus: Corpus, config: TrainConfig) -> Beginning:
    """Return a corpus in the tokens of a model and, after them, those that it does not know.

    The vocabulary has fields if that of the model has, or if they are to be learned.

    Raises:
        SettingError: the two have other tokens or another script, or the model cannot learn
            new tokens.
    """
    corpus = with_fields(corpus, config)
    old, new = model.vocabulary, corpus.vocabulary
    if (old.kind, model.script) != (new.kind, corpus.script):
        ours = f"{corpus.script} {new.kind}s"
        raise SettingError(
            f"The model knows {model.script} {old.kind}s, the corpus has {ours}.",
            "Prepare the corpus with the same --script and --tokens.",
        )
    added = [token for token in new.tokens if token not in old]
    if added and model.config.one_hot:
        raise SettingError(
            f"The model is one-hot and cannot learn {added[0]!r}, which it does not know.",
            "Begin with a model that has an embedding.",
        )
    vocabulary = Vocabulary([*old.tokens, *added], new.kind, old.fields or new.fields)
    choice = None if model.choice is None else widened(model.choice, corpus)
    return Beginning(in_vocabulary(corpus, vocabulary), model, len(added), choice)


def in_vocabulary(corpus: Corpus, vocabulary: Vocabulary) -> Corpus:
    """Return a corpus whose token ids are those of another vocabulary."""
    table = np.arange(len(corpus.vocabulary))
    table[corpus.vocabulary.ordinary] = vocabulary.encode(corpus.vocabulary.tokens)
    table = table.astype(dtype_for(vocabulary))
    splits = {
        split: Poems(table[poems.tokens], poems.offsets) for split, poems in corpus.splits.items()
    }
    return replace(corpus, vocabulary=vocabulary, splits=splits)


def with_shape_of(config: TrainConfig, model: Model, given: Collection[str]) -> TrainConfig:
    """Return the settings with the shape of the model that they begin with.

    A one-hot model learns fields only if it knows them already.

    Raises:
        SettingError: another shape is given.
    """
    shape = {field.name: getattr(model.config, field.name) for field in fields(ShapeConfig)}
    for field in fields(ShapeConfig):
        wanted = getattr(config, field.name)
        if field.name in given and wanted != shape[field.name]:
            flag = flag_of(field.name, field.metadata["flag"])
            raise SettingError(
                f"The model {config.init} has {flag} {shape[field.name]}, not {wanted}.",
                f"Leave {flag} out, or train a new model without --init.",
            )
    learns_fields = config.fields and not (model.config.one_hot and not model.vocabulary.fields)
    return replace(config, **shape, fields=learns_fields)
