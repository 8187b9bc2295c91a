"""A trace as a picture: surprise, memory, gates and units over the text."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from poetgen.files import write_whole
from poetgen.plotting import fonts_for, need_matplotlib, notes_of
from poetgen.terminal import visible

if TYPE_CHECKING:
    from poetgen.inspection.report import Report

# At 150 dots an inch; matplotlib draws no picture of more than 65,535.
_MAX_INCHES = 200.0


def save_plot(report: Report, path: Path) -> list[str]:
    """Draw ``report`` into a .png or .svg file, and return warnings for the user.

    Raises:
        SettingError: matplotlib is not installed.
    """
    need_matplotlib()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        picture = _draw(report, path.suffix[1:])
    write_whole(path, lambda temporary: temporary.write_bytes(picture))
    messages = [str(warning.message) for warning in caught]
    return notes_of(messages, text_stays_text=path.suffix == ".svg")


def width_inches(num_tokens: int) -> float:
    """Return the width of a picture of so many tokens side by side."""
    return min(max(6.0, 0.35 * num_tokens), _MAX_INCHES)


def _draw(report: Report, format: str) -> bytes:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    places = range(len(report.tokens))
    picture = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "font.family": fonts_for("".join(report.tokens))}):
        fig = Figure((width_inches(len(places)), 7), layout="constrained")
        bits, shares, units = fig.subplots(3, 1, sharex=True)
        bits.bar(places, report.surprise_bits, color="tab:gray")
        bits.set_ylabel("surprise (bits)")
        for name, values in {"memory": report.memory, **report.gates}.items():
            shares.plot(places, values, marker=".", label=name)
        shares.set_ylim(0, 1)
        shares.set_ylabel("memory and mean gates")
        shares.legend(loc="upper right", fontsize="small")
        rows = [unit.values for unit in report.strong_units]
        if rows:
            image = units.imshow(rows, aspect="auto", cmap="coolwarm", vmin=-1, vmax=1)
            fig.colorbar(image, ax=units)
        units.set_yticks(range(len(rows)), [str(unit.unit) for unit in report.strong_units])
        units.set_ylabel("strong units")
        signs = [visible(token.replace("\n", "⏎")) for token in report.tokens]
        # A token with dollar signs is not a formula.
        units.set_xticks(list(places), signs, parse_math=False)
        fig.savefig(picture, format=format, dpi=150)
    return picture.getvalue()
