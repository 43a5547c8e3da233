"""Parallel coordinates as a Vega-Lite specification, composed and checked by Altair as in `charts`.

The scales lie one below the other, so that each has the whole width, on a phone too; a strand runs down over them.
"""

import math
from typing import Any

import altair as alt

from glassloom.exhibits import Parallel, Scale
from glassloom.report.charts import Specification, colour_scale, framed, legend_of, short
from glassloom.report.colours import INK, RULE, SOFT, colours_by_name
from glassloom.report.writing import drawable, written

ROW = 72
"""The height of a scale with its room, in pixels."""
TICKS = 5


def parallel_chart(exhibit: Parallel, about: str) -> Specification:
    """Every strand over all scales; a click on an entry of the legend brings its strands out."""
    groups = list(dict.fromkeys(one.group for one in exhibit.strands))
    colours = colours_by_name(groups)
    ends = [_ends(scale, [one.values[row] for one in exhibit.strands]) for row, scale in enumerate(exhibit.scales)]
    strong = {group: 0.9 if not place else max(0.25, 0.6 - 0.2 * place) for place, group in enumerate(groups)}
    data: list[dict[str, Any]] = []
    # those of the first group are drawn last, on top
    for order, one in enumerate(sorted(exhibit.strands, key=lambda one: -groups.index(one.group))):
        part = 0
        for row, (scale, value) in enumerate(zip(exhibit.scales, one.values, strict=True)):
            place = _place(scale, ends[row], value)
            if place is None:
                part += 1
                continue
            data.append({
                "strand": f"{order} {part}", "label": one.label, "group": one.group, "row": row, "order": order,
                "place": short(place), "scale": scale.title, "strong": strong[one.group],
                "value": value if isinstance(value, str) else written(value),
            })  # fmt: skip
    rails = [{"row": row, "left": 0.0, "right": 1.0} for row in range(len(exhibit.scales))]
    titles = [{"row": row, "title": scale.title} for row, scale in enumerate(exhibit.scales)]
    ticks = [
        {
            "row": row,
            "place": short(place),
            "text": text,
            "end": "left" if place < 0.02 else "right" if place > 0.98 else "middle",
        }
        for row, scale in enumerate(exhibit.scales)
        for place, text in _ticks(scale, ends[row], all(isinstance(one.values[row], int) for one in exhibit.strands))
    ]
    rows = len(exhibit.scales)
    x_scale = alt.Scale(domain=[0, 1], nice=False)
    y_scale = alt.Scale(domain=[-0.45, rows - 0.45], reverse=True, nice=False)
    x = alt.X("place:Q", scale=x_scale, axis=None)
    y = alt.Y("row:Q", scale=y_scale, axis=None)
    chosen = alt.selection_point(fields=["group"], bind="legend", name="chosen")
    several = len(groups) > 1
    colour = alt.Color("group:N", title=None, scale=colour_scale(groups, colours),
                       legend=legend_of(groups) if several else None)  # fmt: skip
    rail = alt.Chart(alt.NamedData("rails")).mark_rule(color=RULE, strokeWidth=1.5)
    layers = [rail.encode(x=alt.X("left:Q", scale=x_scale, axis=None), x2="right:Q", y=y).properties(name="rails")]
    base = alt.Chart(alt.NamedData("strands")).encode(x=x, y=y, color=colour)
    faint = alt.condition(chosen, alt.Opacity("strong:Q", scale=None, legend=None), alt.value(0.05))
    lines = base.mark_line(strokeWidth=1.4)
    lines = lines.encode(detail="strand:N", order="row:Q", opacity=faint).add_params(chosen)
    tips = [alt.Tooltip("label:N", title=" "), alt.Tooltip("scale:N", title=" "), alt.Tooltip("value:N", title=" "),
            alt.Tooltip("group:N", title=" ")]  # fmt: skip
    dots = base.mark_circle(size=36).encode(opacity=faint, tooltip=tips)
    layers += [lines.properties(name="lines"), dots.properties(name="dots")]
    name = alt.Chart(alt.NamedData("titles")).mark_text(align="left", color=INK, fontSize=13, dy=-15)
    layers.append(name.encode(x=alt.value(0), y=y, text="title:N").properties(name="labels_title"))
    marked = alt.Chart(alt.NamedData("ticks")).encode(x=x, y=y, text="text:N")
    for end, align in (("left", "left"), ("middle", "center"), ("right", "right")):
        text = marked.transform_filter(f"datum.end == '{end}'")
        text = text.mark_text(align=align, color=SOFT, fontSize=11, dy=14)  # type: ignore[arg-type]
        layers.append(text.properties(name=f"baseline_labels_{end}"))
    return framed(alt.layer(*layers), ROW * rows, about, strands=data, rails=rails, titles=titles, ticks=ticks)


def _ends(scale: Scale, values: list[str | float | None]) -> tuple[float, float]:
    """The lowest and the highest number on a scale; of choices, their places."""
    if scale.choices:
        return 0.0, float(max(1, len(scale.choices) - 1))
    known = [there for value in values if not isinstance(value, str)
             and (there := drawable(value, scale.log)) is not None]  # fmt: skip
    low, high = min(known, default=0.0), max(known, default=1.0)
    if high > low:
        return low, high
    return (low / 2, high * 2) if scale.log else (low - 0.5, high + 0.5)


def _place(scale: Scale, ends: tuple[float, float], value: str | float | None) -> float | None:
    """Where a value lies, from 0 to 1; None where it has no place."""
    if scale.choices:
        if value not in scale.choices:
            return None
        return scale.choices.index(str(value)) / ends[1] if len(scale.choices) > 1 else 0.5
    if isinstance(value, str) or (there := drawable(value, scale.log)) is None:
        return None
    low, high = ends
    if scale.log:
        return math.log(there / low) / math.log(high / low)
    return (there - low) / (high - low)


def _ticks(scale: Scale, ends: tuple[float, float], whole: bool) -> list[tuple[float, str]]:
    """What is written below a scale: its choices, or some of its numbers."""
    if scale.choices:
        return [(_place(scale, ends, choice) or 0.0, choice) for choice in scale.choices]
    low, high = ends
    found: list[tuple[float, str]] = []
    for step in range(TICKS):
        share = step / (TICKS - 1)
        value = low * (high / low) ** share if scale.log else low + (high - low) * share
        if 0 < step < TICKS - 1:  # the ends are exact
            value = round(value) if whole else float(f"{value:.2g}")
        if (place := _place(scale, ends, value)) is not None and (not found or place - found[-1][0] > 0.12):
            found.append((place, written(value)))
    return found
