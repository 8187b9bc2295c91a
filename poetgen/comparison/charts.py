"""Learning curves as pictures: SVG text, which needs nothing, and PNG by matplotlib."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from poetgen.comparison.axes import Axis, axes_of, spread, thinned
from poetgen.comparison.curves import Against, Curve, Line, curves_of
from poetgen.comparison.results import Verdict
from poetgen.errors import SettingError
from poetgen.files import write_text, write_whole
from poetgen.plotting import fonts_for, need_matplotlib, notes_of
from poetgen.terminal import display_width, visible

# Colours of the contenders on light and on dark paper: blue, orange, green, purple, yellow, grey.
# They are searched so that any two are far apart for all kinds of colour vision, and that each can
# be read as text on its paper.
LIGHT, DARK = "#ffffff", "#15181d"
COLOURS = (
    *(("#2b72d3", "#4a8bf4"), ("#bb5801", "#e5733c"), ("#003518", "#3bfca2")),
    *(("#59195e", "#c376ac"), ("#8c6d44", "#fcdc47"), ("#5a5d5b", "#d5e4e6")),
)
_STYLE = """
.chart text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",
"PingFang SC","Microsoft YaHei",sans-serif;fill:#4a4f57;font-variant-numeric:tabular-nums}
.chart .paper{fill:#fff}.chart .grid{stroke:#e4e6ea}.chart .axis{stroke:#9aa1ab}
.chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.chart .rest{stroke-width:1.2}.chart .lost{stroke-width:1.4;stroke-dasharray:2 4}
.chart .level{stroke-width:1.5;stroke-dasharray:8 4}.chart .band{opacity:.16}
.chart .name{stroke:#fff;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}
.chart .leader{fill:none;stroke-width:1;opacity:.6}
"""
_DARK = """
.chart text{fill:#b9c0ca}.chart .paper{fill:#15181d}.chart .grid{stroke:#2b3038}
.chart .axis{stroke:#6b737e}.chart .name{stroke:#15181d}.chart .band{opacity:.22}
"""
_WIDTH, _HEIGHT, _GAP = 600, 380, 16
# Around the curves: above them, below them with the ticks and the title, and on the left.
_TOP, _BOTTOM, _LEFT, _RIGHT = 30, 48, 52, 12
_LINE, _CHAR = 17, 7.2
# A name with its figure may take this share of the width beside the curves.
_MAX_NAMES = 0.38


def style() -> str:
    """Return the style sheet of charts, for light and for dark pages."""

    def colours(which: int) -> str:
        return "".join(
            f".chart .c{place} :is(.line,.leader){{stroke:{pair[which]}}}"
            f".chart .c{place} :is(.band,.dot,text){{fill:{pair[which]}}}\n"
            for place, pair in enumerate(COLOURS)
        )

    dark = f"@media (prefers-color-scheme:dark){{{_DARK}{colours(1)}}}"
    return f"{_STYLE}{colours(0)}{dark}\n"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in its own coordinates, as elements of SVG; it needs ``style``."""

    width: int
    height: int
    title: str
    parts: Sequence[str]

    def svg(self, x: int = 0) -> str:
        """Return it as an SVG element, which may stand at ``x`` in another one."""
        return (
            f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" x="{x}" '
            f'width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self.title)}">' + "\n".join(["", *self.parts, "</svg>"])
        )


def chart(verdict: Verdict, against: Against, width: int = _WIDTH) -> Chart | None:
    """Return the learning curves as a chart, or None if there are none.

    Names stand at the ends of the curves, or below where they would take too much of the width.
    """
    curves = curves_of(verdict, against)
    if not curves:
        return None
    across, up = axes_of(curves, against)
    widest = max(display_width(curve.name) for curve in curves) * _CHAR + 24
    is_beside = widest <= _MAX_NAMES * width
    frame = _Frame(across, up, width - (widest if is_beside else _RIGHT))
    parts = [*frame.grid(), *(part for curve in curves for part in frame.curve(curve))]
    parts += frame.names_beside(curves) if is_beside else _names_below(curves)
    below = 0 if is_beside else _LINE * len(curves) + 12
    return Chart(width, _HEIGHT + below, f"{up.title} against {across.title}", parts)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values stand in a chart whose curves end at ``right``."""

    across: Axis
    up: Axis
    right: float

    def x(self, value: float) -> float:
        return round(_LEFT + self.across.place(value) * (self.right - _LEFT), 1)

    def y(self, value: float) -> float:
        foot = _HEIGHT - _BOTTOM
        return round(foot - self.up.place(value) * (foot - _TOP), 1)

    def grid(self) -> Iterator[str]:
        foot = _HEIGHT - _BOTTOM
        yield f'<text x="4" y="16">{escape(self.up.title)}</text>'
        for value, label in self.up.ticks():
            y = self.y(value)
            yield f'<path class="grid" d="M{_LEFT} {y}H{self.right:g}"/>'
            yield f'<text x="{_LEFT - 8}" y="{y + 4.5:g}" text-anchor="end">{label}</text>'
        for value, label in self.across.ticks():
            x = self.x(value)
            yield f'<path class="axis" d="M{x} {foot}v5"/>'
            yield f'<text x="{x}" y="{foot + 20}" text-anchor="middle">{label}</text>'
        yield f'<path class="axis" d="M{_LEFT} {foot}H{self.right:g}"/>'
        middle = (_LEFT + self.right) / 2
        title = escape(self.across.title)
        yield f'<text x="{middle:g}" y="{foot + 40}" text-anchor="middle">{title}</text>'

    def curve(self, curve: Curve) -> Iterator[str]:
        yield f'<g class="{_class_of(curve)}"><title>{_name(curve)}</title>'
        if curve.level is not None:
            yield f'<path class="line level" d="M{_LEFT} {self.y(curve.level)}H{self.right:g}"/>'
        if curve.mean is not None:
            if curve.mean.low != curve.mean.high:
                upper = self._points(curve.mean.x, curve.mean.high)
                lower = self._points(curve.mean.x, curve.mean.low)
                yield f'<polygon class="band" points="{" ".join([*upper, *reversed(lower)])}"/>'
            yield self._line(curve.mean, "line")
        yield from (self._line(line, "line rest") for line in curve.rests)
        for line in curve.lost:
            yield self._line(line, "line lost")
            yield (
                f'<path class="line" d="M{self.x(line.x[-1])} {self.y(line.y[-1])}'
                'm-4-4l8 8m0-8l-8 8"/>'
            )
        yield "</g>"

    def _line(self, line: Line, kind: str) -> str:
        if len(line.x) == 1:
            return f'<circle class="dot" cx="{self.x(line.x[0])}" cy="{self.y(line.y[0])}" r="3"/>'
        return f'<polyline class="{kind}" points="{" ".join(self._points(line.x, line.y))}"/>'

    def _points(self, x: Sequence[float], y: Sequence[float]) -> list[str]:
        places = [(self.x(a), self.y(b)) for a, b in zip(x, y, strict=True)]
        return [f"{across},{up}" for across, up in thinned(places)]

    def names_beside(self, curves: Sequence[Curve]) -> Iterator[str]:
        """Yield each name at the end of its curve: beside the chart, or where the curve ends."""
        ends = [self._end(curve) for curve in curves]
        beside = [place for place, (x, _) in enumerate(ends) if x > self.right - 2 * _LINE]
        places = spread([ends[place][1] for place in beside], _LINE, _TOP, _HEIGHT - _BOTTOM)
        for place, (curve, (x, y)) in enumerate(zip(curves, ends, strict=True)):
            at = x + 6, y
            yield f'<g class="{_class_of(curve)}">'
            if place in beside:
                at = self.right + 15, round(places[beside.index(place)], 1)
                yield f'<path class="leader" d="M{x + 3:g} {y}L{at[0] - 3:g} {at[1]}"/>'
            yield f'<text class="name" x="{at[0]:g}" y="{at[1] + 4.5:g}">{_name(curve)}</text></g>'

    def _end(self, curve: Curve) -> tuple[float, float]:
        x, y = curve.end
        return (self.right if x is None else self.x(x)), self.y(y)


def _names_below(curves: Sequence[Curve]) -> Iterator[str]:
    for place, curve in enumerate(curves):
        y = _HEIGHT + _LINE * place + 16
        kind = "line level" if curve.level is not None else "line"
        yield (
            f'<g class="{_class_of(curve)}"><path class="{kind}" d="M{_LEFT} {y - 4.5}h24"/>'
            f'<text x="{_LEFT + 32}" y="{y}">{_name(curve)}</text></g>'
        )


def _name(curve: Curve) -> str:
    return escape(visible(curve.name))


def _class_of(curve: Curve) -> str:
    return f"c{curve.place % len(COLOURS)}"


def picture(verdict: Verdict) -> str:
    """Return a whole SVG file: perplexity against tokens and against time, side by side.

    It is empty if there are no curves.
    """
    charts = [found for kind in ("tokens", "seconds") if (found := chart(verdict, kind))]
    if not charts:
        return ""
    wide = sum(one.width for one in charts) + _GAP
    high = max(one.height for one in charts) + _GAP
    return "\n".join(
        [
            '<svg class="chart" xmlns="http://www.w3.org/2000/svg" '
            f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">',
            f"<style>{style()}</style>",
            f'<rect class="paper" width="{wide}" height="{high}"/>',
            *(one.svg(place * (_WIDTH + _GAP)) for place, one in enumerate(charts)),
            "</svg>",
            "",
        ]
    )


def check_plot(path: Path) -> None:
    """Ensure, before any work, that a plot with the name ``path`` can be drawn and written.

    Raises:
        SettingError: it is a .png, and matplotlib is not installed; or it is a folder, or its
            folder is not there or cannot be written.
    """
    if path.is_dir():
        raise SettingError(f"{path} is a folder.", "Give --plot another name.")
    if not os.access(path.parent, os.W_OK):
        why = "cannot be written" if path.parent.exists() else "is not there"
        raise SettingError(f"The folder {path.parent} {why}.", "Give --plot another name.")
    if path.suffix == ".png":
        need_matplotlib(", or give a .svg file, which needs nothing.")


def save_plot(verdict: Verdict, path: Path) -> list[str]:
    """Draw the learning curves into a .png or .svg file, and return warnings for the user.

    Without curves no file is written, and a warning says so.

    Raises:
        SettingError: a .png is asked for, and matplotlib is not installed.
    """
    check_plot(path)
    drawn = picture(verdict)
    if not drawn:
        return ["There are no learning curves to draw: nothing was trained and validated."]
    if path.suffix == ".svg":
        write_text(path, drawn)
        return []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        png = _png(verdict)
    write_whole(path, lambda temporary: temporary.write_bytes(png))
    return notes_of([str(warning.message) for warning in caught], text_stays_text=False)


def _png(verdict: Verdict) -> bytes:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = "".join(contender.name for contender in verdict.contenders)
    png = io.BytesIO()
    with rc_context({"font.family": fonts_for(names)}):
        figure = Figure((13, 5.6), layout="constrained")
        kinds: tuple[Against, ...] = ("tokens", "seconds")
        for kind, plot in zip(kinds, figure.subplots(1, 2), strict=True):
            curves = curves_of(verdict, kind)
            across, up = axes_of(curves, kind)
            _scale(plot, across, up)
            for curve in curves:
                _plot(plot, curve)
            legend = plot.legend(loc="upper left", bbox_to_anchor=(0, -0.16), frameon=False)
            for text in legend.get_texts():
                text.set_parse_math(False)
        figure.savefig(png, format="png", dpi=150)
    return png.getvalue()


def _scale(plot: Any, across: Axis, up: Axis) -> None:
    for axis, name in ((across, "x"), (up, "y")):
        getattr(plot, f"set_{name}scale")("log" if axis.is_log else "linear")
        getattr(plot, f"set_{name}lim")(axis.low, axis.high)
        values, labels = zip(*axis.ticks(), strict=True)
        getattr(plot, f"set_{name}ticks")(values, labels)
        getattr(plot, f"set_{name}ticks")([], minor=True)
        getattr(plot, f"set_{name}label")(axis.title)
    plot.grid(axis="y", color="#e4e6ea")
    plot.spines[["top", "right", "left"]].set_visible(False)


def _plot(plot: Any, curve: Curve) -> None:
    # A label that begins with an underscore would be left out of the legend.
    colour, name = _colour_of(curve), f" {visible(curve.name)}"
    if curve.level is not None:
        plot.axhline(curve.level, color=colour, linestyle=(0, (6, 3)), linewidth=1.3, label=name)
    if curve.mean is not None:
        low, high = curve.mean.low, curve.mean.high
        plot.fill_between(curve.mean.x, low, high, color=colour, alpha=0.16, linewidth=0)
    for place, line in enumerate(curve.lines):
        is_lost, is_mean = line in curve.lost, line is curve.mean
        plot.plot(
            *(line.x, line.y),
            color=colour,
            linewidth=1.6 if is_mean else 1,
            linestyle=":" if is_lost else "-",
            marker="o" if len(line.x) == 1 else "",
            label=None if place else name,
        )
        if is_lost:
            plot.plot(line.x[-1:], line.y[-1:], color=colour, marker="x")


def _colour_of(curve: Curve) -> str:
    return COLOURS[curve.place % len(COLOURS)][0]
