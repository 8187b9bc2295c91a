"""The learning rate over a run."""

from __future__ import annotations

import math

from poetgen.config import Schedule

# The rate ends at this share of its peak; zero would waste the last steps.
_FLOOR = 0.01


def learning_rate_at(
    progress: float, peak: float, warmup: float, schedule: Schedule = "cosine"
) -> float:
    """Give the rate at ``progress`` (0…1 of the run).

    A linear rise, then half a cosine down to nearly nothing, or (constant) the peak for good.
    Source of the cosine: Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts.
    """
    if progress < warmup:
        return peak * max(progress / warmup, _FLOOR)
    if schedule == "constant":
        return peak
    share = (progress - warmup) / (1 - warmup) if warmup < 1 else 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return peak * (_FLOOR + (1 - _FLOOR) * cosine)
