"""Who takes part in a comparison: names on the command line become contenders, all checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from poetgen.comparison.ngram import MAX_ORDER
from poetgen.comparison.results import SET_BY_RACE, Kind
from poetgen.config import ARCHS, TrainConfig
from poetgen.corpus.vocabulary import Vocabulary
from poetgen.errors import InputError, ModelError, SettingError
from poetgen.networks.model import Model
from poetgen.networks.model_file import load_model
from poetgen.places import corpora_here, did_you_mean, find_model, models_here
from poetgen.settings import flag_of

_NGRAM = "ngram"
_DEFAULT_ORDER = 5
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender before the comparison.

    One that is trained has ``settings``, a saved model a ``path``, an n-gram an ``order``;
    ``own`` are the settings that its own name gives: ``lstm:hidden_size=512``. ``model`` is the
    saved model without weights and choice.
    """

    name: str
    kind: Kind
    settings: TrainConfig | None = None
    path: Path | None = None
    model: Model | None = None
    order: int | None = None
    own: frozenset[str] = frozenset()


def parse_contenders(
    names: Sequence[str | Entrant], settings: TrainConfig, given: Collection[str]
) -> list[Entrant]:
    """Return the contenders of these names.

    A name is an architecture (``lstm``), one with settings (``lstm:hidden_size=512``), an n-gram
    (``ngram:5``), or a model's name or file.

    Args:
        names: of at least two contenders; one that was parsed before stays as it is.
        settings: what those that are trained have in common.
        given: names of the settings that the user insists on.

    Raises:
        InputError: a contender is unknown or named twice, or there are fewer than two.
        SettingError: a setting is unknown or out of range, or settings are given and no
            contender is trained.
        ModelError: a model is damaged, or not a model.
    """
    entrants: list[Entrant] = []
    for name in names:
        entrant = name if isinstance(name, Entrant) else _parse(name, settings)
        for other in entrants:
            if _identity(entrant) == _identity(other):
                same = "" if entrant.name == other.name else f", also as {other.name}"
                raise InputError(f"{entrant.name} is named twice{same}.", "Name each one once.")
        entrants.append(entrant)
    if len(entrants) < 2:
        one = f"only {entrants[0].name}" if entrants else "nothing"
        raise InputError(
            f"A comparison needs two contenders; here is {one}.", "For example: lstm gru ngram:5"
        )
    if given and all(entrant.settings is None for entrant in entrants):
        flags = {field.name: field.metadata["flag"] for field in fields(TrainConfig)}
        flag = flag_of(name := min(given), flags[name])
        raise SettingError(
            f"No contender is trained, so {flag} does not apply.", f"Leave {flag} out."
        )
    return entrants


def check_languages(models: Mapping[str, Vocabulary], script_of: Mapping[str, str]) -> None:
    """Check that all models, and the corpus, by name, are of one language and one script.

    Raises:
        InputError: one is Chinese and another is not, or one is simplified and another
            traditional.
    """
    first = next(iter(models), None)
    for name, vocabulary in models.items():
        if first is None or vocabulary.is_chinese == models[first].is_chinese:
            continue
        chinese, other = (name, first) if vocabulary.is_chinese else (first, name)
        raise InputError(
            f"{chinese} is Chinese, {other} is of another language.",
            "Compare models of one language, on a corpus or text of that language.",
        )
    scripts = {script: name for name, script in script_of.items()}
    if "simplified" in scripts and "traditional" in scripts:
        simplified, traditional = scripts["simplified"], scripts["traditional"]
        raise InputError(
            f"{simplified} has simplified characters, {traditional} traditional ones.",
            "Compare models of one script, or give the text itself with --on FILE.",
        )


def _parse(name: str, settings: TrainConfig) -> Entrant:
    if not (bare := name.strip()):
        raise InputError("A contender is empty.", "For example: lstm gru ngram:5")
    if name != bare:
        raise InputError(f"{name!r} begins or ends with a blank.", f"Write it without: {bare}")
    head, colon, rest = name.partition(":")
    arch = next((arch for arch in ARCHS if arch == head.lower()), None)
    if arch is not None:
        own = _read_settings(name, rest) if colon else {}
        shown = arch + (":" + ",".join(f"{key}={own[key]}" for key in own) if own else "")
        try:
            entered = replace(settings, arch=arch, **own)
        except SettingError as error:
            raise SettingError(f"{shown}: {error.problem}", error.advice) from error
        return Entrant(shown, "trained", settings=entered, own=frozenset(own))
    if head.lower() == _NGRAM:
        order = _read_order(rest) if colon else _DEFAULT_ORDER
        if order is None:
            raise InputError(
                f"{name} is not an n-gram.", f"Give an order from 1 to {MAX_ORDER}: ngram:5"
            )
        return Entrant(f"{_NGRAM}:{order}", "ngram", order=order)
    path = _find(name)
    # Whether it is a whole model is found out before the work.
    model = replace(load_model(path), weights={}, choice=None)
    return Entrant(name, "saved", path=path, model=model)


def _find(name: str) -> Path:
    try:
        return find_model(name)
    except ModelError as error:
        here = sorted(models_here())
        known = f", or a model: {', '.join(here)}" if here else ""
        question = did_you_mean(name, [*ARCHS, *here])
        if name in corpora_here():
            question = f"{name} is a corpus: give it as --corpus {name}. "
        raise InputError(
            error.problem if Path(name).exists() else f"There is no contender {name}.",
            f"{question}Choose among: {', '.join(ARCHS)}, {_NGRAM}:{_DEFAULT_ORDER}{known}.",
        ) from error


def _read_order(text: str) -> int | None:
    order = int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else 0
    return order if 1 <= order <= MAX_ORDER else None


def _read_settings(contender: str, text: str) -> dict[str, Any]:
    hints = get_type_hints(TrainConfig)
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        name = name.strip().replace("-", "_")
        if not (equals and name and value):
            raise SettingError(
                f"{contender} cannot be read: {part!r} is not a setting.",
                "Write settings as in lstm:hidden_size=512,num_layers=2.",
            )
        if name in SET_BY_RACE:
            raise SettingError(
                f"{contender}: {name} is the same for all contenders of a race.",
                "Leave it out of the contender.",
            )
        if name not in hints:
            known = sorted(hints.keys() - SET_BY_RACE)
            raise SettingError(
                f"{contender}: there is no setting {name}.",
                f"{did_you_mean(name, known)}The settings are: {', '.join(known)}.",
            )
        if name in found:
            raise SettingError(f"{contender} gives {name} twice.", "Give each setting once.")
        found[name] = _read_value(value.strip(), hints[name])
    return found


def _read_value(text: str, hint: Any) -> Any:
    """Return the value, or the text itself where it has another type; the settings refuse that."""
    kinds = get_args(hint) or (hint,)
    if NoneType in kinds and text.lower() == "none":
        return None
    if bool in kinds:
        return _TRUTH.get(text.lower(), text)
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _identity(entrant: Entrant) -> tuple[object, ...]:
    path = None if entrant.path is None else entrant.path.resolve()
    return entrant.kind, entrant.settings, path, entrant.order
