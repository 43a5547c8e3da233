"""Embedding: the tokens' vectors in the plane, their lengths, and the nearest neighbours of each.

The plane is that of the first two principal components (Pearson 1901): of the vectors, centred, the two directions of
most variance. Their signs are chosen so that the furthest token lies on the positive side. Neighbours are by cosine.
With one-hot inputs a token's vector is its column of the first layer's input weight.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassloom.data.tokenizers import Tokenizer
from glassloom.exhibits import Axis, Column, Exhibit, Point, Points, Table
from glassloom.models.contract import LanguageModel
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import Source, reading, subject

COMPONENTS = 2
MOST = 300
"""So many tokens are drawn where no text chooses them."""
CLASSES = (
    ("L", "letters"), ("N", "digits"), ("P", "punctuation"), ("S", "signs"), ("Z", "blanks"), ("C", "blanks"),
    ("M", "marks"),
)  # fmt: skip


@dataclass(frozen=True)
class Embedding(View):
    """Every token's place in the plane and the length of its vector; the neighbours of those that were asked for."""

    view = "embedding"
    name: str
    labels: tuple[str, ...]
    """Of the whole vocabulary."""
    classes: tuple[str, ...]
    places: Floats
    """`token component`"""
    explained: Floats
    """`component`: the share of the variance along it"""
    norms: Floats
    """`token`"""
    chosen: tuple[int, ...]
    """The tokens that are shown."""
    neighbours: tuple[tuple[int, ...], ...]
    """For each chosen token the nearest ones, the nearest first."""
    cosines: Floats
    """`chosen rank`"""

    def facts(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "tokens": len(self.labels),
            "shown": len(self.chosen),
            "variance in the plane": float(self.explained.sum()),
            "mean norm": float(self.norms.mean()),
        }

    def arrays(self) -> Sequence[Labelled]:
        chosen = {"chosen": tuple(self.labels[index] for index in self.chosen)}
        nearest = [[self.labels[index] for index in row] for row in self.neighbours]
        return [
            Labelled("places", ("token", "component"), self.places, {"token": self.labels}),
            Labelled("norms", ("token",), self.norms, {"token": self.labels}),
            Labelled("explained variance", ("component",), self.explained),
            Labelled("neighbours", ("chosen", "rank"), np.array(nearest, dtype=object), chosen),
            Labelled("cosines", ("chosen", "rank"), self.cosines, chosen),
        ]

    def exhibits(self) -> list[Exhibit]:
        across, up = (
            Axis(f"component {number} ({share:.0%} of the variance)")
            for number, share in enumerate(self.explained, start=1)
        )
        points = tuple(
            Point(label=self.labels[index], x=float(self.places[index, 0]), y=float(self.places[index, 1]),
                  group=self.classes[index])
            for index in self.chosen
        )  # fmt: skip
        columns = (Column("token", numeric=False), Column("norm", ".3f"), Column("nearest, by cosine", numeric=False))
        rows = tuple(
            (self.labels[index], float(self.norms[index]),
             ", ".join(f"{self.labels[other]} {cosine:.2f}" for other, cosine in zip(others, cosines, strict=True)))
            for index, others, cosines in zip(self.chosen, self.neighbours, self.cosines, strict=True)
        )  # fmt: skip
        return [
            Points(name="embedding-plane", title="Tokens in the plane", x=across, y=up, points=points,
                   caption="The tokens' vectors along the two directions in which they vary most."),
            Table(name="embedding-neighbours", title="Nearest neighbours", columns=columns, rows=rows,
                  caption="Cosine: 1 is the same direction. The norm is the length of a token's vector."),
        ]  # fmt: skip


def embedding(source: Source, text: str | Sequence[int] | None = None, *, top: int = 5, most: int = MOST) -> Embedding:
    """The tokens in the plane, with the `top` nearest ones of each: those of the text, or the first `most` of all.

    >>> embedding(run).facts()["variance in the plane"]  # doctest: +SKIP

    Raises:
        InputError: the text holds what the tokenizer lacks.
    """
    of = subject(source)
    vectors = token_vectors(of.model)
    centred = vectors - vectors.mean(0)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    found = min(COMPONENTS, len(spread))
    places = np.zeros((len(vectors), COMPONENTS))
    places[:, :found] = centred @ directions[:found].T
    furthest = np.abs(places).argmax(0)
    places *= np.where(places[furthest, np.arange(COMPONENTS)] < 0, -1.0, 1.0)
    variance = np.zeros(COMPONENTS)
    variance[:found] = spread[:found] ** 2 / max(float((spread**2).sum()), np.finfo(float).tiny)
    norms = np.linalg.norm(vectors, axis=1)
    if text is None:
        chosen = list(range(min(len(vectors), most)))
    else:
        chosen = list(dict.fromkeys(reading(of.tokenizer, text).ids))
    unit = vectors / np.maximum(norms, np.finfo(float).tiny)[:, None]
    top = max(1, min(top, len(vectors) - 1))
    near, cosines = [], []
    for index in chosen:
        alike = unit @ unit[index]
        alike[index] = -np.inf
        order = np.argsort(-alike, kind="stable")[:top]
        near.append(tuple(order.tolist()))
        cosines.append(alike[order])
    return Embedding(
        of.name, tuple(of.tokenizer.labels()), classes_of(of.tokenizer), places, variance, norms, tuple(chosen),
        tuple(near), np.array(cosines),
    )  # fmt: skip


def token_vectors(model: LanguageModel) -> Floats:
    """Each token's vector as the first layer gets it (a transformer's without its position), `vocab width`."""
    parameters = dict(model.named_parameters())
    table = parameters.get("embedding.weight")
    vectors = parameters["layers.0.input_weight"].t() if table is None else table
    found: Floats = vectors.detach().double().cpu().numpy()
    return found


def classes_of(tokenizer: Tokenizer) -> tuple[str, ...]:
    """What kind of token each is: by its first sign that is no blank; capitals and vowels apart; specials."""
    special = set(tokenizer.specials.values())
    return tuple(
        "special" if index in special else class_of(tokenizer.decode([index])) for index in range(tokenizer.size)
    )


def class_of(text: str) -> str:
    """What kind of token spells a text.

    >>> class_of("E"), class_of(" the"), class_of("?"), class_of(" ")
    ('capitals', 'letters', 'punctuation', 'blanks')
    """
    sign = (text.strip() or text or " ")[0]
    if sign.isupper():
        return "capitals"
    if len(text) == 1 and sign in "aeiou":
        return "vowels"
    kind = unicodedata.category(sign)[0]
    return next(name for start, name in CLASSES if start == kind)
