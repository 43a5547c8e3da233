"""The view `gradient-flow`: the gradient of the loss at one step of a text, at every earlier state, of several models.

The norms, and what a state is, are defined in `gradient_flow`. Here there is one row, the text, read from its beginning
without dropout, and the loss is that of one token: the last one, or the one that is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glassloom.data.batches import Batch
from glassloom.errors import SettingError
from glassloom.exhibits import Exhibit
from glassloom.views.gradient_flow import GradientFlow, gradient_flow, gradient_flow_exhibits
from glassloom.views.labelled import Labelled, View
from glassloom.views.subject import ONE_PASS, Source, Subject, as_tokens, reading, subject


@dataclass(frozen=True)
class Flows(View):
    """The gradient flow of each model by its name; `labels` are the steps' tokens, as each model reads them."""

    view = "gradient-flow"
    flows: dict[str, GradientFlow]
    labels: dict[str, tuple[str, ...]]
    targets: dict[str, str]
    """The token whose loss it is."""

    def facts(self) -> dict[str, Any]:
        found = {}
        for name, flow in self.flows.items():
            found[name] = {
                "step": flow.step,
                "read": ONE_PASS,
                "loss of the token": self.targets[name],
                "below 1% from so many steps back": {each.name: each.reach() for each in flow.layers},
                "halves in steps": {each.name: each.half_life for each in flow.layers},
            }
        return found

    def arrays(self) -> Sequence[Labelled]:
        found = []
        for name, flow in self.flows.items():
            states = tuple(each.name for each in flow.layers)
            labels = {"state": states, "step": self.labels[name]}
            for what, rows in (("norm", [each.norms for each in flow.layers]),
                               ("scaled", [each.scaled for each in flow.layers])):  # fmt: skip
                found.append(Labelled(f"{name} {what}", ("state", "step"), np.array(rows), labels))
        return found

    def exhibits(self) -> list[Exhibit]:
        return gradient_flow_exhibits(self.flows)


def flows(source: Source, text: str | Sequence[int], *, at: int | None = None, beside: Sequence[Source] = ()) -> Flows:
    """The gradient of the loss of one token, at every state before it; of the models `beside` on the same axes.

    `at` counts the inputs from 1: the loss is that of the token after them (not given: of the text's last token).

    >>> flows(run, "To be, or not to be", beside=[other]).facts()  # doctest: +SKIP

    Raises:
        InputError: the text is too short. SettingError: it has no such step.
    """
    found: dict[str, GradientFlow] = {}
    labels: dict[str, tuple[str, ...]] = {}
    targets: dict[str, str] = {}
    for of in named([source, *beside]):
        read = reading(of.tokenizer, text, at_least=2)
        inputs = read.inputs
        last = len(inputs) - 1
        step = last if at is None else at
        if not 1 <= step <= last:
            raise SettingError(f"The text has no step {step}", f"1 to {last}", "choose another --at")
        tokens = as_tokens(of.model, [inputs])
        batch = Batch(tokens[:, :step], tokens[:, 1 : step + 1], torch.ones(1, dtype=torch.bool))
        found[of.name] = gradient_flow(of.model, batch, step=step, training=False)
        labels[of.name], targets[of.name] = read.input_labels[:step], read.input_labels[step]
    return Flows(found, labels, targets)


def named(sources: Sequence[Source]) -> list[Subject]:
    """Sources as Subjects, each with a name of its own."""
    found: list[Subject] = []
    for source in sources:
        of = subject(source)
        name = of.name or "model"
        same = sum(other.name == name or other.name.startswith(f"{name} (") for other in found)
        found.append(Subject(of.model, of.tokenizer, f"{name} ({same + 1})" if same else name, of.run, of.text))
    return found
