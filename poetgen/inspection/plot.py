"""The look inside as a picture: surprise, memory, gates and units over the text."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from poetgen.errors import SettingError
from poetgen.files import write_whole

if TYPE_CHECKING:
    from poetgen.inspection.report import Report

# Fonts with Chinese characters, by the systems that bring them.
_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("WenQuanYi Micro Hei", "PingFang SC", "Heiti SC", "Microsoft YaHei", "SimHei"),
    *("Droid Sans Fallback", "AR PL UMing CN", "Unifont"),
)


def save_plot(report: Report, path: Path) -> list[str]:
    """Draw ``report`` into a .png or .svg file.

    Returns:
        Warnings for the user.

    Raises:
        SettingError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise SettingError(
            "--plot needs matplotlib, which is not installed.",
            "Install it: pip install 'poetgen[plot]'",
        ) from error
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    warnings = _choose_font(report)
    places = range(len(report.tokens))
    fig, (bits, shares, units) = plt.subplots(
        3, 1, sharex=True, figsize=(max(6, 0.35 * len(places)), 7), layout="constrained"
    )
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
    units.set_xticks(list(places), [token.replace("\n", "⏎") for token in report.tokens])
    # In an SVG, text stays text, so that the reader's own fonts draw it.
    picture = io.BytesIO()
    with plt.rc_context({"svg.fonttype": "none"}):
        fig.savefig(picture, format=path.suffix[1:], dpi=150)
    plt.close(fig)
    write_whole(path, lambda temporary: temporary.write_bytes(picture.getvalue()))
    return warnings


def _choose_font(report: Report) -> list[str]:
    from matplotlib import font_manager, rcParams

    if "".join(report.tokens).isascii():
        return []
    there = {font.name for font in font_manager.fontManager.ttflist}
    chosen = [font for font in _FONTS if font in there]
    rcParams["font.family"] = [*chosen[:1], "sans-serif"]
    if chosen:
        return []
    return ["No font with Chinese characters was found; the picture shows boxes for them."]
