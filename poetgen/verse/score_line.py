"""What was measured of a poem, in one line."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, fields
from typing import Any

from poetgen.characters import hanzi_only
from poetgen.config import RhymeBookName
from poetgen.verse.choice import Choice
from poetgen.verse.faults import RHYME_FAULTS, TONE_FAULTS, Kind
from poetgen.verse.forms import lines_of
from poetgen.verse.scan import Scan, scan


@dataclass(frozen=True, slots=True, kw_only=True)
class PoemScore:
    """The measures of a poem; None where one was not taken or does not apply."""

    # The name of the form, such as 七律 or a tune (词牌).
    form: str | None = None
    # The title of the rhyme group (韵部), such as 上平一东.
    rhyme: str | None = None
    # Lines that should rhyme and do not, or with a character used before.
    rhyme_errors: int | None = None
    # Places whose tone (平仄) breaks the pattern.
    tone_errors: int | None = None
    # Lines that stand in a training poem, and the longest run of characters shared with one.
    copied_lines: int | None = None
    longest_copied: int | None = None
    # How strongly characters of different lines belong together; real quatrains have 0.5.
    thread: float | None = None
    # The mean natural logarithm of the probability of a character.
    log_likelihood: float | None = None
    seed: int | None = None
    # Of how many poems this one was chosen.
    num_candidates: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the measures that were taken, for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def score_of(
    text: str,
    choice: Choice | None,
    *,
    form: str | None = None,
    book: RhymeBookName | None = None,
    rhymes: bool = True,
    tones: bool = True,
    log_probability: float | None = None,
    seed: int | None = None,
    num_candidates: int | None = None,
) -> PoemScore:
    """Return the measures of a poem.

    Args:
        text: the poem.
        choice: the index of the training poems, or None where there is none.
        form: what it was to be; by default what it is recognised as.
        book: of rhymes; by default that of the form.
        rhymes: whether it was to rhyme.
        tones: whether its tones were to be kept.
        log_probability: of its characters and marks under the model, natural logarithm.
        seed: of the draw.
        num_candidates: of how many poems it was chosen.
    """
    known = scan(text, book, form=form)
    is_toned = tones and known.form is not None and not known.form.endswith("古")
    groups = dict.fromkeys(rhyme.group for rhyme in known.rhymes if rhyme.group)
    novelty = None if choice is None else choice.novelty.check([text])[0]
    num_chars = len(hanzi_only(text))
    return PoemScore(
        form=known.form,
        rhyme="、".join(groups) if groups and rhymes else None,
        rhyme_errors=_count(known, RHYME_FAULTS) if known.form and rhymes else None,
        tone_errors=_count(known, TONE_FAULTS) if is_toned else None,
        copied_lines=None if novelty is None else len(novelty.copied_lines),
        longest_copied=None if novelty is None else novelty.longest_run,
        thread=None if choice is None else choice.thread.score(lines_of(text)),
        log_likelihood=None
        if log_probability is None or not num_chars
        else log_probability / num_chars,
        seed=seed,
        num_candidates=num_candidates,
    )


def _count(scan: Scan, kinds: Set[Kind]) -> int:
    return sum(fault.kind in kinds for fault in scan.faults)


def score_line(score: PoemScore) -> str:
    """Return the measures as one line: the form first, then what follows from it."""
    parts = [score.form or "free form", score.rhyme]
    if score.rhyme_errors:
        parts.append(_counted(score.rhyme_errors, "rhyme error"))
    if score.tone_errors is not None:
        parts.append(_counted(score.tone_errors, "tone error"))
    if score.copied_lines:
        parts.append(_counted(score.copied_lines, "copied line"))
    elif score.longest_copied is not None:
        parts.append(f"at most {_counted(score.longest_copied, 'character')} in a row copied")
    elif score.copied_lines is not None:
        parts.append("no copied line")
    if score.thread is not None:
        parts.append(f"thread {score.thread:.2f}")
    if score.log_likelihood is not None:
        # A true minus sign, as in what inspect prints.
        parts.append(f"{score.log_likelihood:.2f} nats a character".replace("-", "−"))
    if score.seed is not None:
        parts.append(f"seed {score.seed}")
    if score.num_candidates is not None and score.num_candidates > 1:
        parts.append(f"best of {score.num_candidates:,}")
    return "— " + " · ".join(part for part in parts if part)


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'s' * (count != 1)}"
