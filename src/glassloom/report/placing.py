"""Where the names of points go so that none lies on another, on a point, or beyond the frame: greedy, the first first.

Six places right beside a point are tried, so that nobody asks whose name it is; one that fits nowhere is left to the
tooltip.
Point-feature labelling by rule (Christensen, Marks and Shieber 1995, section 3.1).
"""

from collections.abc import Sequence

LETTER, HEIGHT, DOT = 6.6, 14.0, 7.0
"""Of a name in the size that figures have: a letter's width, a line's height; of a point, half its size; in pixels."""

PLACES = {
    "right-above": (1, -9.0), "right-below": (1, 13.0), "left-above": (-1, -9.0), "left-below": (-1, 13.0),
    "right": (1, 2.0), "left": (-1, 2.0),
}  # fmt: skip
"""By name: the side of the point on which the text begins (1) or ends (-1), and how far below its middle stands."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def placed(
    names: Sequence[str], points: Sequence[tuple[float, float]], width: float, height: float
) -> list[str | None]:
    """For each name the place that it has, None where none is free; `points` are shares of the frame, y from the top.

    >>> placed(["a", "b"], [(0.5, 0.5), (0.5, 0.52)], 600, 300)
    ['right-above', 'right-below']
    """
    at = [(x * width, y * height) for x, y in points]
    taken: list[Box] = [(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in at]
    found: list[str | None] = []
    for name, (x, y) in zip(names, at, strict=True):
        free = None
        for place in PLACES:
            box = box_of(name, x, y, place)
            inside = box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height
            if inside and not any(overlap(box, other) for other in taken):
                free = place
                taken.append(box)
                break
        found.append(free)
    return found


def box_of(name: str, x: float, y: float, place: str) -> Box:
    """What a name covers at a place beside a point."""
    side, down = PLACES[place]
    far = x + side * 10.0
    near, end = sorted((far, far + side * LETTER * len(name)))
    return near, y + down - HEIGHT / 2, end, y + down + HEIGHT / 2


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share more than an edge."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
