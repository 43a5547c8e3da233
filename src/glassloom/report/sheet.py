"""All matrices of an exhibit on one sheet, with their scale: the figure as a file."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import escape

from glassloom.exhibits import Matrices
from glassloom.report.charts import FONT
from glassloom.report.colours import INK, PAPER, SOFT
from glassloom.report.document import in_base64
from glassloom.report.matrices import Drawing, xml
from glassloom.report.pixels import as_png, palette, scale_of
from glassloom.report.writing import written


def scale_bar(exhibit: Matrices) -> dict[str, Any]:
    """The scale of colours: its pixels for light and dark, and what stands at its ends."""
    low, high = scale_of(exhibit)
    row = [bytes(range(1, 256))]
    light, dark = (in_base64(as_png(row, palette(exhibit, dark=dark))) for dark in (False, True))
    return {"light": light, "dark": dark, "low": written(low), "high": written(high)}


def whole_svg(exhibit: Matrices, drawings: Sequence[Drawing]) -> str:
    """All matrices in one SVG with title, axes and scale: the figure as a file."""
    gap = 10.0
    per_row = _per_row(len(drawings))
    width = max((drawing.width for drawing in drawings), default=0.0) + gap
    height = max((drawing.height for drawing in drawings), default=0.0) + gap
    lines = math.ceil(len(drawings) / per_row)
    head, total_width = 34.0, max(per_row * width + gap, 380.0)
    total_height = head + lines * height + 34
    placed = []
    for place, drawing in enumerate(drawings):
        x, y = gap + (place % per_row) * width, head + (place // per_row) * height
        placed.append(f'<g transform="translate({x:.1f} {y:.1f})">{drawing.file}</g>')
    scale = scale_bar(exhibit)
    told = f"{exhibit.unit + '; ' if exhibit.unit else ''}rows: {exhibit.row_axis}; columns: {exhibit.column_axis}"
    y = total_height - 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width:.1f} {total_height:.1f}" '
        f'width="{total_width:.1f}" height="{total_height:.1f}" font-family="{escape(FONT)}">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
        f'<text x="{gap:g}" y="22" font-size="15" fill="{INK}">{xml(exhibit.title)}</text>{"".join(placed)}'
        f'<text x="{gap:g}" y="{y:.1f}" font-size="11" fill="{SOFT}">{scale["low"]}</text>'
        f'<image x="{gap + 34:g}" y="{y - 9:.1f}" width="120" height="10" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{scale["light"]}"/>'
        f'<text x="{gap + 160:g}" y="{y:.1f}" font-size="11" fill="{SOFT}">{scale["high"]}</text>'
        f'<text x="{gap + 200:g}" y="{y:.1f}" font-size="11" font-style="italic" fill="{SOFT}">{xml(told)}</text></svg>'
    )


def _per_row(count: int) -> int:
    even = [number for number in (8, 7, 6, 5, 4) if count % number == 0]
    return min(count, even[0] if even else 6) or 1
