"""Where named corpora and models lie.

A name is looked for in ``./corpora`` or ``./models``, then in the user's data folder, then
among what the package ships. Anything with a slash or a file suffix is a path.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from poetgen.errors import CorpusError, InputError, ModelError

Kind = Literal["corpora", "models"]

MODEL_SUFFIX = ".safetensors"
# What a model file has in its header, and no file of another program.
MODEL_KEY = "poetgen"
_HEAD_BYTES = 4096
# Of snapshots of the classic character RNN, which are read but never written.
SNAPSHOT_SUFFIXES = (".pkl", ".pickle")
_MODEL_ENDINGS = (MODEL_SUFFIX, *SNAPSHOT_SUFFIXES)
SHIPPED_MODEL = "tang"


def shipped_models() -> Path:
    """Give the folder of the models that ship.

    A wheel carries them inside the package; a checkout (an editable install) has them
    beside it.
    """
    inside = Path(__file__).parent / "models"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "models"


def search_folders(kind: Kind) -> list[Path]:
    """List the folders in which names of this kind are looked for, in order."""
    from platformdirs import user_data_path

    folders = [Path(kind), user_data_path("poetgen", appauthor=False) / kind]
    return [*folders, shipped_models()] if kind == "models" else folders


def check_name(name: str) -> str:
    """Refuse a name that a shell, a search or a path could read as something else.

    Raises:
        InputError: the name has other characters than letters, digits, ``-``, ``_`` and
            ``.``, begins with ``-`` or ``.``, or ends as a model file does.
    """
    if name != plain_name(name) or not name:
        raise InputError(
            f"{name!r} cannot be used as a name.",
            f"Take letters, digits, - and _, for example: --name {plain_name(name) or 'my-poems'}",
        )
    stem, dot, ending = name.rpartition(".")
    if dot + ending in _MODEL_ENDINGS:
        # It would be taken for a path wherever it is given as a name.
        raise InputError(f"The name {name} ends like a file.", f"Leave that out: --name {stem}")
    return name


def plain_name(text: str) -> str:
    """Return ``text`` with ``-`` in place of what a name cannot have; it may be empty."""
    # Letters, marks and digits of every script, as Unicode sorts them.
    plain = (c if c in "-_." or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return "-".join("".join(plain).split()).lstrip("-.")


def find_corpus(name_or_path: str) -> Path:
    """Find a prepared corpus by name or path.

    Raises:
        CorpusError: there is none; the message lists those that are there.
    """
    path = Path(name_or_path)
    if _looks_like_path(name_or_path):
        if path.is_dir():
            return path
    else:
        for folder in search_folders("corpora"):
            if (folder / name_or_path / "corpus.json").is_file():
                return folder / name_or_path
    there = sorted(
        {
            found.parent.name
            for f in search_folders("corpora")
            for found in f.glob("*/corpus.json")
            if not found.parent.name.startswith(".")
        }
    )
    name = plain_name(path.stem) or "NAME"
    known = f"Prepared here: {', '.join(there)}. " if there else ""
    raise CorpusError(
        f"There is no prepared corpus {name_or_path}.",
        f"{known}To prepare one: poetgen prepare FILE_OR_FOLDER --name {name}",
    )


def find_model(name_or_path: str | None, tell: Callable[[str], object] = lambda note: None) -> Path:
    """Find a model by name or path; without either, the newest in ./models, else the shipped.

    ``tell`` gets a sentence about each file that was passed over, because it is another
    program's.

    Raises:
        ModelError: there is none; the message lists those that are there.
    """
    if name_or_path is None:
        own = [path for path in _models_in(Path("models")) if path.is_file()]
        own.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
        for path in own:
            if _is_ours(path):
                return path
            tell(f"{path} is no model of poetgen's and is left aside.")
        return shipped_models() / f"{SHIPPED_MODEL}{MODEL_SUFFIX}"
    if _looks_like_path(name_or_path):
        for path in (Path(name_or_path), Path(f"{name_or_path}{MODEL_SUFFIX}")):
            if path.is_file():
                return path
    else:
        for folder in search_folders("models"):
            path = folder / f"{name_or_path}{MODEL_SUFFIX}"
            if path.is_file():
                return path
    there = sorted({p.stem for folder in search_folders("models") for p in _models_in(folder)})
    is_there = Path(name_or_path).is_file()
    raise ModelError(
        f"{name_or_path} is not a model file."
        if is_there
        else f"There is no model {name_or_path}.",
        f"Models here: {', '.join(there) or 'none'}. To train one: poetgen train",
    )


def _models_in(folder: Path) -> list[Path]:
    # macOS leaves a hidden ._tang.safetensors beside what it copies.
    return [path for path in folder.glob(f"*{MODEL_SUFFIX}") if not path.name.startswith(".")]


def _is_ours(path: Path) -> bool:
    """Return whether a file is a model file, or cannot be opened; not another program's."""
    try:
        with path.open("rb") as file:
            return f'"{MODEL_KEY}":'.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return True  # whoever loads it says why


def free_name(folder: Path, name: str, suffixes: tuple[str, ...]) -> str:
    """Give ``name``, or ``name-2``, ``name-3``… : the first that no file in ``folder`` has."""
    candidate, number = name, 1
    while any((folder / f"{candidate}{suffix}").exists() for suffix in suffixes):
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _looks_like_path(text: str) -> bool:
    separators = os.sep + (os.altsep or "")
    return any(c in text for c in separators) or text.endswith(_MODEL_ENDINGS)
