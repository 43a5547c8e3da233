"""Exact bounds of a share (Clopper and Pearson 1934), from the binomial distribution itself.

>>> low, high = bounds(60, 60)
>>> round(low, 3), high
(0.94, 1.0)
"""

import math
from collections.abc import Callable


def at_most(hits: int, trials: int, share: float) -> float:
    """The chance of that many hits or fewer."""
    return math.fsum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(hits + 1))


def solved(too_low: Callable[[float], bool]) -> float:
    """Where in [0, 1] a claim that holds below some point ceases to."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return (low + high) / 2


def bounds(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The lowest and the highest share that would give so many hits or more, or fewer, with half of what is left.

    A share of nothing is anything: (0, 1) for no trials.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else solved(lambda share: 1 - at_most(hits - 1, trials, share) < tail)
    high = 1.0 if hits == trials else solved(lambda share: at_most(hits, trials, share) > tail)
    return low, high
