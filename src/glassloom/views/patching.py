"""Activation patching between two texts: where in the model, and at which place, lies what tells them apart.

Two texts of equally many tokens end in different predictions. The model runs on the other text, but one inner value at
one place is what it was on the first; how much of the first text's prediction comes back is the value's effect
(Meng et al. 2022, Wang et al. 2023):

    d = log p(a) - log p(b) at the end            a the token that the first text favours most over the other, b the
    effect = (d patched - d other) / (d first - d other)      reverse; 0: as on the other text, 1: as on the first
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassloom.errors import InputError
from glassloom.exhibits import Exhibit, Matrices, Matrix
from glassloom.models.inside import recording
from glassloom.models.replacing import replacing
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import ONE_PASS, Source, as_tokens, looking, reading, subject

PATCHED = re.compile(r"embedding\Z|layers\.\d+\.(hidden|cell|residual|feedforward|attention\.\d+)\Z")
SAME = 1e-6
"""Predictions that differ by less, in nats, have nothing to be brought back."""


@dataclass(frozen=True)
class Patching(View):
    """The effect of each inner value at each place."""

    view = "patch"
    name: str
    first: tuple[str, ...]
    """The labels of the first text's tokens, whose values are put in."""
    other: tuple[str, ...]
    values: tuple[str, ...]
    effect: Floats
    """`value place`"""
    towards: str
    """The token that the first text favours."""
    against: str
    log_odds: tuple[float, float]
    """d on the first text, and on the other, in nats."""

    def facts(self) -> dict[str, Any]:
        value, place = np.unravel_index(int(np.argmax(self.effect)), self.effect.shape)
        return {
            "model": self.name,
            "towards": self.towards,
            "against": self.against,
            "log-odds on the first text": self.log_odds[0],
            "log-odds on the other": self.log_odds[1],
            "read": ONE_PASS,
            "most effect": f"{self.values[value]} at place {int(place) + 1} ({self.other[place]})",
        }

    def places(self) -> tuple[str, ...]:
        """The places' labels: the token, or both where they differ."""
        return tuple(
            one if one == other else f"{other} → {one}" for one, other in zip(self.first, self.other, strict=True)
        )

    def arrays(self) -> Sequence[Labelled]:
        labels = {"value": self.values, "place": self.places()}
        return [Labelled("effect", ("value", "place"), self.effect, labels)]

    def exhibits(self) -> list[Exhibit]:
        columns = tuple(f"{place} {label}" for place, label in enumerate(self.places(), start=1))
        values = tuple(tuple(round(float(each), 4) + 0.0 for each in row) for row in self.effect)  # no -0
        first, other = (f"{odds:.2f}".replace("-", "−") for odds in self.log_odds)
        matrix = Matrix(title=f"{self.towards} instead of {self.against}", rows=self.values, columns=columns,
                        values=values)  # fmt: skip
        return [
            Matrices(
                name="patching", title="What brings the first text's prediction back", row_axis="inner value",
                column_axis="place: token of the other text → of the first, where they differ", low=-1.0, high=1.0,
                matrices=(matrix,), unit="share that comes back",
                caption="The model runs on the other text with one inner value at one place as on the first; the share "
                f"of the log-odds of {self.towards} against {self.against} at the end that comes back. 0: the end is "
                f"as on the other text ({other} nats); 1: as on the first ({first}). "
                "Above 1: more than comes back, as elsewhere the first text itself works against its end, or as values "
                "that never met are combined; below 0: the end is driven further away. The colours end at −1 and 1. "
                "Both texts are read in one pass.",
            )
        ]  # fmt: skip


def patch(source: Source, text: str | Sequence[int], *, other: str | Sequence[int]) -> Patching:
    """The effect of every inner value of the stream at every place, of `text` put into `other`.

    >>> patch(run, "the cats are", other="the dogs are").facts()["most effect"]  # doctest: +SKIP

    Raises:
        InputError: the texts have unlike lengths in tokens, or end in the same prediction.
    """
    of = subject(source)
    first, second = (reading(of.tokenizer, each) for each in (text, other))
    if len(first.ids) != len(second.ids):
        raise InputError(
            f"One text has {len(first.ids)} tokens, the other {len(second.ids)}",
            "two texts of equally many tokens",
            "lengthen or shorten one of them",
        )
    model = of.model
    names = of.tokenizer.labels()
    with looking(model):
        with recording(model) as values:
            one = last_logs(model(as_tokens(model, [first.inputs]))[0])[0]
        with recording(model):  # the same path as with patches
            two = last_logs(model(as_tokens(model, [second.inputs]))[0])[0]
        apart = one - two
        a, b = int(apart.argmax()), int(apart.argmin())
        if float(apart[a] - apart[b]) < SAME:
            raise InputError("Both texts end in the same prediction", "texts that the model tells apart", "change one")
        chosen = [name for name in values if PATCHED.match(name)]
        rows = as_tokens(model, [second.inputs] * len(second.inputs))
        effects = []
        for name in chosen:
            with replacing(model, {name: put_back(values[name])}):
                logs = last_logs(model(rows)[0])
            effects.append((logs[:, a] - logs[:, b]).cpu().numpy())
    low, high = float(two[a] - two[b]), float(one[a] - one[b])
    effect = (np.stack(effects) - low) / (high - low)
    return Patching(
        of.name, first.input_labels, second.input_labels, tuple(chosen), effect, names[a], names[b], (high, low)
    )


def last_logs(logits: Tensor) -> Tensor:
    """The logarithm of the distribution after the last token of each row."""
    found: Tensor = logits[:, -1].double().log_softmax(-1)
    return found


def put_back(seen: Tensor) -> Callable[[Tensor, int], Tensor]:
    """The change that puts, in row r, the value at place r of another run in the place of what is there."""

    def change(value: Tensor, begin: int) -> Tensor:
        found = value.clone()
        steps = torch.arange(max(0, -begin), value.shape[1], device=value.device)
        found[begin + steps, steps] = seen[0, begin + steps].to(value)
        return found

    return change
