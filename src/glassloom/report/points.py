"""Labelled points in a plane as a Vega-Lite specification, composed and checked by Altair as in `charts`."""

import math
from collections.abc import Sequence

import altair as alt

from glassloom.exhibits import Points
from glassloom.report.charts import Specification, colour_scale, framed, legend_of, zooming
from glassloom.report.colours import colours_by_name
from glassloom.report.writing import drawable

FEW = 150
"""At most so many points are drawn by their labels; more of them as dots, whose labels are told by the pointer."""


def points_chart(exhibit: Points, about: str) -> Specification:
    """Each point's label at its place, coloured by its group."""
    shown = [
        point
        for point in exhibit.points
        if drawable(point.x, exhibit.x.log) is not None and drawable(point.y, exhibit.y.log) is not None
    ]
    data = [{"label": point.label, "x": point.x, "y": point.y, "group": point.group} for point in shown]
    groups = list(dict.fromkeys(point.group for point in exhibit.points))
    across, up = (" ".join(axis.title.split()) for axis in (exhibit.x, exhibit.y))  # Vega breaks on a line break in it
    x = alt.X("x:Q", title=across, scale=_scale([one.x for one in shown], exhibit.x.log))
    y = alt.Y("y:Q", title=up, scale=_scale([one.y for one in shown], exhibit.y.log))
    legend = legend_of(groups, "square", 8) if len(groups) > 1 else None
    colour = alt.Color("group:N", title=None, scale=colour_scale(groups, colours_by_name(groups)), legend=legend)
    tips = [alt.Tooltip("label:N", title=" "), alt.Tooltip("group:N", title=" "),
            alt.Tooltip("x:Q", title=across, format=",.4~g"),
            alt.Tooltip("y:Q", title=up, format=",.4~g")]  # fmt: skip
    base = alt.Chart(alt.NamedData("points")).encode(x=x, y=y, color=colour, tooltip=tips)
    drawn = (
        base.mark_text(fontSize=12, clip=True).encode(text="label:N")
        if len(data) <= FEW
        else base.mark_circle(size=26, clip=True)
    )
    chosen = alt.selection_point(fields=["group"], bind="legend", name="chosen")
    if len(groups) > 1:
        drawn = drawn.encode(opacity=alt.condition(chosen, alt.value(1.0), alt.value(0.12))).add_params(chosen)
    drawn = drawn.add_params(zooming())
    return framed(alt.layer(drawn.properties(name="points")), 420, about, points=data)


def _scale(values: Sequence[float], log: bool) -> alt.Scale:
    """From the lowest to the highest, with room for what is drawn at either."""
    there, back = (math.log, math.exp) if log else (float, float)
    low, high = (there(end) for end in (min(values, default=1.0), max(values, default=2.0)))
    room = 0.04 * (high - low) or 0.5
    return alt.Scale(type="log" if log else "linear", domain=[back(low - room), back(high + room)], nice=False)
