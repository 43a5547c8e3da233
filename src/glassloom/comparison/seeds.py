"""Runs that differ in nothing but the seed, taken together: mean and spread."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

    @cached_property
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


def generalizing(rows: Iterable[Row], corpus: CorpusFacts) -> list[Row]:
    """The rows that are compared: those scored on text that they were not trained on; all, where there is none.

    A run that was scored on its own training text is no rival of one that was not.
    """
    every = list(rows)
    return [row for row in every if not row.read_as(corpus).memorises] or every


def deciding_figure(rows: Iterable[Row], corpus: CorpusFacts) -> Callable[[Row], float | None]:
    """The figure that decides which row is better, in the corpus's unit, lower being better.

    It is the fair one where every finished row that is compared has it, else the one measured in training: never a
    mixture. Rows that are not compared have none.
    """
    compared = generalizing(rows, corpus)
    names = {row.id for row in compared}
    unit = corpus.unit
    fair = all(row.nats_per_token is not None for row in compared if row.status == "finished")

    def figure(row: Row) -> float | None:
        if row.id not in names:
            return None
        if fair and unit == "bits_per_character" and row.valid_bits_per_character is not None:
            return row.valid_bits_per_character
        return row.read_as(corpus).nats_in(unit, row.nats_per_token if fair else row.in_training_nats)

    return figure
