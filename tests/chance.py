"""Whether counts look like the probabilities that they should have come from."""

import numpy as np

# Chi-square values exceeded once in a thousand times, for 1 to 30 degrees of freedom.
# Source: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.4, column 0.999.
CHI_SQUARE_999 = (
    *(10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322, 26.124, 27.877, 29.588),
    *(31.264, 32.909, 34.528, 36.123, 37.697, 39.252, 40.790, 42.312, 43.820, 45.315),
    *(46.797, 48.268, 49.728, 51.179, 52.620, 54.052, 55.476, 56.892, 58.301, 59.703),
)


def assert_counts_follow(counts, probabilities) -> None:
    """Compare by a chi-square test; rare outcomes are taken together as one."""
    counts = np.asarray(counts, float)
    wanted = counts.sum() * np.asarray(probabilities, float)
    assert abs(sum(probabilities) - 1) < 1e-9
    assert counts[wanted == 0].sum() == 0
    rare = wanted < 8
    counts = np.append(counts[~rare], counts[rare].sum())
    wanted = np.append(wanted[~rare], wanted[rare].sum())
    counts, wanted = counts[wanted > 0], wanted[wanted > 0]
    assert len(counts) > 1, "the test says nothing about a single outcome"
    statistic = ((counts - wanted) ** 2 / wanted).sum()
    assert statistic < CHI_SQUARE_999[len(counts) - 2], (counts, wanted)
