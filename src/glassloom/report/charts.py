"""One function a figure: plain numbers in, a Vega-Lite specification out, composed and checked by Altair.

The numbers are added after the check, which would take longer than the drawing. The marks are named, so that the
page's style sheet can set their colours in light and dark.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt

from glassloom.comparison import Candidate
from glassloom.comparison.wording import UNITS, quality
from glassloom.report.colours import INK, PAPER, RULE, SOFT
from glassloom.report.placing import PLACES as PLACES_OF_NAMES
from glassloom.report.placing import placed
from glassloom.report.series import Label
from glassloom.report.writing import all_in_picture

Specification: TypeAlias = dict[str, Any]

FONT = "Iowan Old Style, Palatino, Palatino Linotype, Book Antiqua, P052, URW Palladio L, Georgia, DejaVu Serif, serif"
WIDTH = 680
DASHES = {"valid": [1, 0], "train": [3, 3]}
LETTERS = 7
"""The width of a letter in a legend or beside a point, in pixels."""

HEIGHT_OF_TRADE_OFF, NARROW_FRAME, PHONE = 320, 480, 240
"""In pixels: a frame at least NARROW_FRAME wide has room for as many names as that width has; a narrower one, PHONE."""

PLACES = (0, 1, 2, 3)
"""Of a baseline's name: at the left or the right end of its line (+ 2), below or above it (+ 1)."""


def zooming() -> alt.Parameter:
    """Moves with a drag of the mouse, zooms with Ctrl or Cmd and the wheel, so that the page scrolls as always.

    The page's own buttons set the same signals (`zoom_` and the field of the axis). A finger scrolls the page.
    """
    return alt.selection_interval(
        bind="scales",
        name="zoom",
        zoom="wheel![event.ctrlKey || event.metaKey]",
        translate="[pointerdown[event.pointerType === 'mouse'], window:pointerup] > window:pointermove!",
    )


def trade_off(
    points: Sequence[Candidate], on_front: Sequence[Candidate], colours: Mapping[str, str], unit: str, about: str
) -> Specification:
    """Every setting by its time and its validation loss, and the front of those that nothing beats on both."""
    names = {point.name for point in on_front}
    data: list[dict[str, Any]] = [
        {
            "seconds": short(point.seconds), "loss": short(point.loss), "setting": point.name,
            "front": "on the front" if point.name in names else "beaten on both",
        }
        for point in points
    ]  # fmt: skip
    losses = [point.loss for point in points]
    room = 0.12 * ((max(losses) - min(losses)) or 0.1 * max(losses))
    low, high = max(min(losses) - room, 0.9 * min(losses)), max(losses) + room
    scale = scale_of_loss(low, high, unit)
    right = 1.15 * max(point.seconds for point in points) or 1.0
    places = _places_of_names(points, names, (low, high, right), unit == "perplexity")
    for row, wide, narrow in zip(data, *places, strict=True):
        row |= {"wide": wide, "narrow": narrow}
    x = alt.X("seconds:Q", title="wall-clock seconds to the best validation loss", scale=alt.Scale(domain=[0, right]))
    y = alt.Y("loss:Q", title=UNITS[unit], scale=scale)
    steps = [{"seconds": short(point.seconds), "loss": short(point.loss), "setting": point.name} for point in on_front]
    zoom = zooming()
    line = (
        alt.Chart(alt.NamedData("steps"))
        .mark_line(
            interpolate="step-after", strokeDash=[1, 3], strokeCap="round", color=SOFT, strokeWidth=1.5, clip=True
        )
        .encode(x=x, y=y)
        .properties(name="front")
    )
    base = alt.Chart(alt.NamedData("settings")).encode(x=x, y=y)
    fill = alt.condition("datum.front == 'on the front'", _colour(colours), alt.value("transparent"))
    dots = (
        base.mark_point(size=110, strokeWidth=2, filled=False, opacity=1, clip=True)
        .encode(
            stroke=_colour(colours),
            fill=fill,
            tooltip=[
                alt.Tooltip("setting:N"),
                alt.Tooltip("seconds:Q", format=",.1f"),
                alt.Tooltip("loss:Q", title=UNITS[unit], format=",.3f"),
                alt.Tooltip("front:N", title=" "),
            ],
        )
        .add_params(zoom)
        .properties(name="dots")
    )
    labels = []
    for place in sorted({place for found in places for place in found if place is not None}):
        sign, down = PLACES_OF_NAMES[place]
        some = base.transform_filter(f"(width < {NARROW_FRAME} ? datum.narrow : datum.wide) == '{place}'")
        text = some.mark_text(align="left" if sign > 0 else "right", dx=10 * sign, dy=down, color=INK, clip=True)
        labels.append(text.encode(text="setting:N").properties(name=f"labels_{place.replace('-', '_')}"))
    return framed(alt.layer(line, dots, *labels), HEIGHT_OF_TRADE_OFF, about, settings=data, steps=steps)


def _places_of_names(
    points: Sequence[Candidate], first: set[str], ends: tuple[float, float, float], log: bool
) -> tuple[list[str | None], list[str | None]]:
    """The place of each point's name in a frame of full width and in one of a phone, those of the front first."""
    low, high, right = ends

    def up(loss: float) -> float:
        there = (math.log(value) for value in (loss, low, high)) if log else (loss, low, high)
        value, bottom, top = there
        return (top - value) / (top - bottom) if top > bottom else 0.5

    order = sorted(range(len(points)), key=lambda place: points[place].name not in first)
    shares = [(points[place].seconds / right, up(points[place].loss)) for place in order]
    found = []
    for width, height in ((NARROW_FRAME, HEIGHT_OF_TRADE_OFF), (PHONE, 300)):
        there = placed([points[place].name for place in order], shares, width, height)
        by_place = dict(zip(order, there, strict=True))
        found.append([by_place[place] for place in range(len(points))])
    return found[0], found[1]


def ladder(
    settings: Mapping[str, float], baselines: Mapping[str, float], colours: Mapping[str, str], unit: str, about: str
) -> Specification:
    """All settings and baselines on one scale, the best first: what the models have learned beyond counting."""
    everything = {**settings, **baselines}
    order = sorted(everything, key=lambda name: (everything[name], name))
    data = [
        {
            "name": name, **({"setting": name} if name in settings else {}),
            "loss": short(everything[name]), "kind": "model" if name in settings else "baseline",
            "written": quality(everything[name], unit), "colour": colours.get(name, SOFT),
        }
        for name in order
    ]  # fmt: skip
    low, high = min(everything.values()), max(everything.values())
    first, last = (low / 1.15, high * 4) if unit == "perplexity" else (0.0, high * 1.25)
    scale = scale_of_loss(first, last, unit)
    base = alt.Chart(alt.NamedData("figures")).encode(
        y=alt.Y("name:N", sort=order, title=None, axis=alt.Axis(grid=False, domain=False, ticks=False, labelPadding=8)),
        x=alt.X("loss:Q", title=f"{UNITS[unit]} (lower is better)", scale=scale),
    )
    models = base.transform_filter("datum.kind == 'model'")
    counted = base.transform_filter("datum.kind == 'baseline'")
    parts = [
        models.mark_rule(strokeWidth=2.5).encode(x2=alt.datum(first), color=_colour_field()).properties(name="stems"),
        counted.mark_rule(strokeWidth=1, color=SOFT).encode(x2=alt.datum(first)).properties(name="counted_stems"),
        models.mark_point(size=90, filled=True, opacity=1).encode(color=_colour_field()).properties(name="heads"),
        counted.mark_tick(color=SOFT, thickness=2, size=14).properties(name="counted_heads"),
        base.mark_text(align="left", dx=11, color=INK).encode(text="written:N").properties(name="labels"),
    ]
    return framed(alt.layer(*parts), 26 * len(order), about, figures=data)


def baseline_rules(labels: Sequence[Label], scale: alt.Scale) -> list[alt.Chart]:
    """Labelled horizontal lines, drawn from the data `baselines` that `baseline_data` makes."""
    return rules_at(sorted({_place(label) for label in labels}), scale)


def rules_at(places: Sequence[int], scale: alt.Scale) -> list[alt.Chart]:
    """The same where it is known only later which of these places are used."""
    if not places:
        return []
    base = alt.Chart(alt.NamedData("baselines")).encode(y=alt.Y("y:Q", scale=scale))
    layers = [base.mark_rule(color=SOFT, strokeWidth=0.8, strokeDash=[1, 2], clip=True)]
    layers[0] = layers[0].properties(name="baselines")
    for place in places:
        right, above = divmod(place, 2)
        text = base.transform_filter(f"datum.place == {place}").mark_text(
            align="right" if right else "left", dx=-3 if right else 3, dy=-6 if above else 8,
            color=SOFT, fontSize=11, fontStyle="italic", clip=True,
        )  # fmt: skip
        x = alt.value("width" if right else 0)
        layers.append(text.encode(x=x, text="label:N").properties(name=f"baseline_labels_{place}"))
    return layers


def baseline_data(labels: Sequence[Label], write: Callable[[float], str]) -> list[dict[str, Any]]:
    """What `baseline_rules` draws: each line's place, and its name with its value."""
    return [
        {"y": label.value, "label": f"{label.name} {write(label.value)}", "place": _place(label)} for label in labels
    ]


def _place(label: Label) -> int:
    return 2 * label.right + label.above


def framed(chart: alt.LayerChart, height: int, about: str, **data: list[dict[str, Any]]) -> Specification:
    """The chart in the style of all figures, described for who does not see it, with its data by name."""
    framed = (
        chart.properties(width=WIDTH, height=height, description=about, background=PAPER, padding=6)
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=SOFT, titleColor=SOFT, gridColor=RULE, domainColor=SOFT, tickColor=SOFT, labelFontSize=12,
            titleFontSize=12, titleFontWeight="normal", titleFontStyle="italic", gridOpacity=0.6, titlePadding=10,
            tickCount=6,
        )
        .configure_axisY(domain=False, ticks=False)
        .configure_legend(labelColor=INK, labelFontSize=13, symbolStrokeWidth=2.5, symbolSize=180, offset=8)
        .configure_text(fontSize=13)
    )  # fmt: skip
    return dict(all_in_picture({**framed.to_dict(), "datasets": data}))


def scale_of_loss(low: float, high: float, unit: str) -> alt.Scale:
    """Of a loss: logarithmic for perplexity, so that the same step is the same ratio."""
    kind = {"type": "log"} if unit == "perplexity" else {"type": "linear", "zero": False}
    return alt.Scale(domain=[low, high], nice=False, **kind)


def _colour(colours: Mapping[str, str]) -> Any:
    return alt.Color("setting:N", scale=colour_scale(list(colours), colours), legend=None)


def _colour_field() -> Any:
    return alt.Color("colour:N", scale=None)


def colour_scale(names: Sequence[str], colours: Mapping[str, str]) -> alt.Scale:
    """Each name in its colour."""
    return alt.Scale(domain=list(names), range=[colours[name] for name in names])


def legend_of(names: Sequence[str], symbol: str = "stroke", above: int = 8) -> alt.Legend:
    """The legend above a figure, in as many columns as there is room for."""
    wide = max(len(name) for name in names) * LETTERS + 50
    columns = alt.ExprRef(f"max(1, min({len(names)}, floor(width / {wide})))")
    return alt.Legend(orient="top", symbolType=symbol, columns=columns, symbolOpacity=1, offset=above, labelLimit=wide)


def short(value: float) -> float:
    """A number with the six digits that a picture can show."""
    return float(f"{value:.6g}")
