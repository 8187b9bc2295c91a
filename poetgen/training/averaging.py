"""The moving average of a model's weights, which predicts better than any of them.

At a constant learning rate the weights go on moving about a good place; their average is in it.
Source: Polyak & Juditsky 1992; the warm-up is that of TensorFlow's ExponentialMovingAverage.
"""

from __future__ import annotations

import math

# The average moves with every so many steps: with each one it would cost a twentieth of the time.
_MOST_STEPS = 10


def share_at(num_steps: int, average_steps: int) -> float:
    """Return the share of the average that the weights after ``num_steps`` steps become.

    It is 0 where the average does not move after this step. Of older weights about
    ``average_steps`` steps are remembered, at the beginning fewer.
    """
    every = min(_MOST_STEPS, max(1, average_steps // 10))
    if num_steps % every:
        return 0.0
    number = num_steps // every
    return 1 - min(math.exp(-every / average_steps), number / (number + 9))
