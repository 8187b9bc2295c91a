"""The rows of a verdict, which the terminal, report.md and report.html show alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import NamedTuple

from poetgen.comparison.labels import labels_of
from poetgen.comparison.results import Contender, Run, Verdict, mean_of
from poetgen.comparison.samples import is_verse
from poetgen.config import TrainConfig

MISSING = "–"


class _Unit(NamedTuple):
    """A unit for values of at least ``least``; it is ``size`` basic units."""

    least: float
    size: float
    name: str
    decimals: int


# The largest unit first.
_TIMES = (
    _Unit(7200, 3600, "h", 2),
    _Unit(120, 60, "min", 1),
    _Unit(1, 1, "s", 1),
    _Unit(0, 0.001, "ms", 0),
)
_BYTES = (_Unit(1e9, 1e9, "GB", 2), _Unit(1e6, 1e6, "MB", 1), _Unit(0, 1e3, "kB", 0))


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, with a cell for each contender in their order."""

    label: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together."""

    title: str
    rows: Sequence[Row]


def sections(verdict: Verdict, places: Sequence[int] | None = None) -> list[Section]:
    """Return all figures; a row that no contender has, or a section without rows, is left out.

    With ``places``, only those of the contenders at these places; units are as in the whole.
    """
    if places is not None:
        return [
            Section(section.title, rows)
            for section in sections(verdict)
            if (rows := _known([Row(r.label, [r.cells[i] for i in places]) for r in section.rows]))
        ]
    contenders = verdict.contenders
    training = "Training, means of the runs" if has_spread(verdict) else "Training"
    return [
        Section(title, kept)
        for title, rows in (
            ("Model", _model(contenders)),
            ("Prediction", _prediction(contenders)),
            (training, _training(contenders)),
            ("Size and speed", _speed(contenders, "poem" if is_verse(verdict) else "sample")),
            (_panel_title(contenders), _panel(contenders)),
        )
        if (kept := _known(rows))
    ]


def has_spread(verdict: Verdict) -> bool:
    """Return whether a contender has several runs with figures."""
    return any(len(finished(contender)) > 1 for contender in verdict.contenders)


def _known(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if set(row.cells) != {MISSING}]


# Settings that have a row of their own.
_SHAPE = (
    ("arch", "architecture"),
    ("hidden_size", "hidden size"),
    ("num_layers", "layers"),
    ("embedding_dim", "embedding size"),
    ("vocab_size", "vocabulary"),
)


def _model(contenders: Sequence[Contender]) -> list[Row]:
    shapes = [one.shape for one in contenders]
    epochs = [[run.epochs for run in one.runs if run.epochs is not None] for one in contenders]
    return [
        *(
            Row(label, [MISSING if s is None else _shown(getattr(s, name)) for s in shapes])
            for name, label in _SHAPE
        ),
        Row("parameters", [_or_missing(c.num_parameters or None, "{:,}") for c in contenders]),
        *(
            Row(
                name.replace("_", " "),
                [_setting(c, name) if c.kind == "trained" else MISSING for c in contenders],
            )
            for name in differing_settings(contenders)
        ),
        Row("epochs", [_range(some, "{:.3g}".format) for some in epochs]),
    ]


def differing_settings(contenders: Sequence[Contender]) -> list[str]:
    """Return the settings in which those that are trained differ, their shape apart."""
    trained = [one for one in contenders if one.kind == "trained"]
    names = dict.fromkeys(name for one in trained for name in one.settings)
    shape = {name for name, _ in _SHAPE}
    return [n for n in names if n not in shape and len({_setting(c, n) for c in trained}) > 1]


def common_settings(contenders: Sequence[Contender]) -> list[str]:
    """Return what all that are trained have set, as ``name = value``, their shape apart."""
    trained = [one for one in contenders if one.kind == "trained"]
    left_out = {*differing_settings(contenders), *(name for name, _ in _SHAPE)}
    names = dict.fromkeys(name for one in trained for name in one.settings)
    return [f"{name} = {_setting(trained[0], name)}" for name in names if name not in left_out]


def _setting(contender: Contender, name: str) -> str:
    settings = TrainConfig(**contender.settings)
    value = settings.peak_rate if name == "learning_rate" else getattr(settings, name)
    if value is None:
        return "default" if getattr(TrainConfig(), name) is None else "none"
    return _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if type(value) is int else str(value)


def _prediction(contenders: Sequence[Contender]) -> list[Row]:
    def row(label: str, name: str, show: Callable[[float], str]) -> Row:
        values = [[getattr(one, name) for one in contender.figures] for contender in contenders]
        known = [[value for value in some if value is not None] for some in values]
        return Row(label, [_spread(some, show) for some in known])

    return [
        row("perplexity per token", "perplexity_per_token", number),
        row("perplexity per hanzi", "perplexity_per_hanzi", number),
        row("bits per character", "bits_per_char", "{:.3f}".format),
        row("unknown tokens", "unknown_share", "{:.2%}".format),
    ]


def _training(contenders: Sequence[Contender]) -> list[Row]:
    trained = [finished(one) if one.kind == "trained" else [] for one in contenders]

    def distinct(label: str, of: Callable[[Run], str]) -> Row:
        return Row(label, [", ".join(dict.fromkeys(map(of, runs))) or MISSING for runs in trained])

    def counted(label: str, of: Callable[[Run], int]) -> Row:
        return Row(label, [_range([of(run) for run in runs]) for runs in trained])

    def timed(label: str, of: Callable[[Run], float]) -> Row:
        means = [fmean(map(of, runs)) if runs else None for runs in trained]
        return _scaled(label, means, _TIMES)

    return [
        Row("finished runs", [_finished(one) for one in contenders]),
        counted("tokens", lambda run: run.tokens),
        counted("steps", lambda run: run.steps),
        Row("training perplexity", [_spread(_in_training(runs), number) for runs in trained]),
        timed("time in training", lambda run: run.train_seconds),
        timed("time in all", lambda run: run.total_seconds),
        Row("tokens per second", [_or_missing(c.tokens_per_second, "{:,.0f}") for c in contenders]),
        distinct("device", lambda run: run.device or MISSING),
        distinct("precision", lambda run: run.precision or MISSING),
        distinct("threads", lambda run: str(run.threads or MISSING)),
    ]


def _speed(contenders: Sequence[Contender], sample: str) -> list[Row]:
    sizes = [float(one.num_bytes) or None for one in contenders]
    return [
        _scaled("model file", sizes, _BYTES),
        _scaled(f"a {sample}, cold", [one.cold_seconds for one in contenders], _TIMES),
        _scaled(f"a {sample}, warm", [one.warm_seconds for one in contenders], _TIMES),
    ]


# Figures of the panel in the order of interest, with their labels and formats.
_PANEL = (
    ("form", "in a form", "{:.1%}"),
    ("rhymes", "even lines rhyme", "{:.1%}"),
    ("same_rhyme", "a rhyme word twice", "{:.1%}"),
    ("tones", "no wrong tone", "{:.1%}"),
    ("thread", "thread", "{:.3f}"),
    ("parallelism", "parallelism", "{:.3f}"),
    ("parallelism_zero", "parallelism by chance", "{:.3f}"),
    ("repeats", "repeated characters", "{:.2f}"),
    ("distinct_1", "distinct-1", "{:.3f}"),
    ("distinct_2", "distinct-2", "{:.3f}"),
    ("self_bleu", "self-BLEU", "{:.3f}"),
    ("unseen_pairs", "new pairs", "{:.1%}"),
    ("copied", "a copied line", "{:.1%}"),
)


def _panel_title(contenders: Sequence[Contender]) -> str:
    counts = [one.panel["num_poems"] for one in contenders if one.panel]
    return f"{_range([int(count or 0) for count in counts])} sampled poems, without rules"


def _panel(contenders: Sequence[Contender]) -> list[Row]:
    return [
        Row(label, [_or_missing((one.panel or {}).get(key), form) for one in contenders])
        for key, label, form in _PANEL
    ]


def run_rows(verdict: Verdict) -> tuple[list[str], list[list[str]]]:
    """Return what each single run had: the headings, and a row for each."""
    heads = [
        *("contender", "seed", "ended", "perplexity per token", "tokens", "steps"),
        *("training s", "in all s", "device", "precision", "threads", "model"),
    ]
    labels = labels_of(verdict.contenders)
    return heads, [
        [
            labels[one.name],
            str(run.seed),
            run.status,
            MISSING if run.figures is None else number(run.figures.perplexity_per_token),
            f"{run.tokens:,}",
            f"{run.steps:,}",
            f"{run.train_seconds:,.1f}",
            f"{run.total_seconds:,.1f}",
            run.device or MISSING,
            run.precision or MISSING,
            str(run.threads or MISSING),
            run.model or MISSING,
        ]
        for one in verdict.contenders
        if one.kind == "trained"
        for run in one.runs
    ]


def pair_rows(verdict: Verdict) -> tuple[list[str], list[list[str]]]:
    """Return what was found of each two contenders: the headings, and a row for each, best first.

    A single pair, of which the findings say all, has none.
    """
    heads = ["better", "worse", "difference in bits", "clear", "p", "test"]
    if len(verdict.differences) < 2:
        return heads, []
    labels = labels_of(verdict.contenders)
    bits = {c.name: mean_of(c.figures, "bits_per_char") or 0.0 for c in verdict.contenders}
    return heads, [
        [
            labels[one.better],
            labels[one.worse],
            f"{bits[one.worse] - bits[one.better]:.4f}",
            MISSING if one.p_value is None else "yes" if one.is_clear else "no",
            MISSING if one.p_value is None else p_value(one.p_value).removeprefix("= "),
            one.test,
        ]
        for one in sorted(verdict.differences, key=lambda d: (bits[d.better], bits[d.worse]))
    ]


def p_value(value: float) -> str:
    """Return a p-value with the digits that mean something, after its sign."""
    return "< 0.0001" if value < 0.0001 else f"= {value:.2g}"


def finished(contender: Contender) -> list[Run]:
    """Return the runs that have figures."""
    return [run for run in contender.runs if run.figures is not None]


def _in_training(runs: Sequence[Run]) -> list[float]:
    values = [run.training_perplexity for run in runs]
    return [value for value in values if value is not None]


def _finished(contender: Contender) -> str:
    if contender.kind != "trained":
        return MISSING
    return f"{len(finished(contender))} of {len(contender.runs)}" if contender.runs else "0"


def number(value: float) -> str:
    """Return a perplexity with as many decimals as mean something."""
    return f"{value:.3f}" if value < 10 else f"{value:.2f}" if value < 1000 else f"{value:,.0f}"


def _spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Return the mean and, of several values, their standard deviation."""
    if not values:
        return MISSING
    mean = show(fmean(values))
    if len(values) == 1 or min(values) == max(values):
        return mean
    # With the decimals of the mean.
    decimals = len(mean.rstrip("%").partition(".")[2])
    deviation = stdev(values)
    of_share = f"{deviation:.{decimals}%}"
    return f"{mean} ± {of_share if mean.endswith('%') else f'{deviation:,.{decimals}f}'}"


def _range(values: Sequence[float], show: Callable[[float], str] = "{:,}".format) -> str:
    """Return the lowest and the highest value, or one if they are shown alike."""
    ends = dict.fromkeys(map(show, (min(values), max(values)))) if values else [MISSING]
    return "–".join(ends)


def _or_missing(value: float | None, form: str) -> str:
    return MISSING if value is None else form.format(value)


def _scaled(label: str, values: Sequence[float | None], units: Sequence[_Unit]) -> Row:
    """Return a row in one unit, which the label names: that of its largest value."""
    largest = max((value for value in values if value is not None), default=0.0)
    unit = next(unit for unit in units if largest >= unit.least)
    cells = [
        _or_missing(None if value is None else value / unit.size, f"{{:,.{unit.decimals}f}}")
        for value in values
    ]
    return Row(f"{label}, {unit.name}", cells)
