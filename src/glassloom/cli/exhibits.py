"""Exhibits on a terminal: tables as tables, curves and matrices in signs, a coloured text in the terminal's colours."""

import math
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence

from glassloom.cli.output import Paint, table
from glassloom.exhibits import (
    Bars,
    Coloured,
    Exhibit,
    Lines,
    Matrices,
    Matrix,
    Parallel,
    Points,
    Prose,
    Table,
    Texts,
    Value,
)
from glassloom.report.coloured import STEPS, step_of
from glassloom.report.drawing import cell_text
from glassloom.report.writing import written
from glassloom.views.catalogue import Entry

SHADES = " ░▒▓█"
BLOCKS = "▁▂▃▄▅▆▇█"
MOST_ROWS, MOST_MATRICES, MOST_POINTS = 40, 6, 20

Line = list[Paint]


def as_lines(exhibit: Exhibit) -> Iterator[Line]:
    """An exhibit line by line, its title first and its caption last."""
    if exhibit.title:
        yield [Paint(exhibit.title, bold=True)]
    match exhibit:
        case Table():
            yield from table_lines(exhibit)
        case Lines():
            yield from curve_lines(exhibit)
        case Bars():
            rows = [[bar.label, bar.group, written(bar.value)] for bar in exhibit.bars]
            yield from plain(table(rows, ["", "", exhibit.value.title], texts=(0, 1)))
        case Points():
            rows = [[one.label, written(one.x), written(one.y)] for one in exhibit.points[:MOST_POINTS]]
            yield from plain(table(rows, ["", exhibit.x.title, exhibit.y.title]))
            yield from left_out(len(exhibit.points), MOST_POINTS, "points")
        case Parallel():
            cells = [[one.label, one.group, *(each if isinstance(each, str) else written(each) for each in one.values)]
                     for one in exhibit.strands[:MOST_POINTS]]  # fmt: skip
            yield from plain(table(cells, ["", "", *(scale.title for scale in exhibit.scales)], texts=(0, 1)))
            yield from left_out(len(exhibit.strands), MOST_POINTS, "lines")
        case Matrices():
            yield from matrices_lines(exhibit)
        case Coloured():
            yield from coloured_lines(exhibit)
        case Prose():
            yield from plain("\n".join(exhibit.paragraphs))
        case Texts():
            for text in exhibit.texts:
                yield [Paint(f"{text.label}: {text.note}" if text.note else text.label)]
                yield from plain(text.prompt + text.text)
    if exhibit.caption:
        yield [Paint(exhibit.caption, faint=True)]
    yield [Paint("")]


def plain(text: str) -> Iterator[Line]:
    """Text as lines."""
    for line in text.split("\n"):
        yield [Paint(line)]


def left_out(count: int, shown: int, what: str) -> Iterator[Line]:
    """Says what is not shown."""
    if count > shown:
        yield [Paint(f"... and {count - shown:,} more {what}; --out FILE has all.", faint=True)]


def table_lines(exhibit: Table) -> Iterator[Line]:
    """The first rows of a table."""
    rows: Sequence[tuple[Value, ...]] = exhibit.rows[:MOST_ROWS]
    cells = [[cell_text(value, column) for value, column in zip(row, exhibit.columns, strict=True)] for row in rows]
    texts = [place for place, column in enumerate(exhibit.columns) if not column.numeric]
    yield from plain(table(cells, [column.title for column in exhibit.columns], texts))
    yield from left_out(len(exhibit.rows), MOST_ROWS, "rows")


def curve_lines(exhibit: Lines) -> Iterator[Line]:
    """Each curve as a row of blocks between the exhibit's lowest and highest value, with its first and last one."""

    def height(y: float) -> float:
        return math.log(y) if exhibit.y.log else y

    def known(values: Sequence[float | None]) -> list[float]:
        return [y for y in values if y is not None and math.isfinite(y) and (y > 0 or not exhibit.y.log)]

    everything = [height(y) for one in exhibit.series for y in known(one.y)]
    if not everything:
        return
    low, high = min(everything), max(everything)
    room = max(10, min(60, shutil.get_terminal_size().columns - 50))
    rows = []
    for one in exhibit.series:
        ys = known(one.y)
        if not ys:
            continue
        chosen = [ys[place * len(ys) // min(room, len(ys))] for place in range(min(room, len(ys)))]
        part = [(height(y) - low) / (high - low) if high > low else 0.0 for y in chosen]
        rows.append(
            [one.name, written(ys[0]), "".join(BLOCKS[min(7, int(8 * each))] for each in part), written(ys[-1])]
        )
    yield from plain(table(rows, [exhibit.y.title, "first", f"over {exhibit.x.title}", "last"], texts=(0, 2)))
    marks = [f"{name} {written(value)}" for name, value in exhibit.marks.items()]
    if marks:
        yield [Paint("Marked: " + "; ".join(marks), faint=True)]


def matrices_lines(exhibit: Matrices) -> Iterator[Line]:
    """The first matrices in shades, where the terminal is wide enough for them."""
    for one in exhibit.matrices[:MOST_MATRICES]:
        yield [Paint(one.title)]
        yield from shaded(one, exhibit)
    yield from left_out(len(exhibit.matrices), MOST_MATRICES, "matrices")


def shaded(matrix: Matrix, exhibit: Matrices) -> Iterator[Line]:
    """A matrix, two signs a cell, its rows labelled; what is too wide or too long for the terminal is cut."""
    left = max((len(name) for name in matrix.rows), default=0)
    room = max(4, (shutil.get_terminal_size().columns - left - 2) // 2)
    span = max(abs(exhibit.low), abs(exhibit.high)) or 1.0
    for name, values in list(zip(matrix.rows, matrix.values, strict=True))[:MOST_ROWS]:
        cells = ""
        for value in values[:room]:
            strong = 0 if value is None else min(4, math.ceil(4 * abs(value) / span - 0.2))
            cells += ("-" if value is not None and value < 0 and strong else SHADES[strong]) + SHADES[strong]
        yield [Paint(f"{name.rjust(left)} {cells.rstrip()}")]
    yield from left_out(len(matrix.rows), MOST_ROWS, "rows")


def coloured_lines(exhibit: Coloured) -> Iterator[Line]:
    """The text with its colours where there are any to be had; the values of its tokens otherwise."""
    for label, pieces in exhibit.texts.items():
        if len(exhibit.texts) > 1:
            yield [Paint(label, bold=True)]
        if not in_colour():
            rows = [[piece.text, written(piece.value), piece.note] for piece in pieces[:MOST_ROWS]]
            yield from plain(table(rows, ["token", exhibit.unit, ""], texts=(0, 2)))
            yield from left_out(len(pieces), MOST_ROWS, "tokens")
            continue
        line: Line = []
        for piece in pieces:
            step = step_of(piece.value, exhibit)
            for number, part in enumerate(piece.text.split("\n")):
                if number:
                    yield line
                    line = []
                line.append(Paint(part, shade=None if step is None else step / STEPS))
        yield line


def in_colour() -> bool:
    """Whether standard output is a terminal that shows colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


FLAGS = {"properties": "--property --property-file", "kinds": "--kind", "changes": "--change"}
"""Options that are typed otherwise than they are called in Python: one flag a value."""


def flag_of(option: str, entry: Entry) -> str:
    """How an option of a view is typed; that of a view which a package adds has no flag of its own."""
    return (
        FLAGS.get(option, f"--{option.replace('_', '-')}")
        if isinstance(entry.function, str)
        else f"--option {option}=X"
    )


def view_lines(entries: Mapping[str, Entry]) -> Iterator[Line]:
    """Every view with what it answers and its options."""
    rows = [[name, entry.about, " ".join(flag_of(one, entry) for one in entry.options())]
            for name, entry in entries.items()]  # fmt: skip
    yield from plain(table(rows, ["view", "answers", "options"], texts=(0, 1, 2)))
