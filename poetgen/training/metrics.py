"""What is measured on held-out poems; plain values, so that showing them needs no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Metrics:
    """Cross-entropy on a split, with its unit.

    Per token: every token of every poem once, its end included; an unknown character is a
    target like any other. Per hanzi: punctuation and ends are left out of loss and count.
    """

    loss_per_token: float
    perplexity_per_token: float
    perplexity_per_hanzi: float | None
    num_tokens: int
    num_hanzi: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Give the metrics as plain values for JSON."""
        return asdict(self)
