"""Where the time of a training goes: its steps, and what is done beside them.

    evaluation    scoring the fixed slice of held-out text
    checkpoints   committing weights and training state to the disk
    samples       letting the model write
    other         all else between the first step and the last: the log, what is shown, averages swapped in and out
    scoring       the best checkpoint on the whole held-out text, once, at the end

All in seconds, summed over every session of a run that was resumed (but for the last checkpoint of each, which cannot
hold its own time). The steps' own seconds are `Progress.seconds`.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

SHARED = ("evaluation", "checkpoints", "scoring")
"""What must stay a small share of the training, whatever the architecture; see `share`."""


class Timed(Protocol):
    """What knows the seconds of its steps, and those beside them by name: `glassloom.training.state.Progress`."""

    seconds: float
    beside: dict[str, float]


@contextmanager
def spent_on(progress: Timed, name: str) -> Iterator[None]:
    """Count the time that the block takes under a name."""
    started = time.perf_counter()
    try:
        yield
    finally:
        progress.beside[name] = progress.beside.get(name, 0.0) + time.perf_counter() - started


class Remainder:
    """The time between the first step and the last that nothing else accounts for."""

    def __init__(self, progress: Timed) -> None:
        self.progress = progress
        self.since, self.known = time.perf_counter(), known(progress)

    def settle(self) -> None:
        """Count what has passed since this was last done, less what was counted meanwhile, as `other`."""
        now, beside = time.perf_counter(), self.progress.beside
        rest = now - self.since - (known(self.progress) - self.known)
        beside["other"] = beside.get("other", 0.0) + max(0.0, rest)
        self.since, self.known = now, known(self.progress)


def known(progress: Timed) -> float:
    """All seconds that are accounted for."""
    return progress.seconds + sum(progress.beside.values())


def share(seconds: float, beside: Mapping[str, float]) -> float:
    """Evaluation and checkpoints, the scoring at the end among them, as a share of the steps' own time.

    >>> share(60.0, {"evaluation": 2.0, "checkpoints": 1.0, "samples": 9.0, "other": 0.1})
    0.05
    """
    return sum(beside.get(name, 0.0) for name in SHARED) / seconds if seconds else 0.0
