"""Heat strips: a value below each token of a text, as a block and a colour."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from poetgen.terminal import visible

_BLOCKS = "▁▂▃▄▅▆▇█"
# From cold to warm; the middle stays grey.
_COLOURS = ("blue", "cyan", "bright_black", "yellow", "red")


def shown(token: str) -> str:
    """Return a token as it is printed, so that every one is visible."""
    return visible({"\n": "⏎", " ": "␣", "\t": "⇥"}.get(token, token))


def widths(tokens: Sequence[str]) -> list[int]:
    """Return each token's width in columns."""
    return [max(1, cell_len(shown(token))) for token in tokens]


def text_row(tokens: Sequence[str]) -> Text:
    """Return the tokens as the heading of strips."""
    return Text("".join(map(shown, tokens)), style="bold")


def strip(values: Sequence[float], columns: Sequence[int], low: float, high: float) -> Text:
    """Return one block a token; ``low`` is the lowest block and ``high`` the highest."""
    text = Text()
    for value, width in zip(values, columns, strict=True):
        place = min(max((value - low) / (high - low), 0.0), 0.999)
        block, colour = _BLOCKS[int(place * len(_BLOCKS))], _COLOURS[int(place * len(_COLOURS))]
        text.append(block * width, style=colour)
    return text


def pieces(columns: Sequence[int], width: int) -> list[slice]:
    """Return runs of tokens that each fit into ``width`` columns."""
    cuts, first, used = [], 0, 0
    for place, column in enumerate(columns):
        if used + column > width and place > first:
            cuts.append(slice(first, place))
            first, used = place, 0
        used += column
    return [*cuts, slice(first, len(columns))]
