"""The loop from start token to end token, the same for either engine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np

from poetgen.arrays import BoolArray, FloatArray, IntArray
from poetgen.config import SampleConfig
from poetgen.corpus.vocabulary import END, PAD, START, UNK
from poetgen.generation.keywords import raise_keywords
from poetgen.generation.sampling import log_normaliser, penalise_repeats, sample

if TYPE_CHECKING:
    from poetgen.generation.form_plans import FormPlans
    from poetgen.generation.occasion import Occasion
    from poetgen.generation.plan import Plan

State = TypeVar("State")

# How much likelier a keyword is where a poem lacks it, in nats: of poems to eleven wishes 95% then
# have their words, and are as likely as without (docs/verse.md).
_KEYWORD_STRENGTH = 3.0


class Stepper(Protocol[State]):
    """What the loop needs of a network."""

    @property
    def num_starts(self) -> int:
        """How many states there are with which a poem can begin.

        The poems of a batch are divided evenly among them, those of the first state first.
        """

    def start(self, batch_size: int) -> State:
        """Return the state before the first token."""

    def prime(self, token_ids: IntArray, state: State) -> tuple[FloatArray, State]:
        """Read a text, ids (T,), into every state; return the logits (B, V) after it."""

    def step(self, token_ids: IntArray, state: State) -> tuple[FloatArray, State]:
        """Read one token a poem, ids (B,); return the logits (B, V) after it."""

    def select(self, state: State, rows: IntArray) -> State:
        """Return the states of these rows, in the order given."""


class Network(Stepper[State], Protocol[State]):
    """A network that can also put the states of several batches together."""

    def join(self, states: Sequence[State]) -> State:
        """Return the states of several batches as those of one."""


class Request(NamedTuple):
    """What to write: the token ids of the start, the settings, an exemption, and rules.

    ``exempt``, (V,), are the tokens that the repetition penalty spares. Without ``plans`` there
    are no rules; poem number n is written by that of number n modulo their number. What an
    ``occasion`` says is read before the start token. With ``forms`` a form is thought of for
    each poem, and its plan is among them. ``unwritten`` are ids that no poem has, ``not_next``
    those that do not follow the start. No poem has fewer tokens than ``shortest``, its end apart.
    """

    prompt: Sequence[int]
    sampling: SampleConfig
    exempt: BoolArray | None = None
    plans: Sequence[Plan] = ()
    occasion: Occasion | None = None
    unwritten: Sequence[int] = (PAD, START, UNK)
    forms: FormPlans | None = None
    not_next: Sequence[int] = ()
    shortest: int = 0

    def plan_of(self, number: int = 0) -> Plan | None:
        """Return the plan of poem ``number``; None without rules."""
        return self.plans[number % len(self.plans)] if self.plans else None


class Draft(NamedTuple):
    """The token ids of a whole poem, the prompt first.

    It is cut if it reached its largest length before its end token. Its log-probability,
    where it is known, is the natural logarithm of the probability of all that follows the
    prompt, with the end token unless the poem has the largest length.
    """

    token_ids: list[int]
    is_cut: bool
    log_probability: float | None = None


def read_prompt(
    network: Stepper[State], prompt: Sequence[int], num_poems: int
) -> tuple[FloatArray, State]:
    """Read the start token and the prompt once; return logits and state for each poem."""
    return read_once(network, [START, *prompt], num_poems)


def start_of_each(num_poems: int, num_starts: int) -> IntArray:
    """Return the number of the state with which each poem of a batch begins, (B,)."""
    starts: IntArray = np.arange(num_poems) * num_starts // num_poems
    return starts


def read_once(
    network: Stepper[State], token_ids: Sequence[int], num_poems: int
) -> tuple[FloatArray, State]:
    """Read token ids from the first state on; return logits and state as often as asked for."""
    num_starts = network.num_starts
    logits, state = network.prime(np.array(token_ids), network.start(num_starts))
    copies = start_of_each(num_poems, num_starts)
    return logits[copies], network.select(state, copies)


def weigh(logits: FloatArray, poems: Sequence[Sequence[int]], request: Request) -> FloatArray:
    """Return the logits (B, V) of what may come next in ``poems``, each with its prompt.

    What no poem may hold becomes −∞, in place; what a poem holds already is penalised, if
    that is wanted, and keywords that it lacks become likelier.
    """
    # Special tokens have no spelling, and a poem must not be END alone.
    logits[:, request.unwritten] = -np.inf
    if not all(poems):
        logits[[not poem for poem in poems], END] = -np.inf
    if request.shortest:
        logits[[len(poem) < request.shortest for poem in poems], END] = -np.inf
    if request.not_next:
        at_start = [n for n, poem in enumerate(poems) if len(poem) == len(request.prompt)]
        logits[np.ix_(at_start, request.not_next)] = -np.inf
    if request.occasion is not None and request.occasion.keywords:
        logits = raise_keywords(logits, poems, request.occasion.keywords, _KEYWORD_STRENGTH)
    if request.sampling.repetition_penalty is None:
        return logits
    written = np.zeros(logits.shape, np.bool_)
    for row, poem in enumerate(poems):
        written[row, poem] = True
    if request.exempt is not None:
        written &= ~request.exempt
    return penalise_repeats(logits, written, request.sampling.repetition_penalty)


class Written(NamedTuple):
    """A token that was written: in which poem, and its log-probability under the network."""

    poem: int
    token_id: int
    log_probability: float = math.nan


def iter_written(
    network: Stepper[State],
    request: Request,
    rngs: Sequence[np.random.Generator],
    *,
    scored: bool = False,
) -> Iterator[Written]:
    """Write one poem for each generator of ``rngs``, all together.

    Yields each token that follows the prompt; its log-probability only if ``scored``. A poem is
    over at its end token, which is the last that is yielded; one that would have more than
    ``max_chars`` tokens before it is cut there. Each poem draws from its own generator, so it
    does not depend on the others.
    """
    prompt, max_chars = request.prompt, request.sampling.max_chars
    poems = [list(prompt) for _ in rngs]
    alive = np.arange(len(rngs))
    logits, state = read_prompt(network, prompt, len(rngs))
    # Once more at the largest length, to know whether the poem ends there.
    for length in range(len(prompt), max_chars + 1):
        normalisers = log_normaliser(logits) if scored else np.full(len(alive), math.nan)
        weighed = weigh(logits, [poems[poem] for poem in alive.tolist()], request)
        draws = np.array([rngs[poem].random() for poem in alive.tolist()])
        chosen = sample(weighed, request.sampling, draws)
        logarithms = logits[np.arange(len(alive)), chosen] - normalisers
        written = map(Written, alive.tolist(), chosen.tolist(), logarithms.tolist())
        for token in written:
            if token.token_id == END or length < max_chars:
                poems[token.poem].append(token.token_id)
                yield token
        (rows,) = np.nonzero(chosen != END)
        if len(rows) == 0:
            return
        if len(rows) < len(alive):
            alive, chosen, state = alive[rows], chosen[rows], network.select(state, rows)
        if length < max_chars:
            logits, state = network.step(chosen, state)


def write(
    network: Stepper[State],
    request: Request,
    rngs: Sequence[np.random.Generator],
    *,
    scored: bool = False,
) -> list[Draft]:
    """Return one whole poem for each generator, written as by ``iter_written``.

    Their log-probabilities are the network's own, before temperature and filters, and known only
    if ``scored``.
    """
    poems, max_chars = [list(request.prompt) for _ in rngs], request.sampling.max_chars
    sums = [0.0 if scored else None for _ in rngs]
    for token in iter_written(network, request, rngs, scored=scored):
        poems[token.poem].append(token.token_id)
        # A poem of the largest length may end or not.
        before = sums[token.poem] if len(poems[token.poem]) <= max_chars else None
        if before is not None:
            sums[token.poem] = before + token.log_probability
    return [
        Draft(ids[:-1], False, log_probability)
        if ids[-1] == END
        else Draft(ids, True, log_probability)
        for ids, log_probability in zip(poems, sums, strict=True)
    ]


def poem_rngs(seed: int, num_poems: int, first: int = 0) -> list[np.random.Generator]:
    """Return a generator for each poem: a function of the seed and the poem's number."""
    return [np.random.default_rng([seed, first + number]) for number in range(num_poems)]
