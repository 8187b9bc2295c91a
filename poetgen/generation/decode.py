"""The loop from start token to end token, the same for either engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from poetgen.arrays import BoolArray, FloatArray, IntArray
from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import END, PAD, START, UNK
from poetgen.generation.sampling import penalise_repeats, sample

State = TypeVar("State")


class Stepper(Protocol[State]):
    """What the loop needs of a network."""

    def start(self, batch_size: int) -> State:
        """Give the state before the first token."""

    def prime(self, token_ids: IntArray, state: State) -> tuple[FloatArray, State]:
        """Read a text, ids (T,), into every state; give the logits (B, V) after it."""

    def step(self, token_ids: IntArray, state: State) -> tuple[FloatArray, State]:
        """Read one token a poem, ids (B,); give the logits (B, V) after it."""

    def select(self, state: State, rows: IntArray) -> State:
        """Keep the states of some poems."""


def read_prompt(
    network: Stepper[State], prompt: Sequence[int], num_poems: int
) -> tuple[FloatArray, State]:
    """Read the start token and the prompt once; give that state to each of ``num_poems``."""
    logits, state = network.prime(np.array([START, *prompt]), network.start(1))
    copies = np.zeros(num_poems, np.int64)
    return logits[copies], network.select(state, copies)


def weigh(
    logits: FloatArray,
    poems: Sequence[Sequence[int]],
    config: SampleConfig,
    exempt: BoolArray | None = None,
) -> FloatArray:
    """Give the logits (B, V) of what may come next in ``poems``, the prompt part of each.

    What no poem may hold falls to −∞, in place; and what a poem has already is penalised, if
    that is wanted, but for the tokens that are ``exempt``, (V,).
    """
    # A reader sees none of these; UNK is no character that anyone could write.
    logits[:, [PAD, START, UNK]] = -np.inf
    if not all(poems):
        logits[[not poem for poem in poems], END] = -np.inf
    if config.repetition_penalty is None:
        return logits
    written = np.zeros(logits.shape, np.bool_)
    for row, poem in enumerate(poems):
        written[row, poem] = True
    if exempt is not None:
        written &= ~exempt
    return penalise_repeats(logits, written, config.repetition_penalty)


class Written(NamedTuple):
    """One token that was just written, and to which poem of the batch."""

    poem: int
    token_id: int


class Draft(NamedTuple):
    """The tokens of a whole poem, the prompt first.

    It is cut if it reached its largest length before its end token. Its log-probability,
    where it is known, is that of all that follows the prompt, the end token included: a
    natural logarithm.
    """

    token_ids: list[int]
    is_cut: bool
    log_probability: float | None = None


def iter_written(
    network: Stepper[State],
    prompt: Sequence[int],
    config: SampleConfig,
    rngs: Sequence[np.random.Generator],
    exempt: BoolArray | None = None,
) -> Iterator[Written]:
    """Write one poem for each generator of ``rngs``, all together, token by token.

    The prompt is read after the start token and is not yielded. A poem is over at its end
    token, which is the last that is yielded; one that would have more than
    ``config.max_chars`` tokens before it is cut there. Each poem draws from its own
    generator, so it does not depend on its neighbours. ``exempt``, (V,), are the tokens
    that the repetition penalty spares.
    """
    poems = [list(prompt) for _ in rngs]
    alive = np.arange(len(rngs))
    logits, state = read_prompt(network, prompt, len(rngs))
    # Once more at the largest length, to see whether the poem ends there.
    for length in range(len(prompt), config.max_chars + 1):
        logits = weigh(logits, [poems[poem] for poem in alive.tolist()], config, exempt)
        draws = np.array([rngs[poem].random() for poem in alive.tolist()])
        chosen = sample(logits, config, draws)
        for poem, token_id in zip(alive.tolist(), chosen.tolist(), strict=True):
            if token_id == END or length < config.max_chars:
                poems[poem].append(token_id)
                yield Written(poem, token_id)
        (rows,) = np.nonzero(chosen != END)
        if len(rows) == 0:
            return
        if len(rows) < len(alive):
            alive, chosen, state = alive[rows], chosen[rows], network.select(state, rows)
        if length < config.max_chars:
            logits, state = network.step(chosen, state)


def write(
    network: Stepper[State],
    prompt: Sequence[int],
    config: SampleConfig,
    rngs: Sequence[np.random.Generator],
    exempt: BoolArray | None = None,
) -> list[Draft]:
    """Write one poem for each generator, all together."""
    poems = [list(prompt) for _ in rngs]
    is_cut = [True] * len(rngs)
    for poem, token_id in iter_written(network, prompt, config, rngs, exempt):
        if token_id == END:
            is_cut[poem] = False
        else:
            poems[poem].append(token_id)
    return [Draft(*draft) for draft in zip(poems, is_cut, strict=True)]


def generate(
    network: Stepper[State],
    prompt: Sequence[int],
    config: SampleConfig,
    rngs: Sequence[np.random.Generator],
) -> list[list[int]]:
    """Write one poem for each generator; give their token ids, the prompt first."""
    return [draft.token_ids for draft in write(network, prompt, config, rngs)]


def poem_rngs(seed: int, num_poems: int, first: int = 0) -> list[np.random.Generator]:
    """Give each poem its own generator, a function of the seed and the poem's number."""
    return [np.random.default_rng([seed, first + number]) for number in range(num_poems)]
