"""Numbers and text as figures and tables show them."""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from glassloom.comparison.wording import visible


def drawable(value: float | None, log: bool) -> float | None:
    """The value where an axis has a place for it: finite, and above 0 on a logarithmic one."""
    if value is None or not math.isfinite(value) or (log and value <= 0):
        return None
    return float(value)


def written(value: float | None) -> str:
    """A number as a figure writes it: four digits that count; a dash where there is none.

    >>> written(12345.678), written(0.012345), written(None), written(3.0), written(float("inf"))
    ('12,346', '0.01235', '–', '3', '∞')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return minus(f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}")


NOTHING = re.compile(r"[-+](0(?:\.0*)?(?:e[-+]?00)?%?)\Z")


def minus(number: str) -> str:
    """A number with the sign that is as wide as a plus; what is rounded to 0 has none.

    >>> minus("-1.5e-07"), minus("-0"), minus("+0.0000"), minus("-0.05")
    ('−1.5e−07', '0', '0.0000', '−0.05')
    """
    return NOTHING.sub(r"\1", number).replace("-", "−")


NEVER_IN_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


def in_picture(text: str) -> str:
    """Text that an SVG can hold: control characters as signs; what XML has no place for, replaced."""
    return NEVER_IN_XML.sub("\ufffd", visible(text))


def all_in_picture(value: Any) -> Any:
    """Plain data with every text in it fit for an SVG (the renderer ends the whole process where one is not)."""
    if isinstance(value, dict):
        return {in_picture(key): all_in_picture(item) for key, item in value.items()}
    if isinstance(value, list):
        return [all_in_picture(item) for item in value]
    return in_picture(value) if isinstance(value, str) else value


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV, unrounded.

    >>> as_csv(["name", "loss"], [("a,b", 0.5), ("c", None)])
    'name,loss\\n"a,b",0.5\\nc,\\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()
