"""The view `training`: gradient and weight norms of each layer, update-to-weight ratios and histograms over training.

What was recorded is said in `glassloom.training.norms`: every parameter, at the first update and after each evaluation.
A layer's norm is that of all its parameters together, sqrt(sum of squares); the ratio is |update| / |weight|.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassloom.errors import InputError
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Matrices, Matrix, Series, Table, Value
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import Source, subject

LAYER = re.compile(r"layers\.\d+|[a-z_]+")
NORMS = ("gradient", "weight", "update")


@dataclass(frozen=True)
class TrainingNorms(View):
    """Norms over training, by parameter and by layer; `layers` from the tokens upwards."""

    view = "training"
    name: str
    steps: tuple[int, ...]
    parameters: tuple[str, ...]
    layers: tuple[str, ...]
    norms: dict[str, Floats]
    """`gradient`, `weight` and `update`: `parameter step`"""
    of_layers: dict[str, Floats]
    """The same: `layer step`"""
    edges: dict[str, Floats]
    """Of the histograms of `weights` and `gradients`: the largest entry, `parameter step`"""
    counts: dict[str, Floats]
    """`parameter step bin`: shares, from -most to most"""
    norm_before: tuple[tuple[int, float], ...]
    """The whole gradient's norm before clipping, at every logged step."""

    @property
    def ratio(self) -> Floats:
        """`layer step`: |update| / |weight|; NaN where a layer is all zero."""
        weight = self.of_layers["weight"]
        found: Floats = np.divide(
            self.of_layers["update"], weight, out=np.full_like(weight, np.nan), where=weight > 0
        )  # fmt: skip
        return found

    def facts(self) -> dict[str, Any]:
        last = dict(zip(self.layers, map(float, self.ratio[:, -1]), strict=True))
        return {"run": self.name, "moments": len(self.steps), "last update-to-weight ratios": last}

    def arrays(self) -> Sequence[Labelled]:
        steps = tuple(f"step {step}" for step in self.steps)
        by_layer, by_parameter = {"layer": self.layers, "step": steps}, {"parameter": self.parameters, "step": steps}
        found = [Labelled(f"{norm} of layers", ("layer", "step"), self.of_layers[norm], by_layer) for norm in NORMS]
        found.append(Labelled("update-to-weight ratio", ("layer", "step"), self.ratio, by_layer))
        found += [Labelled(norm, ("parameter", "step"), self.norms[norm], by_parameter) for norm in NORMS]
        for what in self.counts:
            found.append(Labelled(f"largest of {what}", ("parameter", "step"), self.edges[what], by_parameter))
            found.append(Labelled(f"shares of {what}", ("parameter", "step", "bin"), self.counts[what], by_parameter))
        whole = np.array(self.norm_before, dtype=np.float64).reshape(-1, 2)
        found.append(Labelled("gradient of all", ("moment", "figure"), whole, {"figure": ("step", "norm")}))
        return found

    def exhibits(self) -> list[Exhibit]:
        return training_norms_exhibits(self)


def training_norms(source: Source) -> TrainingNorms:
    """What a run recorded of its layers while it trained.

    >>> training_norms(run).ratio[:, -1]  # doctest: +SKIP

    Raises:
        InputError: it is no run, or one that recorded nothing of its layers.
    """
    of = subject(source)
    run = of.trained()
    records = run.layers()
    if not records:
        raise InputError(
            f"Run {run.name} recorded no norms of its layers",
            "a run of this version",
            "train it again, or go on with it",
        )
    parameters = tuple(records[0]["parameters"])
    steps = tuple(int(record["step"]) for record in records)
    norms = {norm: table([[r["parameters"][name][norm] for r in records] for name in parameters]) for norm in NORMS}
    layers = tuple(dict.fromkeys(map(layer_of, parameters)))
    member = np.array([[layer_of(name) == layer for name in parameters] for layer in layers], dtype=np.float64)
    of_layers = {norm: np.sqrt(member @ values**2) for norm, values in norms.items()}
    edges, counts = {}, {}
    for what in ("weights", "gradients"):
        found = [[r["parameters"][name][what] for r in records] for name in parameters]
        edges[what] = table([[each["most"] for each in row] for row in found])
        bins = max(len(each["counts"]) for row in found for each in row)
        shares = np.array([[each["counts"] or [0] * bins for each in row] for row in found], dtype=np.float64)
        counts[what] = shares / np.maximum(shares.sum(-1, keepdims=True), 1)
    logged = tuple(
        (int(line["step"]), float(line["norm_before"])) for line in run.metrics() if line.get("norm_before") is not None
    )
    return TrainingNorms(run.name, steps, parameters, layers, norms, of_layers, edges, counts, logged)


def table(rows: Sequence[Sequence[float | None]]) -> Floats:
    """Rows of numbers, NaN for what is not known."""
    return np.array([[np.nan if each is None else each for each in row] for row in rows], dtype=np.float64)


def layer_of(parameter: str) -> str:
    """The layer that a parameter belongs to.

    >>> layer_of("layers.0.attention.0.output.weight"), layer_of("embedding.weight")
    ('layers.0', 'embedding')
    """
    found = LAYER.match(parameter)
    assert found is not None, "a parameter's name begins with a word"
    return found[0]


def training_norms_exhibits(found: TrainingNorms) -> list[Exhibit]:
    """Curves a layer of ratios and norms, the histograms of weights over training, and the last figures as a table."""

    def lines(name: str, title: str, y: str, values: Floats, caption: str) -> Lines:
        series = tuple(
            Series(name=layer, x=found.steps, y=tuple(float(each) if each > 0 else None for each in row))
            for layer, row in zip(found.layers, values, strict=True)
        )
        return Lines(name=name, title=title, caption=caption, x=Axis("step"), y=Axis(y, log=True), series=series)

    whole = Lines(
        name="training-gradient", title="Norm of the whole gradient", x=Axis("step"), y=Axis("norm", log=True),
        series=(Series(name=found.name, x=tuple(step for step, _ in found.norm_before),
                       y=tuple(norm if norm > 0 else None for _, norm in found.norm_before)),),
        caption="Before clipping, at every logged update.",
    )  # fmt: skip

    def histograms(what: str) -> tuple[Matrix, ...]:
        shares = found.counts[what]
        return tuple(
            Matrix(
                title=name,
                rows=tuple(f"step {step}" for step in found.steps),
                columns=tuple(f"{-1 + (2 * number + 1) / shares.shape[2]:.2f}" for number in range(shares.shape[2])),
                values=tuple(tuple(round(float(each), 5) for each in row) for row in shares[place]),
            )
            for place, name in enumerate(found.parameters)
        )

    columns = (Column("layer", numeric=False), Column("gradient", ".3g"), Column("weight", ".3g"),
               Column("update", ".3g"), Column("update / weight", ".2e"))  # fmt: skip
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (layer, *(float(found.of_layers[norm][place, -1]) for norm in NORMS), float(found.ratio[place, -1]))
        for place, layer in enumerate(found.layers)
    )
    taken = "Taken at the first update and at the one after each evaluation."
    return [
        lines("training-ratio", "Update-to-weight ratio", "update / weight", found.ratio,
              f"The norm of what one update adds to a layer, over that of the layer. {taken}"),
        lines("training-gradients", "Gradient of each layer", "norm of the gradient", found.of_layers["gradient"],
              f"Before clipping. {taken}"),
        lines("training-weights", "Weights of each layer", "norm of the weights", found.of_layers["weight"], taken),
        whole,
        *(
            Matrices(name=name, title=f"How the {what} are spread", row_axis="step", unit="share of the entries",
                     column_axis=f"share of the largest {what[:-1]}", matrices=histograms(what),
                     high=float(found.counts[what].max()) or 1.0,
                     caption="Of each parameter, the share of its entries by size, from minus its largest to its "
                     f"largest. {taken}")
            for name, what in (("training-histograms", "weights"), ("training-gradient-histograms", "gradients"))
        ),
        Table(name="training-table", title="The last update recorded", columns=columns, rows=rows, caption=taken),
    ]  # fmt: skip
