"""Matrices as pictures of pixels in a frame of labels: small ones side by side, or one with every label.

Vega draws at most 5,000 cells; 64 heads of 36 tokens have 83,000. So a cell is a pixel of a PNG, stretched in an SVG.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from glassloom.comparison.wording import visible
from glassloom.exhibits import Matrices, Matrix
from glassloom.report.colours import INK, PAPER, RULE, SOFT
from glassloom.report.document import in_base64
from glassloom.report.pixels import as_indices, as_png, palette, strength
from glassloom.report.writing import drawable, in_picture, written

FEW = 2
"""So many matrices are drawn large, with every label; more are drawn small."""

MANY = 8
"""More than so many small ones are given the width of the window."""

LETTER = 0.56
"""The width of a letter, as a part of the size of the type."""


@dataclass(frozen=True)
class Layout:
    """Sizes in pixels: of the type, the area of the cells at most, the gap between labels at least."""

    type_size: float
    area: float
    gap: float
    cell_at_least: float
    cell_at_most: float
    letters: int
    axes: bool


SMALL = Layout(type_size=9, area=130, gap=10, cell_at_least=0.5, cell_at_most=30, letters=7, axes=False)
LARGE = Layout(type_size=12, area=600, gap=0, cell_at_least=15, cell_at_most=46, letters=30, axes=True)


@dataclass(frozen=True)
class Drawing:
    """One matrix: its SVG for the page, with pixels for light and dark, and for a file, with light ones only."""

    title: str
    page: Markup
    """A whole SVG."""
    file: str
    """Its content alone."""
    width: float
    height: float


def draw(exhibit: Matrices) -> list[Drawing]:
    """Every matrix of an exhibit, all with the same margins."""
    layout = LARGE if len(exhibit.matrices) <= FEW else SMALL
    return [_draw(matrix, exhibit, layout) for matrix in exhibit.matrices]


def sign(label: str) -> str:
    """A label on one line: white space alone becomes a sign.

    >>> sign(" "), sign("to be"), sign(chr(10))
    ('␣', 'to be', '↵')
    """
    if label and not label.strip():
        return label.replace("\r\n", "↵").replace("\n", "↵").replace("\t", "⇥").replace(" ", "␣")
    return visible(" ".join(label.split()))


def xml(text: str) -> Markup:
    """Text as SVG shows it."""
    return escape(in_picture(text))


def _draw(matrix: Matrix, exhibit: Matrices, layout: Layout) -> Drawing:
    rows, columns = len(matrix.rows), len(matrix.columns)
    cell = min(max(layout.area / max(1, columns), layout.cell_at_least), layout.cell_at_most)
    tall = min(max(cell, 24 / max(1, rows)), max(cell, layout.cell_at_least) if layout.axes else 2 * layout.area / rows)
    width, height = cell * columns, tall * rows
    left = _widest(exhibit, layout, of_rows=True) + 6 + (20 if layout.axes else 0)
    upright = max((len(sign(name)) for one in exhibit.matrices for name in one.columns), default=0) <= 2
    widest = _widest(exhibit, layout, of_rows=False)
    below = layout.type_size + 6 if upright else widest * math.sin(math.pi / 3) + layout.type_size
    top = layout.type_size + 11
    right = 4 + (0 if upright else 2)
    total_width, total_height = left + width + right, top + height + below + (22 if layout.axes else 0)
    parts = [_title(matrix.title, layout, left, total_width)]
    box = f'x="{left:.1f}" y="{top:.1f}" width="{width:.2f}" height="{height:.2f}"'
    picture = '<image{} {} preserveAspectRatio="none" image-rendering="{}" href="data:image/png;base64,{}"/>'
    indices = as_indices(matrix, exhibit)
    light, dark = (in_base64(as_png(indices, palette(exhibit, dark=dark))) for dark in (False, True))
    frame = f'<rect {box} fill="none" stroke="{RULE}" class="edge"/>'
    labels = _labels(matrix, layout, left, top, cell, tall, upright)
    if layout.axes:
        labels += _axes(exhibit, layout, left, top, width, height, total_height)
        labels += _numbers(matrix, exhibit, indices, left, top, cell, tall)
    size = f'viewBox="0 0 {total_width:.1f} {total_height:.1f}" width="{total_width:.1f}" height="{total_height:.1f}"'
    both = picture.format(' class="in-light"', box, "pixelated", light) + picture.format(
        ' class="in-dark"', box, "pixelated", dark
    )
    alone = picture.format("", box, "optimizeSpeed", light)
    name = xml(matrix.title)
    page = f'<svg {size} role="img" aria-label="{name}">{"".join(parts)}{both}{frame}{labels}</svg>'
    return Drawing(matrix.title, Markup(page), f"{''.join(parts)}{alone}{frame}{labels}", total_width, total_height)


def _title(title: str, layout: Layout, left: float, width: float) -> str:
    """Above the cells; smaller where it would be cut off, further to the left, and without its beginning at last."""
    size = layout.type_size + 2
    x = left if LETTER * size * len(title) <= width - left else 2.0
    size = max(layout.type_size - 2, min(size, (width - x) / (LETTER * max(1, len(title)))))
    room = int((width - x) / (LETTER * size))
    told = title if len(title) <= room else "…" + title[len(title) - room + 1 :]
    return (
        f'<text x="{x:.1f}" y="{layout.type_size + 2:.1f}" font-size="{size:.3g}" class="title" fill="{INK}">'
        f"{xml(told)}</text>"
    )


def _widest(exhibit: Matrices, layout: Layout, of_rows: bool) -> float:
    names = [name for one in exhibit.matrices for name in (one.rows if of_rows else one.columns)]
    return max((min(len(sign(name)), layout.letters) for name in names), default=0) * LETTER * layout.type_size


def _labels(matrix: Matrix, layout: Layout, left: float, top: float, cell: float, tall: float, upright: bool) -> str:
    size = layout.type_size
    parts = []
    step = max(1, math.ceil(layout.gap / tall))
    for place in range(0, len(matrix.rows), step):
        y = top + (place + 0.5) * tall + 0.34 * size
        parts.append(f'<text x="{left - 4:.1f}" y="{y:.1f}" text-anchor="end" font-size="{size:g}" fill="{SOFT}">'
                     f"{_short(matrix.rows[place], layout)}</text>")  # fmt: skip
    step = max(1, math.ceil(layout.gap / cell))
    foot = top + len(matrix.rows) * tall
    for place in range(0, len(matrix.columns), step):
        x = left + (place + 0.5) * cell
        if upright:
            where = f'x="{x:.1f}" y="{foot + size + 2:.1f}" text-anchor="middle"'
        else:
            x, y = x + 0.3 * size, foot + 0.75 * size
            where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="end" transform="rotate(-60 {x:.1f} {y:.1f})"'
        parts.append(f'<text {where} font-size="{size:g}" fill="{SOFT}">{_short(matrix.columns[place], layout)}</text>')
    return "".join(parts)


def _short(label: str, layout: Layout) -> Markup:
    text = sign(label)
    if len(text) <= layout.letters:
        return xml(text)
    half = (layout.letters - 1) // 2  # names differ at both ends
    return xml(f"{text[: layout.letters - 1 - half]}…{text[len(text) - half :]}")


def _axes(
    exhibit: Matrices, layout: Layout, left: float, top: float, width: float, height: float, bottom: float
) -> str:
    style = f'text-anchor="middle" font-size="{layout.type_size:g}" font-style="italic" fill="{SOFT}"'
    middle = top + height / 2
    return (
        f'<text x="12" y="{middle:.1f}" {style} transform="rotate(-90 12 {middle:.1f})">{xml(exhibit.row_axis)}</text>'
        f'<text x="{left + width / 2:.1f}" y="{bottom - 5:.1f}" {style}>{xml(exhibit.column_axis)}</text>'
    )


ROOM_FOR_NUMBERS = 34
"""A cell of so many pixels holds its value in figures."""


STRONG = 0.6
"""From here on a cell's colour asks for letters in the colour of the paper."""


def _numbers(
    matrix: Matrix, exhibit: Matrices, indices: Sequence[bytes], left: float, top: float, cell: float, tall: float
) -> str:
    if min(cell, tall) < ROOM_FOR_NUMBERS:
        return ""
    parts = []
    for row, values in enumerate(matrix.values):
        for column, value in enumerate(values):
            if (known := drawable(value, log=False)) is None:
                continue
            x, y = left + (column + 0.5) * cell, top + (row + 0.5) * tall + 4
            told = written(round(float(f"{known:.2g}"), 3))
            strong = strength(indices[row][column], exhibit) > STRONG
            parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="11" '
                         f'class="{"on-strong" if strong else "on-weak"}" '
                         f'fill="{PAPER if strong else INK}">{told}</text>')  # fmt: skip
    return "".join(parts)


def as_data(exhibit: Matrices) -> dict[str, Any]:
    """What the page's script reads values from: labels once, values with four digits."""
    names: list[tuple[str, ...]] = []
    matrices = []
    for one in exhibit.matrices:
        for labels in (one.rows, one.columns):
            if labels not in names:
                names.append(labels)
        values = [
            None if (known := drawable(value, log=False)) is None else float(f"{known:.4g}")
            for row in one.values
            for value in row
        ]
        matrices.append(
            {"title": visible(one.title), "rows": names.index(one.rows), "columns": names.index(one.columns),
             "values": values}
        )  # fmt: skip
    return {
        "labels": [[sign(label) for label in labels] for labels in names],
        "row_axis": exhibit.row_axis,
        "column_axis": exhibit.column_axis,
        "matrices": matrices,
    }


def in_words(exhibit: Matrices) -> list[str]:
    """Of every matrix its range, and where its largest value stands."""
    words = []
    for one in exhibit.matrices:
        cells = [
            (known, row, column)
            for row, values in enumerate(one.values)
            for column, value in enumerate(values)
            if (known := drawable(value, log=False)) is not None
        ]
        if not cells:
            words.append(f"{one.title}: no values.")
            continue
        most, row, column = max(cells, key=lambda cell: (cell[0], -cell[1], -cell[2]))
        words.append(
            f"{one.title}: {len(one.rows)} rows and {len(one.columns)} columns, from {written(min(cells)[0])} to "
            f"{written(most)}, the largest in row “{sign(one.rows[row])}”, column “{sign(one.columns[column])}”."
        )
    return words
