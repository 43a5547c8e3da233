"""Units: every hidden unit over a text, sorted by how well it tracks a property of the text.

A unit is one entry of a layer's hidden vector (of an LSTM's cell too; of a transformer's stream, and inside its
feed-forward). What it is after reading a token is held against the property there. The first half of the text fits, the
second half is scored, so that the best of many units is not the luckiest:

    a property of 0 and 1      threshold and direction by the first half; score: balanced accuracy, (hits among 1s +
                               hits among 0s) / 2, of the second half: 1/2 is chance, 1 is perfect
    any other                  a straight line by least squares of the first half; score: R^2 = 1 - (squared error) /
                               (squared error of the second half's own mean): 0 is chance (below is worse), 1 is perfect
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassloom.errors import InputError
from glassloom.exhibits import Coloured, Column, Exhibit, Matrices, Matrix, Piece, Table
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.properties import PROPERTIES, Property, property_of_tokens
from glassloom.views.subject import Source, characters, how_read, looking, reading, recorded_over, subject

UNIT = re.compile(r"layers\.\d+\.(hidden|cell|residual|feedforward\.inner)\Z")
MOST_VALUES = 2**24
"""Units times tokens that are held at once: 16 million, 128 MB."""
DRAWN_TOKENS, DRAWN_UNITS = 100, 128
"""So much of what every unit does is drawn."""
LEAST = 8
"""Tokens of a text that can be halved."""


@dataclass(frozen=True)
class Tracked:
    """How well every unit tracks one property: `scores`, `unit`, on the half of the text that nothing was fitted on."""

    property: str
    binary: bool
    values: Floats
    """`token`: the property itself"""
    scores: Floats
    order: tuple[int, ...]
    """The units, the best first."""


@dataclass(frozen=True)
class Units(View):
    """Every unit's score for every property, and what the best units of each do along the text."""

    view = "units"
    name: str
    labels: tuple[str, ...]
    pieces: tuple[str, ...]
    units: tuple[str, ...]
    """`layers.0.cell:17`: the inner value and the entry, from 0"""
    activations: Floats
    """`unit token`: all of them"""
    tracked: tuple[Tracked, ...]
    absent: tuple[str, ...]
    """Properties that one half of the text has none, or nothing else, of: nothing can be said of them."""
    top: int
    read: str = "in one pass"
    """How: see `subject.windows`."""

    def best(self, property: str) -> tuple[str, float]:
        """The unit that tracks a property best, and its score."""
        [found] = [each for each in self.tracked if each.property == property]
        return self.units[found.order[0]], float(found.scores[found.order[0]])

    def facts(self) -> dict[str, Any]:
        best = {each.property: "{} {:.3f}".format(*self.best(each.property)) for each in self.tracked}
        return {
            "model": self.name,
            "units": len(self.units),
            "tokens": len(self.labels),
            "read": self.read,
            "best units": best,
            "properties without a score": list(self.absent),
        }

    def arrays(self) -> Sequence[Labelled]:
        """Of the activations, those of each property's best units."""
        properties = tuple(each.property for each in self.tracked)
        shown = list(dict.fromkeys(unit for each in self.tracked for unit in each.order[: self.top]))
        tokens = {"token": self.labels}
        return [
            Labelled("scores", ("property", "unit"), np.stack([each.scores for each in self.tracked]),
                     {"property": properties, "unit": self.units}),
            Labelled("properties", ("property", "token"), np.stack([each.values for each in self.tracked]),
                     {"property": properties, **tokens}),
            Labelled("activations", ("shown unit", "token"), self.activations[shown],
                     {"shown unit": tuple(self.units[unit] for unit in shown), **tokens}),
        ]  # fmt: skip

    def exhibits(self) -> list[Exhibit]:
        return units_exhibits(self)


def units(source: Source, text: str | Sequence[int], *, properties: Sequence[Property] = (), top: int = 3) -> Units:
    """Every unit over a text, sorted by how well it tracks each property (all listed ones, if none is named).

    A property is a listed name (`glassloom.views.properties`), `/REGEX/`, or a function of the text that gives one
    number a character.

    >>> found = units(run, text, properties=["bracket-depth", r"/\\d+/"])  # doctest: +SKIP
    >>> found.best("bracket-depth")  # doctest: +SKIP
    ('layers.0.cell:17', 0.93)

    Raises:
        InputError: the text is too short, or has nothing of any of the properties.
    """
    of = subject(source)
    read = reading(of.tokenizer, text, at_least=LEAST)
    whole = bool(read.given)
    with looking(of.model):
        few = recorded_over(of.model, read.inputs[:LEAST], lambda name: bool(UNIT.match(name)), whole)
        count = sum(value.shape[-1] for value in few.values())
        if count * len(read.ids) > MOST_VALUES:
            raise InputError(
                f"{count:,} units over {len(read.ids):,} tokens are too much to hold",
                f"at most {MOST_VALUES // count:,} tokens for this model",
                "give a shorter text",
            )
        values = recorded_over(of.model, read.inputs, lambda name: bool(UNIT.match(name)), whole)
    names, rows = [], []
    for name, value in values.items():
        names += [f"{name}:{entry}" for entry in range(value.shape[-1])]
        rows.append(value[0, len(read.given) :].double().cpu().numpy().T)
    activations = np.concatenate(rows)
    tracked, absent = [], []
    for wanted in properties or PROPERTIES:
        name, truth = property_of_tokens(wanted, read.pieces)
        half = len(truth) // 2
        if np.ptp(truth[:half]) == 0 or np.ptp(truth[half:]) == 0:
            absent.append(name)
            continue
        binary = bool(np.isin(truth, (0, 1)).all())
        scores = (scored_classes if binary else scored_lines)(activations, truth, half)
        tracked.append(Tracked(name, binary, truth, scores, tuple(np.argsort(-scores, kind="stable").tolist())))
    if not tracked:
        raise InputError(
            f"Nothing can be said of {', '.join(absent)} by this text",
            "a text both of whose halves have places with the property and places without",
            "give another text, or another --property",
        )
    top = max(1, min(top, len(names)))
    return Units(
        of.name, read.labels, read.pieces, tuple(names), activations, tuple(tracked), tuple(absent), top,
        how_read(of.model, read.inputs, whole),
    )  # fmt: skip


def scored_classes(activations: Floats, truth: Floats, half: int) -> Floats:
    """For each unit the balanced accuracy, on the second half, of the threshold and direction best on the first."""
    found = np.empty(len(activations))
    yes = truth > 0.5
    ones, zeros = yes[:half].sum(), (~yes[:half]).sum()
    for unit, values in enumerate(activations):
        order = np.argsort(values[:half], kind="stable")
        ranked, flags = values[:half][order], yes[:half][order]
        # a threshold after the first i values: those above it are taken for 1s
        missed = np.concatenate([[0], np.cumsum(flags)])
        spared = np.concatenate([[0], np.cumsum(~flags)])
        balanced = ((ones - missed) / ones + spared / zeros) / 2
        cuts = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])
        gain = np.where(cuts, np.abs(balanced - 0.5), -1.0)
        best = int(gain.argmax())
        edge = np.concatenate([[-np.inf], ranked, [np.inf]])
        threshold = (edge[best] + edge[best + 1]) / 2 if 0 < best < half else edge[best] if best else -np.inf
        taken = (values[half:] > threshold) == (balanced[best] >= 0.5)
        there = yes[half:]
        found[unit] = (taken[there].mean() + (~taken[~there]).mean()) / 2
    return found


def scored_lines(activations: Floats, truth: Floats, half: int) -> Floats:
    """For each unit R^2, on the second half, of the straight line fitted on the first."""
    x, y = activations[:, :half], truth[:half]
    centred = x - x.mean(1, keepdims=True)
    spread = (centred**2).sum(1)
    slope = np.divide(centred @ (y - y.mean()), spread, out=np.zeros(len(x)), where=spread > 0)
    said = y.mean() + slope[:, None] * (activations[:, half:] - x.mean(1, keepdims=True))
    later = truth[half:]
    found: Floats = 1 - ((said - later) ** 2).sum(1) / ((later - later.mean()) ** 2).sum()
    return found


def units_exhibits(found: Units) -> list[Exhibit]:
    """The best units of each property, and the text coloured by them."""
    rows, texts = [], {}
    for each in found.tracked:
        for rank, unit in enumerate(each.order[: found.top], start=1):
            measure = "balanced accuracy" if each.binary else "R²"
            rows.append((each.property, rank, found.units[unit], float(each.scores[unit]), measure))
        best = each.order[0]
        values = found.activations[best]
        most = float(np.abs(values).max()) or 1.0
        texts[f"{each.property}: {found.units[best]}"] = tuple(
            Piece(text=text, value=float(values[places[-1]] / most), note="; then ".join(
                f"{found.labels[at]}: {values[at]:.3f}; {each.property} {each.values[at]:g}" for at in places
            ))
            for places, text in characters(found.pieces, found.labels)
        )  # fmt: skip
    columns = (
        Column("property", numeric=False), Column("rank", ","), Column("unit", numeric=False), Column("score", ".3f"),
        Column("measure", numeric=False),
    )  # fmt: skip
    absent = f" Nothing can be said of {', '.join(found.absent)}." if found.absent else ""
    return [
        Table(name="units-best", title="Units by what they track", columns=columns, rows=tuple(rows),
              caption=f"Fitted on the first half of the text, scored on the second; read {found.read}. Units count "
              "from 0, as in the names of inner values. Balanced accuracy: a half is "
              f"chance; R²: 0 is chance; 1 is perfect.{absent}"),
        Coloured(name="units-text", title="The text by the best unit of each property", unit="of the unit's most",
                 low=-1.0, high=1.0, texts=texts,
                 caption="Each unit's value after each token, as a share of its largest."),
        every_unit(found),
    ]  # fmt: skip


def every_unit(found: Units) -> Matrices:
    """Each inner value as a matrix, its units one below the other, over the beginning of the text."""
    columns = tuple(f"{place} {label}" for place, label in enumerate(found.labels[:DRAWN_TOKENS], start=1))
    matrices, most = [], 0.0
    for name in dict.fromkeys(unit.rpartition(":")[0] for unit in found.units):
        chosen = [place for place, unit in enumerate(found.units) if unit.rpartition(":")[0] == name][:DRAWN_UNITS]
        values = found.activations[chosen, :DRAWN_TOKENS]
        most = max(most, float(np.abs(values).max()))
        cells = tuple(tuple(round(float(each), 4) + 0.0 for each in row) for row in values)
        rows = tuple(found.units[place].rpartition(":")[2] for place in chosen)
        matrices.append(Matrix(title=name, rows=rows, columns=columns, values=cells))
    return Matrices(
        name="units-all", title="Every unit along the text", row_axis="unit, from 0", column_axis="token",
        low=-(most or 1.0), high=most or 1.0, unit="value of the unit", matrices=tuple(matrices),
        caption=f"The first {len(columns):,} of {len(found.labels):,} tokens, at most {DRAWN_UNITS} units of each "
        "inner value.",
    )  # fmt: skip
