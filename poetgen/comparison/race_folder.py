"""The folder of a race: which one it is, and the lock that keeps other races out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from poetgen.comparison.labels import file_stem
from poetgen.comparison.state import clear_leftovers, has_race
from poetgen.errors import ExistsError, SettingError
from poetgen.places import free_name
from poetgen.training.run_files import RunFiles

_LOCK = "race"


def pick_folder(wanted: str | Path | None, title: str, resume: bool, force: bool) -> Path:
    """Return the folder of a race, in which it can write; nothing is written yet.

    That is the ``wanted`` one, else a new one in ./reports that is named after the ``title``, or
    with ``resume`` the newest of these.

    Raises:
        ExistsError: it is there, and neither ``resume`` nor ``force`` is given.
        SettingError: it cannot be written.
    """
    folder = _find(wanted, title, resume, force)
    _check(folder)
    return folder


def _find(wanted: str | Path | None, title: str, resume: bool, force: bool) -> Path:
    if wanted == "":
        raise SettingError("--report is empty.", "Give the name of a folder, or leave it out.")
    base = file_stem(title)
    reports = Path("reports")
    if resume:
        if wanted is not None:
            return Path(wanted)
        numbered = re.compile(re.escape(base) + r"(-\d+)?")
        here = [path for path in reports.glob("*") if numbered.fullmatch(path.name)]
        begun = [path for path in here if has_race(path)]
        return max(begun, key=lambda path: path.stat().st_mtime_ns, default=reports / base)
    if wanted is None:
        return reports / free_name(reports, base, ("",))
    if Path(wanted).is_dir() and not force:
        go_on = "--resume to continue that race, or " if has_race(Path(wanted)) else ""
        raise ExistsError(f"{wanted} is already there.", f"Give {go_on}--force to write into it.")
    return Path(wanted)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Let no other race write into a folder while the block runs.

    Raises:
        ExistsError: another one writes there.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(RunFiles(folder, _LOCK).held())
        except ExistsError as error:
            raise ExistsError(
                f"Another race writes to {folder} at this moment.",
                "Wait for it, stop it, or give another --report.",
            ) from error
        clear_leftovers(folder)
        yield


def _check(folder: Path) -> None:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise SettingError(f"{there} is a file, not a folder.", "Give another --report DIR.")
    if not os.access(there, os.W_OK):
        raise SettingError(f"The folder {there} cannot be written.", "Give another --report DIR.")
