"""Runs that differ in nothing but the seed, taken together: mean and spread."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassloom.comparison.results import CorpusFacts, Row


@dataclass(frozen=True)
class Spread:
    """The mean over seeds, and the sample standard deviation; None for a single seed.

    >>> Spread.of([1.0, 3.0])
    Spread(mean=2.0, deviation=1.4142135623730951, count=2)
    """

    mean: float
    deviation: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value or more."""
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation, len(values))


@dataclass(frozen=True)
class Setting:
    """One setting and its runs, one a seed."""

    name: str
    rows: tuple[Row, ...]

    @property
    def model(self) -> str:
        return self.rows[0].model

    @property
    def optimizer(self) -> str:
        return self.rows[0].optimizer

    @property
    def finished(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.status == "finished")

    @property
    def settings(self) -> dict[str, Any]:
        """What was set, by its full name, without the seed."""
        return {key: value for key, value in flat(self.rows[0].settings).items() if key.split(".")[-1] != "seed"}

    def over_seeds(self, figure: Callable[[Row], float | None]) -> Spread | None:
        """Mean and spread of a figure over the finished runs that have it; None where none has."""
        values = [value for row in self.finished if (value := figure(row)) is not None]
        return Spread.of(values) if values else None


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Settings by their full names: those of a group are called GROUP.NAME.

    >>> flat({"seed": 1, "model": {"width": 8}})
    {'seed': 1, 'model.width': 8}
    """
    names: dict[str, Any] = {}
    for name, value in settings.items():
        names |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {above + name: value}
    return names


def settings_of(rows: Iterable[Row]) -> list[Setting]:
    """The rows by setting, sorted by architecture, then optimizer, then in the order given."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.setting, []).append(row)
    together = [Setting(name, tuple(group)) for name, group in groups.items()]
    return sorted(together, key=lambda setting: (setting.model, setting.optimizer))


def deciding_figure(rows: Iterable[Row], corpus: CorpusFacts) -> Callable[[Row], float | None]:
    """The figure that decides which row is better, in the corpus's unit, lower being better.

    It is the fair one where every finished row has it, else the one measured in training: never a mixture.
    """
    finished = [row for row in rows if row.status == "finished"]
    if not all(row.nats_per_token is not None for row in finished):
        return lambda row: corpus.in_unit(row.in_training_nats)
    if corpus.unit == "perplexity":
        return lambda row: corpus.in_unit(row.nats_per_token)

    def bits(row: Row) -> float | None:
        stated = row.valid_bits_per_character
        return corpus.in_unit(row.nats_per_token) if stated is None else stated

    return bits
