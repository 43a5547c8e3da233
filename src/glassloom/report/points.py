"""Labelled points in a plane as a Vega-Lite specification, composed and checked by Altair as in `charts`."""

import altair as alt

from glassloom.exhibits import Points
from glassloom.report.charts import Specification, colour_scale, framed, legend_of
from glassloom.report.colours import colours_by_name
from glassloom.report.writing import drawable

FEW = 150
"""At most so many points are drawn by their labels; more of them as dots, whose labels are told by the pointer."""


def points_chart(exhibit: Points, about: str) -> Specification:
    """Each point's label at its place, coloured by its group."""
    data = [
        {"label": point.label, "x": x, "y": y, "group": point.group}
        for point in exhibit.points
        if (x := drawable(point.x, exhibit.x.log)) is not None and (y := drawable(point.y, exhibit.y.log)) is not None
    ]
    groups = list(dict.fromkeys(point.group for point in exhibit.points))
    across, up = (" ".join(axis.title.split()) for axis in (exhibit.x, exhibit.y))  # Vega breaks on a line break in it
    x = alt.X("x:Q", title=across, scale=alt.Scale(type="log" if exhibit.x.log else "linear", zero=False))
    y = alt.Y("y:Q", title=up, scale=alt.Scale(type="log" if exhibit.y.log else "linear", zero=False))
    legend = legend_of(groups, "square", 8) if len(groups) > 1 else None
    colour = alt.Color("group:N", title=None, scale=colour_scale(groups, colours_by_name(groups)), legend=legend)
    tips = [alt.Tooltip("label:N", title=" "), alt.Tooltip("group:N", title=" "),
            alt.Tooltip("x:Q", title=across, format=",.4~g"),
            alt.Tooltip("y:Q", title=up, format=",.4~g")]  # fmt: skip
    base = alt.Chart(alt.NamedData("points")).encode(x=x, y=y, color=colour, tooltip=tips)
    drawn = base.mark_text(fontSize=12).encode(text="label:N") if len(data) <= FEW else base.mark_circle(size=26)
    chosen = alt.selection_point(fields=["group"], bind="legend", name="chosen")
    if len(groups) > 1:
        drawn = drawn.encode(opacity=alt.condition(chosen, alt.value(1.0), alt.value(0.12))).add_params(chosen)
    return framed(alt.layer(drawn.properties(name="points")), 420, about, points=data)
