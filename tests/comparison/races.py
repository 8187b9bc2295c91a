"""Tiny races on a tiny corpus."""

from poetgen.comparison.race import compare
from poetgen.config import TrainConfig

BUDGET = 2000
SETTINGS = TrainConfig(hidden_size=12, embedding_dim=7, batch_tokens=256, device="cpu", seed=5)


def run_race(contenders, corpus, folder, settings=SETTINGS, budget=BUDGET, **options):
    """Run a race; its verdict, and the events of each contender."""
    events = {}
    options = {"num_samples": 5, **options}
    verdict = compare(
        contenders, corpus=corpus, budget=budget, settings=settings, folder=folder,
        on_event=lambda name, event: events.setdefault(name, []).append(event), **options,
    )  # fmt: skip
    return verdict, events


def runs_of(verdict):
    """The only run of each contender, by its name."""
    return {contender.name: run for contender in verdict.contenders for run in contender.runs}
