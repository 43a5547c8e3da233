"""A matrix as a picture of one pixel a cell: a PNG of 256 colours, for light paper and for dark.

Colour 0 is clear: no value. Colours 1 to 255 run from the lowest value to the highest; where the scale has both signs,
colour 128 is its zero.
"""

import struct
import zlib
from collections.abc import Sequence

from glassloom.exhibits import Matrices, Matrix
from glassloom.report.writing import drawable

Colour = tuple[int, int, int]

LIGHT = ("#f6efe2", "#f3c98f", "#e07b1a", "#a8390a", "#4a1206")
DARK = ("#24211c", "#5e3413", "#b5641b", "#f0a94e", "#fff0cf")
LIGHT_BELOW = ("#f6efe2", "#b4d3e4", "#4b9bcb", "#0d5f9c", "#06294f")
DARK_BELOW = ("#24211c", "#17405e", "#2277b3", "#6fb8ec", "#dff1ff")
"""From no amount to the most of it, above zero (the first two) and below."""


def as_indices(matrix: Matrix, exhibit: Matrices) -> list[bytes]:
    """Each row's colours by number; what lies beyond the scale takes its end.

    >>> one = Matrix(title="", rows=("a",), columns=("b", "c", "d"), values=((0.0, 0.5, None),))
    >>> whole = Matrices(name="m", title="", row_axis="", column_axis="", matrices=(one,))
    >>> [list(row) for row in as_indices(one, whole)]
    [[1, 128, 0]]
    """
    low, high = scale_of(exhibit)
    return [bytes(_index(value, low, high) for value in row) for row in matrix.values]


def scale_of(exhibit: Matrices) -> tuple[float, float]:
    """The values of colours 1 and 255: `low` and `high`, made alike on both sides of zero where both signs occur."""
    if exhibit.low < 0 < exhibit.high:
        most = max(-exhibit.low, exhibit.high)
        return -most, most
    return exhibit.low, exhibit.high


def _index(value: float | None, low: float, high: float) -> int:
    known = drawable(value, log=False)
    if known is None:
        return 0
    part = (known - low) / (high - low) if high > low else 0.0
    return 1 + round(254 * min(1.0, max(0.0, part)))


def strength(index: int, exhibit: Matrices) -> float:
    """How far a colour is from that of no amount: 0 to 1."""
    return abs(index - 128) / 127 if exhibit.low < 0 < exhibit.high else (index - 1) / 254


def palette(exhibit: Matrices, dark: bool) -> list[Colour]:
    """The 256 colours of an exhibit."""
    above, below = (DARK, DARK_BELOW) if dark else (LIGHT, LIGHT_BELOW)
    stops = (*reversed(below), *above[1:]) if exhibit.low < 0 < exhibit.high else above
    return [(0, 0, 0), *(_between(stops, place / 254) for place in range(255))]


def _between(stops: Sequence[str], part: float) -> Colour:
    place = min(int(part * (len(stops) - 1)), len(stops) - 2)
    rest = part * (len(stops) - 1) - place
    one, other = (_parts(stops[place + step]) for step in (0, 1))
    red, green, blue = (round(a + (b - a) * rest) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _parts(colour: str) -> Colour:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def as_png(rows: Sequence[bytes], colours: Sequence[Colour]) -> bytes:
    """Rows of colour numbers as a PNG with a palette (PNG specification, colour type 3); colour 0 is clear."""
    width, height = len(rows[0]) if rows else 0, len(rows)
    assert width * height > 0, "a picture has a row and a column"
    assert all(len(row) == width for row in rows), "the rows of a picture are equally long"
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    scanlines = b"".join(b"\0" + row for row in rows)
    chunks = [
        (b"IHDR", head),
        (b"PLTE", b"".join(bytes(colour) for colour in colours)),
        (b"tRNS", b"\0"),
        (b"IDAT", zlib.compress(scanlines, 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
