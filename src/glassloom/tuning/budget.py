"""What a search costs: how long each trial may take so that all of them fit into the time, and how much is used.

Hyperband (Li et al. 2018, in the asynchronous form of Li et al. 2020, "A System for Massively Parallel Hyperparameter
Tuning") compares trials at their evaluations 1, 3, 9, ... and stops all but the best third; in brackets, of which each
begins to do so later than the one before.
"""

import math
from collections.abc import Iterable, Sequence

ETA = 3
"""Of trials that are compared, the best one in so many goes on."""
EVALUATIONS = 9
"""How often a trial is judged over its budget: so Hyperband has its brackets at 1, 3 and 9 of them."""
RESERVE = 0.85
"""Of the time, this share is for training; the rest is evaluation, checkpoints and scoring."""
LEAST_SECONDS = 1.0
"""A trial that would be shorter at full length says nothing."""


def brackets(evaluations: int) -> list[float]:
    """The share of trials in each bracket, as Optuna's HyperbandPruner draws them.

    >>> brackets(9)
    [0.5294117647058824, 0.29411764705882354, 0.17647058823529413]
    """
    count = math.floor(math.log(evaluations) / math.log(ETA) + 1e-9) + 1
    weights = [math.ceil(count * ETA**later / (later + 1)) for later in range(count - 1, -1, -1)]
    return [weight / sum(weights) for weight in weights]


def expected_share(evaluations: int) -> float:
    """How much of its budget a trial uses on the average, if one in ETA goes on at each comparison.

    >>> round(expected_share(9), 3)
    0.477
    """
    total = 0.0
    for bracket, share in enumerate(brackets(evaluations)):
        used, going, at = 0.0, 1.0, 0
        rung = ETA**bracket
        while rung < evaluations:
            used, going, at = used + going * (rung - at), going / ETA, rung
            rung *= ETA
        total += share * (used + going * (evaluations - at)) / evaluations
    return total


def seconds_of_a_trial(seconds: float, trials: int, processes: int, evaluations: int) -> float:
    """How long a trial may take at full length, so that so many of them fit into the time.

    One trial in the first bracket is there to compare with none, and runs to its end: it is counted whole.

    >>> round(seconds_of_a_trial(1800, 50, 1, 9))
    63
    """
    whole = 1 + (trials - 1) * expected_share(evaluations)
    return RESERVE * seconds * min(processes, trials) / whole


def time_used(sessions: Iterable[Sequence[float]]) -> float:
    """The wall-clock seconds in which at least one trial ran; sessions are (begin, end) and may overlap.

    >>> time_used([(0, 10), (5, 12), (20, 21)])
    13.0
    """
    total, until = 0.0, -math.inf
    for begin, end in sorted((float(begin), float(end)) for begin, end in sessions):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def moment_of(clock: float, sessions: Iterable[Sequence[float]]) -> float:
    """A moment of the clock as seconds of the search: time in which no trial ran does not count.

    >>> moment_of(21, [(0, 10), (20, 30)])
    11.0
    """
    return time_used((begin, min(end, clock)) for begin, end in sessions if begin < clock)
