"""Exhibits made ready for the templates: one function a kind, plain numbers in, what the page shows out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from glassloom.comparison.wording import visible
from glassloom.exhibits import (
    Bars,
    Coloured,
    Column,
    Exhibit,
    Lines,
    Matrices,
    Parallel,
    Points,
    Prose,
    Table,
    Text,
    Texts,
    Value,
)
from glassloom.report import matrices
from glassloom.report.bars import bars_chart
from glassloom.report.coloured import coloured_svg, scale_classes, spans
from glassloom.report.document import as_links, packed
from glassloom.report.figures import Figure, drawn
from glassloom.report.lines import frame_of_lines, lines_chart
from glassloom.report.parallel import parallel_chart
from glassloom.report.points import points_chart
from glassloom.report.sheet import scale_bar, whole_svg
from glassloom.report.writing import as_csv, drawable, minus, written

LONG = 900
"""A text of so many characters scrolls in its own box."""


@dataclass(frozen=True)
class Shown:
    """An exhibit as a page shows it. `content` is what the template of its kind reads."""

    kind: str
    exhibit: Any
    content: Any = None
    figure: Figure | None = None
    """Of a drawn exhibit: its caption and its words."""
    csv: str | None = None
    """Its numbers."""
    links: dict[str, str] = field(default_factory=dict)
    number: int = 0
    """Of figures, and of tables, in their order on the page."""


def show(exhibit: Exhibit) -> Shown:
    """The exhibit, made ready."""
    return DRAWN[type(exhibit)](exhibit)


def as_svg(shown: Shown) -> str | None:
    """A drawn exhibit as a file; None for what is not drawn."""
    if shown.figure is not None and shown.figure.spec:
        return drawn(shown.figure.spec, shown.figure.title)
    if shown.kind == "coloured":
        return coloured_svg(shown.exhibit)
    return None if shown.kind != "matrices" else whole_svg(shown.exhibit, shown.content["drawings"])


def _prose(exhibit: Prose) -> Shown:
    return Shown("prose", exhibit)


def _table(exhibit: Table) -> Shown:
    for row in exhibit.rows:
        assert len(row) == len(exhibit.columns), f"{exhibit.name}: a row has as many cells as there are columns"
    rows = [
        {
            "bold": number in exhibit.bold,
            "cells": [
                {"text": cell_text(value, column), "value": _sorted_by(value), "number": column.numeric}
                for value, column in zip(row, exhibit.columns, strict=True)
            ],
        }
        for number, row in enumerate(exhibit.rows)
    ]
    text = as_csv([column.title for column in exhibit.columns], exhibit.rows)
    return Shown("table", exhibit, rows, csv=text, links=as_links({f"{exhibit.name}.csv": text}))


def cell_text(value: Value, column: Column) -> str:
    """A cell as it is written.

    >>> cell_text(1234.5, Column("loss", ",.2f")), cell_text(None, Column("loss")), cell_text(True, Column("valid"))
    ('1,234.50', '–', 'yes')
    >>> cell_text(0.1 + 0.2, Column("lr")), cell_text("diverged", Column("loss", ".2f"))
    ('0.3', 'diverged')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return visible(value)
    if not math.isfinite(value):
        return written(value)
    return minus(format(value, column.format or ("g" if isinstance(value, float) else "d")))


def _sorted_by(value: Value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if isinstance(value, bool) else str(value)


def _lines(exhibit: Lines) -> Shown:
    for one in exhibit.series:
        assert len(one.x) == len(one.y), f"{exhibit.name}, {one.name}: as many y as x"
    names = [one.name for one in exhibit.series]
    assert len(set(names)) == len(names), f"{exhibit.name}: names of series differ: {names}"
    frame = frame_of_lines(exhibit)
    numbers = as_csv(
        ["series", exhibit.x.title, exhibit.y.title, "low", "high"],
        [
            (one.name, x, y, *(band[place] if place < len(band) else None for band in (one.low, one.high)))
            for one in exhibit.series
            for place, (x, y) in enumerate(zip(one.x, one.y, strict=True))
        ],
    )
    words = [_series_in_words(exhibit, place) for place in range(len(exhibit.series))]
    words += [f"Marked: {name} {written(value)}." for name, value in exhibit.marks.items()]
    caption = exhibit.caption
    if frame is None:
        return _undrawn(exhibit, words, numbers)
    if frame.outside:
        beyond = "; ".join(f"{name} {written(value)}" for name, value in frame.outside.items())
        caption = f"{caption} Outside the frame: {beyond}.".strip()
    spec = lines_chart(exhibit, frame, f"{exhibit.title}. {' '.join(words)}")
    return _charted(exhibit, caption, words, spec, numbers)


def _series_in_words(exhibit: Lines, place: int) -> str:
    one = exhibit.series[place]
    known = [(x, y) for x, y in zip(one.x, one.y, strict=True) if y is not None and math.isfinite(y)]
    if not known:
        return f"{one.name}: no values."
    (first_x, first), (last_x, last) = known[0], known[-1]
    at, low = min(known, key=lambda point: point[1])
    return (
        f"{one.name}: {written(first)} at {written(first_x)}, {written(last)} at {written(last_x)}; lowest "
        f"{written(low)} at {written(at)}."
    )


def _bars(exhibit: Bars) -> Shown:
    places = [(bar.label, bar.group) for bar in exhibit.bars]
    assert len(set(places)) == len(places), f"{exhibit.name}: one bar for a label in a group: {places}"
    words = [
        f"{bar.label}{f' ({bar.group})' if bar.group else ''}: {written(bar.value)}." for bar in exhibit.bars
    ]  # fmt: skip
    words += [f"Marked: {name} {written(value)}." for name, value in exhibit.marks.items()]
    numbers = as_csv(
        ["label", "group", exhibit.value.title], [(bar.label, bar.group, bar.value) for bar in exhibit.bars]
    )
    if not any(drawable(bar.value, exhibit.value.log) is not None for bar in exhibit.bars):
        return _undrawn(exhibit, words, numbers)
    spec = bars_chart(exhibit, f"{exhibit.title}. {' '.join(words)}")
    return _charted(exhibit, exhibit.caption, words, spec, numbers)


def _charted(exhibit: Exhibit, caption: str, words: Sequence[str], spec: dict[str, Any], numbers: str) -> Shown:
    figure = Figure(exhibit.name, exhibit.title, caption, tuple(words), spec, numbers)
    return Shown("chart", exhibit, figure=figure, csv=numbers, links=as_links({f"{exhibit.name}.csv": numbers}))


def _undrawn(exhibit: Exhibit, words: Sequence[str], numbers: str) -> Shown:
    """A figure without one value that could be drawn: its words alone."""
    figure = Figure(exhibit.name, exhibit.title, exhibit.caption, tuple(words), {})
    return Shown("undrawn", exhibit, figure=figure, csv=numbers, links=as_links({f"{exhibit.name}.csv": numbers}))


def _matrices(exhibit: Matrices) -> Shown:
    for one in exhibit.matrices:
        assert min(len(one.rows), len(one.columns)) > 0, f"{exhibit.name}, {one.title}: a row and a column at least"
        assert len(one.values) == len(one.rows), f"{exhibit.name}, {one.title}: as many rows of values as labels"
        for row in one.values:
            assert len(row) == len(one.columns), f"{exhibit.name}, {one.title}: as many values as columns"
    drawings = matrices.draw(exhibit)
    numbers = as_csv(
        ["matrix", exhibit.row_axis, exhibit.column_axis, "value"],
        [
            (one.title, row, column, value)
            for one in exhibit.matrices
            for row, values in zip(one.rows, one.values, strict=True)
            for column, value in zip(one.columns, values, strict=True)
        ],
    )
    content = {
        "drawings": drawings,
        "data": matrices.as_data(exhibit),
        "scale": scale_bar(exhibit),
        "large": len(drawings) <= matrices.FEW,
        "place": _place_of(len(drawings)),
    }
    figure = Figure(exhibit.name, exhibit.title, exhibit.caption, tuple(matrices.in_words(exhibit)), {})
    return Shown("matrices", exhibit, content, figure=figure, csv=numbers)


def _place_of(count: int) -> str:
    """How so many matrices are set: the class of their grid."""
    if count <= matrices.FEW:
        return "scroll"
    if count > matrices.MANY:
        return "many broad"
    return "many by-three" if count % 4 and count != 7 else "many by-four"


def _texts(exhibit: Texts) -> Shown:
    """Texts that continue the same prompt stand together, after what really stands there."""
    groups: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for one in exhibit.texts:
        groups.setdefault((one.prompt, one.truth), []).append(
            {
                "label": one.label,
                "pieces": pieces(one),
                "note": one.note,
                "long": len(one.prompt) + len(one.text) > LONG,
            }
        )
    content = [
        {
            "prompt": visible(prompt),
            "truth": None if truth is None else visible(truth),
            "long": len(prompt) + len(truth or "") > LONG,
            "texts": texts,
        }
        for (prompt, truth), texts in groups.items()
    ]
    return Shown("texts", exhibit, content)


def pieces(one: Text) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is marked; stretches that overlap are one.

    >>> pieces(Text(label="", text="to be or not", marked=((3, 5), (4, 8))))
    [('to ', False), ('be or', True), (' not', False)]
    """
    cut: list[tuple[str, bool]] = []
    place = 0
    for start, end in sorted(one.marked):
        start, end = max(start, place), min(end, len(one.text))
        if end <= start:
            continue
        if cut and start == place and cut[-1][1]:
            cut[-1] = (cut[-1][0] + visible(one.text[start:end]), True)
        else:
            if start > place:
                cut.append((visible(one.text[place:start]), False))
            cut.append((visible(one.text[start:end]), True))
        place = end
    if place < len(one.text):
        cut.append((visible(one.text[place:]), False))
    return cut


def _coloured(exhibit: Coloured) -> Shown:
    numbers = as_csv(
        ["text", "place", "token", exhibit.unit],
        [
            (label, place, piece.text, piece.value)
            for label, pieces in exhibit.texts.items()
            for place, piece in enumerate(pieces, start=1)
        ],
    )
    content = {
        "texts": [{"label": label, "spans": spans(pieces, exhibit)} for label, pieces in exhibit.texts.items()],
        "scale": scale_classes(exhibit),
        "low": written(exhibit.low),
        "high": written(exhibit.high),
        "packed": packed(coloured_svg(exhibit)),
    }
    words = []
    for label, pieces in exhibit.texts.items():
        known = [piece for piece in pieces if drawable(piece.value, log=False) is not None]
        top = sorted(known, key=lambda piece: -abs(piece.value or 0.0))[:5]
        words.append(f"{label}: {len(known)} tokens; furthest from 0: " + "; ".join(piece.note for piece in top))
    figure = Figure(exhibit.name, exhibit.title, exhibit.caption, tuple(words), {})
    links = as_links({f"{exhibit.name}.csv": numbers})
    return Shown("coloured", exhibit, content, figure=figure, csv=numbers, links=links)


def _points(exhibit: Points) -> Shown:
    numbers = as_csv(
        ["label", "group", exhibit.x.title, exhibit.y.title],
        [(point.label, point.group, point.x, point.y) for point in exhibit.points],
    )
    words = [f"{point.label}: {written(point.x)}, {written(point.y)}." for point in exhibit.points[:MANY_WORDS]]
    words += [f"And {len(exhibit.points) - MANY_WORDS:,} more."] if len(exhibit.points) > MANY_WORDS else []
    if not exhibit.points:
        return _undrawn(exhibit, words, numbers)
    spec = points_chart(exhibit, f"{exhibit.title}. {' '.join(words)}")
    return _charted(exhibit, exhibit.caption, words, spec, numbers)


MANY_WORDS = 60
"""So many points are told in words."""


def _parallel(exhibit: Parallel) -> Shown:
    for one in exhibit.strands:
        assert len(one.values) == len(exhibit.scales), f"{exhibit.name}, {one.label}: a value for each scale"
    titles = [scale.title for scale in exhibit.scales]
    numbers = as_csv(["label", "group", *titles], [(one.label, one.group, *one.values) for one in exhibit.strands])
    words = []
    for one in exhibit.strands[:MANY_WORDS]:
        told = (f"{title} {value if isinstance(value, str) else written(value)}"
                for title, value in zip(titles, one.values, strict=True))  # fmt: skip
        words.append(f"{one.label}{f' ({one.group})' if one.group else ''}: {', '.join(told)}.")
    if len(exhibit.strands) > MANY_WORDS:
        words.append(f"And {len(exhibit.strands) - MANY_WORDS:,} more.")
    if not exhibit.strands:
        return _undrawn(exhibit, words, numbers)
    spec = parallel_chart(exhibit, f"{exhibit.title}. {' '.join(words)}")
    return _charted(exhibit, exhibit.caption, words, spec, numbers)


DRAWN: dict[type[Exhibit], Callable[[Any], Shown]] = {
    Prose: _prose,
    Table: _table,
    Lines: _lines,
    Bars: _bars,
    Matrices: _matrices,
    Texts: _texts,
    Coloured: _coloured,
    Points: _points,
    Parallel: _parallel,
}
