"""What a race has done so far, in ``race.json``, so that it is resumed where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from poetgen.comparison.results import Run
from poetgen.config import TrainConfig
from poetgen.errors import InputError, SettingError
from poetgen.files import unfinished, write_text
from poetgen.plain import read_plain
from poetgen.settings import flag_of

_FILE = "race.json"
# What else a race writes into its folder, beside the files of its runs.
_REPORTS = ("report.json", "report.md", "report.html", "curves.svg")
_ANEW = "Begin another race with --force, or in another folder with --report DIR."
# Settings that follow from others, or do not change what is computed.
_MAY_CHANGE = ("epochs", "max_minutes", "checkpoint_seconds")


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run as far as it came, with the settings that it was begun with."""

    contender: str
    settings: TrainConfig
    run: Run


@dataclass(slots=True)
class RaceState:
    """The runs of a race that were begun: on which corpus, and on which text they are judged."""

    corpus: str
    on: str
    runs: list[BegunRun]

    def settings_of(self, contender: str, seed: int) -> TrainConfig | None:
        """Return the settings that the run of a contender with this seed was begun with, if any."""
        wanted = contender, seed
        same = (one.settings for one in self.runs if (one.contender, one.run.seed) == wanted)
        return next(same, None)

    def put(self, contender: str, settings: TrainConfig, run: Run) -> None:
        """Put a run in the place of an earlier one of the same contender and seed."""
        kept = [one for one in self.runs if (one.contender, one.run.seed) != (contender, run.seed)]
        self.runs = [*kept, BegunRun(contender, settings, run)]

    def unjudged(self) -> list[BegunRun]:
        """Return the runs without their figures, which were measured on another text."""
        return [replace(one, run=replace(one.run, figures=None)) for one in self.runs]


def has_race(folder: Path) -> bool:
    """Return whether a race was begun in a folder."""
    return (folder / _FILE).is_file()


def save_state(state: RaceState, folder: Path) -> None:
    """Write what a race has done so far, whole or not at all."""
    text = json.dumps(asdict(state), ensure_ascii=False, indent=2)
    write_text(folder / _FILE, text + "\n")


def clear_leftovers(folder: Path) -> None:
    """Delete half-written files of a killed race; call it under the lock of the race only."""
    for name in (_FILE, *_REPORTS):
        for leftover in unfinished(folder / name):
            leftover.unlink(missing_ok=True)


def load_state(folder: Path) -> RaceState:
    """Return what the race in a folder has done so far.

    Raises:
        InputError: there is no race, or its file is damaged or of another version of poetgen.
    """
    path = folder / _FILE
    try:
        return read_plain(RaceState, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise InputError(
            f"There is no race to resume: {path} is not there.", "Leave --resume out to begin it."
        ) from error
    except (ValueError, RecursionError, SettingError) as error:
        raise InputError(f"{path} cannot be used: {error}.", _ANEW) from error


def check_same(contender: str, before: TrainConfig, now: TrainConfig) -> None:
    """Check that the run of a contender goes on with the settings that it was begun with.

    Raises:
        SettingError: it does not.
    """
    for field in fields(TrainConfig):
        old, new = getattr(before, field.name), getattr(now, field.name)
        if field.name in _MAY_CHANGE or old == new:
            continue
        flag = flag_of(field.name, field.metadata["flag"])
        flag = "--budget" if field.name == "max_tokens" else flag
        begun = f"without {flag}" if old is None else f"with {flag} {old}"
        now_given = f"without {flag}" if new is None else f"with {flag} {new}"
        raise SettingError(
            f"{contender} was begun {begun}, not {now_given}.",
            "Give the same contenders and settings as before, or begin another race with "
            "--report DIR.",
        )
