"""``compare``: contenders trained with equal budgets, or saved, and judged on the same text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from poetgen.comparison.budgets import Budget, describe, equalise, plan_budget
from poetgen.comparison.contenders import Entrant, check_languages, parse_contenders
from poetgen.comparison.measuring import starts_for
from poetgen.comparison.one_run import check_run
from poetgen.comparison.race_folder import held, pick_folder
from poetgen.comparison.results import Equal, Verdict
from poetgen.comparison.schedule import Schedule
from poetgen.comparison.state import RaceState, check_same, load_state
from poetgen.comparison.texts import Texts, corpora_of, is_source, read_texts
from poetgen.comparison.workers import check_workers
from poetgen.config import SampleConfig, TrainConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.folder import load_corpus
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import InputError, SettingError
from poetgen.generation.prompt import encode_prompt
from poetgen.generation.settings import exclude
from poetgen.networks.model import Model
from poetgen.settings import changed
from poetgen.training.events import Event

DEFAULT_TOKENS = 1_000_000


def compare(
    contenders: str | Sequence[str | Entrant],
    *,
    corpus: str | Path | Corpus = "tang",
    on: str | Path | Corpus | None = None,
    budget: int | None = None,
    equal: Equal | None = None,
    max_minutes: float | None = None,
    seeds: int = 1,
    settings: TrainConfig = TrainConfig(),
    given: Collection[str] | None = None,
    start: str | None = None,
    num_samples: int = 200,
    folder: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    workers: int = 1,
    command: str = "",
    on_note: Callable[[str], object] = lambda note: None,
    on_event: Callable[[str, Event], object] = lambda contender, event: None,
    on_failure: Callable[[str, Exception], object] = lambda contender, error: None,
    on_verdict: Callable[[Verdict], object] = lambda verdict: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Verdict:
    """Compare contenders: train those that are architectures, and judge all on the same text.

    Contenders that are trained get the same batches in the same order and a budget made equal.
    Whatever has finished is in the report at once, and stays there if a later contender fails.

    Args:
        contenders: architectures (``lstm``, ``lstm:hidden_size=512,num_layers=2``), names or
            files of models, and n-grams (``ngram:5``), or what ``parse_contenders`` made of
            them; at least two.
        corpus: the name or the folder of a prepared corpus, or a loaded one.
        on: a text or a corpus on which all are judged; by default the validation split of
            ``corpus``.
        budget: training tokens of each run; by default a million.
        equal: what is made equal. By default tokens and, as far as no contender gives a size of
            its own, about equal parameters; ``parameters`` insists on both. ``flops`` gives the
            costliest contender the budget, and ``time`` gives every run a share of
            ``max_minutes``.
        max_minutes: of training, for the whole race.
        seeds: so often every contender is trained; the first seed is that of ``settings``.
        settings: what the contenders have in common; ``arch``, ``epochs``, ``max_tokens`` and
            ``max_minutes`` are set by the race.
        given: names of the settings that must apply; by default those that differ from the
            defaults.
        start: how every poem starts; by default some of the usual starts that all know.
        num_samples: poems of the panel; 0 writes no poems, and measures none.
        folder: where the report and the models are kept; by default a new one in ./reports.
        resume: continue a race where it stopped; finished runs are kept, and the others end as
            if they had not been interrupted.
        force: write into a folder that exists.
        workers: so many trainings at the same time, each on a GPU of its own; of these only
            notes are reported, not each event.
        command: what repeats the comparison, for the report.
        on_note: called with a sentence about what is uncertain, or done next.
        on_event: called with the name of a contender and each event of its training.
        on_failure: called with the name of a contender and the error that ended its run.
        on_verdict: called with the verdict so far whenever something has finished.
        should_stop: asked every few steps; True saves the run and ends the race.

    Returns:
        The verdict, in which a contender that has failed stands with its reason.

    Raises:
        InputError: a contender is unknown or named twice, there are fewer than two, they are not
            of one language, or there is no race to resume.
        SettingError: settings or budgets are out of range or contradict each other, or are not
            those of the race that is resumed.
        CorpusError, ModelError, PromptError, DeviceError, ExistsError: the corpus, a model, the
            start, the device or the folder cannot be used.
    """
    names = [contenders] if isinstance(contenders, str) else list(contenders)
    entrants = parse_contenders(names, settings, changed(settings) if given is None else given)
    limits = plan_budget(equal, budget, max_minutes, DEFAULT_TOKENS, workers)
    trains = any(entrant.kind == "trained" for entrant in entrants)
    has_budget = equal or budget or max_minutes or seeds > 1
    _check_options(settings, seeds, trains or not has_budget)
    check_workers(workers)
    if resume and force:
        raise exclude("--resume", "--force")
    if on == "":
        raise InputError("--on is empty.", "Give a text or the name of a corpus, or leave it out.")
    titles = [one.name if one.path is None else one.path.stem for one in entrants]
    folder = pick_folder(folder, "-".join(titles), resume, force)
    before = load_state(folder) if resume else None
    data: Corpus | None = None
    if on is None or any(entrant.kind != "saved" for entrant in entrants):
        data = corpus if isinstance(corpus, Corpus) else load_corpus(corpus)
    models = {one.name: one.model for one in entrants if one.model is not None}
    vocabularies = _vocabularies(models, data, same_script=on is None)
    starts = starts_for(vocabularies) if start is None else [start]
    _check_starts(starts, vocabularies)
    said = ""
    if data is not None and trains:
        entrants, limits = equalise(entrants, data, limits, insist=equal == "parameters")
        said = describe(limits, entrants, data, seeds)
        for trained in filter(None, (entrant.settings for entrant in entrants)):
            check_run(data, trained)
    texts, doubts = _read_texts(data if on is None else on, models.values(), data)
    for doubt in doubts:
        on_note(doubt)
    all_seeds = [settings.seed + number for number in range(seeds)] if trains else []
    judged_on = f"{texts.name} {texts.fingerprint}"
    state = RaceState("" if data is None else data.fingerprint, judged_on, [])
    if before is not None:
        state = _resumed(before, state, entrants, all_seeds, limits, folder)
    blank = Verdict(
        corpus="" if data is None else data.name,
        fingerprint=state.corpus,
        on=texts.description,
        equal=limits.equal if trains else None,
        budget=said,
        seeds=all_seeds,
        contenders=[],
        differences=[],
        starts=starts,
        command=command,
        folder=folder,
        on_validation=on is None or on is corpus,
        notes=doubts,
    )
    with held(folder):
        return Schedule(
            entrants=entrants,
            corpus=data,
            texts=texts,
            budget=limits,
            poem_seed=settings.seed,
            blank=blank,
            state=state,
            num_samples=num_samples,
            on_note=on_note,
            on_event=on_event,
            on_failure=on_failure,
            on_verdict=on_verdict,
        ).run(should_stop)


def _check_options(settings: TrainConfig, seeds: int, may_have_budget: bool) -> None:
    if settings.init is not None:
        raise SettingError("The contenders of a race begin anew.", "Leave init out.")
    if seeds < 1:
        raise SettingError(f"--seeds {seeds} is out of range.", "Give a value of at least 1.")
    if not may_have_budget:
        raise SettingError(
            "No contender is trained, so there is no budget.",
            "Leave --budget, --equal, --max-minutes and --seeds out.",
        )


def _vocabularies(
    models: Mapping[str, Model], corpus: Corpus | None, same_script: bool
) -> list[Vocabulary]:
    """Return the vocabularies of models, by name, and of the corpus, all of one language.

    Raises:
        InputError: they are not, or with ``same_script`` not of one script. (A text of its own is
            read in the script of each model.)
    """
    known: dict[str, Model | Corpus] = {**models}
    if corpus is not None:
        known = {f"the corpus {corpus.name}": corpus, **models}
    vocabularies = {name: one.vocabulary for name, one in known.items()}
    scripts = {name: one.script for name, one in known.items()} if same_script else {}
    check_languages(vocabularies, scripts)
    return [*vocabularies.values()]


def _check_starts(starts: Iterable[str], vocabularies: Iterable[Vocabulary]) -> None:
    """Check that all contenders can begin their poems in these ways.

    Raises:
        PromptError: one does not know a token of a start.
        SettingError: a start is as long as the longest poem.
    """
    longest = SampleConfig().max_chars
    for start, vocabulary in itertools.product(starts, vocabularies):
        if (length := len(encode_prompt(start, vocabulary))) >= longest:
            raise SettingError(
                f"The start has {length} characters, and a poem has at most {longest}.",
                "Give a shorter one: --start 日",
            )


def _read_texts(
    on: str | Path | Corpus | None, models: Iterable[Model], corpus: Corpus | None
) -> tuple[Texts, list[str]]:
    """Return the texts to judge on; of a file without what a contender may have learned.

    And what is uncertain about them, in sentences.
    """
    assert on is not None
    learned = [] if corpus is None else [corpus]
    doubts: list[str] = []
    if is_source(on):
        learned, doubts = corpora_of(models, learned)
    texts = read_texts(on, learned=learned)
    return texts, [*doubts, *texts.doubts]


def _resumed(
    before: RaceState,
    now: RaceState,
    entrants: Sequence[Entrant],
    seeds: Sequence[int],
    budget: Budget,
    folder: Path,
) -> RaceState:
    """Return the state of the race that is resumed, with figures on the text asked for now.

    Raises:
        InputError: it was begun on another corpus.
        SettingError: one of its runs was begun with other settings, or another share of the time.
    """
    if before.corpus != now.corpus:
        raise InputError(
            f"The race in {folder} was begun on another corpus: its fingerprint was "
            f"{before.corpus or 'none'} and is {now.corpus or 'none'}.",
            "Give the corpus that it was begun with, or begin another race with --report DIR.",
        )
    # The files of the first seed have no number.
    begun_seeds = [one.run.seed for one in before.runs]
    if seeds and begun_seeds and min(begun_seeds) != seeds[0]:
        raise SettingError(
            f"The race was begun with --seed {min(begun_seeds)}, not with --seed {seeds[0]}.",
            "Give the same --seed, and more --seeds to add to them.",
        )
    planned = [
        (entrant.name, replace(entrant.settings, seed=seed))
        for entrant in entrants
        if entrant.settings is not None
        for seed in seeds
    ]
    for name, settings in planned:
        if begun := before.settings_of(name, settings.seed):
            check_same(name, begun, settings)
            budget.check_share(begun.max_minutes, len(planned))
    return before if before.on == now.on else RaceState(now.corpus, now.on, before.unjudged())
