"""Heat strips: a value below each token of a text, as a block and a colour."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from poetgen.terminal import visible

_BLOCKS = "▁▂▃▄▅▆▇█"
# From cold to warm; what is in the middle stays grey.
_COLOURS = ("blue", "cyan", "bright_black", "yellow", "red")


def shown(token: str) -> str:
    """Make every token visible, and as wide as it will be drawn."""
    return visible({"\n": "⏎", " ": "␣", "\t": "⇥"}.get(token, token))


def widths(tokens: Sequence[str]) -> list[int]:
    """Give each token's width in columns."""
    return [max(1, cell_len(shown(token))) for token in tokens]


def text_row(tokens: Sequence[str]) -> Text:
    """Write the tokens, as the heading of strips."""
    return Text("".join(shown(token) for token in tokens), style="bold")


def strip(values: Sequence[float], columns: Sequence[int], low: float, high: float) -> Text:
    """Draw one value for each token; ``low`` is the lowest block and ``high`` the highest."""
    text = Text()
    for value, width in zip(values, columns, strict=True):
        place = min(max((value - low) / (high - low), 0.0), 1.0)
        block = _BLOCKS[min(int(place * len(_BLOCKS)), len(_BLOCKS) - 1)]
        colour = _COLOURS[min(int(place * len(_COLOURS)), len(_COLOURS) - 1)]
        text.append(block * width, style=colour)
    return text


def pieces(columns: Sequence[int], width: int) -> list[slice]:
    """Cut tokens into runs that fit into ``width`` columns."""
    cuts, first, used = [], 0, 0
    for place, column in enumerate(columns):
        if used + column > width and place > first:
            cuts.append(slice(first, place))
            first, used = place, 0
        used += column
    return [*cuts, slice(first, len(columns))]
