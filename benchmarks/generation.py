"""Writing poems: numpy against torch, many at once against one by one, and what a state saves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.measure import compare
from poetgen.config import SampleConfig, SearchConfig, VerseConfig
from poetgen.corpus.vocabulary import END, START
from poetgen.generation.decode import Request, poem_rngs, weigh, write
from poetgen.generation.poet import Poet, generate, load_poet
from poetgen.generation.sampling import sample
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.torch_model import TorchStepper, build

_NUM_POEMS = 256
_SEED = 1
_NO_RULES = VerseConfig(form="free")


def rows() -> Iterator[str]:
    """Compare on the model that ships, in this process: torch is imported already."""
    poet = load_poet("tang")
    request = poet.request("日", verse=_NO_RULES)
    endless = _without_end(poet)
    by_torch = TorchStepper(build(poet.model.config, endless.weights))
    short = poet.request("日", SampleConfig(max_chars=24), _NO_RULES)

    def ten_poems(network: NumpyModel | TorchStepper) -> None:
        for number in range(10):
            write(network, short, poem_rngs(_SEED, 1, number))

    one = compare(lambda: ten_poems(endless), lambda: ten_poems(by_torch), pairs=15)
    yield one.line("10 poems of 24 characters, one by one: numpy / torch", "at most 1")

    same_length = poet.request("", SampleConfig(max_chars=32), _NO_RULES)

    def ten_quatrains() -> None:
        for number in range(10):
            ruled = poet.request(verse=VerseConfig(form="七绝"))
            next(poet.iter_poems(ruled, 1, number, SearchConfig(best_of=1)))

    def ten_free() -> None:
        for number in range(10):
            write(endless, same_length, poem_rngs(number, 1))

    under_rules = compare(ten_quatrains, ten_free, pairs=15)
    yield under_rules.line("10 quatrains: under rules / free, as long", "at most 2")

    def one_by_one() -> None:
        for number in range(_NUM_POEMS):
            write(poet.network, request, poem_rngs(_SEED, 1, number))

    many = compare(lambda: _write(poet), one_by_one, pairs=5)
    yield many.line(f"{_NUM_POEMS} poems: at once / one by one", "at most 0.125")
    # What no arrangement of the work can save: the products themselves.
    products = _products(poet.network, request)
    bare = compare(lambda: _write(poet), products, pairs=5)
    yield bare.line(f"{_NUM_POEMS} poems: at once / their matrix products alone", "")
    for length in (20, 60, 200):
        longer = poet.request("日", SampleConfig(max_chars=length), _NO_RULES)
        carried = compare(
            lambda longer=longer: write(endless, longer, poem_rngs(_SEED, 1)),
            lambda longer=longer: _read_again(endless, longer),
            pairs=5,
        )
        yield carried.line(f"{length} characters: carrying the state / re-reading", "")


def _write(poet: Poet) -> None:
    one_draft = SearchConfig(best_of=1)
    generate(model=poet, start="日", num_poems=_NUM_POEMS, seed=_SEED, search=one_draft)


def _products(network: NumpyModel, request: Request) -> Callable[[], None]:
    """Give a function that does the matrix products of writing all poems, and nothing else."""
    poems = write(network, request, poem_rngs(_SEED, _NUM_POEMS))
    lengths = np.array([len(poem.token_ids) for poem in poems])
    rows = [int((lengths >= step).sum()) for step in range(1, int(lengths.max()) + 1)]
    matrices = [weight.T for weight in network.weights.values() if weight.ndim == 2]
    inputs = [np.ones((_NUM_POEMS, len(matrix)), matrix.dtype) for matrix in matrices]

    def multiply() -> None:
        for size in rows:
            for x, matrix in zip(inputs, matrices, strict=True):
                x[:size] @ matrix

    return multiply


def _without_end(poet: Poet) -> NumpyModel:
    """Give the poet's network, changed so that every poem is as long as it may be."""
    bias = poet.model.weights["output_bias"].copy()
    bias[END] = -1e4
    return NumpyModel(poet.model.config, {**poet.model.weights, "output_bias": bias})


def _read_again(network: NumpyModel, request: Request) -> None:
    """Write the same poem, reading all of it anew before each character."""
    poem, (rng,) = list(request.prompt), poem_rngs(_SEED, 1)
    while len(poem) < request.sampling.max_chars:
        logits, _ = network.prime(np.array([START, *poem]), network.start(1))
        draws = np.array([rng.random()])
        poem.append(int(sample(weigh(logits, [poem], request), request.sampling, draws)[0]))
