"""A trace as plain values that can be shown, drawn or written as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from poetgen.arrays import FloatArray
from poetgen.corpus.vocabulary import END
from poetgen.inspection.trace import deciding_units, likeliest, strong_units, trace
from poetgen.networks.model import Model, num_parameters
from poetgen.networks.model_file import card_of

_NUM_NEXT = 5
# How the end of a poem is written where tokens are listed.
END_SIGN = "■"


@dataclass(frozen=True, slots=True)
class UnitStrip:
    """A unit that responds strongly: after which share of the tokens, and its values."""

    unit: int
    share_strong: float
    values: list[float]


@dataclass(frozen=True, slots=True)
class DecidingUnit:
    """A unit whose loss changes what comes after the last token, and by how much (0 to 1)."""

    unit: int
    value: float
    change: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about one text of T tokens; lists have one entry for each token."""

    tokens: list[str]
    surprise_bits: list[float]
    memory: list[float]
    gates: Mapping[str, list[float]]
    next_tokens: list[list[tuple[str, float]]]
    strong_units: list[UnitStrip]
    deciding_units: list[DecidingUnit]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def report(model: Model, token_ids: Sequence[int], num_units: int) -> Report:
    """Return what happens when token ids (T,) are read, with the ``num_units`` foremost units."""
    found = trace(model, token_ids)
    changes = deciding_units(model, found.hidden[-1])
    foremost = np.argsort(-changes, kind="stable")[:num_units].tolist()

    def spell(token_id: int) -> str:
        return END_SIGN if token_id == END else model.vocabulary.token(token_id)

    return Report(
        tokens=[spell(token_id) for token_id in token_ids],
        surprise_bits=_plain(found.surprise_bits),
        memory=_plain(found.memory),
        gates={name: _plain(values.mean(axis=-1)) for name, values in found.gates.items()},
        next_tokens=[
            [(spell(token_id), round(p, 6)) for token_id, p in likeliest(row, _NUM_NEXT)]
            for row in found.probabilities
        ],
        strong_units=[
            UnitStrip(unit, round(share, 6), _plain(found.hidden[:, unit]))
            for unit, share in strong_units(found.hidden, num_units)
        ],
        deciding_units=[
            DecidingUnit(unit, float(found.hidden[-1, unit]), float(changes[unit]))
            for unit in foremost
        ],
    )


def card(name: str, model: Model) -> dict[str, Any]:
    """Return what a model file says about itself, as plain values."""
    return {
        "model": name,
        **asdict(model.config),
        "parameters": num_parameters(model.config),
        "fields": list(model.vocabulary.fields),
        **card_of(model),
    }


def in_effect(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a training that changed something, without those that were off.

    A record without a ``batching`` is that of whole poems, unless it is one of running prose.
    """
    unused = {"own_output"}  # an old name of "tied", which the shape of the model has
    if training.get("batching") in ("random", "sequential"):
        unused |= {"batch_tokens"}
    else:
        unused |= {"batch_size", "seq_len"}
    if training.get("optimizer") != "adamw":
        unused |= {"weight_decay"}
    return {
        key: value for key, value in training.items() if value is not None and key not in unused
    }


def _plain(values: FloatArray) -> list[float]:
    return [round(float(value), 6) for value in values]
