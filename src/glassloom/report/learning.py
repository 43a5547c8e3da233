"""Learning curves: as a file over one axis; on the page over any, smoothed, filtered, logarithmic as the reader asks.

The page holds what was measured, once, by column; `curves.js` draws it anew into the same specification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from glassloom.comparison import Comparison, Setting
from glassloom.comparison.seeds import generalizing
from glassloom.comparison.wording import UNITS, quality
from glassloom.report.charts import (
    DASHES,
    PLACES,
    Specification,
    baseline_data,
    baseline_rules,
    colour_scale,
    framed,
    legend_of,
    rules_at,
    scale_of_loss,
    short,
    zooming,
)
from glassloom.report.colours import OF_MODEL, SOFT, colours_by_name
from glassloom.report.series import (
    OVER,
    Frame,
    Label,
    Over,
    Series,
    baselines_of,
    frame_of,
    kept_places,
    labels_of,
    series_of,
)
from glassloom.report.writing import all_in_picture

AXIS_OF: dict[Over, str] = {
    "step": "steps (updates of the weights)",
    "epoch": "epochs (passes over the training text)",
    "tokens": "tokens of training, repetitions counted",
    "seconds": "wall-clock seconds of training",
}
CHOICE_OF: dict[Over, str] = {"step": "steps", "epoch": "epochs", "tokens": "tokens", "seconds": "time"}
"""What the page offers."""

POINTS_OF_A_PAGE = 20_000
"""All curves on a page share this many points, some 40 bytes each."""

MANY_ENTRIES = 12
"""A legend of more settings than this names architectures instead."""


@dataclass(frozen=True)
class Entries:
    """Which entry of the legend each setting belongs to, and the colour of each entry."""

    of_setting: Mapping[str, str]
    colours: Mapping[str, str]


def entries_of(settings: Sequence[Setting], colours: Mapping[str, str]) -> Entries:
    """Each setting by itself, or, where there are too many for a legend, by its architecture."""
    if len(settings) <= MANY_ENTRIES:
        return Entries({one.name: one.name for one in settings}, colours)
    models = list(dict.fromkeys(one.model for one in settings))
    return Entries({one.name: one.model for one in settings}, colours_by_name(models) | OF_MODEL)


def learning_curves(
    series: Sequence[Series], frame: Frame, labels: Sequence[Label], entries: Entries, unit: str, over: Over, about: str
) -> Specification:
    """Train (dashed) and validation loss (solid) of every run over one axis, with the baselines as lines."""
    data = [
        {"x": short(x), "y": short(y), "run": one.row, "entry": entries.of_setting[one.setting], "split": one.split}
        for one in series
        for x, y in one.points
    ]
    scale = scale_of_loss(frame.low, frame.high, unit)
    furthest = max(x for one in series for x, _ in one.points)
    named = baseline_data(labels, lambda value: quality(value, unit))
    layers = [*_layers(series, entries, unit, over, furthest, scale), *baseline_rules(labels, scale)]
    return framed(alt.layer(*layers), 380, about, curves=data, baselines=named)


def curves_on_the_page(
    series: Sequence[Series], frame: Frame, entries: Entries, unit: str, over: Over, about: str
) -> Specification:
    """The same without its numbers, which the page's script puts in; with tooltips, and zoom."""
    scale = scale_of_loss(frame.low, frame.high, unit)
    furthest = max(x for one in series for x, _ in one.points)
    base, *layers = _layers(series, entries, unit, over, furthest, scale, measured=True)
    tips = [alt.Tooltip("run:N"), alt.Tooltip("split:N"), alt.Tooltip("measured:Q", title=UNITS[unit], format=",.4f")]
    tips += [alt.Tooltip(f"{name}:Q", title=CHOICE_OF[name], format=",.6~g") for name in OVER]
    reach = (
        alt.Chart(alt.NamedData("curves"))
        .transform_filter("datum.told")
        .mark_circle(clip=True, size=70)
        .encode(
            x=_x(over, furthest), y=alt.Y("y:Q", title=UNITS[unit], scale=scale), opacity=alt.value(0), tooltip=tips
        )
    )
    layers = [base.add_params(zooming()), *layers, reach.properties(name="reach"), *rules_at(PLACES, scale)]
    return framed(alt.layer(*layers), 380, about, curves=[], baselines=[])


def _x(over: Over, furthest: float) -> alt.X:
    return alt.X("x:Q", title=AXIS_OF[over], scale=alt.Scale(domain=[0, furthest], nice=False))


def _layers(
    series: Sequence[Series],
    entries: Entries,
    unit: str,
    over: Over,
    furthest: float,
    scale: alt.Scale,
    measured: bool = False,
) -> list[alt.Chart]:
    """The dashed lines, the solid ones and their dots; lines may be smoothed, dots stay at what was `measured`."""
    drawn = {entries.of_setting[one.setting] for one in series}
    shown = [name for name in entries.colours if name in drawn]
    x, y = _x(over, furthest), alt.Y("y:Q", title=UNITS[unit], scale=scale)
    chosen = alt.selection_point(fields=["entry"], bind="legend", name="chosen")
    visible = alt.condition(chosen, alt.value(1.0), alt.value(0.12))
    colour = alt.Color("entry:N", title=None, scale=colour_scale(shown, entries.colours), legend=legend_of(shown))
    lines = (
        alt.Chart(alt.NamedData("curves"))
        .encode(x=x, y=y, color=colour, opacity=visible, detail="run:N")
        .properties(name="curves")
    )
    dash = alt.StrokeDash(
        "split:N",
        title=None,
        scale=alt.Scale(domain=["valid", "train"], range=[DASHES["valid"], DASHES["train"]]),
        legend=alt.Legend(orient="top", symbolStrokeColor=SOFT, symbolType="stroke"),
    )
    train = lines.transform_filter("datum.split == 'train'").mark_line(clip=True, strokeWidth=1).encode(strokeDash=dash)
    valid = lines.transform_filter("datum.split == 'valid'").mark_line(clip=True, strokeWidth=2).encode(strokeDash=dash)
    points = lines.transform_filter("datum.split == 'valid'").mark_circle(clip=True, size=14)
    if measured:
        points = points.encode(y=alt.Y("measured:Q", title=UNITS[unit], scale=scale))
    layers = [train.add_params(chosen).properties(name="train"), valid.properties(name="valid")]
    return [*layers, points.properties(name="points")]


def choices_of(comparison: Comparison, entries: Entries) -> dict[str, Any]:
    """What the page's script draws from: every run's columns in the corpus's unit, and for each axis its frame."""
    unit = comparison.corpus.unit
    axes = {}
    for over in OVER:
        series = series_of(comparison, over)
        frame = frame_of(series, baselines_of(comparison), unit)
        labels = labels_of(frame, series)
        axes[over] = {
            "title": AXIS_OF[over], "choice": CHOICE_OF[over], "domain": [frame.low, frame.high],
            "baselines": baseline_data(labels, lambda value: quality(value, unit)),
        }  # fmt: skip
    runs = _columns(comparison, entries)
    choices: dict[str, Any] = {"unit": UNITS[unit], "log": unit == "perplexity", "axes": axes, "runs": runs}
    return dict(all_in_picture(choices))


def _columns(comparison: Comparison, entries: Entries) -> list[dict[str, Any]]:
    """Of every run the moments and what was measured at them, thinned so that one page can hold them all."""
    rows = {row.id: row for row in comparison.rows}
    held_out = {row.id for row in generalizing(comparison.rows, comparison.corpus)}
    at_most = max(8, POINTS_OF_A_PAGE // max(1, len(comparison.curves)))
    runs = []
    for curve in comparison.curves:
        row = rows[curve.id]
        reading, unit = row.read_as(comparison.corpus), comparison.corpus.unit
        train = [reading.nats_in(unit, point.train_nats, "train") for point in curve.points]
        valid = [reading.nats_in(unit, point.valid_nats) if curve.id in held_out else None for point in curve.points]
        there = [place for place, value in enumerate(train) if value is not None]
        kept = {there[place] for place in kept_places([train[place] or 0.0 for place in there], at_most)}
        kept |= {place for place, value in enumerate(valid) if value is not None}
        places = sorted(kept)
        told: dict[str, Any] = {"run": curve.id, "entry": entries.of_setting[row.setting], "of": len(there)}
        for over in OVER:
            told[over] = [_short(getattr(curve.points[place], over)) for place in places]
        told |= {
            "train": [_short(train[place]) for place in places],
            "valid": [_short(valid[place]) for place in places],
        }
        runs.append(told)
    return runs


def _short(value: float | None) -> float | None:
    """Six digits of a figure; all of a whole number."""
    return short(value) if isinstance(value, float) else value
