"""Learning curves in the characters of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from poetgen.comparison.axes import Axis, axes_of, spread
from poetgen.comparison.curves import Against, Curve, curves_of
from poetgen.comparison.results import Verdict
from poetgen.terminal import display_width, visible

# A piece of a row, and the place of the contender whose colour it has, if any.
Piece = tuple[str, int | None]

# Where colours are missing, each curve has a sign of its own.
SIGNS = "o+x*#@"
_BRAILLE = 0x2800
# The bits of a braille character's dots, by row and column.
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_LEFT, _MAX_NAME, _TICK_GAP = 8, 24, 3


def draw_text(
    verdict: Verdict, against: Against, width: int, height: int = 14, *, signs: bool = False
) -> list[list[Piece]]:
    """Return the rows of a chart in ``width`` columns, with ``height`` rows of curves.

    There are more rows if there are more curves, so that each has a row for its name. Curves are of
    braille dots, or of ``SIGNS``, which need no colours. Without curves there are no rows.
    """
    curves = curves_of(verdict, against)
    if not curves:
        return []
    height = max(height, len(curves))
    across, up = axes_of(curves, against)
    names = [_shortened(visible(curve.name)) for curve in curves]
    if signs:
        names = [f"{_sign(curve)} {name}" for curve, name in zip(curves, names, strict=True)]
    inside = max(20, width - _LEFT - 2 - max(map(display_width, names)))
    canvas = _Canvas(inside, height, signs=signs)
    # The first contender on top.
    for curve in reversed(curves):
        canvas.draw(curve, across, up)
    wanted = [_row_of(up, curve.end[1], height) for curve in curves]
    beside = dict.fromkeys(range(height), ("", 0))
    for curve, name, row in zip(curves, names, spread(wanted, 1, 0, height - 1), strict=True):
        # Halves are rounded up, with a margin for the error of sums: round() would not keep rows
        # apart that are one apart.
        beside[int(row + 0.5 + 1e-6)] = (name, curve.place)
    labels = {_row_of(up, value, height): text for value, text in up.ticks()}
    rows: list[list[Piece]] = [[(up.title, None)]]
    for row in range(height):
        tick = f"{labels.get(row, ''):>{_LEFT - 2}} │"
        rows.append([(tick, None), *canvas.row(row), (" ", None), beside[row]])
    rows.append([(" " * (_LEFT - 1) + "└" + "─" * inside, None)])
    rows.append([(" " * _LEFT + _ticks_below(across, inside), None)])
    rows.append([(" " * _LEFT + across.title.center(inside).rstrip(), None)])
    return rows


class _Canvas:
    """Characters that each hold eight dots, or one sign."""

    def __init__(self, width: int, height: int, *, signs: bool) -> None:
        self._width, self._height, self._signs = width, height, signs
        self._dots: dict[tuple[int, int], int] = {}
        self._places: dict[tuple[int, int], Curve] = {}

    def draw(self, curve: Curve, across: Axis, up: Axis) -> None:
        wide = 2 * self._width - 1
        if curve.level is not None:
            y = _dot_of(up, curve.level, self._height)
            # A dashed line.
            for x in range(0, wide, 4 if self._signs else 3):
                self._set(x, y, curve)
        for line in curve.lines:
            dots = [
                (across.place(x) * wide, _dot_of(up, y, self._height))
                for x, y in zip(line.x, line.y, strict=True)
            ]
            for x, y in _between(dots):
                self._set(x, y, curve)

    def _set(self, x: int, y: int, curve: Curve) -> None:
        cell = x // 2, y // 4
        self._dots[cell] = self._dots.get(cell, 0) | _BITS[y % 4][x % 2]
        self._places[cell] = curve

    def row(self, row: int) -> Iterator[Piece]:
        for column in range(self._width):
            curve = self._places.get((column, row))
            if curve is None:
                yield " ", None
            elif self._signs:
                yield _sign(curve), curve.place
            else:
                yield chr(_BRAILLE + self._dots[column, row]), curve.place


def _dot_of(up: Axis, value: float, height: int) -> int:
    """Return which of the dots of ``height`` rows, from the top, stands at a value."""
    return round((1 - up.place(value)) * (4 * height - 1))


def _row_of(up: Axis, value: float, height: int) -> int:
    return _dot_of(up, value, height) // 4


def _between(dots: Sequence[tuple[float, float]]) -> Iterator[tuple[int, int]]:
    """Yield the dots of the straight lines between some, with both ends."""
    for (x, y), (to_x, to_y) in zip(dots, dots[1:] or dots, strict=False):
        steps = max(1, round(max(abs(to_x - x), abs(to_y - y))))
        for step in range(steps + 1):
            yield round(x + (to_x - x) * step / steps), round(y + (to_y - y) * step / steps)


def _ticks_below(across: Axis, width: int) -> str:
    """Return the labels of an axis under their places, without those that would touch another."""
    row = ""
    for value, text in across.ticks():
        start = max(0, round(across.place(value) * (width - 1)) - len(text) // 2)
        start = min(start, width - len(text))
        if not row or start >= len(row) + _TICK_GAP:
            row = row.ljust(start) + text
    return row


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"


def _sign(curve: Curve) -> str:
    return SIGNS[curve.place % len(SIGNS)]
