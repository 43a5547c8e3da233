"""What the training loop yields: plain facts, which a command prints, a notebook draws and a test reads."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Began:
    """Training is about to take its first step of this session."""

    step: int
    resumed: bool
    facts: dict[str, Any]
    """Device, precision, threads, seed, parameters, the text's SHA-256, protocol, estimated seconds."""


@dataclass(frozen=True)
class Stepped:
    """One update was made. `train_nats` is that batch's own loss, with dropout on."""

    step: int
    epoch: float
    tokens: int
    seconds: float
    progress: float
    """Share of the budget that is used, 0 to 1."""
    train_nats: float
    lr: float
    norm_before: float
    """The gradient's global norm before clipping."""
    norm_after: float


@dataclass(frozen=True)
class Evaluated:
    """The model was scored on the fixed slice of held-out text. `train_nats` is the mean since the last time."""

    step: int
    epoch: float
    tokens: int
    seconds: float
    train_nats: float | None
    valid_nats: float
    valid: dict[str, Any]
    """The loss in every unit (see `glassloom.loss.Figures`)."""
    is_best: bool
    passed: str | None = None
    """The strongest baseline that the loss is below, among those known so far."""


@dataclass(frozen=True)
class Sampled:
    """The model wrote a sample."""

    step: int
    prompt: str
    text: str


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on disk."""

    step: int


@dataclass(frozen=True)
class Finished:
    """Training ended: `finished`, `interrupted`, `diverged` or `failed`, and why."""

    status: str
    reason: str
    step: int
    seconds: float
    tokens: int
    beside: dict[str, float] = field(default_factory=dict)
    """Seconds beside those of the steps, by what for; see `glassloom.training.spent`."""


Event: TypeAlias = Began | Stepped | Evaluated | Sampled | Saved | Finished
