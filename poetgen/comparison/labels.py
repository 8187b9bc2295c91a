"""Short names of contenders: for headings and legends, and for files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from poetgen.comparison.results import Contender, Kind
from poetgen.places import MODEL_SUFFIX, SNAPSHOT_SUFFIXES, plain_name

_LONGEST_STEM = 60


def file_stem(name: str) -> str:
    """Return a name for the files of what a user has named, without a suffix."""
    return plain_name(name)[:_LONGEST_STEM].rstrip("-.")


def labels_of(contenders: Sequence[Contender]) -> dict[str, str]:
    """Return a short name for each contender by its whole one, no two alike, in their order.

    It is the architecture, the n-gram or the name of a model alone; where several have the same,
    with the settings, or the folders, that tell them apart.
    """
    stems = [_stem_of(one) for one in contenders]
    found = {}
    for contender, stem in zip(contenders, stems, strict=True):
        rivals = [one for one, other in zip(contenders, stems, strict=True) if other == stem]
        alike = [one.name for one in rivals if one.kind == contender.kind]
        longer = (
            labels[contender.name]
            for labels in _longer_labels(alike, contender.kind)
            if len(set(labels.values())) == len(alike)
        )
        found[contender.name] = stem if len(rivals) == 1 else next(longer, contender.name)
    return found if len(set(found.values())) == len(found) else {name: name for name in found}


def _stem_of(contender: Contender) -> str:
    if contender.kind == "trained":
        return contender.name.partition(":")[0]
    if contender.kind == "ngram":
        return contender.name
    path = Path(contender.name)
    return path.stem if path.suffix in (MODEL_SUFFIX, *SNAPSHOT_SUFFIXES) else path.name


def _longer_labels(names: Sequence[str], kind: Kind) -> Iterator[dict[str, str]]:
    """Yield labels by name, the shortest first: with more and more settings, or folders."""
    if kind == "trained":
        keys = dict.fromkeys(key for name in names for key in _settings_in(name))
        for count in range(len(keys) + 1):
            for chosen in combinations(keys, count):
                yield {name: _with_settings(name, chosen) for name in names}
    else:
        for count in range(1, max(len(Path(name).parts) for name in names) + 1):
            yield {name: str(Path(*Path(name).parts[-count:])) for name in names}


def _settings_in(name: str) -> dict[str, str]:
    """Return the settings in the name of a contender, as they are written: ``key=value``."""
    parts = name.partition(":")[2].split(",")
    return {part.partition("=")[0]: part for part in parts if part}


def _with_settings(name: str, chosen: Collection[str]) -> str:
    settings = [part for key, part in _settings_in(name).items() if key in chosen]
    return f"{name.partition(':')[0]} {','.join(settings)}".rstrip()
