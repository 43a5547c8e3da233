"""The distribution of the next token after every prefix, of the model and of each of its layers (the logit lens).

    lens_l(t) = softmax(V norm(h_l(t)) + c)      h_l the stream after layer l, or a recurrent layer's hidden vector

What the output layer would say of a layer's vector (nostalgebraist 2020): the last layer's is the model's own. A layer
of another width than the output's has none. KL is of the model's distribution from the layer's, in bits: 0 at the end.
The protocol is `fair` (see `subject.windows`), so the token that comes next costs what `surprise` says it does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glassloom.exhibits import Axis, Column, Exhibit, Lines, Matrices, Matrix, Series, Table
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import Source, how_read, looking, reading, recorded_over, subject

ON_THE_WAY = re.compile(r"layers\.(\d+)\.(hidden|residual)\Z")


@dataclass(frozen=True)
class Probabilities(View):
    """After each input, the most probable next tokens; `layers` from the tokens upwards, the model itself last."""

    view = "probabilities"
    name: str
    labels: tuple[str, ...]
    """Of the inputs: the prefix ends with this token."""
    layers: tuple[str, ...]
    without: tuple[str, ...]
    """Layers that the output cannot read."""
    tokens: tuple[tuple[tuple[str, ...], ...], ...]
    """`layer prefix rank`: the labels of the most probable tokens."""
    shares: Floats
    """`layer prefix rank`: their probabilities"""
    next_bits: Floats
    """`layer prefix`: what the token that does come costs; NaN after the last one."""
    entropy: Floats
    """`layer prefix`, in bits"""
    divergence: Floats
    """`layer prefix`: KL of the model's own distribution from the layer's, in bits"""
    read: str = "in one pass"
    """How: see `subject.windows`."""

    def facts(self) -> dict[str, Any]:
        means = np.nanmean(self.next_bits, axis=1) if self.next_bits.shape[1] > 1 else np.full(len(self.layers), np.nan)
        return {
            "model": self.name,
            "prefixes": len(self.labels),
            "read": self.read,
            "mean bits of the next token": dict(zip(self.layers, map(float, means), strict=True)),
            "layers that the output cannot read": list(self.without),
        }

    def arrays(self) -> Sequence[Labelled]:
        labels = {"layer": self.layers, "prefix": self.labels}
        axes = ("layer", "prefix")
        return [
            Labelled("tokens", (*axes, "rank"), np.array(self.tokens, dtype=object), labels),
            Labelled("probabilities", (*axes, "rank"), self.shares, labels),
            Labelled("bits of the next token", axes, self.next_bits, labels, "bits"),
            Labelled("entropy", axes, self.entropy, labels, "bits"),
            Labelled("divergence from the output", axes, self.divergence, labels, "bits"),
        ]

    def exhibits(self) -> list[Exhibit]:
        return probabilities_exhibits(self)


def probabilities(source: Source, text: str | Sequence[int], *, top: int = 5) -> Probabilities:
    """The `top` most probable next tokens after each prefix (0: all of the vocabulary), layer by layer.

    >>> found = probabilities(run, "To be, or not")  # doctest: +SKIP
    >>> found.tokens[-1][-1], found.shares[-1, -1]  # what may follow the whole text  # doctest: +SKIP

    Raises:
        InputError: the text is empty.
    """
    of = subject(source)
    model, read = of.model, reading(of.tokenizer, text)
    names = of.tokenizer.labels()
    top = model.vocabulary if top <= 0 else min(top, model.vocabulary)
    whole = bool(read.given)
    with looking(model):
        values = recorded_over(
            model, read.inputs, lambda name: name in ("embedding", "logits") or bool(ON_THE_WAY.match(name)), whole
        )
    own = values.pop("logits")
    following = torch.tensor(read.inputs[1:], device=own.device)
    layers: list[str] = []
    without: list[str] = []
    found = []
    with looking(model):
        output = own[0].double().log_softmax(-1)
        for name, value in values.items():
            first = name == "embedding" and "layers.0.residual" in values
            if not (first or ON_THE_WAY.match(name)):
                continue
            logits = model.lens(value)
            if logits is None:
                without.append(name)
                continue
            layers.append(name)
            found.append(measured(logits[0].double().log_softmax(-1), output, following, top, names))
        layers.append("output")
        found.append(measured(output, output, following, top, names))
    tokens, *rest = zip(*found, strict=True)
    shares, bits, entropy, divergence = (np.stack(each) for each in rest)
    labels = read.input_labels
    return Probabilities(
        of.name, labels, tuple(layers), tuple(without), tuple(tokens), shares, bits, entropy, divergence,
        how_read(model, read.inputs, whole),
    )  # fmt: skip


def measured(
    logs: torch.Tensor, output: torch.Tensor, following: torch.Tensor, top: int, names: Sequence[str]
) -> tuple[tuple[tuple[str, ...], ...], Floats, Floats, Floats, Floats]:
    """Of one layer: the likeliest tokens and their shares, the next one's bits, the entropy, and KL from the output."""
    best = logs.topk(top)
    labels = tuple(tuple(names[index] for index in row) for row in best.indices.tolist())
    bits = logs.new_full((len(logs),), torch.nan)
    bits[: len(following)] = -logs[: len(following)].gather(1, following[:, None])[:, 0]
    entropy = -(logs.exp() * logs).nan_to_num().sum(1)
    divergence = (output.exp() * (output - logs)).nan_to_num().sum(1)
    numbers = (best.values.exp(), bits / np.log(2), entropy / np.log(2), divergence / np.log(2))
    shares, *rest = (each.cpu().numpy() for each in numbers)
    return labels, shares, rest[0], rest[1], rest[2]


def probabilities_exhibits(found: Probabilities) -> list[Exhibit]:
    """What each layer expects next, as a grid of the likeliest tokens, in bits, and as a table of the output's."""
    numbered = tuple(f"{place} {label}" for place, label in enumerate(found.labels, start=1))
    high = float(np.nanmax(found.divergence)) or 1.0

    def grid(title: str, values: Floats) -> Matrix:
        rows = tuple(tuple(None if np.isnan(each) else round(float(each), 4) for each in row) for row in values)
        return Matrix(title=title, rows=found.layers, columns=numbered, values=rows)

    ranks = range(found.shares.shape[2])
    columns = [Column("place", ","), Column("after", numeric=False), Column("next", numeric=False)]
    for rank in ranks[:5]:
        columns += [Column(f"{rank + 1}.", numeric=False), Column(f"share of {rank + 1}.", ".1%")]
    coming = (*found.labels[1:], "")
    shares, tokens = found.shares[-1], found.tokens[-1]
    rows = [
        (place + 1, found.labels[place], coming[place],
         *(cell for rank in ranks[:5] for cell in (tokens[place][rank], float(shares[place, rank]))))
        for place in range(len(found.labels))
    ]  # fmt: skip
    best = [
        (layer, *(found.tokens[number][place][0] for place in range(len(found.labels))))
        for number, layer in enumerate(found.layers)
    ]
    places = tuple(range(1, len(found.labels) + 1))
    series = tuple(
        Series(name=layer, x=places, y=tuple(None if np.isnan(each) else float(each) for each in bits))
        for layer, bits in zip(found.layers, found.next_bits, strict=True)
    )
    return [
        Table(name="next-tokens", title="The next token after each prefix", columns=tuple(columns), rows=tuple(rows),
              caption=f"The model's own distribution, the most probable first. The text was read {found.read}."),
        Table(name="lens-tokens", title="The most probable next token, layer by layer",
              columns=(Column("layer", numeric=False), *(Column(name, numeric=False) for name in numbered)),
              rows=tuple(best), caption="What the output layer says of each layer's vector (the logit lens)."),
        Lines(name="lens-bits", title="Bits of the token that comes next, layer by layer", x=Axis("token, from 1"),
              y=Axis("bits"), series=series, caption="By the logit lens; the output is the model itself."),
        Matrices(name="lens-divergence", title="How far each layer is from the output", row_axis="layer",
                 column_axis="prefix ends with", unit="bits", high=high,
                 matrices=(grid("KL in bits", found.divergence),),
                 caption="Kullback-Leibler divergence of the model's distribution from the layer's; 0: they agree."),
    ]  # fmt: skip
