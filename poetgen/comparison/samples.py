"""What contenders have written, as reports show it: whole poems, or excerpts of other text."""

from __future__ import annotations

from poetgen.characters import mostly_han
from poetgen.comparison.results import Verdict
from poetgen.verse.layout import couplets

# A model of prose writes on until it is stopped.
_MAX_EXCERPT = 280


def is_verse(verdict: Verdict) -> bool:
    """Return whether a contender has written Chinese verse."""
    return any(mostly_han(poem) for one in verdict.contenders for poem in one.poems)


def samples_title(verdict: Verdict) -> str:
    """Return the heading of what the contenders have written."""
    return f"{'Poems' if is_verse(verdict) else 'Samples'} from the same starts and seeds"


def shown_lines(text: str) -> list[str]:
    """Return the lines of a poem, by couplets, or those of the beginning of other text.

    That is cut at a blank, after 280 characters at most, and ends with an ellipsis.
    """
    if len(text) > _MAX_EXCERPT and not mostly_han(text):
        begin = text[:_MAX_EXCERPT]
        blank = max(begin.rfind(" "), begin.rfind("\n"))
        text = begin[: blank if blank > 0 else None].rstrip() + " …"
    return couplets(text)
