# SPDX-License-Identifier: Apache-2.0
"""How sure a ratio is: an interval from interleaved repetitions.

Each repetition gives one ratio of two subjects that ran shortly after one another. Their logarithms are taken as samples of one distribution, so
that a ratio and its inverse are the same thing, and the interval is Student's.
"""

import dataclasses
import math

# Half as wide as this share of the ratio is narrow.
NARROW = 0.05
LEAST = 3
# Student's t for 95 % on both sides, by degrees of freedom 1, 2, 3, ...
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
     2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)
T_BEYOND = 2.0


@dataclasses.dataclass(frozen=True)
class Interval:
    low: float
    middle: float
    high: float
    count: int

    @property
    def is_narrow(self):
        return self.count >= LEAST and (self.high - self.low) / 2 <= NARROW * self.middle


def interval(values):
    """95 % of the mean ratio; None: too few, or a ratio has no meaning."""
    if len(values) < 2 or min(values) <= 0:
        return None
    logarithms = [math.log(value) for value in values]
    count = len(logarithms)
    mean = sum(logarithms) / count
    variance = sum((value - mean) ** 2 for value in logarithms) / (count - 1)
    t = T[count - 2] if count - 2 < len(T) else T_BEYOND
    reach = t * math.sqrt(variance / count)
    return Interval(math.exp(mean - reach), math.exp(mean), math.exp(mean + reach), count)


def ratios(ours, theirs):
    """By repetition: of those that both have."""
    return [ours[repetition] / theirs[repetition] for repetition in sorted(ours) if theirs.get(repetition, 0) > 0]
