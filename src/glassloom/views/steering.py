"""Steering: the same prompt and seed continued by the model as it is, and with chosen inner values held.

A change is written NAME=VALUE or NAME:ENTRY=VALUE; `off` is 0. NAME is an inner value (docs/views.md), ENTRY a unit, or
for `mixed` and `weights` a head, from 0:

    layers.0.cell:17=3.0               one cell held at 3
    layers.1.attention.0.mixed:2=off   one head removed
    layers.0.gate.forget=1             all forget gates of a layer held open
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from glassloom.errors import SettingError
from glassloom.exhibits import Exhibit, Text, Texts
from glassloom.generation import generate
from glassloom.generation.sample import Sample
from glassloom.models.inside import axes
from glassloom.models.replacing import replacing
from glassloom.views.labelled import Labelled, View
from glassloom.views.subject import Source, decoding, subject

CHANGE = re.compile(
    r"(?P<name>[a-z0-9.]+)(?::(?P<entry>\d+))?=(?P<value>off|[-+]?[\d.]+(?:e[-+]?\d+)?)\Z", re.IGNORECASE
)
LENGTH, TEMPERATURE = 120, 0.7


@dataclass(frozen=True)
class Steered(View):
    """Two continuations of one prompt with one seed: the model's own, and the changed one's."""

    view = "steer"
    name: str
    changes: tuple[str, ...]
    plain: Sample
    changed: Sample
    labels: tuple[tuple[str, ...], tuple[str, ...]]
    """Of the tokens of both."""

    def facts(self) -> dict[str, Any]:
        same = next(
            (at for at, pair in enumerate(zip(self.plain.ids, self.changed.ids, strict=False)) if pair[0] != pair[1]),
            min(len(self.plain.ids), len(self.changed.ids)),
        )
        return {
            "model": self.name,
            "changes": list(self.changes),
            "prompt": self.plain.prompt,
            "as it is": self.plain.text,
            "changed": self.changed.text,
            "tokens alike at the beginning": same,
        }

    def arrays(self) -> Sequence[Labelled]:
        """What each token cost the model that wrote it, at temperature 1."""
        found = []
        for what, sample, labels in zip(("as it is", "changed"), (self.plain, self.changed), self.labels, strict=True):
            bits = np.array(sample.nats) / math.log(2)
            found.append(Labelled(what, (f"token {what}",), bits, {f"token {what}": labels}, "bits"))
        return found

    def exhibits(self) -> list[Exhibit]:
        prompt = self.plain.prompt
        return [
            Texts(
                name="steered", title="The same prompt and seed, as it is and changed",
                caption=f"Held while it writes: {', '.join(self.changes)}.",
                texts=(Text(label="as it is", prompt=prompt, text=self.plain.text),
                       Text(label="changed", prompt=prompt, text=self.changed.text)),
            )
        ]  # fmt: skip


def steer(
    source: Source,
    prompt: str | None = None,
    *,
    changes: Sequence[str],
    length: int = LENGTH,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> Steered:
    """Continue a prompt with inner values held at something else, beside the model's own continuation.

    >>> print(steer(run, "To be", changes=["layers.0.cell:17=3"]).changed.text)  # doctest: +SKIP

    Raises:
        SettingError: a change cannot be read, or names what the model does not have.
    """
    of = subject(source)
    prompt = prompt or ""
    held = held_values(changes)
    settings = decoding(length, temperature, seed)
    [plain] = generate(of.model, of.tokenizer, prompt, settings)
    with replacing(of.model, held):
        [changed] = generate(of.model, of.tokenizer, prompt, settings)
    names = of.tokenizer.labels()
    labels = tuple(tuple(names[index] for index in sample.ids) for sample in (plain, changed))
    return Steered(of.name, tuple(changes), plain, changed, (labels[0], labels[1]))


def held_values(changes: Sequence[str]) -> dict[str, Callable[[Tensor, int], Tensor]]:
    """Written changes as functions by inner value; several entries of one value together.

    Raises:
        SettingError: one cannot be read.
    """
    if not changes:
        raise SettingError("Nothing is to be changed", "one change at least", "give --change layers.0.hidden:0=off")
    held: dict[str, dict[int | None, float]] = defaultdict(dict)
    for written in changes:
        found = CHANGE.match(written)
        try:
            value = 0.0 if found is None or found["value"].lower() == "off" else float(found["value"])
        except ValueError:
            found, value = None, 0.0
        if found is None:
            raise SettingError(
                f"{written!r} is no change", "NAME=VALUE or NAME:ENTRY=VALUE", "write it as layers.0.hidden:3=off"
            )
        held[found["name"]][None if found["entry"] is None else int(found["entry"])] = value
    return {name: holding(name, entries) for name, entries in held.items()}


def holding(name: str, entries: Mapping[int | None, float]) -> Callable[[Tensor, int], Tensor]:
    """The change that holds entries of an inner value (None: all of it)."""
    names = axes(name)
    axis = names.index("heads") if "heads" in names else len(names) - 1

    def change(value: Tensor, begin: int) -> Tensor:
        found = value.clone()
        for entry, held in entries.items():
            if entry is None:
                found.fill_(held)
            elif entry >= value.shape[axis]:
                raise SettingError(
                    f"{name} has no entry {entry}", f"0 to {value.shape[axis] - 1}", "choose one of these"
                )
            else:
                found.select(axis, entry).fill_(held)
        return found

    return change
