"""What a plan says, as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Probe:
    """A short training: what it saw, how fast, and its loss (None where only its speed was measured)."""

    model: str
    width: int
    parameters: int
    tokens: int
    seconds: float
    """Of its steps."""
    tokens_per_second: float
    nats: float | None
    """On the first tokens of the held-out text."""


@dataclass(frozen=True)
class Forecast:
    """What an architecture of a size will come to in the time."""

    model: str
    width: int
    layers: int
    parameters: int
    tokens_per_second: float
    passes: float
    """Over the training text."""
    nats: float
    low: float
    high: float
    settings: Mapping[str, Any]
    """What differs from the architecture's own defaults."""


@dataclass(frozen=True)
class Curve:
    """The loss foretold for other times, of the best size at each: an architecture's own curve."""

    model: str
    minutes: tuple[float, ...]
    nats: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    """What to train on a text in so many minutes, and what it will reach."""

    corpus: str
    unit: str
    """What a token is: the tokenizer's name."""
    minutes: float
    probe_seconds: float
    """How long the probes took in all."""
    probes: tuple[Probe, ...]
    forecasts: tuple[Forecast, ...]
    """Every architecture and size that was weighed, the best first."""
    curves: tuple[Curve, ...]
    floor: float
    """What the text's own law says no model of this kind will get below, in nats."""
    inside: float
    """The share of trainings that are to end inside an interval."""
    command: str
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Forecast:
        return self.forecasts[0]

    def of_each(self) -> list[Forecast]:
        """The best size of each architecture, the best first."""
        found: dict[str, Forecast] = {}
        for one in self.forecasts:
            found.setdefault(one.model, one)
        return list(found.values())

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
