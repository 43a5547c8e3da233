"""Whether two lists of numbers go together, in a straight line or in their order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pearson(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Pearson's r, from -1 to 1; None for fewer than two pairs, or where one list is constant.

    >>> pearson([1, 2, 3], [2, 4, 6])
    1.0
    """
    x, y = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1, 1))


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's rho: Pearson's r of the ranks, equal values sharing the mean of theirs.

    >>> spearman([10, 20, 30], [1, 100, 50])
    0.5
    """
    return pearson(ranks(one).tolist(), ranks(other).tolist())


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """The rank of each value, from 1; equal values share the mean of theirs.

    >>> ranks([5, 1, 5]).tolist()
    [2.5, 1.0, 2.5]
    """
    _, places, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    found: NDArray[np.float64] = (ends - (counts - 1) / 2)[places]
    return found
