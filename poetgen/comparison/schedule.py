"""The schedule of a race: its runs in their order, each of them saved at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from poetgen.arrays import FloatArray
from poetgen.comparison.budgets import Budget, shape_of
from poetgen.comparison.contenders import Entrant
from poetgen.comparison.differences import differences_between
from poetgen.comparison.judging import judge
from poetgen.comparison.labels import file_stem
from poetgen.comparison.measuring import cold_seconds, measure_poems
from poetgen.comparison.ngram import NGram, ngram_poet, train_ngram
from poetgen.comparison.one_run import clear, reason_of, tidy, train_run
from poetgen.comparison.report import save_verdict
from poetgen.comparison.results import SET_BY_RACE, Contender, Run, Verdict
from poetgen.comparison.state import RaceState, save_state
from poetgen.comparison.texts import Texts
from poetgen.comparison.workers import Job, train_together
from poetgen.config import TrainConfig
from poetgen.corpus.corpus import Corpus, decode_poems
from poetgen.errors import PoetgenError
from poetgen.generation.poet import Poet
from poetgen.networks.model import Model, num_parameters
from poetgen.networks.model_file import load_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.settings import changed
from poetgen.training.choice import has_choice
from poetgen.training.events import Event, Note
from poetgen.training.run_files import RunFiles
from poetgen.verse.choice import Choice, build_choice

# From this share of unknown tokens on, a text is not one that a model can predict.
_MANY_UNKNOWN = 0.2
_NOT_FINISHED = "It was not finished."


@dataclass(slots=True)
class Schedule:
    """All runs of a comparison, and the verdict on what has finished of them."""

    entrants: Sequence[Entrant]
    corpus: Corpus | None
    texts: Texts
    budget: Budget
    poem_seed: int
    # What is said of the comparison before anything has finished.
    blank: Verdict
    state: RaceState
    # Poems of the panel; 0 measures no poems at all.
    num_samples: int
    on_note: Callable[[str], object]
    on_event: Callable[[str, Event], object]
    on_failure: Callable[[str, Exception], object]
    on_verdict: Callable[[Verdict], object]
    # By contender and seed.
    _runs: dict[tuple[str, int], Run] = field(default_factory=dict)
    # When those began that train now, by the monotonic clock.
    _began: dict[tuple[str, int], float] = field(default_factory=dict)
    # The bits of each text in the last run that was judged, by contender.
    _bits: dict[str, FloatArray] = field(default_factory=dict)
    _about: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with what a race that is resumed has found."""
        self._runs |= {(one.contender, one.run.seed): one.run for one in self.state.runs}

    def run(self, should_stop: Callable[[], bool]) -> Verdict:
        """Judge what is there, train the others, and return the verdict; each is saved at once."""
        save_state(self.state, self.blank.folder)
        self._save()
        for entrant in self.entrants:
            if entrant.settings is None and not should_stop():
                self._runs[entrant.name, 0] = self._judge_only(entrant)
                self._save()
        # Every contender once, then every one again: an early end leaves something of each.
        planned = [
            (entrant.name, replace(entrant.settings, seed=seed))
            for seed in self.blank.seeds
            for entrant in self.entrants
            if entrant.settings is not None
        ]
        # Before any is judged: if that fails, the training, which is saved, has not failed.
        left = [(name, one) for name, one in planned if not self._is_over(name, one.seed)]
        begun = {(one.contender, one.run.seed): one.settings for one in self.state.runs}
        for name, settings in planned:
            if (name, settings) not in left and not should_stop():
                key = name, settings.seed
                self._finish(name, begun[key], self._runs[key])
        jobs = self._jobs(left, len(planned))
        if self.corpus is not None and self.budget.num_workers > 1:
            self._train_together(self.corpus, jobs, should_stop)
        elif self.corpus is not None:
            while not should_stop() and (job := next(jobs, None)):
                self._train(self.corpus, job, should_stop)
        return self._verdict()

    def _judge_only(self, entrant: Entrant) -> Run:
        name, path, order = entrant.name, entrant.path, entrant.order
        run = Run(0, "done", model="" if path is None else str(path))
        self.on_note(f"Measuring {name} on {self.blank.on}.")
        try:
            if path is not None:
                model = load_model(path)
                run = self._judged(name, run, model)
                self._measure(name, model, path)
            elif self.corpus is not None and order is not None:
                ngram = train_ngram(self.corpus, order)
                run = self._judged(name, run, ngram)
                self._measure(name, ngram, None)
        except Exception as error:
            self.on_failure(name, error)
            return replace(run, status="failed", reason=reason_of(error))
        return run

    def _judged(self, name: str, run: Run, model: Model | NGram) -> Run:
        figures, bits = judge(model, self.texts)
        self._bits[name] = bits
        if figures.unknown_share > _MANY_UNKNOWN:
            self.on_note(
                f"{name} does not know {figures.unknown_share:.0%} of the text: it is in another "
                "language or script, and the figures say little."
            )
        return replace(run, figures=figures)

    def _is_over(self, name: str, seed: int) -> bool:
        run = self._runs.get((name, seed))
        if run is None or not run.has_learned:
            return run is not None and run.status == "diverged"
        # A model that was not measured and is gone is trained again.
        return run.figures is not None or (self.blank.folder / run.model).is_file()

    def _jobs(self, left: Sequence[tuple[str, TrainConfig]], num_runs: int) -> Iterator[Job]:
        """Yield the runs that are left, each when it is asked for, which is when it begins.

        Only a run of this race goes on: of another one that wrote into this folder, nothing is left
        before the state says that the run was begun.
        """
        for place, (name, settings) in enumerate(left):
            key = name, settings.seed
            files, before = self._files(*key), self._runs.get(key)
            if before is None:
                try:
                    clear(files)
                except Exception as error:
                    self.on_failure(name, error)
                    self._runs[key] = Run(settings.seed, "failed", reason_of(error))
                    self._save()
                    continue
            num_left = len(left) - place + len(self._began)
            minutes = self.budget.minutes_of_run(self._used_seconds(key), num_left, num_runs)
            limited = replace(settings, max_minutes=minutes)
            begun = before or Run(settings.seed, "interrupted")
            self._put(name, limited, replace(begun, status="interrupted", reason=_NOT_FINISHED))
            self._began[key] = time.monotonic()
            yield Job(name, files, limited, resume=before is not None)

    def _used_seconds(self, key: tuple[str, int]) -> float:
        """Return how long all other runs have trained; those that train now, by the clock."""
        now = time.monotonic()
        return sum(
            run.total_seconds + (now - self._began.get(other, now))
            for other, run in self._runs.items()
            if other != key
        )

    def _train(self, corpus: Corpus, job: Job, should_stop: Callable[[], bool]) -> None:
        """Train a contender once, and judge it."""
        run = train_run(
            corpus,
            job.files,
            job.settings,
            resume=job.resume,
            on_event=lambda event: self.on_event(job.contender, event),
            on_failure=lambda error: self.on_failure(job.contender, error),
            should_stop=should_stop,
        )
        self._finish(job.contender, job.settings, run)

    def _train_together(
        self, corpus: Corpus, jobs: Iterator[Job], should_stop: Callable[[], bool]
    ) -> None:
        """Train several contenders at the same time, and judge each when it has ended."""
        for job, run in train_together(corpus, jobs, self.budget.num_workers, should_stop):
            said = f"{job.contender}, seed {run.seed}: {run.tokens:,} tokens, {run.status}."
            self.on_event(job.contender, Note(said))
            if run.status in ("failed", "diverged"):
                advice = "The others go on; see the report."
                self.on_failure(job.contender, PoetgenError(run.reason, advice))
            self._finish(job.contender, job.settings, run)

    def _finish(self, name: str, settings: TrainConfig, run: Run) -> None:
        """Save a run that has ended, and judge it, unless that is done."""
        self._began.pop((name, run.seed), None)
        self._put(name, settings, run)
        # What a single run has of each text is not saved, and is measured again.
        is_judged = run.figures is not None and len(self.blank.seeds) > 1
        try:
            if run.status not in ("interrupted", "failed"):
                tidy(self._files(name, run.seed))
            if run.has_learned and not (is_judged and name in self._about):
                path = self.blank.folder / run.model
                model = load_model(path)
                if not is_judged:
                    self.on_note(f"Measuring {name}, seed {run.seed}, on {self.blank.on}.")
                    self._put(name, settings, self._judged(name, run, model))
                self._measure(name, model, path)
        except Exception as error:
            self.on_failure(name, error)
            if run.figures is None:
                # Only here: its training, which is saved, has not failed.
                failed = replace(run, status="failed", reason=reason_of(error))
                self._runs[name, run.seed] = failed
        self._save()

    def _measure(self, name: str, model: Model | NGram, path: Path | None) -> None:
        """Measure a contender and its poems, once; what fails is reported, and missing."""
        if name in self._about:
            return
        about = self._about[name] = {}
        try:
            if isinstance(model, NGram):
                about["num_parameters"] = model.num_parameters
                poet, choice = ngram_poet(model), self._index()
            else:
                poet, choice = Poet(name, model, NumpyModel(model.config, model.weights)), None
            if path is not None:
                about["num_bytes"] = path.stat().st_size
            if self.num_samples == 0:
                return
            seeds = [self.poem_seed]
            measured = measure_poems(poet, self.blank.starts, seeds, self.num_samples, choice)
            about |= measured._asdict()
            if path is not None:
                about["cold_seconds"] = cold_seconds(path)
        except Exception as error:
            self.on_failure(name, error)

    def _index(self) -> Choice | None:
        """Return the index of the training poems, which models have in their files."""
        corpus = self.corpus
        if corpus is None or not has_choice(corpus):
            return None
        return build_choice(decode_poems(corpus.splits["train"], corpus.vocabulary))

    def _put(self, name: str, settings: TrainConfig, run: Run) -> None:
        self._runs[name, settings.seed] = run
        self.state.put(name, settings, run)
        save_state(self.state, self.blank.folder)

    def _save(self) -> None:
        verdict = self._verdict()
        save_verdict(verdict)
        self.on_verdict(verdict)

    def _files(self, name: str, seed: int) -> RunFiles:
        """Return the files of a run; no two runs of the race have the same."""
        names = [one.name for one in self.entrants if one.settings is not None]
        stems = [*map(file_stem, names)]
        place = names.index(name)
        stem = stems[place]
        if same := stems[:place].count(stem):
            stem = f"{stem}-{same + 1}"
        return RunFiles(
            self.blank.folder, stem if seed == self.blank.seeds[0] else f"{stem}-seed-{seed}"
        )

    def _verdict(self) -> Verdict:
        contenders = [self._contender(entrant) for entrant in self.entrants]
        return replace(
            self.blank,
            contenders=contenders,
            differences=differences_between(contenders, self._bits),
        )

    def _contender(self, entrant: Entrant) -> Contender:
        seeds = self.blank.seeds if entrant.settings is not None else [0]
        # Not left out: a reader of a report that was cut short must see what is missing.
        runs = [
            self._runs.get((entrant.name, seed), Run(seed, "interrupted", "It was not begun."))
            for seed in seeds
        ]
        seconds = sum(run.train_seconds for run in runs)
        settings = {}
        # Also of one whose run has failed.
        shape = None if entrant.model is None else entrant.model.config
        if entrant.settings is not None and self.corpus is not None:
            shape = shape_of(entrant.settings, self.corpus)
            names = changed(entrant.settings) - SET_BY_RACE
            settings = {name: getattr(entrant.settings, name) for name in sorted(names)}
        about = {} if shape is None else {"num_parameters": num_parameters(shape)}
        return Contender(
            name=entrant.name,
            kind=entrant.kind,
            settings=settings,
            shape=shape,
            tokens_per_second=sum(run.tokens for run in runs) / seconds if seconds else None,
            runs=runs,
            **about | self._about.get(entrant.name, {}),
        )
