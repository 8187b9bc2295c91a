"""The model file: one ``.safetensors`` with everything that a poem needs.

Weights are stored as float16, or in 8 bits with a scale for each row. Beside them, as
``choice.…``, is the index with which drafts are chosen, if there is one. The header holds
architecture, vocabulary, script, training settings, corpus and metrics, and a checksum over
the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from poetgen.arrays import FloatArray
from poetgen.config import ModelConfig, Storage
from poetgen.corpus.vocabulary import NUM_SPECIAL, Vocabulary
from poetgen.errors import ModelError, PoetgenError
from poetgen.networks.compact import compact, restore, restored_layout
from poetgen.networks.model import (
    LARGEST_WEIGHT,
    CorpusRef,
    Metrics,
    Model,
    Weights,
    weight_shapes,
)
from poetgen.places import SNAPSHOT_SUFFIXES
from poetgen.plain import names_of, read_plain
from poetgen.tensor_file import (
    MODEL_FILE,
    Arrays,
    Check,
    Layout,
    all_finite,
    load_tensor_file,
    load_tensor_header,
    save_tensor_file,
)
from poetgen.verse.choice import check_layout, choice_from

T = TypeVar("T")

KIND = MODEL_FILE
_ADVICE = "Copy it again, or delete it and name another model; tang ships with poetgen."
_CHOICE = "choice."
# What is measured with title and author given, in a model file and in the metrics of a run.
GIVEN = "validation_given_title_and_author"
# What poetgen writes has four; json and repr, which show a header, are recursive.
_MAX_LEVELS = 16
# Numbers that are widened at once: so many stay in the CPU's cache.
_WIDEN_BLOCK = 65_536


def save_model(model: Model, path: Path) -> None:
    """Write a model file whole or not at all, weights as float16 or in 8 bits.

    Raises:
        ModelError: a weight is too large for that, NaN or infinite.
    """
    with np.errstate(over="ignore"):
        weights: Weights = {name: w.astype(np.float16) for name, w in model.weights.items()}
    if not all_finite(weights):
        raise ModelError(
            f"{path} cannot store weights above {LARGEST_WEIGHT:,.0f}, infinite or NaN.",
            "Train with a lower --learning-rate.",
        )
    header: dict[str, Any] = {
        "model": asdict(model.config),
        "tokens": model.vocabulary.kind,
        "vocabulary": list(model.vocabulary.tokens),
        **card_of(model),
    }
    # What an older poetgen would not understand is there only where it is needed.
    if model.vocabulary.fields:
        header["fields"] = list(model.vocabulary.fields)
    if model.storage == "int8":
        header["storage"] = model.storage
        weights = compact(model.weights)
    index = {} if model.choice is None else model.choice.as_arrays()
    arrays = {**weights, **{_CHOICE + name: array for name, array in index.items()}}
    save_tensor_file(path, KIND, arrays, header)


def card_of(model: Model) -> dict[str, Any]:
    """Return what a model file says besides configuration and vocabulary, as plain values."""

    def about(part: str, known: CorpusRef | Metrics | None) -> dict[str, Any]:
        return {**({} if known is None else asdict(known)), **model.extra.get(part, {})}

    measured = {"validation": model.validation, GIVEN: model.validation_given}
    metrics = {part: values for part, known in measured.items() if (values := about(part, known))}
    return {
        "script": model.script,
        "corpus": about("corpus", model.corpus),
        "training": dict(model.training),
        "metrics": {**metrics, **about("metrics", None)},
    }


def load_model(path: Path) -> Model:
    """Return the model in a model file, or in a snapshot of char-rnn (``.pkl``), as float32.

    Nothing in either is ever executed.

    Raises:
        ModelError: the file is missing, truncated, altered, or not a model.
    """
    if path.suffix in SNAPSHOT_SUFFIXES:
        from poetgen.networks.char_rnn_model import load_snapshot

        return load_snapshot(path)

    arrays, header = load_tensor_file(path, KIND, _ADVICE, _checker(path))
    with _unusable(path):
        return _read(header, arrays)


def load_model_header(path: Path) -> Model:
    """Return the model in a model file without weights and choice, in milliseconds.

    Raises:
        ModelError: the header is missing, altered, or not that of a model; what it says of
            the weights is checked, but not they themselves.
    """
    header = load_tensor_header(path, KIND, _ADVICE, _checker(path))
    with _unusable(path):
        return _read(header, {})


def _checker(path: Path) -> Check:
    def check(header: Mapping[str, Any], layout: Layout) -> None:
        with _unusable(path):
            _check_layout(header, layout)

    return check


@contextmanager
def _unusable(path: Path) -> Iterator[None]:
    """Translate whatever is wrong with the content of a file into a ModelError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, PoetgenError) as error:
        why = str(error).removesuffix(".")
        raise ModelError(f"{path} is not a usable model: {why}.", _ADVICE) from error


def _check_layout(header: Mapping[str, Any], layout: Layout) -> None:
    """Check the types and shapes of the arrays in a file against its header."""
    about = [value for key, value in header.items() if key != "vocabulary"]
    if not _is_shallow(about, _MAX_LEVELS):
        raise ValueError("its header is nested too deeply")
    if not isinstance(header["vocabulary"], list):
        raise ValueError("its header is not as poetgen writes it")
    config = read_plain(ModelConfig, header["model"])
    weights, index = _parted(layout)
    weights = restored_layout(weights)
    shapes = {name: shape for name, (_, shape) in weights.items()}
    # Compared first: a header may claim more layers than anyone could count.
    if config.num_layers > len(shapes) or shapes != weight_shapes(config):
        raise ValueError("its weights do not fit its architecture")
    if not all(dtype in ("F16", "F32") for dtype, _ in weights.values()):
        raise ValueError("its weights are not floating-point numbers of 16 or 32 bits")
    num_tokens = NUM_SPECIAL + len(header["vocabulary"]) + len(header.get("fields", []))
    if num_tokens != config.vocab_size:
        raise ValueError("its vocabulary does not fit its architecture")
    if index:
        check_layout(index)


def _parted(arrays: Mapping[str, T]) -> tuple[dict[str, T], dict[str, T]]:
    """Return the weights among the arrays of a file, and the index without its prefix."""
    weights: dict[str, T] = {}
    index: dict[str, T] = {}
    for name, array in arrays.items():
        part = index if name.startswith(_CHOICE) else weights
        part[name.removeprefix(_CHOICE)] = array
    return weights, index


def _read(header: dict[str, Any], arrays: Arrays) -> Model:
    halves, index = _parted(arrays)
    storage = header.get("storage", "float16")
    if storage not in get_args(Storage):
        raise ValueError(f"its weights are stored as {storage!r:.40}")
    weights = {name: widen(numbers) for name, numbers in restore(halves).items()}
    # Larger ones, which poetgen does not write, would overflow in products.
    if not all(w.min() >= -LARGEST_WEIGHT and w.max() <= LARGEST_WEIGHT for w in weights.values()):
        raise ValueError("one of its weights is too large or NaN")
    script, training, metrics = header["script"], header["training"], header["metrics"]
    if not (isinstance(script, str) and isinstance(training, dict) and isinstance(metrics, dict)):
        raise ValueError("its header is not as poetgen writes it")
    corpus, other_corpus = _known(CorpusRef, header["corpus"])
    validation, other_validation = _known(Metrics, metrics.pop("validation", {}))
    given, other_given = _known(Metrics, metrics.pop(GIVEN, {}))
    extra = {"corpus": other_corpus, "metrics": metrics, "validation": other_validation}
    extra[GIVEN] = other_given
    return Model(
        config=read_plain(ModelConfig, header["model"]),
        vocabulary=Vocabulary(header["vocabulary"], header["tokens"], header.get("fields", [])),
        weights=weights,
        script=script,
        training=training,
        corpus=corpus,
        validation=validation,
        validation_given=given,
        extra={part: values for part, values in extra.items() if values},
        choice=choice_from(index) if index else None,
        storage=storage,
    )


def _known(kind: type[T], values: Any) -> tuple[T | None, dict[str, Any]]:
    """Return the fields of ``kind`` in ``values``, None if it has none of them, and the rest."""
    if not isinstance(values, dict):
        raise ValueError("its header is not as poetgen writes it")
    names = values.keys() & names_of(kind)
    known = read_plain(kind, {name: values[name] for name in names}) if names else None
    return known, {name: value for name, value in values.items() if name not in names}


def _is_shallow(value: Any, levels: int) -> bool:
    """Return whether lists and dictionaries are nested at most ``levels`` deep."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in parts)


def widen(numbers: FloatArray) -> NDArray[np.float32]:
    """Return float16 ``numbers`` as float32, exactly and several times as fast as numpy does.

    Infinity and NaN, which weights may not be, become numbers of 65,536 and more in size.
    Numbers that are float32 already are returned as they are.
    """
    if numbers.dtype == np.float32:
        return numbers.astype(np.float32, copy=False)
    wide = np.empty(numbers.shape, np.float32)
    bits = np.ascontiguousarray(numbers, np.float16).reshape(-1).view(np.int16)
    for first in range(0, bits.size, _WIDEN_BLOCK):
        block = wide.reshape(-1)[first : first + _WIDEN_BLOCK]
        moved = block.view(np.int32)
        # The sign stays in bit 31; exponent and fraction move to their places in a float32.
        moved[...] = bits[first : first + _WIDEN_BLOCK]
        moved <<= 13
        moved &= -0x70002000  # the bits 31 and 27 to 13
        # The exponents of the two formats are offset by 15 and by 127.
        block *= 2.0**112
    return wide
