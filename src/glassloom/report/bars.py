"""Bars as a Vega-Lite specification, composed and checked by Altair as in `charts`."""

import math

import altair as alt

from glassloom.exhibits import Bars
from glassloom.report.charts import Specification, colour_scale, framed, legend_of
from glassloom.report.colours import INK, SOFT, colours_by_name
from glassloom.report.writing import drawable, written

BAR = 24
"""The height of a bar with its room, in pixels."""
LETTER = 6.5
"""The width of a digit behind a bar, in pixels."""


def bars_chart(bars: Bars, about: str) -> Specification:
    """Horizontal bars in the order given, each with its value at its end; marks are labelled vertical lines."""
    log = bars.value.log
    groups = list(dict.fromkeys(bar.group for bar in bars.bars))
    labels = list(dict.fromkeys(bar.label for bar in bars.bars))
    colours = colours_by_name(groups)
    values = [value for bar in bars.bars if (value := drawable(bar.value, log)) is not None]
    marks = {name: value for name, value in bars.marks.items() if drawable(value, log) is not None}
    everything = [*values, *marks.values()] or [1.0]
    low, high = min(everything), max(everything)
    low, high = (low / 1.5, high * 1.1) if log else (min(low, 0.0), max(high, 0.0))
    low, high = (low, high) if high > low else (0.0, 1.0)
    foot = low if log else 0.0
    room = LETTER * max((len(written(bar.value)) for bar in bars.bars), default=0) + 10
    scale = alt.Scale(type="log" if log else "linear", domain=[low, high], nice=False,
                      range=[0, alt.ExprRef(f"max(width - {room}, width / 3)")])  # fmt: skip
    data = [
        {
            "label": bar.label, "group": bar.group, "value": value, "foot": foot, "colour": colours[bar.group],
            "end": foot if value is None else value, "written": written(bar.value),
            "beside": foot if value is None else max(value, foot),
        }
        for bar in bars.bars
        for value in [drawable(bar.value, log)]
    ]  # fmt: skip
    crowded = len(data) > len({bar.label for bar in bars.bars})
    limit = 190
    y = alt.Y("label:N", sort=labels, title=None,
              scale=alt.Scale(paddingInner=0.28 if crowded else 0.4, paddingOuter=0.15),
              axis=alt.Axis(grid=False, domain=False, ticks=False, labelPadding=8, labelLimit=limit))  # fmt: skip
    base = alt.Chart(alt.NamedData("bars")).encode(y=y)
    if crowded:
        base = base.encode(yOffset=alt.YOffset("group:N", sort=groups, scale=alt.Scale(paddingInner=0.12)))
    chosen = alt.selection_point(fields=["group"], bind="legend", name="chosen")
    faded = alt.condition(chosen, alt.value(1.0), alt.value(0.15))
    several = len(groups) > 1
    colour = alt.Color("group:N", title=None, scale=colour_scale(groups, colours),
                       legend=legend_of(groups, "square", 8 + 15 * len(marks)) if several else None)  # fmt: skip
    tips = [alt.Tooltip("label:N", title=" "), *([alt.Tooltip("group:N", title=" ")] if several else []),
            alt.Tooltip("written:N", title=bars.value.title)]  # fmt: skip
    x = alt.X("end:Q", title=bars.value.title, scale=scale)
    drawn = base.mark_bar().encode(x=x, x2="foot:Q", color=colour, tooltip=tips)
    if several:
        drawn = drawn.encode(opacity=faded).add_params(chosen)
    # a value stands to the right of its bar, that of a bar to the left of zero too: there is room, however narrow
    beside = alt.X("beside:Q", title=bars.value.title, scale=scale)
    ends = base.encode(x=beside, text="written:N").mark_text(align="left", dx=5, color=INK, fontSize=12)
    layers = [drawn.properties(name="bars"), ends.properties(name="labels")]
    order = sorted(marks, key=lambda name: marks[name])
    lines = [{"x": marks[name], "text": f"{name} {written(marks[name])}", "row": row} for row, name in enumerate(order)]
    if lines:
        rules = alt.Chart(alt.NamedData("marks")).encode(x=alt.X("x:Q", scale=scale))
        layers.append(rules.mark_rule(color=SOFT, strokeWidth=1, strokeDash=[2, 2]).properties(name="baselines"))
        middle = math.sqrt(low * high) if log else (low + high) / 2
        for row, line in enumerate(lines):
            at_right = float(str(line["x"])) > middle
            name = rules.transform_filter(f"datum.row == {row}").mark_text(
                align="right" if at_right else "left", dx=-4 if at_right else 4, color=SOFT, fontSize=11,
                fontStyle="italic", baseline="bottom",
            )  # fmt: skip
            name = name.encode(y=alt.value(-3 - 14 * row), text="text:N")
            layers.append(name.properties(name=f"baseline_labels_{row}"))
    rows = len(data) if crowded else len(labels)
    height = (20 * rows + 8 * len(labels)) if crowded else BAR * rows
    return framed(alt.layer(*layers), max(40, height), about, bars=data, **({"marks": lines} if lines else {}))
