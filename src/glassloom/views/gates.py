"""Gates: how open they are over a text, and how many are saturated (Karpathy et al. 2015, section 4.2).

A gate unit is left-saturated where it is below LEFT and right-saturated where it is above RIGHT. Openness is a gate's
value; what an open gate does depends on the gate (`glassloom.models.inside.GLOSSARY`): a GRU's update gate is the share
of the candidate in one form, of the past in the other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassloom.errors import InputError
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Point, Points, Series, Table
from glassloom.models.inside import inner_value, recording
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import Source, as_tokens, looking, reading, subject

LEFT, RIGHT = 0.1, 0.9
GATE = re.compile(r"layers\.\d+\.gate\.\w+\Z")
MOST_POINTS = 2_000


@dataclass(frozen=True)
class Gates(View):
    """Every gate over a text; layers may differ in width, so what is by unit is a list with an array a gate."""

    view = "gates"
    name: str
    labels: tuple[str, ...]
    gates: tuple[str, ...]
    """Their inner values' names."""
    openness: Floats
    """`gate token`: the mean over units"""
    left: Floats
    """`gate token`: the share of units below LEFT"""
    right: Floats
    """`gate token`: the share of units above RIGHT"""
    left_of_unit: tuple[Floats, ...]
    """A gate's `unit`: the share of tokens at which it is below LEFT."""
    right_of_unit: tuple[Floats, ...]

    def facts(self) -> dict[str, Any]:
        shares = {
            gate: {"open": float(self.openness[row].mean()), f"below {LEFT}": float(self.left[row].mean()),
                   f"above {RIGHT}": float(self.right[row].mean())}
            for row, gate in enumerate(self.gates)
        }  # fmt: skip
        return {"model": self.name, "tokens": len(self.labels), "gates": shares}

    def arrays(self) -> Sequence[Labelled]:
        labels = {"gate": self.gates, "token": self.labels}
        arrays = [
            Labelled("openness", ("gate", "token"), self.openness, labels),
            Labelled("left-saturated", ("gate", "token"), self.left, labels),
            Labelled("right-saturated", ("gate", "token"), self.right, labels),
        ]
        for gate, left, right in zip(self.gates, self.left_of_unit, self.right_of_unit, strict=True):
            arrays.append(Labelled(f"{gate} left-saturated by unit", (f"unit of {gate}",), left))
            arrays.append(Labelled(f"{gate} right-saturated by unit", (f"unit of {gate}",), right))
        return arrays

    def exhibits(self) -> list[Exhibit]:
        return gates_exhibits(self)


def gates(source: Source, text: str | Sequence[int]) -> Gates:
    """How open the gates of a GRU or LSTM are along a text, and the shares of them that are saturated.

    >>> gates(run, "To be, or not to be").facts()["gates"]["layers.0.gate.forget"]  # doctest: +SKIP

    Raises:
        InputError: the text is empty, or the model has no gates.
    """
    of = subject(source)
    read = reading(of.tokenizer, text)
    with looking(of.model), recording(of.model) as values:
        of.model.hidden(as_tokens(of.model, [read.inputs]))
    found = {name: value[0].double().cpu().numpy() for name, value in values.items() if GATE.match(name)}
    if not found:
        raise InputError(
            f"A model of architecture {of.model.settings.architecture} has no gates",
            "a gru or an lstm",
            "look at its units, which every architecture has",
        )
    every = list(found.values())
    return Gates(
        of.name,
        read.input_labels,
        tuple(found),
        np.stack([value.mean(1) for value in every]),
        np.stack([(value < LEFT).mean(1) for value in every]),
        np.stack([(value > RIGHT).mean(1) for value in every]),
        tuple((value < LEFT).mean(0) for value in every),
        tuple((value > RIGHT).mean(0) for value in every),
    )


def gates_exhibits(found: Gates) -> list[Exhibit]:
    """Openness over the text, the shares that are saturated, and each unit by its two shares."""
    places = tuple(range(1, len(found.labels) + 1))
    series = tuple(
        Series(name=gate, x=places, y=tuple(map(float, row)))
        for gate, row in zip(found.gates, found.openness, strict=True)
    )
    saturated = tuple(
        Series(name=f"{gate} · {what}", x=places, y=tuple(map(float, row)), dashed=dashed)
        for what, shares, dashed in ((f"above {RIGHT}", found.right, False), (f"below {LEFT}", found.left, True))
        for gate, row in zip(found.gates, shares, strict=True)
    )
    rows = tuple(
        (gate, inner_value(gate).meaning, float(found.openness[row].mean()), float(found.left[row].mean()),
         float(found.right[row].mean()), int((found.left_of_unit[row] == 1).sum()),
         int((found.right_of_unit[row] == 1).sum()))
        for row, gate in enumerate(found.gates)
    )  # fmt: skip
    columns = (
        Column("gate", numeric=False), Column("is", numeric=False), Column("open", ".3f"),
        Column(f"below {LEFT}", ".1%"), Column(f"above {RIGHT}", ".1%"), Column("units always below", ","),
        Column("units always above", ","),
    )  # fmt: skip
    points = tuple(
        Point(label=f"{gate}:{unit}", x=float(right), y=float(left), group=gate)
        for gate, lefts, rights in zip(found.gates, found.left_of_unit, found.right_of_unit, strict=True)
        for unit, (left, right) in enumerate(zip(lefts, rights, strict=True))
    )
    return [
        Table(name="gates-table", title="Gates, and how many are saturated", columns=columns, rows=rows,
              caption="Means over units and tokens."),
        Lines(name="gates-openness", title="How open each gate is along the text", x=Axis("token, from 1"),
              y=Axis("openness, 0 to 1, mean over units"), series=series,
              caption="A gate's value, from 0 (closed) to 1 (open)."),
        Lines(name="gates-saturated", title="How many of each gate's units are saturated along the text",
              x=Axis("token, from 1"), y=Axis("share of units"), series=saturated,
              caption=f"Solid: the share of units above {RIGHT} (right-saturated: open); dashed: below {LEFT} "
              "(left-saturated: closed). Layers count from 0."),
        Points(name="gates-saturation", title="Each gate unit by how often it is saturated",
               x=Axis(f"share of tokens above {RIGHT}"), y=Axis(f"share of tokens below {LEFT}"),
               points=points[:MOST_POINTS],
               caption="As Karpathy et al. (2015), figure 3: on the line from top left to bottom right a unit is "
               "always saturated; at the origin never."),
    ]  # fmt: skip
