"""A text whose tokens are coloured by a value: spans with classes for the page, rectangles and letters for a file.

A page allows no style of an element's own, so a value is one of STEPS shades on each side of zero, each a class.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import escape

from glassloom.comparison.wording import visible
from glassloom.exhibits import Coloured, Matrices, Piece
from glassloom.report.colours import INK, PAPER, SOFT
from glassloom.report.pixels import palette, scale_of
from glassloom.report.writing import drawable, in_picture, written

STEPS = 16
"""Shades from no amount to the most."""
COLUMNS, SIZE, LINE = 88, 13.0, 21.0
"""Of the file: characters a line, the size of the type, the height of a line."""
LETTER = 0.602 * SIZE
MONO = "DejaVu Sans Mono, Menlo, Consolas, monospace"


@dataclass(frozen=True)
class Span:
    """A piece of text with its class and what is said of it."""

    text: str
    shade: str
    note: str


def spans(pieces: Sequence[Piece], exhibit: Coloured) -> list[Span]:
    """The pieces of one text for the page; a line end gets a sign, so that its colour can be seen."""
    return [Span(shown(piece.text), shade_of(piece.value, exhibit), visible(piece.note)) for piece in pieces]


def shown(text: str) -> str:
    """The text of a piece: what would not be seen gets a sign.

    >>> shown(chr(10)), shown("to be")
    ('⏎\\n', 'to be')
    """
    return visible(text).replace("\n", "⏎\n").replace("\t", "⇥\t")


def step_of(value: float | None, exhibit: Coloured) -> int | None:
    """Which shade a value has: -STEPS to STEPS, 0 for no amount; None for no value.

    >>> step_of(0.5, Coloured(name="a", title="", texts={}, unit="bits")), STEPS
    (8, 16)
    """
    known = drawable(value, log=False)
    if known is None:
        return None
    low, high = scale_of(as_matrices(exhibit))
    below = low < 0 < high
    part = known / high if below else (known - low) / (high - low) if high > low else 0.0
    return round(STEPS * min(1.0, max(-1.0 if below else 0.0, part)))


def shade_of(value: float | None, exhibit: Coloured) -> str:
    """The class of a value; none where there is no value."""
    step = step_of(value, exhibit)
    if step is None:
        return ""
    return f"shade shade-{'b' if step < 0 else 'a'}{abs(step)}"


def scale_classes(exhibit: Coloured) -> list[str]:
    """The classes of every other shade of the scale, from its lowest value to its highest."""
    steps = range(-STEPS if exhibit.low < 0 < exhibit.high else 0, STEPS + 1, 2)
    return [f"shade shade-{'b' if step < 0 else 'a'}{abs(step)}" for step in steps]


def as_matrices(exhibit: Coloured) -> Matrices:
    """The same scale, for the pixels' palettes."""
    return Matrices(name=exhibit.name, title="", row_axis="", column_axis="", matrices=(), low=exhibit.low,
                    high=exhibit.high)  # fmt: skip


@lru_cache
def colour_of(step: int, dark: bool) -> str:
    """The colour of a shade, on light paper or dark."""
    both = Matrices(name="", title="", row_axis="", column_axis="", matrices=(), low=-1.0, high=1.0)
    red, green, blue = palette(both, dark)[128 + round(127 * step / STEPS)]
    return f"#{red:02x}{green:02x}{blue:02x}"


def shade_rules() -> str:
    """Style rules for every shade."""
    steps = range(-STEPS, STEPS + 1)
    return "".join(
        f".shade-{'b' if step < 0 else 'a'}{abs(step)} {{ background: light-dark({light}, {dark}); "
        f"color: light-dark({letters_on(light)}, {letters_on(dark)}); }}\n"
        for step in steps
        for light, dark in [(colour_of(step, dark=False), colour_of(step, dark=True))]
    )


def letters_on(colour: str) -> str:
    """Black or white, whichever has more contrast on a colour: 4.58 to 1 at least (WCAG 2.2, relative luminance).

    >>> letters_on("#f6efe2"), letters_on("#4a1206")
    ('#000000', '#ffffff')
    """
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"


def coloured_svg(exhibit: Coloured) -> str:
    """All texts of an exhibit one below the other, in letters of one width, with title and scale."""
    width, y, parts = COLUMNS * LETTER + 24, 46.0, []
    for label, pieces in exhibit.texts.items():
        if len(exhibit.texts) > 1:
            parts.append(_line(12, y, label, SOFT))
            y += LINE
        for line in _lines(pieces):
            parts += _placed(line, exhibit, y)
            y += LINE
        y += 10
    low, high = scale_of(as_matrices(exhibit))
    parts.append(_line(12, y + 6, f"{written(low)} to {written(high)} {exhibit.unit}", SOFT))
    steps = range(-STEPS if low < 0 else 0, STEPS + 1)
    cell = 160 / len(steps)
    parts += [
        f'<rect x="{12 + 240 + place * cell:.1f}" y="{y - 5:.1f}" width="{cell:.1f}" height="12" '
        f'fill="{colour_of(step, dark=False)}"/>'
        for place, step in enumerate(steps)
    ]
    height = y + 22
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1f} {height:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" font-family="{MONO}" font-size="{SIZE:g}">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
        f"{_line(12, 22, exhibit.title, INK, size=15)}{''.join(parts)}</svg>"
    )


def _lines(pieces: Sequence[Piece]) -> Iterator[list[tuple[str, Piece]]]:
    """The pieces' characters in lines of at most COLUMNS, broken also where the text is."""
    line: list[tuple[str, Piece]] = []
    for piece in pieces:
        for sign in in_picture(piece.text).replace("\n", "⏎"):
            line.append((sign, piece))
            if sign == "⏎" or len(line) == COLUMNS:
                yield line
                line = []
    if line:
        yield line


def _placed(line: list[tuple[str, Piece]], exhibit: Coloured, y: float) -> list[str]:
    """One line: a rectangle and a letter for each character; from the right where most letters run that way."""
    kinds = [unicodedata.bidirectional(sign) for sign, _ in line]
    leftwards = sum(kind in ("R", "AL") for kind in kinds) > sum(kind == "L" for kind in kinds)
    boxes, letters = [], []
    for place, (sign, piece) in enumerate(line):
        x = 12 + (COLUMNS - 1 - place if leftwards else place) * LETTER
        step = step_of(piece.value, exhibit)
        if step is not None:
            boxes.append(f'<rect x="{x:.2f}" y="{y - 14:.1f}" width="{LETTER + 0.3:.2f}" height="{LINE - 3:.1f}" '
                         f'fill="{colour_of(step, dark=False)}"/>')  # fmt: skip
        if not sign.isspace():
            letters.append(_line(x, y, sign, INK if step is None else letters_on(colour_of(step, dark=False))))
    return boxes + letters


def _line(x: float, y: float, text: str, colour: str, size: float = SIZE) -> str:
    return f'<text x="{x:.2f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}">{escape(in_picture(text))}</text>'
