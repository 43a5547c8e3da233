"""Analytic gradients against numerical ones, for every architecture: the table of `glassloom gradcheck`.

    g_n = (loss(w + h) - loss(w - h)) / 2h        centred differences, h = 1e-4, float64, every entry of every parameter
    error = |g_a - g_n| / max(floor, |g_a| + |g_n|)     norms over a parameter's entries; floor: 1e-4 of the model's
                                                        largest gradient norm

The activations are smooth (a relu has no derivative at its kink), nothing is clipped, and the models are small: a wrong
equation is wrong at every size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from glassloom.errors import SettingError, nearest
from glassloom.models import ARCHITECTURES, architecture, build
from glassloom.models.checks import gradient_errors
from glassloom.models.contract import LanguageModel

BOUND = 1e-6
"""The largest relative error of a sound parameter."""
LENGTHS = (10, 25, 40)
VOCABULARY, ROWS, SPREAD = 7, 2, 0.1

STACKED: dict[str, Any] = {"layers": 2, "width": 5, "embedding": 3, "initial_state": "trainable"}
SMALL: dict[str, Any] = {
    "layers": 1, "width": 8, "heads": 2, "feedforward": 8, "activation": "gelu", "initialization": "xavier"
}  # fmt: skip

VARIANTS: dict[str, dict[str, Mapping[str, Any]]] = {
    "rnn": {
        "tanh, one-hot": {"layers": 1, "width": 8, "embedding": 0},
        "tanh, two layers": STACKED,
    },
    "gru": {
        "reset before": {**STACKED, "reset": "before"},
        "reset after": {**STACKED, "reset": "after"},
    },
    "lstm": {
        "one bias": STACKED,
        "two biases, one-hot": {"layers": 1, "width": 6, "embedding": 0, "bias": "two"},
    },
    "transformer": {
        "pre-norm, rotary, gelu": SMALL,
        "post-norm, learned, tied": {**SMALL, "norm": "post", "positions": "learned", "tied": True},
        "rms, sinusoidal, swiglu": {
            **SMALL, "normalization": "rms", "positions": "sinusoidal", "activation": "swiglu", "scaled_embedding": True
        },
        "two attention sublayers": {**SMALL, "attention_sublayers": 2, "positions": "none"},
    },
}  # fmt: skip
"""What is checked of each architecture: the settings that change its equations, activations smooth."""


@dataclass(frozen=True)
class GradientRow:
    """One parameter tensor of one model, over a text of one length."""

    model: str
    variant: str
    length: int
    parameter: str
    relative_error: float

    @property
    def is_sound(self) -> bool:
        """False beyond the bound, and where the error is not a number."""
        return self.relative_error <= BOUND


@dataclass(frozen=True)
class GradientCheck:
    """Every row, in the order measured."""

    rows: tuple[GradientRow, ...]

    @property
    def faults(self) -> tuple[GradientRow, ...]:
        """The rows beyond the bound."""
        return tuple(row for row in self.rows if not row.is_sound)

    def worst(self) -> list[GradientRow]:
        """The worst row of each model, variant and length: those that are no number first of all."""
        found: dict[tuple[str, str, int], GradientRow] = {}
        for row in self.rows:
            key = (row.model, row.variant, row.length)
            if key not in found or not row.relative_error <= found[key].relative_error:
                found[key] = row
        return list(found.values())

    def as_dict(self) -> dict[str, Any]:
        return {"rows": [asdict(row) for row in self.rows]}


def check_gradients(models: Sequence[str] = (), lengths: Sequence[int] = LENGTHS) -> GradientCheck:
    """The gradients of these architectures (all, where none is named) over texts of these lengths.

    >>> check_gradients(["rnn"], lengths=[3]).faults
    ()

    Raises:
        SettingError: an architecture is not listed (the nearest is offered).
    """
    for name in models:
        if name not in VARIANTS:
            what, fix = f"There is no architecture called {name!r}", nearest(name, VARIANTS)
            if name in ARCHITECTURES:
                what = f"The architecture {name} is added by {ARCHITECTURES.owner(name)}, and not in this table"
                fix = f"check it with glassloom.testing.check_architecture({name!r})"
            raise SettingError(what, f"one of {', '.join(VARIANTS)}", fix)
    rows = []
    for name in models or VARIANTS:
        for variant, settings in VARIANTS[name].items():
            for length in lengths:
                model = unsettled(build(architecture(name).Settings(**settings), VOCABULARY, generator()))
                rows += gradient_rows(model, name, variant, length)
    return GradientCheck(tuple(rows))


def gradient_rows(model: LanguageModel, name: str, variant: str, length: int) -> list[GradientRow]:
    """One row for each parameter tensor of a model, over rows of random tokens of which `length` are predicted."""
    tokens = torch.randint(model.vocabulary, (ROWS, length + 1), generator=generator())
    errors = gradient_errors(model, tokens)
    return [GradientRow(name, variant, length, parameter, error) for parameter, error in errors.items()]


@torch.no_grad()
def unsettled(model: LanguageModel) -> LanguageModel:
    """The model with noise on every parameter: at zero biases and even attention a wrong equation can look right."""
    noise = generator()
    for parameter in model.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=noise), alpha=SPREAD)
    return model


def generator() -> torch.Generator:
    """The same draws every time."""
    return torch.Generator().manual_seed(1)
