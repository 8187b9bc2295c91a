"""What all plots by matplotlib need: the library, fonts for their text, and its warnings."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from poetgen.errors import SettingError

# Fonts with Chinese characters, by the systems that bring them.
_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("WenQuanYi Micro Hei", "PingFang SC", "Heiti SC", "Microsoft YaHei", "SimHei"),
    *("Droid Sans Fallback", "AR PL UMing CN", "Unifont"),
)


def need_matplotlib(instead: str = "") -> None:
    """Ensure that matplotlib is installed; ``instead`` says what can be done without it.

    Raises:
        SettingError: it is not.
    """
    if find_spec("matplotlib") is None:
        raise SettingError(
            "--plot needs matplotlib, which is not installed.",
            f"Install it: pip install 'poetgen[plot]'{instead}",
        )


def fonts_for(text: str) -> list[str]:
    """Return the families of fonts that draw ``text``, for matplotlib's ``font.family``."""
    from matplotlib import font_manager

    if text.isascii():
        return ["sans-serif"]
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [*[font for font in _FONTS if font in installed][:1], "sans-serif"]


def notes_of(messages: Sequence[str], *, text_stays_text: bool) -> list[str]:
    """Return matplotlib's warnings, with one for all characters that its fonts do not have."""
    boxes = [message for message in messages if "missing from font" in message]
    notes = list(dict.fromkeys(message for message in messages if message not in boxes))
    # In an SVG the reader's own fonts draw the text.
    if boxes and not text_stays_text:
        notes.append("No font was found for some characters; the picture shows boxes for them.")
    return notes
