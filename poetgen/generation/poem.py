"""A poem that was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poetgen.characters import mostly_han
from poetgen.verse.layout import couplets

if TYPE_CHECKING:
    from poetgen.verse.score_line import PoemScore


@dataclass(frozen=True, slots=True)
class Poem:
    """A poem, which is cut if it reached its largest length before its end.

    The log-probability is the natural logarithm of the probability of all that follows the
    start: of distinct poems under the sampling settings, of a beam's and of the best of several
    drafts under the model, of all others None. The seed is that of the draw; a beam has none.
    Title and author are what the poem was written to, the tune is that of a 词; or empty.
    """

    text: str
    is_cut: bool = False
    log_probability: float | None = None
    seed: int | None = None
    score: PoemScore | None = None
    title: str = ""
    author: str = ""
    tune: str = ""

    @property
    def full_title(self) -> str:
        """The title, after the tune if it has one: 浣溪沙·春恨; or empty."""
        return "·".join(part for part in (self.tune, self.title) if part)

    @property
    def heading(self) -> str:
        """The full title, and the poet as whom the poem is written; or empty."""
        title = f"《{self.full_title}》" if mostly_han(self.full_title) else self.full_title
        return "，".join(part for part in (title, self.author and f"仿{self.author}") if part)

    @property
    def lines(self) -> list[str]:
        """The lines to print: couplets for Chinese verse, else those that the text has."""
        return couplets(self.text)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        about = {"tune": self.tune, "title": self.title, "author": self.author}
        shown: dict[str, Any] = {name: text for name, text in about.items() if text}
        shown |= {"text": self.text, "lines": self.lines, "cut": self.is_cut}
        likelihood = (
            {} if self.log_probability is None else {"log_probability": self.log_probability}
        )
        return shown | likelihood | ({} if self.score is None else {"score": self.score.as_dict()})
