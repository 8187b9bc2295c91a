"""A tiny corpus and tiny models, built in milliseconds."""

import tempfile
from pathlib import Path

import numpy as np

from poetgen.config import Arch, ModelConfig, PrepareConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.networks.model import Model, weight_shapes
from poetgen.training.batches import Batch
from tests.synthetic import TITLED, write_poems, write_titled

HANZI = "日月山水风云花鸟春秋人天心夜雨江梦红海湖君来去归"
MARKS = "，。？"


def tiny_corpus(num_poems: int = 60, seed: int = 0) -> Corpus:
    """Prepare about so many short poems from a title:content file; they stay in memory."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "poems.txt"
        write_poems(source, 2 * num_poems, seed)
        return build_corpus([source], "tiny", PrepareConfig(max_chars=32)).corpus


def tiny_batch(lengths: list[int], vocab_size: int, rng: np.random.Generator) -> Batch:
    """Cut rows of so many targets, of random tokens, from a stream in which they lie apart."""
    starts = np.cumsum([2, *(length + 3 for length in lengths[:-1])])
    stream = rng.integers(4, vocab_size, starts[-1] + lengths[-1] + 1).astype(np.uint16)
    return Batch(stream, starts, np.array(lengths))


def tiny_weights(
    config: ModelConfig, seed: int = 0, dtype: type[np.floating] = np.float32
) -> dict[str, np.ndarray]:
    """Draw weights large enough that every gate and every layer matters."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(0, 0.6, shape).astype(dtype)
        for name, shape in weight_shapes(config).items()
    }


def tiny_model(
    arch: Arch = "gru",
    num_layers: int = 1,
    seed: int = 0,
    tokens: str = HANZI + MARKS,
    *,
    fields: bool = False,
) -> Model:
    """Build a model with random weights; no two of its dimensions are equal."""
    vocabulary = Vocabulary(tokens)
    if fields:
        vocabulary = vocabulary.with_fields()
    config = ModelConfig(
        arch=arch,
        vocab_size=len(vocabulary),
        embedding_dim=7,
        hidden_size=12,
        num_layers=num_layers,
    )
    return Model(config, vocabulary, tiny_weights(config, seed), script="simplified")


def titled_corpus(num_poems: int = 60, seed: int = 0, characters: str = TITLED) -> Corpus:
    """Prepare poems with titles and authors, some of which are missing or cannot be spelled."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "poems.json"
        write_titled(source, num_poems, seed, characters)
        return build_corpus([source], "titled", PrepareConfig()).corpus
