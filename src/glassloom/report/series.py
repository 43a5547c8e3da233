"""What the figures draw, as plain numbers: curves in one unit and few enough points, the frame, the baselines in it."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from glassloom.comparison import Comparison, Curve
from glassloom.comparison.seeds import generalizing

Over: TypeAlias = Literal["step", "epoch", "tokens", "seconds"]
OVER: tuple[Over, ...] = ("step", "epoch", "tokens", "seconds")
"""What a curve may be drawn over."""
XY: TypeAlias = tuple[float, float]

POINTS_OF_A_FIGURE = 4500
"""Altair stops at 5,000 rows; all curves of one figure share this many points."""


@dataclass(frozen=True)
class Series:
    """One curve of one split: steps, passes, tokens or seconds against the loss in the corpus's unit."""

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
    log: bool = False
    """Whether distances in the picture are those of the logarithms."""

    def height(self, value: float) -> float:
        """Where a value stands in the picture: 0 at its bottom, 1 at its top."""
        low, high, y = ((math.log(v) for v in (self.low, self.high, value)) if self.log
                        else (self.low, self.high, value))  # fmt: skip
        return (y - low) / (high - low)


def series_of(comparison: Comparison, over: Over) -> list[Series]:
    """Every curve of train and valid loss, thinned so that one figure can hold them all.

    What a run scored on its own training text is no validation loss beside those of others, and is left out there.
    """
    setting_of = {row.id: row.setting for row in comparison.rows}
    held_out = {row.id for row in generalizing(comparison.rows, comparison.corpus)}
    measured: list[tuple[Curve, Literal["train", "valid"], list[XY]]] = []
    for curve in comparison.curves:
        for split in ("train", "valid"):
            points = _points(comparison, curve, split, over)
            if points and (split == "train" or curve.id in held_out):
                measured.append((curve, split, points))
    at_most = max(8, POINTS_OF_A_FIGURE // max(1, len(measured)))
    return [
        Series(curve.id, setting_of.get(curve.id, curve.id), split, tuple(thin(points, at_most)))
        for curve, split, points in measured
    ]


def _points(comparison: Comparison, curve: Curve, split: Literal["train", "valid"], over: Over) -> list[XY]:
    points = []
    corpus = comparison.corpus
    reading = next((row.read_as(corpus) for row in comparison.rows if row.id == curve.id), corpus)
    for point in curve.points:
        value = reading.nats_in(corpus.unit, point.train_nats if split == "train" else point.valid_nats, split)
        if value is not None:
            points.append((float(getattr(point, over)), value))
    return points


def thin(points: Sequence[XY], at_most: int) -> list[XY]:
    """At most so many of the points, in order: both ends, and each stretch's lowest and highest.

    >>> thin([(0, 1), (1, 5), (2, 0), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 2)], 6)
    [(0, 1), (1, 5), (2, 0), (4, 1), (8, 2)]
    """
    return [points[place] for place in kept_places([y for _, y in points], at_most)]


def kept_places(values: Sequence[float], at_most: int) -> list[int]:
    """Which of the values `thin` keeps, by number."""
    if len(values) <= at_most:
        return list(range(len(values)))
    inner = values[1:-1]
    stretches = max(1, (at_most - 2) // 2)
    kept = {0, len(values) - 1}
    for stretch in range(stretches):
        places = range(stretch * len(inner) // stretches, (stretch + 1) * len(inner) // stretches)
        kept.add(1 + min(places, key=lambda place: inner[place]))
        kept.add(1 + max(places, key=lambda place: inner[place]))
    return sorted(kept)


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
    return Frame(back(low), back(high), inside, outside, cut=max(values) > high, log=unit == "perplexity")


@dataclass(frozen=True)
class Label:
    """A baseline's line, and where its name stands: at which end of the line, above or below it."""

    name: str
    value: float
    right: bool
    above: bool


def labels_of(frame: Frame, series: Sequence[Series]) -> list[Label]:
    """The baselines in the frame, each label where it hides the least of the curves and of the labels before it."""
    end = max((x for one in series for x, _ in one.points), default=1.0) or 1.0
    drawn = [(x / end, frame.height(y)) for one in series for x, y in _filled(one.points)]
    labels: list[Label] = []
    taken: list[tuple[bool, float]] = []
    for name, value in sorted(frame.inside.items(), key=lambda item: -item[1]):
        line = frame.height(value)
        best: tuple[float, Label, float] | None = None
        for right in (True, False):
            for above in (True, False):
                middle = line + (LABEL_HEIGHT if above else -LABEL_HEIGHT) / 2
                hidden = sum((x > 1 - LABEL_WIDTH) == right and abs(y - middle) < LABEL_HEIGHT / 2 for x, y in drawn
                             if x > 1 - LABEL_WIDTH or x < LABEL_WIDTH)  # fmt: skip
                hidden += 1000 * sum(side == right and abs(y - middle) < LABEL_HEIGHT for side, y in taken)
                hidden += 1000 * (not 0 < middle < 1)
                if best is None or hidden < best[0]:
                    best = hidden, Label(name, value, right, above), middle
        assert best is not None
        labels.append(best[1])
        taken.append((best[1].right, best[2]))
    return labels


LABEL_WIDTH, LABEL_HEIGHT = 0.22, 0.05
"""Of a baseline's name, as parts of the frame."""


def _filled(points: Sequence[XY]) -> list[XY]:
    """The points and some between them, so that a long straight piece counts as drawn."""
    filled = list(points)
    for (x, y), (next_x, next_y) in itertools.pairwise(points):
        filled += [(x + (next_x - x) * part / 4, y + (next_y - y) * part / 4) for part in (1, 2, 3)]
    return filled
