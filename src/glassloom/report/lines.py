"""Lines as a Vega-Lite specification, composed and checked by Altair as in `charts`.

A series is called "NAME · what": what shares its NAME shares its colour and its place in the legend.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from glassloom.exhibits import Lines, Series
from glassloom.report import series as curves
from glassloom.report.charts import (
    DASHES,
    Specification,
    baseline_data,
    baseline_rules,
    colour_scale,
    framed,
    legend_of,
    short,
    zooming,
)
from glassloom.report.colours import SOFT, colours_by_name
from glassloom.report.series import POINTS_OF_A_FIGURE, Frame, labels_of, thin
from glassloom.report.writing import drawable, written

DOTTED = 60
"""A curve of at most so many points shows them as dots."""

ALONE = 70
"""The area of the dot that is all there is of a curve, or of a stretch of it."""

NEARBY = 0.6
"""A mark is drawn where it lies within this part of the curves' height above or below them."""

LOG_AXIS = alt.Axis(
    labelExpr="datum.label == '' ? '' : format(datum.value, datum.value >= 1e-3 && datum.value < 1e6 ? ',~g' : '~e')",
    gridOpacity=alt.condition(
        "abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) < 1e-6", alt.value(0.6), alt.value(0.15)
    ),
)
"""Of a logarithmic axis: the labels that Vega has room for, from a thousandth to a million written out; and between
the powers of ten only a breath of grid."""


@dataclass(frozen=True)
class Named:
    """A series with the entry of the legend that it belongs to, and what it is besides."""

    series: Series
    entry: str
    what: str


def named(series: Sequence[Series]) -> list[Named]:
    """Which entry of the legend each series belongs to.

    One solid and one dashed series may share an entry; where a name has more, each has an entry of its own.
    """
    parts = [one.name.partition(" · ") for one in series]
    crowded = {
        name for name, _, _ in parts
        for dashed in (False, True)
        if sum(part[0] == name and one.dashed == dashed for part, one in zip(parts, series, strict=True)) > 1
    }  # fmt: skip
    return [
        Named(one, one.name if name in crowded else name, what)
        for one, (name, _, what) in zip(series, parts, strict=True)
    ]


def points_of(one: Series, lines: Lines, at_most: int) -> list[list[tuple[float, float]]]:
    """The stretches of a curve between the gaps in it, thinned to about so many points in all."""
    stretches: list[list[tuple[float, float]]] = [[]]
    for given_x, given_y in zip(one.x, one.y, strict=True):
        x, y = drawable(given_x, lines.x.log), drawable(given_y, lines.y.log)
        if x is None or y is None:
            stretches.append([])
        else:
            stretches[-1].append((x, y))
    stretches = [stretch for stretch in stretches if stretch]
    total = sum(map(len, stretches))
    return [thin(stretch, max(4, at_most * len(stretch) // total)) for stretch in stretches]


def frame_of_lines(lines: Lines) -> Frame | None:
    """The range of y that holds every curve, its band, and the marks near them; None where nothing can be drawn."""
    log = lines.y.log
    there, back = (math.log, math.exp) if log else (float, float)
    everything = [y for one in lines.series for y in (*one.y, *one.low, *one.high)]
    values = [there(y) for value in everything if (y := drawable(value, log)) is not None]
    marks = {name: y for name, value in lines.marks.items() if (y := drawable(value, log)) is not None}
    if not values:
        values = [there(y) for y in marks.values()]
    if not values:
        return None
    low, high = min(values), max(values)
    size = (high - low) or 0.1 * abs(high) or 1.0
    inside = {
        name: y for name, y in marks.items() if low - NEARBY * size <= there(y) <= high + NEARBY * size
    }  # fmt: skip
    nearby = [there(y) for y in inside.values()]
    bottom, top = min([low, *nearby]) - 0.05 * size, max([high, *nearby]) + 0.05 * size
    if not log and min([low, *nearby]) >= 0:
        bottom = max(bottom, 0.0)
    outside = {name: y for name, y in marks.items() if name not in inside}
    return Frame(back(bottom), back(top), inside, outside, cut=False, log=log)


def lines_chart(lines: Lines, frame: Frame, about: str) -> Specification:
    """Curves over one axis; a click on an entry of the legend brings its curves out."""
    of_series = named(lines.series)
    colours = colours_by_name([one.entry for one in of_series])
    at_most = max(8, POINTS_OF_A_FIGURE // max(1, len(of_series)))
    data, bands, placed = [], [], []
    xs = [x for one in lines.series for value in one.x if (x := drawable(value, lines.x.log)) is not None]
    first, last = (min(xs), max(xs)) if xs else (0.0, 1.0)
    for one in of_series:
        fields = {"name": one.series.name, "entry": one.entry, "dashed": "train" if one.series.dashed else "valid"}
        stretches = points_of(one.series, lines, at_most)
        dots = sum(map(len, stretches)) <= DOTTED and not one.series.dashed
        for number, stretch in enumerate(stretches):
            alone = len(stretch) == 1
            part = f"{one.series.name} {number}"
            dot = 2 if alone else int(dots)
            data += [{"x": short(x), "y": short(y), "part": part, "dot": dot, **fields} for x, y in stretch]
            points = tuple((_along(x, first, last, lines.x.log), y) for x, y in stretch)
            placed.append(curves.Series(one.series.name, one.entry, "valid", points))
        bands += [{**band, **fields} for band in _band(one.series, lines)]
    x_scale = alt.Scale(type="log" if lines.x.log else "linear", domain=_wide(first, last, lines.x.log), nice=False)
    y_scale = alt.Scale(type="log" if frame.log else "linear", domain=[frame.low, frame.high], nice=False)
    whole = bool(xs) and all(x == int(x) for x in xs)
    x_axis = alt.Axis(tickMinStep=1, format=",d") if whole and not lines.x.log else alt.Axis()
    x = alt.X("x:Q", title=lines.x.title, scale=x_scale, axis=x_axis)
    y = alt.Y("y:Q", title=lines.y.title, scale=y_scale, **({"axis": LOG_AXIS} if frame.log else {}))
    chosen = alt.selection_point(fields=["entry"], bind="legend", name="chosen")
    visible = alt.condition(chosen, alt.value(1.0), alt.value(0.1))
    entries = list(colours)
    legend = legend_of(entries) if len(entries) > 1 or len(of_series) > 1 else None
    colour = alt.Color("entry:N", title=None, scale=colour_scale(entries, colours), legend=legend)
    base = alt.Chart(alt.NamedData("curves")).encode(x=x, y=y, color=colour, opacity=visible)
    drawn = base.encode(detail="part:N")
    tips = [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("x:Q", title=lines.x.title, format=",.6~g"),
        alt.Tooltip("y:Q", title=lines.y.title, format=",.5~g"),
    ]
    layers = []
    if bands:
        area = alt.Chart(alt.NamedData("bands")).mark_area(clip=True).encode(x=x, y=y, y2="high:Q", color=colour,
            detail="name:N", opacity=alt.condition(chosen, alt.value(0.18), alt.value(0.03)))  # fmt: skip
        layers.append(area.properties(name="bands"))
    dashed = drawn.transform_filter("datum.dashed == 'train'").mark_line(clip=True, strokeWidth=1.2)
    if words := _words_of_dashes(of_series):
        dash = alt.StrokeDash(
            "dashed:N",
            title=None,
            scale=alt.Scale(domain=["valid", "train"], range=[DASHES["valid"], DASHES["train"]]),
            legend=alt.Legend(orient="top", symbolStrokeColor=SOFT, symbolType="stroke", labelExpr=words),
        )
        dashed = dashed.encode(strokeDash=dash)
    else:
        dashed = dashed.encode(strokeDash=alt.value(DASHES["train"]))
    solid = drawn.transform_filter("datum.dashed == 'valid'").mark_line(clip=True, strokeWidth=2)
    layers += [dashed.add_params(chosen, zooming()).properties(name="dashed"), solid.properties(name="solid")]
    size = alt.condition("datum.dot == 2", alt.value(ALONE), alt.value(16))
    dots_layer = base.transform_filter("datum.dot > 0").mark_circle(clip=False).encode(size=size, tooltip=tips)
    layers.append(dots_layer.properties(name="dots"))
    hidden = base.mark_circle(size=90, clip=True).encode(opacity=alt.value(0), tooltip=tips)
    layers.append(hidden.properties(name="reach"))
    labels = labels_of(frame, placed)
    layers += baseline_rules(labels, y_scale)
    more = {"bands": bands, "baselines": baseline_data(labels, written)}
    return framed(alt.layer(*layers), 360, about, curves=data, **{name: rows for name, rows in more.items() if rows})


def _band(one: Series, lines: Lines) -> Iterable[dict[str, Any]]:
    for given_x, given_low, given_high in zip(one.x, one.low, one.high, strict=False):
        x = drawable(given_x, lines.x.log)
        low, high = drawable(given_low, lines.y.log), drawable(given_high, lines.y.log)
        if x is not None and low is not None and high is not None:
            yield {"x": short(x), "y": short(low), "high": short(high)}


def _along(x: float, first: float, last: float, log: bool) -> float:
    if last == first:
        return 0.5
    if log:
        return math.log(x / first) / math.log(last / first)
    return (x - first) / (last - first)


def _wide(first: float, last: float, log: bool) -> list[float]:
    if last > first:
        return [first, last]
    return [first / 2, first * 2] if log else [first - 0.5, first + 0.5]


def _words_of_dashes(of_series: Sequence[Named]) -> str:
    """What the legend calls solid and dashed, where all solid ones and all dashed ones are the same thing."""
    kinds = {dashed: {one.what for one in of_series if one.series.dashed == dashed} for dashed in (False, True)}
    if any(len(words) != 1 or words == {""} for words in kinds.values()):
        return ""
    solid, dashed = (json.dumps(next(iter(kinds[dashed]))) for dashed in (False, True))
    return f"datum.label == 'valid' ? {solid} : {dashed}"
