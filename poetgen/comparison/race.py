"""``compare``: several architectures on the same data, with the same seed, budget and size."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from poetgen.characters import STARTS
from poetgen.comparison.report import Comparison, Result, save_report
from poetgen.config import ARCHS, Arch, SampleConfig, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.folder import load_corpus
from poetgen.errors import ExistsError, InputError, SettingError
from poetgen.generation.poet import generate
from poetgen.generation.prompt import encode_prompt
from poetgen.networks.model import num_parameters
from poetgen.places import free_name
from poetgen.training.checkpoint import delete_checkpoints
from poetgen.training.events import Event, Trained
from poetgen.training.run import train
from poetgen.training.run_files import RunFiles

_SAMPLING = SampleConfig(temperature=0.8, max_chars=100)


def compare(
    contenders: str | Sequence[str],
    *,
    corpus: str | Path | Corpus = "tang",
    budget: int = 1_000_000,
    settings: TrainConfig = TrainConfig(),
    start: str | None = None,
    folder: str | Path | None = None,
    force: bool = False,
    on_event: Callable[[str, Event], object] = lambda contender, event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Train each contender on the same batches in the same order, and compare them.

    Args:
        contenders: names of architectures.
        corpus: the name or the folder of a prepared corpus, or a loaded one.
        budget: training tokens for each contender.
        settings: what the contenders have in common; ``arch``, ``epochs`` and ``max_tokens``
            are set by the race, and ``max_minutes`` is for each contender. All of them begin
            anew, without ``init``.
        start: how every poem starts; by default 日, if the corpus has it.
        folder: where the report and the models are kept; by default a new one in ./reports.
        force: write into a folder that exists.
        on_event: called with the name of a contender and each event of its training.
        should_stop: asked every few steps; True ends the race. The interrupted contender
            has no result, because it did not have the budget of the others.

    Raises:
        InputError: a contender is unknown or named twice, or there is none.
        SettingError: the budget is below 1, or ``settings.init`` is set.
        CorpusError, PromptError, ExistsError: the corpus, the start or the folder cannot be
            used.
    """
    archs = parse_contenders([contenders] if isinstance(contenders, str) else contenders)
    if budget < 1:
        raise SettingError(f"--budget {budget} is out of range.", "Give a value of at least 1.")
    if settings.init is not None:
        raise SettingError("The contenders of a race begin anew.", "Leave init out.")
    folder = _pick_folder(folder, "-".join(archs), force)
    if not isinstance(corpus, Corpus):
        corpus = load_corpus(corpus)
    if start is None:
        start = STARTS[0] if STARTS[0] in corpus.vocabulary else ""
    encode_prompt(start, corpus.vocabulary)  # before the work, not after it
    results: list[Result] = []
    for arch in archs:
        trained = train(
            corpus,
            name=arch,
            settings=contender_settings(arch, settings, budget, corpus),
            folder=folder,
            force=True,
            on_event=functools.partial(on_event, arch),
            should_stop=should_stop,
        )
        delete_checkpoints(RunFiles(folder, arch))  # a race is not resumed
        if trained.reason == "interrupted" or trained.best is None:
            break
        results.append(_result(trained, start))
    comparison = Comparison(corpus.name, corpus.fingerprint, budget, settings, results, folder)
    if results:
        save_report(comparison)
    return comparison


def parse_contenders(names: Sequence[str]) -> list[Arch]:
    """Return the architectures of these names.

    Raises:
        InputError: a name is unknown or given twice, or there is none.
    """
    found: list[Arch] = []
    for name in names:
        arch = next((arch for arch in ARCHS if arch == name.lower()), None)
        if arch is None:
            raise InputError(
                f"There is no architecture {name}.", f"Choose among: {', '.join(ARCHS)}."
            )
        if arch in found:
            raise InputError(f"{arch} is named twice.", "Name each contender once.")
        found.append(arch)
    if not found:
        raise InputError("There is nothing to compare.", f"Choose among: {', '.join(ARCHS)}.")
    return found


def contender_settings(
    arch: Arch, settings: TrainConfig, budget: int, corpus: Corpus
) -> TrainConfig:
    """Return a contender's training settings: the same for all but for the cell."""
    epochs = math.ceil(budget / max(1, corpus.splits["train"].num_targets))
    return replace(settings, arch=arch, epochs=epochs, max_tokens=budget)


def _pick_folder(wanted: str | Path | None, name: str, force: bool) -> Path:
    if wanted is None:
        return Path("reports") / free_name(Path("reports"), name, ("",))
    if Path(wanted).exists() and not force:
        raise ExistsError(f"{wanted} is already there.", "Give --force to write into it.")
    return Path(wanted)


def _result(trained: Trained, start: str) -> Result:
    assert trained.best is not None
    seed = trained.settings.seed
    (poem,) = generate(model=trained.model, start=start, sampling=_SAMPLING, seed=seed)
    return Result(
        name=trained.name,
        arch=trained.settings.arch,
        num_parameters=num_parameters(trained.shape),
        train_seconds=trained.train_seconds,
        total_seconds=trained.elapsed_seconds,
        tokens_per_second=trained.tokens_per_second,
        num_steps=trained.step,
        device=trained.device,
        val_loss=trained.best.loss_per_token,
        perplexity_per_token=trained.best.perplexity_per_token,
        perplexity_per_hanzi=trained.best.perplexity_per_hanzi,
        poem=poem.text,
        model=trained.model.name,
    )
