"""What the figures draw, as plain numbers: curves in one unit and few enough points, the frame, the baselines in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from glassloom.compare import Comparison, Curve

Over: TypeAlias = Literal["epoch", "seconds"]
XY: TypeAlias = tuple[float, float]

POINTS_OF_A_FIGURE = 4500
"""Altair stops at 5,000 rows; all curves of one figure share this many points."""


@dataclass(frozen=True)
class Series:
    """One curve of one split: passes or seconds against the loss in the corpus's unit."""

    row: str
    setting: str
    split: Literal["train", "valid"]
    points: tuple[XY, ...]


@dataclass(frozen=True)
class Frame:
    """The range of y that is drawn, and which baselines lie in it."""

    low: float
    high: float
    inside: dict[str, float]
    outside: dict[str, float]
    cut: bool
    """Whether the first moments lie above the frame."""


def series_of(comparison: Comparison, over: Over) -> list[Series]:
    """Every curve of train and valid loss, thinned so that one figure can hold them all."""
    setting_of = {row.id: row.setting for row in comparison.rows}
    measured: list[tuple[Curve, Literal["train", "valid"], list[XY]]] = []
    for curve in comparison.curves:
        for split in ("train", "valid"):
            points = _points(comparison, curve, split, over)
            if points:
                measured.append((curve, split, points))
    at_most = max(8, POINTS_OF_A_FIGURE // max(1, len(measured)))
    return [
        Series(curve.id, setting_of.get(curve.id, curve.id), split, tuple(thin(points, at_most)))
        for curve, split, points in measured
    ]


def _points(comparison: Comparison, curve: Curve, split: Literal["train", "valid"], over: Over) -> list[XY]:
    points = []
    for point in curve.points:
        value = comparison.corpus.in_unit(point.train_nats if split == "train" else point.valid_nats, split)
        if value is not None:
            points.append((float(getattr(point, over)), value))
    return points


def thin(points: Sequence[XY], at_most: int) -> list[XY]:
    """At most so many of the points, in order: both ends, and each stretch's lowest and highest.

    >>> thin([(0, 1), (1, 5), (2, 0), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 2)], 6)
    [(0, 1), (1, 5), (2, 0), (4, 1), (8, 2)]
    """
    if len(points) <= at_most:
        return list(points)
    inner = points[1:-1]
    stretches = max(1, (at_most - 2) // 2)
    kept = {0, len(points) - 1}
    for stretch in range(stretches):
        places = range(stretch * len(inner) // stretches, (stretch + 1) * len(inner) // stretches)
        kept.add(1 + min(places, key=lambda place: inner[place][1]))
        kept.add(1 + max(places, key=lambda place: inner[place][1]))
    return [points[place] for place in sorted(kept)]


def baselines_of(comparison: Comparison) -> dict[str, float]:
    """The baselines in the corpus's unit, the weakest first."""
    known = {
        name: value for name, line in comparison.baselines.items()
        if (value := getattr(line, comparison.corpus.unit)) is not None
    }  # fmt: skip
    return dict(sorted(known.items(), key=lambda item: -item[1]))


def frame_of(series: Sequence[Series], baselines: dict[str, float], unit: str) -> Frame:
    """The range of y in which the curves can be told apart: without the first moments, with the baselines nearby.

    Distances are those of the picture, whose scale is logarithmic for perplexity.
    """
    there, back = (math.log, math.exp) if unit == "perplexity" else (float, float)
    end = max(x for one in series for x, _ in one.points)
    values = [there(y) for one in series for _, y in one.points]
    settled = [there(y) for one in series for x, y in one.points if x >= 0.04 * end] or values
    low, high = min(values), max(settled)
    size = (high - low) or 0.1 * abs(high) or 1.0
    inside = {name: y for name, y in baselines.items() if low - 0.2 * size <= there(y) <= high + 0.2 * size}
    nearby = [there(y) for y in inside.values()]
    low, high = min([low, *nearby]) - 0.05 * size, max([high, *nearby]) + 0.05 * size
    if unit != "perplexity":
        low = max(low, 0.0)
    outside = {name: y for name, y in baselines.items() if name not in inside}
    return Frame(back(low), back(high), inside, outside, cut=max(values) > high)
