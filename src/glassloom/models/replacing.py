"""Inner values replaced while a model runs: by a number, an array, or what a function makes of them.

A recurrent layer's values come step by step, and what replaces one is met by the next step; so a change is told where
along the time axis its piece begins.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor

from glassloom.errors import SettingError, nearest
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import axes, probing

Change: TypeAlias = "Callable[[Tensor, int], Tensor] | Tensor | float | Any"
"""What takes an inner value's place: a function of the piece and the step (from 0) that it begins with, which gives a
piece of the same shape; or a number; or an array of the whole value's shape (see the glossary), the batch axis left out
or not. A NaN in an array leaves what is there."""


@contextmanager
def replacing(model: LanguageModel, changes: Mapping[str, Change]) -> Iterator[None]:
    """Put something else in the place of these inner values while the block runs; other probes go on seeing.

    >>> from glassloom.models import build
    >>> model = build("gru", vocabulary=3)
    >>> with replacing(model, {"layers.0.gate.reset": 0.0}):
    ...     logits, state = model(torch.tensor([[0, 1]]))

    Raises:
        SettingError: the model has no inner value of that name (when the block ends without an error of its own).
    """
    if not changes:
        yield
        return
    watched = model.probe
    begun: dict[str, int] = defaultdict(int)
    seen: set[str] = set()

    def change(name: str, value: Tensor) -> Tensor:
        seen.add(name)
        if name in changes:
            begin = begun[name] - model.repeated
            value = changed(value, changes[name], name, begin)
            begun[name] = begin + value.shape[axes(name).index("time")]
        return value if watched is None else watched(name, value)

    with probing(model, change):
        yield
    for name in changes:
        if seen and name not in seen:
            raise SettingError(
                f"The model has no inner value {name}",
                "a name of docs/views.md that this architecture has",
                nearest(name, sorted(seen)),
            )


def changed(value: Tensor, by: Change, name: str, begin: int) -> Tensor:
    """A piece of an inner value as the change leaves it."""
    if callable(by):
        found: Tensor = by(value, begin)
        assert found.shape == value.shape, f"{name}: what replaces a value has its shape {tuple(value.shape)}"
        return found
    given = torch.as_tensor(by).to(value)
    if given.ndim:
        names = axes(name)
        given = given.unsqueeze(0) if given.ndim == value.ndim - 1 else given
        place = names.index("time")
        if given.ndim != value.ndim or given.shape[place] < begin + value.shape[place]:
            raise SettingError(
                f"What replaces {name} has the shape {tuple(given.shape)}",
                f"the axes {' '.join(names[1:])}, at every step",
                "look at the value's own shape with run.inside(text)",
            )
        given = given.narrow(place, begin, value.shape[place])
        if "keys" in names:
            given = given[..., : value.shape[-1]]
    return torch.where(torch.isnan(given), value, given)
