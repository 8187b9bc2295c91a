"""Where named corpora and models are.

A name is looked for in ``./corpora`` or ``./models``, then in the user's data folder, then
among what the package ships. Anything with a slash or a file suffix is a path.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from poetgen.errors import CorpusError, InputError, ModelError

MODEL_SUFFIX = ".safetensors"
# The key in the header of a model file that no other program writes.
MODEL_KEY = "poetgen"
# Snapshots of the classic character RNN, which are read but never written.
SNAPSHOT_SUFFIXES = (".pkl", ".pickle")
# The models that ship, first the one that writes where there is no other.
SHIPPED_MODELS = ("tang", "song", "ci", "shakespeare")
# The corpora that poetgen can fetch.
NAMED_CORPORA = ("tang", "song", "ci", "time-machine", "shakespeare")
_MODEL_SUFFIXES = (MODEL_SUFFIX, *SNAPSHOT_SUFFIXES)
# What is in a header beside the arrays.
_METADATA = "__metadata__"
# Room for a vocabulary of half a million words; reading that takes less than a second.
MAX_HEADER_BYTES = 8 * 2**20


def shipped_models() -> Path:
    """Return the folder of the models that ship: in a wheel, or beside it in a checkout."""
    inside = Path(__file__).parent / "models"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "models"


def search_folders(kind: Literal["corpora", "models"]) -> list[Path]:
    """Return the folders in which names are looked for, in order."""
    from platformdirs import user_data_path

    folders = [Path(kind), user_data_path("poetgen", appauthor=False) / kind]
    return [*folders, shipped_models()] if kind == "models" else folders


def check_name(name: str) -> str:
    """Return ``name`` if no shell, search or path could read it as something else.

    Raises:
        InputError: the name has other characters than letters, digits, ``-``, ``_`` and
            ``.``, begins with ``-`` or ``.``, or ends as a model file does.
    """
    if name != plain_name(name) or not name:
        raise InputError(
            f"{name!r} cannot be used as a name.",
            f"Use letters, digits, - and _, for example: --name {plain_name(name) or 'my-poems'}",
        )
    if name.endswith(_MODEL_SUFFIXES):  # wherever it is given, it would be read as a path
        stem = name.rpartition(".")[0]
        raise InputError(f"The name {name} ends like a file.", f"Leave that out: --name {stem}")
    return name


def plain_name(text: str) -> str:
    """Return ``text`` with ``-`` in place of what a name cannot have; it may be empty."""
    # Letters, marks and digits of every script (Unicode categories L, M and N).
    plain = (c if c in "-_." or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return "-".join("".join(plain).split()).lstrip("-.")


def free_name(folder: Path, name: str, suffixes: tuple[str, ...]) -> str:
    """Return the first of ``name``, ``name-2``, ``name-3``… that no file in ``folder`` has."""
    candidate, number = name, 1
    while any((folder / f"{candidate}{suffix}").exists() for suffix in suffixes):
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def find_corpus(name_or_path: str) -> Path:
    """Return the folder of a prepared corpus, by name or path.

    Raises:
        CorpusError: it does not exist; the advice lists those that do.
    """
    folders, path = search_folders("corpora"), Path(name_or_path)
    if _looks_like_path(name_or_path):
        found = [path] if path.is_dir() else []
    else:
        found = [f / path for f in folders if (f / path / "corpus.json").is_file()]
    if found:
        return found[0]
    here = sorted(corpora_here())
    known = f"Prepared here: {', '.join(here)}. " if here else ""
    raise CorpusError(
        f"There is no prepared corpus {name_or_path}.",
        f"{did_you_mean(name_or_path, [*here, *NAMED_CORPORA])}{known}To prepare one: "
        f"poetgen prepare FILE_OR_FOLDER --name {plain_name(path.stem) or 'NAME'}",
    )


def corpora_here() -> dict[str, Path]:
    """Return the folders of the prepared corpora, by the names under which they are found."""
    found: dict[str, Path] = {}
    for folder in search_folders("corpora"):
        for path in sorted(folder.glob("*/corpus.json")):
            if not path.parent.name.startswith("."):
                found.setdefault(path.parent.name, path.parent)
    return found


def models_here() -> dict[str, Path]:
    """Return the model files, by the names under which they are found."""
    found: dict[str, Path] = {}
    for folder in search_folders("models"):
        for path in sorted(_models_in(folder)):
            found.setdefault(path.stem, path)
    return found


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return a question that names what is known and written almost like ``name``.

    A blank follows the question, so that it can be put before an advice. It is empty where
    nothing is like ``name`` by more than ``cutoff``, 0 to 1, or ``name`` itself is known.
    """
    from difflib import get_close_matches

    spelled = {one.casefold(): one for one in known}
    if name in spelled.values():
        return ""
    near = get_close_matches(name.casefold(), spelled, n=1, cutoff=cutoff)
    return f"Did you mean {spelled[near[0]]}? " if near else ""


def find_model(
    name_or_path: str | None,
    tell: Callable[[str], object] = lambda note: None,
    shipped: str = SHIPPED_MODELS[0],
) -> Path:
    """Return a model by name or path; for None the newest in ./models, else ``shipped``.

    In a checkout those that ship are in ./models, too, and are not what was trained last.

    ``tell`` gets a sentence about each file there that is passed over: another program wrote it, or
    it is cut short.

    Raises:
        ModelError: it does not exist; the advice lists those that do.
    """
    if name_or_path is None:
        own = [p for p in _models_in(Path("models")) if p.is_file() and not _ships(p)]
        own.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
        for path in own:
            why = _why_ignored(path)
            if why is None:
                return path
            tell(f"{path} {why} and is ignored.")
        return shipped_models() / f"{shipped}{MODEL_SUFFIX}"
    folders, file_name = search_folders("models"), f"{name_or_path}{MODEL_SUFFIX}"
    is_path = _looks_like_path(name_or_path)
    paths = [Path(name_or_path), Path(file_name)] if is_path else [f / file_name for f in folders]
    for path in paths:
        if path.is_file():
            return path
    there = sorted(models_here())
    problem = f"There is no model {name_or_path}."
    if not name_or_path.strip():
        problem = "The name of the model is empty."
    elif Path(name_or_path).is_file():
        problem = f"{name_or_path} is not a model file."
    elif Path(name_or_path).is_dir():
        problem = f"{name_or_path} is a folder, not a model file."
    raise ModelError(
        problem,
        f"{did_you_mean(name_or_path, there)}Models here: {', '.join(there) or 'none'}. "
        "To train one: poetgen train",
    )


def _models_in(folder: Path) -> list[Path]:
    # macOS leaves a hidden ._tang.safetensors beside what it copies.
    return [path for path in folder.glob(f"*{MODEL_SUFFIX}") if not path.name.startswith(".")]


def _ships(path: Path) -> bool:
    """Return whether a file is one that ships or its copy, as in a checkout beside a wheel."""
    shipped = shipped_models() / path.name
    if path.stem not in SHIPPED_MODELS or not shipped.is_file():
        return False
    from filecmp import cmp

    return path.samefile(shipped) or cmp(path, shipped, shallow=False)


def _why_ignored(path: Path) -> str | None:
    """Return why a file is no model to write with, or None; its content is not looked at."""
    try:
        with path.open("rb") as file:
            head_size = int.from_bytes(file.read(8), "little")
            head = file.read(min(head_size, MAX_HEADER_BYTES))
        size = path.stat().st_size
    except OSError:
        return None  # whoever loads it says why it cannot be opened
    if f'"{MODEL_KEY}":'.encode() not in head:
        return "is not a model of poetgen"
    try:
        ends = [a["data_offsets"][1] for name, a in json.loads(head).items() if name != _METADATA]
        is_cut = size < 8 + head_size + max(ends, default=0)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_cut = len(head) < head_size  # what else is wrong with it, the loader says
    return "is cut short, perhaps still being copied," if is_cut else None


def _looks_like_path(text: str) -> bool:
    separators = os.sep + (os.altsep or "")
    return any(c in text for c in separators) or text.endswith(_MODEL_SUFFIXES)
