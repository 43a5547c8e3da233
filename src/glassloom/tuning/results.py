"""What a search found, as plain data: every trial with its settings and losses, and what sets the best apart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Ended = Literal["finished", "stopped", "interrupted", "diverged", "failed", "unfit"]
"""`stopped`: by Hyperband, as hopeless. `unfit`: its settings do not go together, or with the text."""


UNIT_WORDS = {"nats_per_token": "nats per token", "bits_per_character": "bits per character"}


@dataclass(frozen=True)
class Trial:
    """One trial: a run folder of the same name, and how it ended."""

    number: int
    run: str
    """The run's folder; its name is the trial's."""
    state: Ended
    reason: str
    settings: Mapping[str, Any]
    """What the search chose."""
    loss: float | None
    """Of a finished trial, in the search's unit, over the whole held-out split."""
    judged: tuple[tuple[int, float], ...]
    """The losses at its evaluations, on the first tokens of the same split: (which one, loss)."""
    seconds: float
    """Of the clock, all sessions together."""
    ended_at: float
    """When, in seconds of the search."""

    @property
    def name(self) -> str:
        return self.run.rpartition("/")[2]


@dataclass(frozen=True)
class Search:
    """A search as it stands."""

    name: str
    folder: str
    model: str
    corpus: str
    unit: Literal["nats_per_token", "bits_per_character"]
    """What is made small; the second where trials cut the text into different tokens."""
    space: tuple[str, ...]
    fixed: Mapping[str, Any]
    budget: str
    """What each trial was given at full length, as a sentence."""
    evaluations: int
    trials: tuple[Trial, ...]
    seconds: float
    """Of the clock, in which at least one trial ran."""
    command: str
    """What repeats the best trial at full length; empty where none is finished."""
    importance: Mapping[str, float] = field(default_factory=dict)
    status: Literal["finished", "interrupted"] = "finished"

    @property
    def best(self) -> Trial | None:
        """The finished trial with the lowest loss, the first of equals."""
        finished = [one for one in self.trials if one.state == "finished" and one.loss is not None]
        return min(finished, key=lambda one: one.loss or 0.0, default=None)

    def ranked(self) -> list[Trial]:
        """The trials, the best first: those that finished by their loss, then by how far the others came."""

        def order(one: Trial) -> tuple[float, ...]:
            if one.state == "finished" and one.loss is not None:
                return (0.0, one.loss)
            last = one.judged[-1] if one.judged else (0, float("inf"))
            return (1.0, -last[0], last[1], one.number)

        return sorted(self.trials, key=order)

    def as_dict(self) -> dict[str, Any]:
        """What `search.json` holds and `--json` prints."""
        best = self.best
        return {**asdict(self), "best": None if best is None else asdict(best)}


def best_so_far(trials: tuple[Trial, ...]) -> list[tuple[float, float]]:
    """The lowest loss of the trials finished so far, each time that it fell: (seconds of the search, loss)."""
    found: list[tuple[float, float]] = []
    for one in sorted(trials, key=lambda one: one.ended_at):
        if one.state == "finished" and one.loss is not None and (not found or one.loss < found[-1][1]):
            found.append((one.ended_at, one.loss))
    return found
