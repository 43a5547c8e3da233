"""Where each head looks: its matrix over a text, rows the queries, columns the keys.

A query is the position that takes, a key the position that is taken from; under the causal mask a query sees itself and
what stands before it, never what comes after. Each row sums to 1. What heads do is measured in `heads`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from glassloom.errors import InputError
from glassloom.exhibits import Exhibit, Matrices, Matrix
from glassloom.models.inside import recording
from glassloom.views.subject import Source, as_tokens, looking, reading, subject

Floats = NDArray[np.float64]
WEIGHTS = re.compile(r"layers\.(\d+)\.attention\.(\d+)\.weights\Z")


@dataclass(frozen=True)
class Head:
    """Which head it is: layer, attention sublayer within it, and head, all counted from 0, as in the names of inner
    values: `layers.1.attention.0.mixed:2`."""

    layer: int
    sublayer: int
    head: int

    def title(self, sublayers: int) -> str:
        """`layer 1 head 2`, as in `layers.1.attention.0.mixed:2`; with the sublayer where a layer has several."""
        middle = f" attention {self.sublayer}" if sublayers > 1 else ""
        return f"layer {self.layer}{middle} head {self.head}"


@dataclass(frozen=True)
class Attention:
    """What every head of a model does with a text: `weights` is `heads time keys`, in the order of `heads`."""

    ids: tuple[int, ...]
    labels: tuple[str, ...]
    """One printable label a token."""
    heads: tuple[Head, ...]
    weights: Floats

    @property
    def sublayers(self) -> int:
        """Attention sublayers in each layer."""
        return 1 + max(head.sublayer for head in self.heads)


def attention(source: Source, text: str | Sequence[int]) -> Attention:
    """Every head's weights over a text (or its ids), from its beginning.

    Raises:
        InputError: the text is empty, or the model has no attention.
    """
    of = subject(source)
    model, read = of.model, reading(of.tokenizer, text)
    with looking(model), recording(model) as values:
        model.hidden(as_tokens(model, [read.inputs]))
    heads, weights = heads_of(values)
    if not heads:
        raise InputError(
            f"A model of architecture {model.settings.architecture} has no attention",
            "a transformer",
            "look at its gradient flow, which every architecture has",
        )
    return Attention(read.inputs, read.input_labels, heads, weights)


def heads_of(values: Mapping[str, Tensor]) -> tuple[tuple[Head, ...], Floats]:
    """The heads among recorded inner values of one row, and their weights, `heads time keys`; none where none is."""
    heads, weights = [], []
    for name, value in values.items():
        if found := WEIGHTS.match(name):
            layer, sublayer = int(found[1]), int(found[2])
            heads += [Head(layer, sublayer, head) for head in range(value.shape[1])]
            weights.append(value[0].detach().double().cpu().numpy())
    return tuple(heads), np.concatenate(weights) if weights else np.empty((0, 0, 0))


def attention_exhibits(found: Attention) -> list[Exhibit]:
    """Every head's matrix, labelled by the tokens on both axes."""
    numbered = tuple(f"{place} {label}" for place, label in enumerate(found.labels, start=1))
    matrices = tuple(
        Matrix(
            title=head.title(found.sublayers),
            rows=numbered,
            columns=numbered,
            values=tuple(
                tuple(round(float(weight), 4) if key <= query else None for key, weight in enumerate(row))
                for query, row in enumerate(weights)
            ),
        )
        for head, weights in zip(found.heads, found.weights, strict=True)
    )
    end = scale_end(found.weights)
    beyond = "" if end == 1 else f" The colours end at {end:g}; what is above takes the last of them."
    return [
        Matrices(
            name="attention",
            title="Attention of every layer and head",
            caption="Rows are queries (the position that takes), columns are keys (the position that is taken from); "
            "each row sums to 1. What lies right of the diagonal is hidden by the causal mask and left blank. Layers "
            "and heads count from 0, as in layers.0.attention.0.mixed:0; the text is read in one pass." + beyond,
            row_axis="query",
            column_axis="key",
            matrices=matrices,
            high=end,
            unit="attention weight",
        )
    ]


SETTLED = 4
"""So many first queries have few keys to share out among, and say little of how a head shares."""


def scale_end(weights: Floats) -> float:
    """Where the scale of colours ends: at 1, or lower where nearly all weights are so small that all would look alike.

    >>> looking_back = np.eye(8, k=-1)[None] + np.eye(8, 8)[None] * (np.arange(8) == 0)[:, None]
    >>> scale_end(looking_back), scale_end((np.tri(64) / np.arange(1, 65)[:, None])[None])
    (1.0, 0.2)
    """
    rows, columns = np.tril_indices(weights.shape[1])
    cells = weights[:, rows[rows >= SETTLED], columns[rows >= SETTLED]]
    most = float(np.quantile(cells, 0.995)) if cells.size else 1.0
    return next((end for end in (0.1, 0.2, 0.5) if most <= end), 1.0)
