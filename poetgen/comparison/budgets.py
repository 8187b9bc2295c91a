"""What is made equal in a race: parameters, tokens, floating-point operations or time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from poetgen.comparison.contenders import Entrant
from poetgen.comparison.results import Equal
from poetgen.config import ModelConfig, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.errors import SettingError
from poetgen.networks.model import num_parameters, weight_shapes
from poetgen.training.batches import with_fields

# Sizes differ by less than this share where parameters are called about equal.
_ABOUT = 0.05
# Matrix products are fastest at multiples of this; a size that is moved there stays within 1%.
_ROUND_SIZE = 8
_ROUND_SHARE = 0.01
_LARGEST_SIZE = 65_536
# A race ends by its tokens or the clock; epochs of windows differ in length.
_ENDLESS_EPOCHS = 1_000_000


@dataclass(frozen=True, slots=True)
class Budget:
    """What every run of a race gets; ``minutes`` are of the whole race.

    So many runs are trained at the same time as there are workers.
    """

    equal: Equal
    tokens: int | None
    minutes: float | None
    num_workers: int = 1

    def minutes_of_run(self, used_seconds: float, num_left: int, num_runs: int) -> float | None:
        """Return the minutes of the next run; None sets no limit.

        In a race for time all ``num_runs`` get the same; else what one leaves over is for the later
        ones. ``num_left`` have not ended, the next one included, and all others have used so many
        seconds, each by its own clock.
        """
        if self.minutes is None:
            return None
        if self.equal == "time":
            return self.minutes / self._num_rounds(num_runs)
        used_minutes = used_seconds / 60 / self.num_workers
        return max(0.0, self.minutes - used_minutes) / self._num_rounds(num_left)

    def check_share(self, begun: float | None, num_runs: int) -> None:
        """Check that a run that was begun with so many minutes has what all others get.

        Only in a race for time; None if it is not known (older races).

        Raises:
            SettingError: it has another share, as more runs have been added.
        """
        if self.equal != "time" or self.minutes is None or begun is None:
            return
        share = self.minutes / self._num_rounds(num_runs)
        if not math.isclose(begun, share, rel_tol=1e-4):
            raise SettingError(
                f"Each run of this race has {begun:g} minutes, and would now have {share:g}.",
                "For the same share, give the time of the whole race with all its runs: "
                f"--max-minutes {self.minutes * begun / share:g}",
            )

    def _num_rounds(self, num_runs: int) -> int:
        """Return how many runs a worker has to train, one after the other."""
        return -(-num_runs // self.num_workers)


def plan_budget(
    equal: Equal | None,
    tokens: int | None,
    minutes: float | None,
    default_tokens: int,
    num_workers: int = 1,
) -> Budget:
    """Return the budget of a race; ``equal`` None asks for about equal parameters.

    Raises:
        SettingError: a value is out of range, or they contradict each other.
    """
    if tokens is not None and tokens < 1:
        raise SettingError(f"--budget {tokens} is out of range.", "Give a value of at least 1.")
    if minutes is not None and not 0 < minutes < math.inf:
        raise SettingError(f"--max-minutes {minutes} is out of range.", "Give a value above 0.")
    if equal == "time":
        if minutes is None:
            raise SettingError(
                "--equal time needs a time.", "Give the minutes of the whole race: --max-minutes 30"
            )
        if tokens is not None:
            raise SettingError("--equal time sets no number of tokens.", "Leave --budget out.")
        return Budget("time", None, minutes, num_workers)
    if tokens is None:
        tokens = default_tokens
    return Budget(equal or "parameters", tokens, minutes, num_workers)


def equalise(
    entrants: Sequence[Entrant], corpus: Corpus, budget: Budget, *, insist: bool
) -> tuple[list[Entrant], Budget]:
    """Return the contenders with the settings of their training, and what is equal after all.

    About equal parameters are as many as the largest contender has: the others get larger
    layers, except those whose own name gives a size. If those sizes differ, only tokens are
    equal; with ``insist`` that is an error.

    Raises:
        SettingError: sizes that are given make it impossible, or settings contradict each other.
    """
    settings = {one.name: one.settings for one in entrants if one.settings is not None}
    if budget.equal == "parameters" and len(settings) < 2:
        budget = replace(budget, equal="tokens")  # there is nothing to be equal to
    if budget.equal == "parameters":
        # Those with a size of their own set the number for all others.
        fixed = [one.name for one in entrants if one.own & {"hidden_size", "embedding_dim"}]
        target = max(_count(settings[name], corpus) for name in fixed or settings)
        sized = {
            name: one if name in fixed else fit_parameters(one, corpus, target)
            for name, one in settings.items()
        }
        counts = {_count(one, corpus): name for name, one in sized.items()}
        few, many = min(counts), max(counts)
        if few >= (1 - _ABOUT) * many:
            settings = sized
        elif insist:
            raise SettingError(
                f"{counts[few]} has {few:,} parameters and {counts[many]} {many:,}.",
                "Leave hidden_size and embedding_dim out of them, or give --equal tokens.",
            )
        else:
            budget = replace(budget, equal="tokens")
    tokens = _tokens_of(settings, corpus, budget)
    limited = {
        name: replace(one, epochs=_ENDLESS_EPOCHS, max_tokens=tokens[name])
        for name, one in settings.items()
    }
    return [replace(one, settings=limited.get(one.name)) for one in entrants], budget


def fit_parameters(settings: TrainConfig, corpus: Corpus, target: int) -> TrainConfig:
    """Return settings whose ``hidden_size`` gives about ``target`` parameters."""
    low, high = 1, _LARGEST_SIZE
    while low < high:  # the smallest size with so many or more
        middle = (low + high) // 2
        if _count(replace(settings, hidden_size=middle), corpus) < target:
            low = middle + 1
        else:
            high = middle

    def distance(size: int) -> int:
        return abs(_count(replace(settings, hidden_size=size), corpus) - target)

    size = min(max(1, low - 1), low, key=distance)
    rounded = max(1, round(size / _ROUND_SIZE)) * _ROUND_SIZE
    if distance(rounded) <= _ROUND_SHARE * target:
        size = rounded
    return replace(settings, hidden_size=size)


def flops_per_token(config: ModelConfig) -> int:
    """Return the floating-point operations that training takes for a token.

    Six for each weight in a matrix product: two forwards and four backwards; embeddings and
    one-hot inputs are only looked up. Source: Kaplan et al. 2020, arXiv:2001.08361, 2.1.
    """
    products = 0
    for name, shape in weight_shapes(config).items():
        is_looked_up = (name == "embedding.weight" and not config.tied) or (
            name == "rnn.weight_ih_l0" and config.one_hot
        )
        if len(shape) == 2 and not is_looked_up:
            products += math.prod(shape)
    return 6 * products


def shape_of(settings: TrainConfig, corpus: Corpus) -> ModelConfig:
    """Return the shape of the model that a training on this corpus makes."""
    return settings.shape(len(with_fields(corpus, settings).vocabulary))


def _count(settings: TrainConfig, corpus: Corpus) -> int:
    return num_parameters(shape_of(settings, corpus))


def _tokens_of(
    settings: Mapping[str, TrainConfig], corpus: Corpus, budget: Budget
) -> dict[str, int | None]:
    """Return the training tokens of each contender."""
    if budget.equal != "flops" or budget.tokens is None:
        return dict.fromkeys(settings, budget.tokens)
    costs = {name: flops_per_token(shape_of(one, corpus)) for name, one in settings.items()}
    # The costliest has the budget, the others as many operations as that takes.
    total = budget.tokens * max(costs.values(), default=0)
    return {name: total // cost for name, cost in costs.items()}


def describe(budget: Budget, entrants: Sequence[Entrant], corpus: Corpus, num_seeds: int) -> str:
    """Return what every run of a race was to have, in words."""
    trained = [entrant.settings for entrant in entrants if entrant.settings is not None]
    limit = f", {budget.minutes:g} minutes for the whole race" if budget.minutes else ""
    if budget.equal == "time":
        num_runs = len(trained) * num_seeds
        each = 60 * (budget.minutes_of_run(0, num_runs, num_runs) or 0.0)
        return f"{each:,.1f} seconds for each run, validation included{limit}"
    if budget.equal == "flops":
        config, tokens = shape_of(trained[0], corpus), trained[0].max_tokens or 0
        each_flops = flops_per_token(config) * tokens
        return f"{each_flops:.3g} floating-point operations of training for each run{limit}"
    sizes = ", about as many parameters as the largest" if budget.equal == "parameters" else ""
    return f"{budget.tokens:,} training tokens for each run{sizes}{limit}"
